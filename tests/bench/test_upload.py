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


def test_upload_beside_aptly_and_reprepro(
    report: Report, index: Index, entrepot: Entrepot, aptly: Aptly, reprepro: Reprepro, tmp_path: Path
) -> None:
    debs = write_debs(tmp_path / "debs", index.stanzas[:PACKAGES])
    job = f"bring in {len(debs):,} .debs"
    adding, uploading = [], []
    for number in range(ROUNDS):
        each = Aptly(aptly.folder / str(number), entrepot.gnupg)
        each.run("repo", "create", "stable")
        adding.append(each.command("repo", "add", "stable", debs[0].parent))
        ours = Entrepot(entrepot.folder / str(number), entrepot.gnupg)
        ours.distribute("stable")
        uploading.append(ours.command("upload", "--no-publish", "--to", "example/stable", *debs))
    theirs, cost = in_turn(adding, uploading)
    report.cost(job, "aptly repo add", theirs)
    including = reprepro.command("--export=never", "includedeb", "stable", *debs)
    other = report.cost(job, "reprepro includedeb, no export", including.cost())
    report.compare(job, cost, "aptly", theirs, 1.0)
    report.compare(job, cost, "reprepro", other, None)
