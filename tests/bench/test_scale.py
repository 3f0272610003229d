"""At ten times the packages: memory that does not grow, and search that stays quick."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree, multiplied
from bench.measure import Cost, Report
from bench.packages import fill
from bench.peers import Entrepot
from entrepot.catalog.search import Filters
from entrepot.workspace import Workspace
from support.upstream import Upstream

pytestmark = pytest.mark.bench

TIMES = 10
GROWTH = 1.3
PEAK = 160.0
"""MiB that any sync or publication may take."""
SEARCH_MS = 30.0
WORDS = (
    *("lib", "python3", "linux-image", "gcc", "nginx", "libc6", "g", "editor", "web server", "perl module"),
    *("haskell library", "documentation", "debugging symbols", "mail transport", "game", "image viewer", "data files"),
    *("a", "the", "development files", "x11", "zzz-nothing", "kernel", "font", "plugin", "command line", "ssl"),
)
"""What people type: names, beginnings of names, words that a tenth of all packages have, and words that none has."""


def test_memory_of_a_sync_does_not_grow_with_the_index(
    report: Report, index: Index, entrepot: Entrepot, tree: UpstreamTree, server: Upstream, keyring: Path
) -> None:
    tree.publish_parts([index.plain])
    small = Entrepot(entrepot.folder.with_name("small"), entrepot.gnupg)
    small.follow(server.url, keyring)
    before = small.command("sync", "upstream").cost()
    tree.publish_parts(multiplied(index.plain, TIMES))
    entrepot.follow(server.url, keyring)
    after = entrepot.command("sync", "upstream").cost()
    report.cost("first sync, gz", "entrepot", before)
    report.compare_peak(f"first sync of {TIMES} times as many", after, "one tenth", before.peak, GROWTH)
    report.compare_peak(f"first sync of {TIMES} times as many", after, f"{PEAK:.0f} MiB", PEAK, 1.0)
    _search(report, entrepot)


def _search(report: Report, entrepot: Entrepot) -> None:
    with entrepot.opened() as workspace:
        catalog = workspace.catalog
        packages = catalog.sources.state(catalog.sources.get("upstream")).packages
        found = [_milliseconds(workspace, text) for _ in range(3) for text in WORDS]
    p95 = statistics.quantiles(found, n=20)[-1]
    report.limit(f"search over {packages:,} packages", "p95 in ms", p95, SEARCH_MS)


def _milliseconds(workspace: Workspace, text: str) -> float:
    start = time.process_time()
    workspace.catalog.search.find(text, Filters())
    return (time.process_time() - start) * 1000


def test_memory_of_a_publication_does_not_grow_with_the_version(
    report: Report, index: Index, entrepot: Entrepot
) -> None:
    entrepot.distribute("small", "large")
    with entrepot.opened() as workspace:
        fill(workspace, "example/small", index.stanzas)
        for part in multiplied(index.plain, TIMES):
            fill(workspace, "example/large", Index(part, "").stanzas)
    small = report.cost(f"publish {len(index.stanzas):,}", "entrepot", _publish(entrepot, "small"))
    job = f"publish {TIMES} times as many"
    large = _publish(entrepot, "large")
    report.compare_peak(job, large, "one tenth", small.peak, GROWTH)
    report.compare_peak(job, large, f"{PEAK:.0f} MiB", PEAK, 1.0)


def _publish(entrepot: Entrepot, distribution: str) -> Cost:
    return entrepot.command("publish", f"example/{distribution}").cost()
