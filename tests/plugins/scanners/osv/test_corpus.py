"""Real data: what it says of packages was looked up by hand in the records themselves."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.models import SyncCounts
from entrepot.services import advisories
from entrepot_plugins.scanners.osv.match import same_module, vulnerabilities
from support.advisories import RPM, Desk, keys
from support.corpus import corpus
from support.debs import make_deb

pytestmark = pytest.mark.corpus

UBUNTU = ("advisories", "vunnel", "ubuntu", "test-fixtures")


def add(desk: Desk, name: str, *parts: str) -> advisories.FeedResult:
    return advisories.add_feed(desk.workspace, name, str(corpus("advisories", *parts)))


def names(desk: Desk, ecosystem: str, package: str, version: str, format_name: str = "apt") -> set[str]:
    hits = desk.lookup.affecting([ecosystem], package, keys(format_name, version))
    return {hit.name for hit in hits if same_module(hit, package, version, ())}


@pytest.fixture(scope="module")
def alma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A workspace with the advisories of a whole ecosystem."""
    desk = Desk(tmp_path_factory.mktemp("alma"))
    assert add(desk, "alma", "osv", "AlmaLinux-9.zip").counts == SyncCounts(added=1783)
    yield desk
    desk.close()


def test_a_whole_ecosystem_is_loaded_and_nothing_of_it_is_written_twice(alma: Desk) -> None:
    assert list(alma.lookup.ecosystems()) == ["AlmaLinux:10", "AlmaLinux:8", "AlmaLinux:9"]
    assert advisories.update_feed(alma.workspace, "alma", force=True).counts == SyncCounts(unchanged=1783)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("7.76.1-40.el9_8.5", set()),
        ("7.76.1-35.el9_7.3", {"ALSA-2026:55439"}),
        ("7.76.1-29.el9_4.1", {"ALSA-2026:1350", "ALSA-2026:55439"}),
        ("7.76.1-29.el9_4", {"ALSA-2024:5529", "ALSA-2026:1350", "ALSA-2026:55439"}),
        ("1:7.0-1.el9", set()),
    ],
)
def test_an_rpm_package_is_affected_by_exactly_these_advisories(alma: Desk, version: str, expected: set[str]) -> None:
    assert names(alma, "AlmaLinux:9", "curl", version, "rpm") == expected


def test_streams_of_nodejs_are_kept_apart(alma: Desk) -> None:
    modular = names(alma, "AlmaLinux:9", "nodejs", "1:18.20.2-2.module_el9.4.0+99+a01f7676", "rpm")
    plain = names(alma, "AlmaLinux:9", "nodejs", "1:16.20.2-4.el9_3", "rpm")
    # Of nodejs:20, of the same stream but older, and of the same stream and newer.
    assert not {"ALSA-2024:1688", "ALSA-2024:2853", "ALSA-2024:1503"} & modular
    assert modular
    assert "ALSA-2024:2910" in plain
    assert not modular & plain


def test_every_record_of_an_archive_affects_the_versions_before_its_fix_and_not_the_fix(alma: Desk) -> None:
    path = corpus("advisories", "osv", "AlmaLinux-9.zip")
    checked = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist()[::20]:
            record = json.loads(archive.read(member))
            for item in record["affected"][:3] if record["id"].startswith("ALSA") else []:
                ecosystem, package = item["package"]["ecosystem"], item["package"]["name"]
                fixed = item["ranges"][0]["events"][1]["fixed"]
                hits = alma.lookup.affecting([ecosystem], package, RPM.key(fixed))
                own = [hit for hit in hits if (hit.name, hit.fixed) == (record["id"], fixed)]
                assert own == []
                hits = alma.lookup.affecting([ecosystem], package, RPM.key(f"{fixed}~"))
                assert record["id"] in {hit.name for hit in hits}
                checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("version", "found"),
    [("5.8.0-1", True), ("5.8.0-1+deb12u1", False), ("5.12.1-2", False), ("5.8.0-1~bpo11+1", True)],
)
def test_the_tracker_s_fixes_are_those_of_the_release(desk: Desk, tmp_path: Path, version: str, found: bool) -> None:
    add(desk, "tracker", "vunnel", "debian", "test-fixtures", "input", "debian.json")
    verdict = desk.scan(make_deb(tmp_path, "sogo-tools", version, fields={"Source": "sope"}))
    assert [finding.id for finding in verdict.findings] == (["CVE-2025-53603"] if found else [])


def test_releases_that_never_were_affected_or_are_not_looked_after_are_told_apart(desk: Desk) -> None:
    add(desk, "tracker", "vunnel", "debian", "test-fixtures", "input", "debian.json")
    assert names(desk, "Debian:10", "prototypejs", "1.0-1") == {"CVE-2008-7220"}  # CVE-2007-2383: fixed version 0
    (hit,) = desk.lookup.affecting(["Debian:9"], "chromium", keys("apt", "200.0-1"))
    assert (hit.name, hit.fixed, hit.state) == ("CVE-2022-0456", "", "end_of_life")


def test_ubuntu_s_records_of_one_cve_and_its_notice_are_one_vulnerability(desk: Desk) -> None:
    add(desk, "ubuntu", "vunnel", "ubuntu", "test-fixtures", "osv")
    key = keys("apt", "1.20.0-1")
    hits = desk.lookup.affecting(["Ubuntu:22.04:LTS"], "wayland", key)
    assert {hit.name for hit in hits} == {"UBUNTU-CVE-2021-3782", "USN-5614-1"}
    (item,) = vulnerabilities(hits, lambda version: keys("apt", version), prefer="cvss")
    assert (item.id, item.severity, item.score, item.fixed) == ("CVE-2021-3782", "medium", 6.6, "1.20.0-1ubuntu0.1")
    assert names(desk, "Ubuntu:22.04:LTS", "wayland", "1.20.0-1ubuntu0.1") == set()
    assert names(desk, "Ubuntu:14.04:LTS", "tpp", "1.0-1") == set()  # withdrawn
    assert names(desk, "Ubuntu:16.04:LTS", "gitlab", "99") == {"UBUNTU-CVE-2026-1403"}  # not fixed


def test_what_only_subscribers_get_is_an_ecosystem_of_its_own(desk: Desk) -> None:
    add(desk, "esm", "vunnel", "ubuntu", "test-fixtures", "osv-esm-cases")
    assert names(desk, "Ubuntu:Pro:14.04:LTS", "unzip", "6.0-9ubuntu1.5") == {"UBUNTU-CVE-2014-9913"}
    assert names(desk, "Ubuntu:14.04:LTS", "unzip", "6.0-9ubuntu1.5") == set()


def test_rocky_s_advisories_have_epochs_and_related_cves(desk: Desk) -> None:
    add(desk, "rocky", "vunnel", "rocky", "test-fixtures", "osv")
    hits = desk.lookup.affecting(["Rocky Linux:8"], "firefox", RPM.key("102.10.0-1.el8_7"))
    (hit,) = [hit for hit in hits if hit.name == "RLSA-2023:3220"]
    assert (hit.fixed, hit.severity, len(hit.vulnerabilities)) == ("0:102.11.0-2.el8_7", "high", 7)
    assert names(desk, "Rocky Linux:8", "firefox", "102.11.0-2.el8_7", "rpm") == set()


def test_lists_of_what_is_exploited_are_recognised(desk: Desk) -> None:
    kev = add(desk, "kev", "vunnel", "kev", "test-fixtures", "valid-catalog-1.json")
    epss = add(desk, "epss", "vunnel", "epss", "test-fixtures", "example-1.csv")
    assert [(item.feed.format, item.feed.records) for item in (kev, epss)] == [("kev", 3), ("epss", 5)]
    facts: dict[str, Any] = {"CVE-2025-0108": {"kev": "2025-02-18"}, "CVE-1999-0002": {"epss": "0.01328"}}
    assert desk.lookup.facts(list(facts)) == facts
