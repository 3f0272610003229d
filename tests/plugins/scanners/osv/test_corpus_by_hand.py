"""What real advisories say of packages, read by hand in the records; each row has the reason for its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from entrepot.contracts import Format, ScanContext
from entrepot.models import Verdict
from entrepot.services import advisories
from entrepot_plugins.rpm.format import RpmFormat
from support.advisories import Desk, scan_context
from support.corpus import corpus
from support.debs import make_deb
from support.rpms import make_rpm
from support.scans import scan_of

pytestmark = pytest.mark.corpus

FEEDS = {
    "alma9": ("osv", "AlmaLinux-9.zip"),
    "alma8": ("vunnel", "alma", "test-fixtures", "osv-database", "advisories", "almalinux8"),
    "rocky": ("vunnel", "rocky", "test-fixtures", "osv"),
    "ubuntu": ("vunnel", "ubuntu", "test-fixtures", "osv"),
    "esm": ("vunnel", "ubuntu", "test-fixtures", "osv-esm-cases"),
    "tracker": ("vunnel", "debian", "test-fixtures", "input", "debian.json"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A workspace with all of it."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    for name, parts in FEEDS.items():
        advisories.add_feed(desk.workspace, name, str(corpus("advisories", *parts)))
    yield desk
    desk.close()


@dataclass(frozen=True)
class Deb:
    """A package of APT, in the suite whose code name it is asked under."""

    suite: str
    name: str
    version: str
    source: str = ""
    ecosystem: Sequence[str] = ()

    def context(self, folder: Path) -> ScanContext:
        path = make_deb(folder, self.name, self.version, fields={"Source": self.source} if self.source else {})
        return _context(path, self.suite, self.ecosystem, None)


@dataclass(frozen=True)
class Rpm:
    """A package of RPM, by its full version; ``source`` is name-version-release of its source package."""

    ecosystem: str
    name: str
    evr: str
    source: str = ""
    module: str = ""

    def context(self, folder: Path) -> ScanContext:
        epoch, _, rest = self.evr.rpartition(":")
        version, _, release = rest.rpartition("-")
        source = f"{self.source or f'{self.name}-{rest}'}.src.rpm"
        number = int(epoch) if epoch else None
        path = make_rpm(folder, self.name, version, release, epoch=number, sourcerpm=source, modularity=self.module)
        return _context(path, "stable", [self.ecosystem], RpmFormat())


def _context(path: Path, suite: str, ecosystem: Sequence[str], format_: Format | None) -> ScanContext:
    _, context = scan_of(path, uploaded=True, package_format=format_)
    settings = {"ecosystem": list(ecosystem)} if ecosystem else {}
    return replace(context, distribution=replace(context.distribution, name=suite), settings=settings)


@dataclass(frozen=True)
class Row:
    """``found`` maps what is found to the version that fixes it; ``data`` is more that the worst finding says."""

    package: Deb | Rpm
    found: Mapping[str, str]
    why: str
    severity: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


ALMA8, ALMA9, ROCKY8, ROCKY9 = "AlmaLinux:8", "AlmaLinux:9", "Rocky Linux:8", "Rocky Linux:9"
BIND = "32:9.16.23-40.el9_8.8"
BIND_CVES = ("2026-10723", "2026-11331", "2026-11622", "2026-11721", "2026-13204", "2026-13321")
MARIADB = "3:10.11.15-1.module_el9.7.0+199+a988ea01"
MARIADB_CVES = (*("2023-52969", "2023-52970", "2023-52971", "2025-13699", "2025-21490", "2025-30693", "2025-30722"),)
FIREFOX_CVES = ("2023-32205", "2023-32206", "2023-32207", "2023-32211", "2023-32212", "2023-32213", "2023-32215")
RUBY_CVES = ("2024-27280", "2024-27281", "2024-27282")
RUBYGEM_PG = "0:1.5.4-1.module+el9.4.0+20787+4c237fd3"
WAYLAND, UNZIP = "1.20.0-1ubuntu0.1", "6.0-9ubuntu1.6"


def every(numbers: Sequence[str], fixed: str) -> dict[str, str]:
    return {f"CVE-{number}": fixed for number in numbers}


ROWS = [
    # ------------------------------------------------------------------------------------------------- AlmaLinux
    Row(
        Rpm(ALMA9, "bind-libs", BIND, "bind-9.16.23-40.el9_8.8"),
        {},
        "ALSA-2026:54510 is the last of 14 about it and brings this version; its source's file name has no epoch",
    ),
    Row(
        Rpm(ALMA9, "bind-libs", "32:9.16.23-40.el9_8.2", "bind-9.16.23-40.el9_8.2"),
        every(BIND_CVES, BIND),
        "all but ALSA-2026:54510 are fixed in 40.el9_8.2 or before; that one names six",
        "high",
        {"advisories": "ALSA-2026:54510"},
    ),
    Row(
        Rpm(ALMA9, "perl-Errno", "1.30-481.el9", "perl-5.32.1-481.el9"),
        {},
        "ALSA-2024:2228 has perl-Errno 1.30-481.el9; perl, of the same source, is 4:5.32.1-481.el9",
    ),
    Row(
        Rpm(ALMA9, "perl-Errno", "1.30-480.el9", "perl-5.32.1-480.el9"),
        {"CVE-2023-47038": "4:5.32.1-481.el9"},
        "one release before, under its own name and under its source's: the last of the two fixes is told",
        "medium",
    ),
    Row(
        Rpm(ALMA9, "xz-libs", "5.2.5-7.el9", "xz-5.2.5-7.el9"),
        {"CVE-2022-1271": "5.2.5-8.el9_0"},
        "ALSA-2022:4940 (Important) is the only one about xz",
        "high",
    ),
    Row(Rpm(ALMA9, "xz-libs", "5.2.5-8.el9_0", "xz-5.2.5-8.el9_0"), {}, "it is the version with the fix"),
    Row(
        Rpm(ALMA9, "mariadb-server", "3:10.5.29-2.el9_6", "mariadb-10.5.29-2.el9_6"),
        {"CVE-2025-13699": "3:10.5.29-3.el9_7"},
        "ALSA-2026:0137; those of mariadb:10.11 and :11.8 are about module streams, which this is not of",
        "high",
    ),
    Row(
        Rpm(ALMA9, "mariadb-server", "3:10.11.10-1.module_el9.5.0+135+c9657a87", module="mariadb:10.11:9:x:x86_64"),
        every(MARIADB_CVES, MARIADB),
        "it is what ALSA-2025:0912 brought; ALSA-2026:0247 is newer in its stream, 11.8's CVE-2026-49261 is another's",
        "high",
        {"advisories": "ALSA-2026:0247"},
    ),
    Row(
        Rpm(ALMA8, "krb5-libs", "1.18.2-13.el8", "krb5-1.18.2-13.el8"),
        {},
        "ALBA-2021:4378 brings a newer one, and only mends faults",
    ),
    Row(
        Rpm(ALMA8, "python3-requests", "2.20.0-2.1.el8_1", "python-requests-2.20.0-2.1.el8_1"),
        {"CVE-2023-32681": "2.20.0-3.el8_8"},
        "ALSA-2023:4520 (Moderate) lists the binary package",
        "medium",
    ),
    # ------------------------------------------------------------------------------------------------ Rocky Linux
    Row(
        Rpm(ROCKY8, "firefox", "102.10.0-1.el8_7"),
        every(FIREFOX_CVES, "0:102.11.0-2.el8_7"),
        "RLSA-2023:3220 (Important) names seven CVEs as related; its epoch 0 is that of a package without one",
        "high",
    ),
    Row(Rpm(ROCKY8, "firefox", "102.11.0-2.el8_7"), {}, "it is the version with the fix"),
    Row(
        Rpm(ROCKY8, "java-11-openjdk-headless", "1:11.0.13.0.8-1.el8_4", "java-11-openjdk-11.0.13.0.8-1.el8_4"),
        {},
        "RLSA-2021:3891 names the source package alone, at 1:11.0.13.0.8-1.el8_4: it is built from that",
    ),
    Row(
        Rpm(ROCKY9, "rubygem-pg", "1.5.4-0.module+el9.4.0+20787+4c237fd3", module="ruby:3.3:9:x:x86_64"),
        every(RUBY_CVES, RUBYGEM_PG),
        "RLSA-2024:3671 is about ruby:3.3",
        "medium",
    ),
    Row(
        Rpm(ROCKY9, "rubygem-pg", "1.3.2-1.module+el9.0.0+1+aaaaaaaa", module="ruby:3.1:9:x:x86_64"),
        {},
        "older, but of another stream, ruby:3.1",
    ),
    # ----------------------------------------------------------------------------------------------------- Ubuntu
    Row(
        Deb("jammy", "libwayland-client0", "1.20.0-1", "wayland"),
        {"CVE-2021-3782": WAYLAND},
        "UBUNTU-CVE-2021-3782 and USN-5614-1 are about one CVE; 3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:H is 6.6",
        "medium",
        {"advisories": "UBUNTU-CVE-2021-3782 USN-5614-1", "score": "6.6"},
    ),
    Row(
        Deb("jammy", "libwayland-client0", "1.20.0-1build1", "wayland"),
        {"CVE-2021-3782": WAYLAND},
        "a rebuild is before ubuntu0.1 in dpkg's order",
    ),
    Row(Deb("jammy", "libwayland-client0", WAYLAND, "wayland"), {}, "it is the version with the fix"),
    Row(
        Deb("bionic", "libwayland-client0", "1.16.0-1ubuntu1.1~18.04.3", "wayland"),
        {"CVE-2021-3782": "1.16.0-1ubuntu1.1~18.04.4"},
        "each release has a fix of its own",
    ),
    Row(
        Deb("xenial", "gitlab", "8.5.8+dfsg-5"),
        {"CVE-2026-1403": ""},
        "UBUNTU-CVE-2026-1403 has no fixed event, and Ubuntu's word medium in place of a score",
        "medium",
    ),
    Row(Deb("trusty", "tpp", "1.3.1-2"), {}, "UBUNTU-CVE-2013-2208 would fit, and was withdrawn"),
    Row(
        Deb("trusty", "unzip", "6.0-9ubuntu1.5"),
        {},
        "UBUNTU-CVE-2014-9913 is about Ubuntu:Pro:14.04:LTS, which is not the suite's own",
    ),
    Row(
        Deb("trusty", "unzip", "6.0-9ubuntu1.5", ecosystem=["Ubuntu:14.04:LTS", "Ubuntu:Pro:14.04:LTS"]),
        {"CVE-2014-9913": UNZIP},
        "to subscribers, who say so in the settings, it matters; the score 4.0 counts before Ubuntu's negligible",
        "medium",
        {"score": "4.0"},
    ),
    # ----------------------------------------------------------------------------------------------------- Debian
    Row(
        Deb("bookworm", "libsbjson2.3", "5.8.0-1+b2", "sope (5.8.0-1)"),
        {"CVE-2025-53603": "5.8.0-1+deb12u1"},
        "a binary NMU of 5.8.0-1, which the tracker has resolved in 5.8.0-1+deb12u1",
    ),
    Row(
        Deb("bookworm", "libsbjson2.3", "99-1", "sope (5.8.0-1+deb12u1)"),
        {},
        "the version of the source package counts, whatever that of the binary is",
    ),
    Row(
        Deb("trixie", "libsope1", "5.12.1-1", "sope"),
        {"CVE-2025-53603": "5.12.1-2"},
        "trixie has another fix than bookworm",
    ),
    Row(
        Deb("buster", "chromium", "90.0.4430.212-1~deb10u1"),
        {"CVE-2022-0456": ""},
        "open in buster, and its urgency is end-of-life",
        "",
        {"state": "end_of_life"},
    ),
    Row(
        Deb("buster", "libjs-prototype", "1.6.0.1-1", "prototypejs"),
        {"CVE-2008-7220": "1.6.0.2-1"},
        "CVE-2007-2383 is resolved in version 0: it never was affected",
        "high",
    ),
    Row(Deb("buster", "libjs-prototype", "1.7.1-3", "prototypejs"), {}, "both were resolved before"),
]


def scan(desk: Desk, row: Row, folder: Path) -> Verdict:
    return scan_context(replace(row.package.context(folder), advisories=desk.lookup, now=desk.clock.time))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.package.name} {getattr(row.package, 'evr', '')}".strip())
def test_what_is_found_is_what_the_records_say(desk: Desk, tmp_path: Path, row: Row) -> None:
    verdict = scan(desk, row, tmp_path)
    assert verdict.status in ("pass", "warn"), verdict.message
    found = {finding.id: finding.data["fixed"] for finding in verdict.findings}
    assert found == row.found, row.why
    if row.severity:
        assert {finding.severity for finding in verdict.findings} == {row.severity}, row.why
    for finding in verdict.findings[:1]:
        assert {name: finding.data.get(name) for name in row.data} == row.data, row.why


def test_a_real_modular_package_is_of_none_of_the_streams_that_advisories_are_about(desk: Desk) -> None:
    # AlmaLinux 9 has nodejs as a package, and in the streams 18, 20, 22 and 24; this one is of 10.
    name = "nodejs-10.11.0-1.module_2200+adbac02b.x86_64.rpm"
    context = _context(corpus("rpm", "pulp-fixtures", "assets-modularity", name), "stable", [ALMA9], RpmFormat())
    verdict = scan_context(replace(context, advisories=desk.lookup, now=desk.clock.time))
    assert (verdict.reason, verdict.evidence["compared_with"]) == (
        "no_findings",
        "nodejs=1:10.11.0-1.module_2200+adbac02b",
    )
