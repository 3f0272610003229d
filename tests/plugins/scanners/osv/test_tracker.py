"""The JSON of the Debian security tracker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.advisories import Advisory, Affected
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv.tracker import DebianTrackerReader
from support.advisories import keys

READER = DebianTrackerReader()


def read(tmp_path: Path, document: Any) -> list[Advisory]:
    path = tmp_path / "tracker.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return [READER.describe(raw, keys) for raw in READER.advisories(path)]


def one(tmp_path: Path, **release: Any) -> list[Affected]:
    document = {"hello": {"CVE-2026-1001": {"description": "reads too much", "releases": {"bookworm": release}}}}
    (advisory,) = read(tmp_path, document)
    assert (advisory.name, advisory.vulnerabilities) == ("CVE-2026-1001", ("CVE-2026-1001",))
    assert advisory.summary == "reads too much"
    return list(advisory.affected)


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ({"status": "resolved", "fixed_version": "1.0-2", "urgency": "high**"}, ("1.0-2", "", "high")),
        ({"status": "resolved", "fixed_version": "1.0-2", "urgency": "not yet assigned"}, ("1.0-2", "", "")),
        ({"status": "open", "urgency": "unimportant"}, ("", "", "negligible")),
        ({"status": "open", "urgency": "end-of-life"}, ("", "end_of_life", "")),
        ({"status": "open", "nodsa": "Minor issue", "nodsa_reason": ""}, ("", "no_dsa", "")),
        ({"status": "open", "nodsa": "Minor issue", "nodsa_reason": "ignored"}, ("", "ignored", "")),
        ({"status": "open", "nodsa": "Minor issue", "nodsa_reason": "postponed"}, ("", "postponed", "")),
        ({"status": "undetermined", "urgency": "low"}, ("", "undetermined", "low")),
    ],
)
def test_a_release_says_whether_and_by_which_version_it_is_fixed(
    tmp_path: Path, release: dict[str, str], expected: tuple[str, str, str]
) -> None:
    (run,) = one(tmp_path, **release)
    assert (run.fixed, run.state, run.severity) == expected
    assert (run.ecosystem, run.package) == ("Debian:12", "hello")


def test_a_release_that_was_never_affected_has_fixed_version_zero(tmp_path: Path) -> None:
    assert one(tmp_path, status="resolved", fixed_version="0", urgency="unimportant") == []


def test_an_empty_list_of_releases_is_one_without_any(tmp_path: Path) -> None:
    (advisory,) = read(tmp_path, {"hello": {"CVE-2026-1001": {"releases": []}}})
    assert advisory.affected == ()


def test_what_has_no_cve_yet_counts_under_its_own_name(tmp_path: Path) -> None:
    (advisory,) = read(tmp_path, {"hello": {"TEMP-0000-1": {"releases": {"sid": {"status": "open"}}}}})
    assert (advisory.vulnerabilities, advisory.affected[0].ecosystem) == (("TEMP-0000-1",), "Debian:sid")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[]", "{ is missing"),
        ({"hello": []}, "{ is missing"),
        ({"hello": {"CVE-2026-1001": 3}}, "hello CVE-2026-1001 is a number, not an object"),
        ({"hello": {"CVE-2026-1001": {"releases": 3}}}, "hello CVE-2026-1001: releases is a number"),
        ({"hello": {"CVE-2026-1001": {"releases": {"sid": {"status": "odd"}}}}}, "sid: nobody knows the status 'odd'"),
        ({"a": {"CVE-2026-1001": {"releases": {"sid": {"status": "resolved"}}}}}, "resolved, but not by which version"),
        ({"hel\nlo": {"CVE-2026-1001": {}}}, "is no package and CVE"),
        ('{"hello": {"CVE-2026-1001": {"releases": ', "hello CVE-2026-1001 is malformed"),
    ],
)  # fmt: skip
def test_another_shape_is_told_with_file_and_record(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message):
        read(tmp_path, document)
