"""Sync of one large index: the first one, one for nothing, and one after some stanzas changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree, changed, of_one_file
from bench.measure import Command, Report, in_turn
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
    parsed, first = in_turn(theirs, ours)
    report.cost(FIRST, PARSED, parsed)
    report.compare(FIRST, first, "aptly, parsed only", parsed, 1.0)
    report.compare_peak(FIRST, first, "aptly, parsed only", parsed.peak, 0.5)
    report.compare_peak(FIRST, first, f"{PEAK:.0f} MiB", PEAK, 1.0)

    parsed, same = in_turn(theirs, ours)
    report.cost(SAME, PARSED, parsed)
    report.compare(SAME, same, "aptly, parsed only", parsed, 0.15)

    tree.publish(changed(index.plain, every=100))
    parsed, again = in_turn(theirs, ours)
    report.cost(CHANGED, PARSED, parsed)
    report.compare(CHANGED, again, "aptly, parsed only", parsed, 0.6)


def test_sync_beside_an_aptly_that_stores_all(
    report: Report, index: Index, entrepot: Entrepot, aptly: Aptly, tree: UpstreamTree, server: Upstream, keyring: Path
) -> None:
    report.remark("stored: all packages of the index are one small file that aptly has already, so it downloads none")
    file = entrepot.folder / "one_1_all.deb"
    file.write_bytes(b"one file")
    aptly.hold(file)
    plain = of_one_file(index.plain, f"pool/main/o/one/{file.name}", file.read_bytes())
    tree.publish(plain)
    ours = _followers(entrepot, server, keyring)
    costs = []
    for number in range(ROUNDS):
        shutil.rmtree(aptly.root / "db", ignore_errors=True)
        update = aptly.mirror(f"mirror{number}", server.url, keyring)
        costs.append(in_turn([update], ours[number : number + 1]))
    stored, first = sorted(costs, key=lambda pair: pair[0].cpu)[ROUNDS // 2]
    report.cost(FIRST, STORED, stored)
    report.compare(FIRST, first, "aptly, stored", stored, 1.0)
    report.compare_peak(FIRST, first, "aptly, stored", stored.peak, 0.5)

    stored, same = in_turn([update] * ROUNDS, ours)
    report.cost(SAME, STORED, stored)
    report.compare(SAME, same, "aptly, stored", stored, 0.15)

    tree.publish(changed(plain, every=100))
    stored, again = in_turn([update] * ROUNDS, ours)
    report.cost(CHANGED, STORED, stored)
    report.compare(CHANGED, again, "aptly, stored", stored, 0.6)


def _followers(entrepot: Entrepot, server: Upstream, keyring: Path) -> list[Command]:
    """The sync of several workspaces that have not seen the upstream yet."""
    workspaces = [Entrepot(entrepot.folder / f"round{number}", entrepot.gnupg) for number in range(ROUNDS)]
    for workspace in workspaces:
        workspace.follow(server.url, keyring)
    return [workspace.command("sync", "upstream") for workspace in workspaces]
