"""The same mirror with one thread, with two processes and with two workers of Dask: what comes of it, and how soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.material import UpstreamTree
from bench.measure import Report
from bench.peers import Entrepot
from support.dask_cluster import dask_cluster
from support.debs import make_deb, packages_stanza
from support.upstream import Upstream

pytestmark = pytest.mark.bench

PACKAGES, FILES = 300, 150
SOONER = 0.8
"""What two processes may take of the time of one thread, where two processors are there for them."""


def test_spread_over_processes_and_workers(
    report: Report, entrepot: Entrepot, tree: UpstreamTree, server: Upstream, keyring: Path, tmp_path: Path
) -> None:
    pool = tree.root / "pool"
    pool.mkdir()
    files = {f"usr/share/things/{number}": b"%d\n" % number * 4000 for number in range(FILES)}
    debs = [make_deb(pool, f"thing{number}", files=files) for number in range(PACKAGES)]
    tree.publish(b"\n".join(packages_stanza(path, f"pool/{path.name}") for path in debs))
    job = f"mirror {PACKAGES} .debs of {FILES} files"
    took: dict[str, float] = {}
    came: dict[str, object] = {}
    with dask_cluster(tmp_path) as dask:
        for name, executor in {"one thread": "threads:1", "two processes": "processes:2", "Dask": dask}.items():
            own = Entrepot(entrepot.folder / name, entrepot.gnupg)
            own.skip(["clamav", "osv", "dependencies"])
            own.follow(server.url, keyring)
            own.distribute("stable")
            own.command("sync", "upstream").cost()
            arguments = ("mirror", "upstream", "--to", "stable", "--no-publish", "--executor", executor)
            began = time.perf_counter()
            cost = own.command(*arguments).cost()
            took[name] = time.perf_counter() - began
            came[name] = outcome(own)
            report.figure(f"{job}, {name}", cost, f"{took[name]:.1f} s on the clock")
    assert came["two processes"] == came["one thread"] == came["Dask"]
    for name in ("two processes", "Dask"):
        report.limit(f"{job}, {name}", "time beside one thread", took[name] / took["one thread"], SOONER)


def outcome(entrepot: Entrepot) -> object:
    """Members of the version, verdicts, and what is in the private store."""
    members = "SELECT name, version, location, sha256 FROM membership m JOIN packages p ON p.id = m.package_id"
    verdicts = "SELECT i.name, v.scanner, v.status, v.reason FROM verdicts v JOIN imports i ON i.id = v.import_id"
    with entrepot.opened() as workspace:
        database = workspace.catalog.database
        came = sorted(database.execute(members).fetchall())
        assert len(came) == PACKAGES
        stored = sorted(file.key for file in workspace.store.files())
        return came, sorted(database.execute(verdicts).fetchall()), stored
