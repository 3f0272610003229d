"""A mirror of many small packages, fetched over HTTP, beside ``aptly mirror update`` of the same upstream."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree
from bench.measure import Command, Report, in_turn
from bench.packages import write_debs
from bench.peers import Aptly, Entrepot
from support.debs import packages_stanza
from support.upstream import Upstream

pytestmark = pytest.mark.bench

PACKAGES = 5_000
ROUNDS = 2
PEAK = 250.0
"""MiB that a mirror may take."""
REACHED = 11.0
"""What our CPU is at most of aptly's: the bench fails where it is more."""


def test_mirror_beside_aptly(
    report: Report,
    index: Index,
    entrepot: Entrepot,
    aptly: Aptly,
    tree: UpstreamTree,
    server: Upstream,
    keyring: Path,
) -> None:
    debs = write_debs(tree.root / "pool", index.stanzas[:PACKAGES])
    tree.publish(b"\n".join(packages_stanza(path, f"pool/{path.name}") for path in debs))
    theirs: list[Command] = []
    ours: list[Command] = []
    for number in range(ROUNDS):
        other = Aptly(aptly.folder / str(number), entrepot.gnupg)
        theirs.append(other.mirror("mirror", server.url, keyring))
        own = Entrepot(entrepot.folder / str(number), entrepot.gnupg)
        own.skip(["clamav", "osv", "dependencies"])
        own.follow(server.url, keyring)
        own.distribute("stable")
        ours.append(own.command("mirror", "upstream", "--to", "stable", "--sync", "--no-publish"))
    job = f"mirror {len(debs):,} .debs"
    report.remark("mirror: aptly fetches and stores; entrepot also reads and inspects (signature, format, contents)")
    parsed, cost = in_turn(theirs, ours)
    report.cost(job, "aptly mirror update", parsed)
    report.compare(job, cost, "aptly", parsed, None)
    assert cost.cpu / parsed.cpu < REACHED
    report.compare_peak(job, cost, f"{PEAK:.0f} MiB", PEAK, 1.0)
    server.forget()
    again = own.command("mirror", "upstream", "--to", "stable", "--sync", "--exact").cost()
    report.figure(f"{job} again, nothing changed", again, f"{server.count()} requests")
    assert server.count() < 5
