"""Records as Red Hat and SUSE write them, and what they say of packages; each comparison is one that rpm makes, too."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from entrepot_plugins.rpm.format import RpmFormat
from support.advisories import Desk, Record, osv, package, scan_context
from support.rpms import make_rpm
from support.scans import scan_of

BASEOS, APPSTREAM, EUS = (
    "Red Hat:enterprise_linux:9::baseos",
    "Red Hat:enterprise_linux:9::appstream",
    "Red Hat:rhel_eus:9.2::baseos",
)
TEN = "Red Hat:enterprise_linux:10.0"
SERVER, MODULE, OLD = (
    "SUSE:Linux Enterprise Server 15 SP5",
    "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
    "SUSE:Linux Enterprise Server 15 SP4",
)
SIXTEEN = "SUSE:Linux Enterprise Server 16.0"
LEAP, TUMBLEWEED = "openSUSE:Leap 15.5", "openSUSE:Tumbleweed"
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"

RECORDS: Sequence[Record] = [
    # Red Hat: an ecosystem for each repository, binary packages, fixed versions with their epoch (0, too).
    osv(
        "RHSA-2026:1001",
        package(BASEOS, "expat", fixed="0:2.5.0-1.el9_3.1"),
        package(APPSTREAM, "expat-devel", fixed="0:2.5.0-1.el9_3.1"),
        package(EUS, "expat", fixed="0:2.4.9-1.el9_2.2"),
        upstream=["CVE-2026-1001", "CVE-2026-1002"],
        severity=[{"type": "CVSS_V3", "score": HIGH}],
    ),
    osv(
        "RHSA-2026:1003",
        package(BASEOS, "openssl-libs", fixed="1:3.0.7-25.el9_3"),
        package(TEN, "openssl-libs", fixed="1:3.2.2-16.el10_0.4"),
        upstream=["CVE-2026-1003"],
        severity=[{"type": "CVSS_V3", "score": CRITICAL}],
    ),
    # SUSE: an ecosystem for each product and module, source packages, no epoch.
    osv(
        "SUSE-SU-2026:2001-1",
        package(MODULE, "gzip", fixed="1.10-150200.10.1"),
        package(OLD, "gzip", fixed="1.10-150200.9.9"),
        package(SERVER, "kernel-firmware", fixed="20230724-150500.3.9.1"),
        package(LEAP, "gzip", fixed="1.10-150200.10.1"),
        upstream=["CVE-2026-2001"],
    ),
    osv("SUSE-SU-2026:2002-1", package(SIXTEEN, "gzip", fixed="1.13-160000.2.2"), upstream=["CVE-2026-2002"]),
    osv("openSUSE-SU-2026:2003-1", package(TUMBLEWEED, "libzypp", fixed="17.31.2-2.1"), upstream=["CVE-2026-2003"]),
]


@dataclass(frozen=True)
class Row:
    """A package in a suite: what is found, the version that fixes it."""

    suite: str
    name: str
    evr: str
    found: Sequence[str]
    fixed: str
    why: str
    source: str = ""
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def evr_of_rpm(self) -> str:
        """With an epoch, as rpm compares it."""
        return self.evr if ":" in self.evr else f"0:{self.evr}"


EXPAT = ["CVE-2026-1001", "CVE-2026-1002"]
ROWS = [
    Row("el9", "expat", "2.5.0-1.el9", EXPAT, "0:2.5.0-1.el9_3.1", "el9 is before el9_3.1", data={"score": "7.5"}),
    Row("el9", "expat", "2.5.0-1.el9_3.1", [], "0:2.5.0-1.el9_3.1", "it is the fix; a missing epoch is 0"),
    Row("el9", "expat", "2.5.0-1.el9_3.10", [], "0:2.5.0-1.el9_3.1", "10 is after 1"),
    Row("el9", "expat", "2.4.9-1.el9_2.2", EXPAT, "0:2.5.0-1.el9_3.1", "the fix of 9.2 is for its subscribers only"),
    Row("el9", "expat-devel", "2.5.0-0.el9", EXPAT, "0:2.5.0-1.el9_3.1", "of another repository of the same release"),
    Row("el9", "openssl-libs", "1:3.0.7-24.el9", ["CVE-2026-1003"], "1:3.0.7-25.el9_3", "a release before"),
    Row("el9", "openssl-libs", "3.0.9-1.el9", ["CVE-2026-1003"], "1:3.0.7-25.el9_3", "an epoch is before any version"),
    Row("el9", "openssl-libs", "1:3.0.7-27.el9", [], "1:3.0.7-25.el9_3", "27.el9 is after 25.el9_3"),
    Row(
        "el10",
        "openssl-libs",
        "1:3.2.2-16.el10_0.3",
        ["CVE-2026-1003"],
        "1:3.2.2-16.el10_0.4",
        "a fix of its own",
    ),
    Row("el10", "openssl-libs", "1:3.2.2-16.el10_0.4", [], "1:3.2.2-16.el10_0.4", "it is the fix"),
    Row("sles15-sp5", "gzip", "1.10-150200.9.9", ["CVE-2026-2001"], "1.10-150200.10.1", "9.9 fixes it in SP4 alone"),
    Row("sles15-sp5", "gzip", "1.10-150200.10.1", [], "1.10-150200.10.1", "it is the fix"),
    Row("sles15-sp4", "gzip", "1.10-150200.9.9", [], "1.10-150200.9.9", "SP4 has a fix of its own"),
    Row(
        "sles15-sp5",
        "kernel-firmware-all",
        "20230724-150500.3.6.1",
        ["CVE-2026-2001"],
        "20230724-150500.3.9.1",
        "by the name of its source package; 3.6 is before 3.9",
        source="kernel-firmware-20230724-150500.3.6.1.src.rpm",
    ),
    Row("leap-15.5", "gzip", "1.10-150200.4.12.1", ["CVE-2026-2001"], "1.10-150200.10.1", "4.12.1 is before 10.1"),
    Row("sles16.0", "gzip", "1.13-160000.2.1", ["CVE-2026-2002"], "1.13-160000.2.2", "16 has no service packs"),
    Row("tumbleweed", "libzypp", "17.31.2-1.1", ["CVE-2026-2003"], "17.31.2-2.1", "1.1 is before 2.1"),
    Row("tumbleweed", "libzypp", "17.31.10-1.1", [], "17.31.2-2.1", "31.10 is after 31.2"),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A workspace with the records."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.load("vendors", *RECORDS)
    yield desk
    desk.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.suite} {row.name} {row.evr}")
def test_what_is_found_is_what_the_records_say(desk: Desk, tmp_path: Path, row: Row) -> None:
    epoch, _, rest = row.evr.rpartition(":")
    version, _, release = rest.rpartition("-")
    number, source = int(epoch) if epoch else None, row.source or f"{row.name}-{rest}.src.rpm"
    path = make_rpm(tmp_path, row.name, version, release, epoch=number, sourcerpm=source)
    _, context = scan_of(path, uploaded=True, package_format=RpmFormat())
    suite = replace(context.distribution, name=row.suite)
    verdict = scan_context(replace(context, distribution=suite, advisories=desk.lookup, now=desk.clock.time))
    assert verdict.status in ("pass", "warn"), verdict.message
    assert [finding.id for finding in verdict.findings] == row.found, row.why
    assert {str(finding.data["fixed"]) for finding in verdict.findings} <= {row.fixed}
    for finding in verdict.findings[:1]:
        assert {name: finding.data.get(name) for name in row.data} == row.data


def test_rpm_itself_compares_these_versions_alike() -> None:
    rpm = shutil.which("rpm")
    if rpm is None:
        pytest.skip("rpm is not installed")
    pairs = [(row.evr_of_rpm, row.fixed if ":" in row.fixed else f"0:{row.fixed}") for row in ROWS]
    asked = " ".join(f'print(rpm.vercmp("{one}", "{other}") .. " ")' for one, other in pairs)
    said = subprocess.run([rpm, "--eval", f"%{{lua: {asked}}}"], capture_output=True, text=True, check=True).stdout
    assert [int(number) < 0 for number in said.split()] == [bool(row.found) for row in ROWS]
