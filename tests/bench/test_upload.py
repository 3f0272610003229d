"""Bringing in many small package files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.material import Index
from bench.measure import Report, in_turn
from bench.packages import write_debs
from bench.peers import Aptly, Entrepot, Reprepro

pytestmark = pytest.mark.bench

PACKAGES = 5_000
ROUNDS = 3
SCANNERS = {
    "format and signature": ["clamav", "osv", "dependencies", "contents"],
    "format, signature and contents": ["clamav", "osv", "dependencies"],
}
"""Which scanners look at the packages, and which are skipped for that."""
BUDGET = {"format and signature": 1.0}
REACHED = {"format and signature": 1.3, "format, signature and contents": 3.0}
"""What our CPU is at most of aptly's: the bench fails where it is more."""


JOB = f"bring in {PACKAGES:,} .debs"


def test_upload_beside_aptly(report: Report, index: Index, entrepot: Entrepot, aptly: Aptly, tmp_path: Path) -> None:
    debs = write_debs(tmp_path / "debs", index.stanzas[:PACKAGES])
    for what, skipped in SCANNERS.items():
        adding, uploading = [], []
        for number in range(ROUNDS):
            name = f"{what.count(' ')}-{number}"
            each = Aptly(aptly.folder / name, entrepot.gnupg)
            each.run("repo", "create", "stable")
            adding.append(each.command("repo", "add", "stable", debs[0].parent))
            ours = Entrepot(entrepot.folder / name, entrepot.gnupg)
            ours.skip(skipped)
            ours.distribute("stable")
            uploading.append(ours.command("upload", "--no-publish", "--to", "example/stable", *debs))
        theirs, cost = in_turn(adding, uploading)
        report.cost(JOB, "aptly repo add", theirs)
        report.compare(f"{JOB}, {what}", cost, "aptly", theirs, BUDGET.get(what))
        assert cost.cpu / theirs.cpu < REACHED[what]


def test_what_reprepro_takes_for_the_same(report: Report, index: Index, reprepro: Reprepro, tmp_path: Path) -> None:
    debs = write_debs(tmp_path / "debs", index.stanzas[:PACKAGES])
    including = reprepro.command("--export=never", "includedeb", "stable", *debs)
    report.cost(JOB, "reprepro includedeb, no export", including.cost())
