"""Pages over half a million packages: each is made without reading all of them."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree, multiplied
from bench.measure import Report
from bench.packages import fill
from bench.peers import Entrepot
from datasette_entrepot.server import make_datasette
from entrepot.catalog.search import Filters
from support.upstream import Upstream
from support.web import PAGES

pytestmark = pytest.mark.bench

TIMES = 8
PAGE_MS, SEARCH_MS = 300.0, 30.0
WORDS = ("lib", "nginx", "python3", "g", "development files", "web server", "haskell library", "zzz-nothing")
NAMES = ("nginx", "libc6", "bash", "gcc-12-copy3", "python3", "curl-copy5", "vim", "git")
LARGE = f"{PAGES}/repositories/example/large"

KINDS: Mapping[str, Sequence[str]] = {
    "overview": [PAGES] * 4,
    "catalog page with a search": [f"{PAGES}/catalog?q={word.replace(' ', '+')}" for word in WORDS],
    "package page": [f"{PAGES}/package/{name}" for name in NAMES],
    "packages of a version": [
        f"{LARGE}/-/versions/1",
        f"{LARGE}/-/versions/1?q=lib",
        f"{LARGE}/-/versions/1?from=5000",
    ],
    "Datasette's table available": [
        "/catalog/available",
        "/catalog/available?_sort_desc=id",
        *(f"/catalog/available?_search={name}" for name in ("nginx", "python3")),
        *(f"/catalog/available?name={name}" for name in NAMES[:3]),
    ],
    "Datasette's other large tables": [
        *(f"/catalog/{table}" for table in ("packages", "membership", "artifacts", "package_files", "published_files")),
        *(f"/catalog/packages?name={name}" for name in NAMES[:3]),
    ],
    "Datasette's row": ["/catalog/available/250000", "/catalog/packages/30000"],
    "Datasette's page of the database": ["/catalog"] * 3,
}
WHOLE = (f"{LARGE}/-/diff?before=0&after=1", f"{LARGE}/-/diff?before=0&after=1&from=60000")
"""What differs between nothing and everything."""


def test_pages_of_a_large_catalog(
    report: Report, index: Index, entrepot: Entrepot, tree: UpstreamTree, server: Upstream, keyring: Path
) -> None:
    tree.publish_parts(multiplied(index.plain, TIMES))
    entrepot.follow(server.url, keyring)
    entrepot.command("sync", "upstream").cost()
    entrepot.distribute("large")
    with entrepot.opened() as workspace:
        fill(workspace, "example/large", index.stanzas)
        packages = workspace.catalog.sources.state(workspace.catalog.sources.get("upstream")).packages
        report.remark(f"catalog: {packages:,} packages on offer, {len(index.stanzas):,} in a distribution")
    found = asyncio.run(_measured(entrepot))
    for kind, times in found.items():
        report.limit(kind, "CPU, p95 in ms", _p95(times), PAGE_MS)
    with entrepot.opened() as workspace:
        searched = []
        for text in WORDS * 3:
            start = time.process_time()
            workspace.catalog.search.find(text, Filters())
            searched.append((time.process_time() - start) * 1000)
    report.limit(f"search over {packages:,} packages", "p95 in ms", _p95(searched), SEARCH_MS)


async def _measured(entrepot: Entrepot) -> dict[str, list[float]]:
    """Milliseconds of CPU of this process, all its threads, for each page; templates are compiled before."""
    with entrepot.opened() as workspace:
        datasette = make_datasette(workspace, public=True, trees=False)
        await datasette.invoke_startup()
        found: dict[str, list[float]] = {}
        try:
            for kind, paths in {**KINDS, "what differs, 63,440 changes": WHOLE}.items():
                await datasette.client.get(paths[0])
                for path in [*paths] * 3:
                    start = time.process_time()
                    answer = await datasette.client.get(path)
                    found.setdefault(kind, []).append((time.process_time() - start) * 1000)
                    assert answer.status_code == 200, path
        finally:
            await datasette.invoke_shutdown()
        return found


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
