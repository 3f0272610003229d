"""Sync of one large index: the first one, one for nothing, and one after some stanzas changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree, changed, of_one_file
from bench.measure import Command, Report, median
from bench.peers import Aptly, Entrepot
from support.upstream import Upstream

pytestmark = pytest.mark.bench

ROUNDS = 3
PEAK = 160.0
"""MiB that any sync may take."""
NOTHING = "Name (= nothing-of-this-name)"
FIRST, SAME, CHANGED = "first sync", "sync again, nothing changed", "sync again, 1 % changed"
PARSED, STORED = "aptly mirror update, parsed only", "aptly mirror update, stored"


def test_sync_beside_an_aptly_that_stores_nothing(
    report: Report, index: Index, entrepot: Entrepot, aptly: Aptly, tree: UpstreamTree, server: Upstream, keyring: Path
) -> None:
    report.remark("parsed only: aptly reads the index (gz) for a filter that matches nothing; entrepot (xz) stores all")
    tree.publish(index.plain)
    theirs = [aptly.mirror(f"mirror{number}", server.url, keyring, chosen=NOTHING) for number in range(ROUNDS)]
    ours = _followers(entrepot, server, keyring)
    parsed = report.cost(FIRST, PARSED, median(theirs))
    first = median(ours)
    report.compare(FIRST, first, "aptly, parsed only", parsed, 1.0)
    report.compare_peak(FIRST, first, "aptly, parsed only", parsed.peak, 0.5)
    report.compare_peak(FIRST, first, f"{PEAK:.0f} MiB", PEAK, 1.0)

    parsed = report.cost(SAME, PARSED, median(theirs))
    report.compare(SAME, median(ours), "aptly, parsed only", parsed, 0.15)

    tree.publish(changed(index.plain, every=100))
    parsed = report.cost(CHANGED, PARSED, median(theirs))
    report.compare(CHANGED, median(ours), "aptly, parsed only", parsed, 0.6)


def test_sync_beside_an_aptly_that_stores_all(
    report: Report, index: Index, entrepot: Entrepot, aptly: Aptly, tree: UpstreamTree, server: Upstream, keyring: Path
) -> None:
    report.remark("stored: all packages of the index are one small file that aptly has already, so it downloads none")
    file = entrepot.folder / "one_1_all.deb"
    file.write_bytes(b"one file")
    aptly.hold(file)
    plain = of_one_file(index.plain, f"pool/main/o/one/{file.name}", file.read_bytes())
    tree.publish(plain)
    costs = []
    for number in range(ROUNDS):
        shutil.rmtree(aptly.root / "db", ignore_errors=True)
        update = aptly.mirror(f"mirror{number}", server.url, keyring)
        costs.append(update.cost())
    stored = report.cost(FIRST, STORED, min(costs, key=lambda cost: cost.cpu))
    ours = _followers(entrepot, server, keyring)
    first = median(ours)
    report.compare(FIRST, first, "aptly, stored", stored, 1.0)
    report.compare_peak(FIRST, first, "aptly, stored", stored.peak, 0.5)

    stored = report.cost(SAME, STORED, median([update] * ROUNDS))
    report.compare(SAME, median(ours), "aptly, stored", stored, 0.15)

    tree.publish(changed(plain, every=100))
    stored = report.cost(CHANGED, STORED, median([update] * ROUNDS))
    report.compare(CHANGED, median(ours), "aptly, stored", stored, 0.6)


def _followers(entrepot: Entrepot, server: Upstream, keyring: Path) -> list[Command]:
    """The sync of several workspaces that have not seen the upstream yet."""
    workspaces = [Entrepot(entrepot.folder / f"round{number}", entrepot.gnupg) for number in range(ROUNDS)]
    for workspace in workspaces:
        workspace.follow(server.url, keyring)
    return [workspace.command("sync", "upstream") for workspace in workspaces]
