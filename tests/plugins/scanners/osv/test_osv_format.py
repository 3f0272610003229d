"""Records of the OSV schema."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.advisories import Advisory, RawAdvisory
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv.osv_format import OsvReader
from support.advisories import affected, keys, osv, package, write_zip

READER = OsvReader()
HELLO = package("Debian:12", "hello", fixed="1.0-2")


def describe(record: Any) -> Advisory:
    return READER.describe(RawAdvisory(b"", json.dumps(record).encode(), "x.json"), keys)


def test_a_record_says_what_it_is_about() -> None:
    advisory = describe(
        osv(
            "DEBIAN-CVE-2026-1001",
            HELLO,
            upstream=["CVE-2026-1001"],
            aliases=["GHSA-1"],
            summary="  reads\ntoo much ",
            severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:H"}],
            references=[{"type": "WEB", "url": "https://example.org/w"}, {"type": "ADVISORY", "url": "https://example.org/a"}],
        )
    )  # fmt: skip
    assert (advisory.name, advisory.vulnerabilities) == ("DEBIAN-CVE-2026-1001", ("CVE-2026-1001",))
    assert advisory.aliases == ("GHSA-1",)
    assert (advisory.score, advisory.summary, advisory.url) == (6.6, "reads too much", "https://example.org/a")
    (run,) = advisory.affected
    assert (run.ecosystem, run.package, run.fixed, run.end_key) == ("Debian:12", "hello", "1.0-2", keys("apt", "1.0-2"))


@pytest.mark.parametrize(
    ("name", "fields", "vulnerabilities"),
    [
        ("CVE-2026-1001", {}, ["CVE-2026-1001"]),
        ("UBUNTU-CVE-2026-1001", {}, ["CVE-2026-1001"]),
        ("USN-1-1", {"upstream": ["UBUNTU-CVE-2026-1001"], "related": ["CVE-2026-1009"]}, ["CVE-2026-1001"]),
        ("ALSA-2026:1", {"related": ["CVE-2026-1001", "CVE-2026-1002"]}, ["CVE-2026-1001", "CVE-2026-1002"]),
        ("CVE-2026-1001", {"related": ["CVE-2026-1002"]}, ["CVE-2026-1001"]),
        ("ALSA-2026:1", {}, ["ALSA-2026:1"]),
        ("ALBA-2026:1", {}, []),
        ("RHEA-2026:1", {"related": ["CVE-2026-1001"]}, ["CVE-2026-1001"]),
        ("X-1", {"aliases": None, "related": None, "upstream": None}, ["X-1"]),
    ],
)  # fmt: skip
def test_a_record_counts_as_the_cves_that_it_is_about(
    name: str, fields: dict[str, Any], vulnerabilities: list[str]
) -> None:
    advisory = describe(osv(name, HELLO, **fields))
    assert list(advisory.vulnerabilities) == vulnerabilities
    assert bool(advisory.affected) == bool(vulnerabilities)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"severity": [{"type": "Ubuntu", "score": "negligible"}]}, "negligible"),
        ({"summary": "Important: hello security update"}, "high"),
        ({"database_specific": {"severity": "MODERATE"}}, "medium"),
        ({"database_specific": {"severity": 3}}, ""),
        ({"summary": "Imported: hello"}, ""),
    ],
)
def test_a_vendor_says_how_bad_it_is_in_several_places(fields: dict[str, Any], word: str) -> None:
    assert describe(osv("CVE-2026-1001", HELLO, **fields)).severity == word


def test_a_package_may_have_a_severity_of_its_own() -> None:
    advisory = describe(osv("CVE-2026-1001", HELLO | {"ecosystem_specific": {"urgency": "unimportant"}}))
    assert advisory.affected[0].severity == "negligible"


def test_a_withdrawn_record_affects_nothing_any_more() -> None:
    advisory = describe(osv("CVE-2026-1001", HELLO, withdrawn="2026-02-01T00:00:00Z"))
    assert (advisory.withdrawn, advisory.affected) == ("2026-02-01T00:00:00Z", ())


def test_packages_of_other_ecosystems_and_ranges_of_commits_are_left_out() -> None:
    git: dict[str, Any] = {"package": {"ecosystem": "Debian:12", "name": "hello"}}
    git["ranges"] = [{"type": "GIT", "events": [{"introduced": "0"}]}]
    assert describe(osv("CVE-2026-1001", package("npm", "left-pad"), git)).affected == ()


def test_several_ranges_and_packages_are_a_run_each_and_repeated_ones_count_once() -> None:
    two = affected("Debian:12", "hello", [{"introduced": "0"}, {"fixed": "1"}], [{"introduced": "2"}, {"fixed": "3"}])
    runs = describe(osv("CVE-2026-1001", two, two, package("Debian:13", "hello"))).affected
    assert [(run.ecosystem, run.introduced, run.fixed) for run in runs] == [
        ("Debian:12", "", "1"),
        ("Debian:12", "2", "3"),
        ("Debian:13", "", ""),
    ]


def test_enumerated_versions_count_where_there_is_no_range() -> None:
    only = {"package": {"ecosystem": "Debian:12", "name": "hello"}, "versions": ["1.0-1", "1.0-2"]}
    assert [run.last_affected for run in describe(osv("X", only)).affected] == ["1.0-1", "1.0-2"]
    assert [run.last_affected for run in describe(osv("X", HELLO | {"versions": ["9"]})).affected] == [""]


@pytest.mark.parametrize(
    ("fixed", "summary", "purl", "module"),
    [
        ("1:18.1-1.module_el9.1.0+16+91bc168f", "Moderate: nodejs:18 security update", "", "nodejs:18"),
        ("1:18.1-1.module+el8.1.0+16+91bc168f", "nodejs:18 security update", "", "nodejs:18"),
        ("1:18.1-1.module_el9.1.0+16+91bc168f", "Moderate: update", "", "*"),
        ("1:18.1-1.el9", "Moderate: nodejs:18 security update", "", ""),
        ("1:18.1-1.el9", "", "pkg:rpm/redhat/nodejs?arch=src&rpmmod=nodejs:18", "nodejs:18"),
    ],
)
def test_the_module_of_a_package_is_in_its_release_and_the_summary(
    fixed: str, summary: str, purl: str, module: str
) -> None:
    item = package("AlmaLinux:9", "nodejs", fixed=fixed)
    item["package"]["purl"] = purl
    assert [run.module for run in describe(osv("ALSA-1", item, summary=summary)).affected] == [module]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "x.json is an array, not an object"),
        ({"modified": "x"}, "x.json: id is missing, not a text"),
        ({"id": 7}, "x.json: id is a number, not a text"),
        ({"id": "a\nb"}, "x.json: id is too long or has control characters"),
        ({"id": "X", "affected": {}}, r"x.json \(X\): affected is an object, not an array"),
        ({"id": "X", "affected": [3]}, r"affected\[0\] is a number, not an object"),
        ({"id": "X", "aliases": [["CVE-2026-1001"]]}, "aliases is an array, not an array of short texts"),
        ({"id": "X", "severity": "high"}, "severity is a text, not an array"),
        ({"id": "X", "summary": {}}, "summary is an object, not a text"),
        ({"id": "X", "affected": [{"package": {"ecosystem": "Debian:12"}}]}, "package: name is missing"),
        ({"id": "X", "affected": [affected("Debian:12", "a", [{"fixed": "1"}])]}, "no event says where it begins"),
        ({"id": "X", "affected": [affected("Debian:12", "a", [{"introduced": 3}])]}, "introduced is a number"),
    ],
)  # fmt: skip
def test_a_record_of_another_shape_is_told_with_file_and_record(record: object, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message):
        describe(record)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b"{} {}"])
def test_what_is_no_json_is_told_with_its_file(raw: bytes) -> None:
    with pytest.raises(IndexFormatError, match=r"x\.json is no JSON"):
        READER.describe(RawAdvisory(b"", raw, "x.json"), keys)


def test_an_archive_a_folder_and_a_file_have_the_same_records(tmp_path: Path) -> None:
    records = [osv("CVE-2026-1001", HELLO), osv("CVE-2026-1002", HELLO)]
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for name, record in zip(("a.json", "sub/b.json"), records, strict=True):
        (folder / name).write_text(json.dumps(record))
    (folder / "README").write_text("no record")
    (folder / "link.json").symlink_to(folder / "a.json")
    archive = write_zip(tmp_path / "all.zip", records)
    array, lines, packed = (tmp_path / name for name in ("array.json", "lines.json", "packed.json.gz"))
    array.write_text(json.dumps(records, indent=1))
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    packed.write_bytes(gzip.compress(array.read_bytes()))
    for path in (folder, archive, array, lines, packed):
        described = [READER.describe(raw, keys) for raw in READER.advisories(path)]
        assert [advisory.name for advisory in described] == ["CVE-2026-1001", "CVE-2026-1002"], path
    assert [READER.recognises(path) for path in (folder, archive, array, lines)] == [True] * 4
