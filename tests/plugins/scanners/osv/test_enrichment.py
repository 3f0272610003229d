"""Lists of what is exploited, and of how probable that is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from entrepot.advisories import Fact
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv import FORMATS
from entrepot_plugins.scanners.osv.enrichment import EpssReader, KevReader

KEV = json.dumps({"title": "t", "count": 1, "vulnerabilities": [{"cveID": "CVE-2026-1001", "dateAdded": "2026-01-02"}]})
EPSS = """\
#model_version:v1,score_date:2026-01-01T00:00:00+0000
cve,epss,percentile
CVE-2026-1001,0.25,0.9
CVE-2026-1002,1e-05,0
"""


def test_what_is_exploited_is_told_with_the_day_it_was_listed(tmp_path: Path) -> None:
    path = tmp_path / "kev.json"
    path.write_text(KEV)
    assert list(KevReader().facts(path)) == [Fact("CVE-2026-1001", "kev", "2026-01-02")]


@pytest.mark.parametrize("name", ["epss.csv", "epss.csv.gz"])
def test_probabilities_are_read_plain_and_compressed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(EPSS.encode()) if name.endswith("gz") else EPSS.replace("\n", "\r\n").encode())
    assert list(EpssReader().facts(path)) == [
        Fact("CVE-2026-1001", "epss", "0.25"),
        Fact("CVE-2026-1002", "epss", "1e-05"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "has no list of vulnerabilities"),
        ('{"vulnerabilities": {}}', r"\[ is missing"),
        ('{"vulnerabilities": [7]}', r"vulnerabilities\[0\] is a number, not an object"),
        ('{"vulnerabilities": [{}]}', r"vulnerabilities\[0\]: cveID is missing"),
        ('{"vulnerabilities": [{"cveID": "X"}]}', "'X' is no CVE"),
    ],
)
def test_a_list_of_another_shape_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "kev.json"
    path.write_text(text)
    with pytest.raises(IndexFormatError, match=message):
        list(KevReader().facts(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "line 1 has no columns cve and epss"),
        ("cve,epss\nCVE-2026-1001\n", "line 2 is no CVE with a score"),
        ("cve,epss\nCVE-2026-1001,nan\n", "line 2 is no CVE with a score"),
        ("cve,epss\nCVE-2026-1001,17\n", "line 2 is no CVE with a score"),
        ("cve,epss\nx,0.1\n", "line 2 is no CVE with a score"),
        ("cve,epss\nCVE-2026-1001,0.1ü\n", "line 2 is not ASCII"),
        ("x" * 1_000_000, "line 1 has no end"),
    ],
)
def test_a_table_of_another_shape_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "epss.csv"
    path.write_text(text)
    with pytest.raises(IndexFormatError, match=message):
        list(EpssReader().facts(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEV, "kev"),
        (EPSS, "epss"),
        ('{"hello": {"CVE-2026-1001": {"releases": {}}}}', "debian-tracker"),
        ('{"schema_version": "1.7.0", "id": "CVE-2026-1001"}', "osv"),
        ("<html>", None),
        ("", None),
    ],
)
def test_a_file_is_recognised_by_one_form_at_the_most(tmp_path: Path, text: str, expected: str | None) -> None:
    path = tmp_path / "data"
    path.write_text(text)
    assert [form.name for form in FORMATS if form.recognises(path)] == ([expected] if expected else [])
