"""Vulnerability data and reports at the size of a distribution: 100,000 advisories, 60,000 packages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.advisories import ADVISORIES, source_names, write_advisories
from bench.material import Index
from bench.measure import Report
from bench.packages import fill
from bench.peers import Entrepot

pytestmark = pytest.mark.bench

PEAK = 200.0
"""MiB that loading and every report may take."""
SCAN_PEAK = 400.0
"""MiB of a scan in which there is something new of every package, all of which it tells."""


@pytest.fixture
def names(index: Index) -> Sequence[str]:
    """The source packages of the index."""
    return source_names(index.stanzas)


def test_loading_and_matching_vulnerability_data(
    report: Report, index: Index, names: Sequence[str], entrepot: Entrepot, tmp_path: Path
) -> None:
    entrepot.distribute("bookworm")
    path = write_advisories(tmp_path / "osv.zip", names)
    first = entrepot.command("advisories", "add", "debian", path).cost()
    report.figure(f"load {ADVISORIES:,} advisories", first, f"{ADVISORIES / first.cpu:,.0f} records/s of CPU")
    report.compare_peak(f"load {ADVISORIES:,} advisories", first, f"{PEAK:.0f} MiB", PEAK, 1.0)
    again = entrepot.command("advisories", "update", "--force").cost()
    report.figure("the same again, nothing changed", again, f"{ADVISORIES / again.cpu:,.0f} records/s of CPU")
    with entrepot.opened() as workspace:
        fill(workspace, "example/bookworm", index.stanzas)
    count = len(index.stanzas)
    scanned = entrepot.command("scan", "example/bookworm", "--scanner", "osv", "--json", "--no-publish").cost()
    report.figure(
        f"scan {count:,} packages, all findings new", scanned, f"{count / scanned.cpu:,.0f} packages/s of CPU"
    )
    report.compare_peak(f"scan {count:,} packages", scanned, f"{SCAN_PEAK:.0f} MiB", SCAN_PEAK, 1.0)


@pytest.mark.parametrize("name", ["cyclonedx", "spdx"])
def test_a_bill_of_materials_of_a_whole_distribution(
    report: Report, index: Index, entrepot: Entrepot, tmp_path: Path, name: str
) -> None:
    entrepot.distribute("bookworm")
    with entrepot.opened() as workspace:
        fill(workspace, "example/bookworm", index.stanzas)
    path = tmp_path / "sbom.json"
    cost = entrepot.command("report", "sbom", "example/bookworm", "--format", name, "-o", path).cost()
    size = f"{path.stat().st_size / 1e6:.0f} MB"
    report.figure(f"{name} of {len(index.stanzas):,} packages", cost, size)
    report.compare_peak(f"{name} of {len(index.stanzas):,} packages", cost, f"{PEAK:.0f} MiB", PEAK, 1.0)
    assert len(json.loads(path.read_bytes())["components" if name == "cyclonedx" else "packages"]) >= len(index.stanzas)
