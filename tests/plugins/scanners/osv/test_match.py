"""Vulnerabilities count once, and packages of module streams are kept apart."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from entrepot.advisories import Hit, Told
from entrepot_plugins.scanners.osv.match import same_module, told_hits, vulnerabilities
from support.advisories import keys

KEY = partial(keys, "rpm")
HIT = Hit("feed", "A-1", ("CVE-2026-1001",), (), "", None, "", "", "", "AlmaLinux:9", "hello", "", "", "", "")


def merged(*hits: Hit, prefer: str = "cvss") -> list[tuple[str, str, str]]:
    return [(item.id, item.severity, item.fixed) for item in vulnerabilities(hits, KEY, prefer=prefer)]


def test_a_cve_of_several_advisories_counts_once_and_is_fixed_by_the_last_of_their_versions() -> None:
    first = HIT._replace(fixed="1.0-9.el9", severity="medium")
    second = HIT._replace(name="B-1", fixed="1.0-10.el9")
    (item,) = vulnerabilities([first, second], KEY, prefer="cvss")
    assert (item.id, item.fixed, item.advisories) == ("CVE-2026-1001", "1.0-10.el9", ("A-1", "B-1"))


def test_an_advisory_about_several_cves_is_one_for_each() -> None:
    found = merged(HIT._replace(vulnerabilities=("CVE-2026-1002", "CVE-2026-1001")))
    assert [name for name, _, _ in found] == ["CVE-2026-1001", "CVE-2026-1002"]


def test_names_without_a_cve_are_one_where_they_are_aliases() -> None:
    first = HIT._replace(name="X-1", vulnerabilities=("X-1",), aliases=("GHSA-1",))
    second = HIT._replace(name="Y-1", vulnerabilities=("Y-1",), aliases=("GHSA-1",))
    other = HIT._replace(name="Z-1", vulnerabilities=("Z-1",))
    assert [name for name, _, _ in merged(first, second, other)] == ["GHSA-1", "Z-1"]


def test_one_that_any_advisory_fixes_is_fixed() -> None:
    (item,) = vulnerabilities([HIT._replace(state="ignored"), HIT._replace(fixed="2-1")], KEY, prefer="cvss")
    assert (item.fixed, item.state) == ("2-1", "")


@pytest.mark.parametrize(("prefer", "severity"), [("cvss", "critical"), ("vendor", "low")])
def test_either_the_score_or_the_vendor_says_how_bad_it_is(prefer: str, severity: str) -> None:
    assert merged(HIT._replace(score=9.8, severity="low"), prefer=prefer) == [("CVE-2026-1001", severity, "")]


@pytest.mark.parametrize("prefer", ["cvss", "vendor"])
def test_where_only_one_of_them_says_anything_it_is_that(prefer: str) -> None:
    assert merged(HIT._replace(severity="low"), prefer=prefer)[0][1] == "low"
    assert merged(HIT._replace(score=9.8), prefer=prefer)[0][1] == "critical"
    assert merged(HIT, prefer=prefer)[0][1] == "unknown"


def test_an_advisory_about_one_cve_knows_better_than_one_about_many() -> None:
    many = HIT._replace(vulnerabilities=("CVE-2026-1001", "CVE-2026-1002"), severity="critical")
    one = HIT._replace(severity="low")
    assert merged(many, one)[1] == ("CVE-2026-1001", "low", "")


def test_the_worst_come_first_and_the_unknown_last() -> None:
    hits = [
        HIT._replace(vulnerabilities=(f"CVE-2026-100{number}",), severity=word)
        for number, word in enumerate(["low", "", "critical", "medium"])
    ]
    assert [severity for _, severity, _ in merged(*hits)] == ["critical", "medium", "low", "unknown"]


MODULAR = "1:18.12.1-1.module_el9.1.0+16+91bc168f"


@pytest.mark.parametrize(
    ("module", "name", "version", "modules", "same"),
    [
        ("", "nodejs", "1:16.1-1.el9", (), True),
        ("nodejs:18", "nodejs", "1:16.1-1.el9", (), False),
        ("", "nodejs", MODULAR, (), False),
        ("nodejs:18", "nodejs", MODULAR, (), True),
        ("nodejs:20", "nodejs", MODULAR, (), False),
        ("nodejs:1", "nodejs", MODULAR, (), False),
        ("*", "nodejs", MODULAR, (), True),
        ("nodejs:20", "npm", "1:8.1-1.module_el9.1.0+16+91bc168f", (), True),
        ("nodejs:20", "npm", "1:8.1-1.module_el9.1.0+16+91bc168f", ("nodejs:18:901:c:x86_64",), False),
        ("nodejs:18", "npm", "1:8.1-1.module_el9.1.0+16+91bc168f", ("nodejs:18:901:c:x86_64",), True),
        ("nodejs:18:900:c", "npm", "1:8.1-1.module+el8.1.0+16+91bc168f", ("nodejs:18:901:c:x86_64",), True),
        ("mariadb:10.1", "mariadb", "3:10.11.1-1.module_el9.1+1+a", (), False),
        ("mariadb:10.11", "mariadb", "3:10.11.1-1.module_el9.1+1+a", (), True),
        ("perl:rolling", "perl", "5.1-1.module_el9.1+1+a", (), True),
    ],
)
def test_streams_of_modules_are_kept_apart(
    module: str, name: str, version: str, modules: tuple[str, ...], same: bool
) -> None:
    assert same_module(HIT._replace(module=module), name, version, modules) == same


def told(version: str, **data: Any) -> list[Hit]:
    return list(told_hits([Told("RLSA-1", "hello", data, "hello", version)], KEY, "1.0-2.el9", ()))


def test_a_source_s_own_advisory_counts_where_it_brings_a_newer_version() -> None:
    (hit,) = told("1.0-3.el9", type="security", severity="Important", cves=["CVE-2026-1001", "CVE-2026-1002"])
    assert (hit.name, hit.vulnerabilities, hit.severity) == ("RLSA-1", ("CVE-2026-1001", "CVE-2026-1002"), "high")
    assert hit.fixed == "1.0-3.el9"
    assert told("1.0-2.el9", cves=["CVE-2026-1001"]) == []
    assert told("", cves=["CVE-2026-1001"]) == []


@pytest.mark.parametrize(
    ("data", "vulnerabilities"),
    [
        ({"type": "bugfix", "cves": []}, None),
        ({"type": "bugfix", "cves": ["CVE-2026-1001"]}, ("CVE-2026-1001",)),
        ({"type": "security"}, ("RLSA-1",)),
        ({"type": ["security"], "cves": "CVE-2026-1001"}, None),
        ({"type": "security", "cves": [3, "x", "CVE-2026-1001"], "severity": 7}, ("CVE-2026-1001",)),
    ],
)
def test_a_source_s_own_advisory_that_only_mends_faults_does_not_count(
    data: dict[str, Any], vulnerabilities: tuple[str, ...] | None
) -> None:
    hits = told("2-1.el9", **data)
    assert [hit.vulnerabilities for hit in hits] == ([vulnerabilities] if vulnerabilities else [])
