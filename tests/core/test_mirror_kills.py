"""A mirror is killed somewhere: nothing of it is in a version, and run again it fetches nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.publish.lease import LEASE_SECONDS
from entrepot.services import mirroring, repositories, sources
from entrepot.services.operations import tasks
from entrepot.services.selecting import MirrorRequest
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.children import killed_python
from support.debs import make_deb
from support.tree_checker import GpgvSignatures, packages_in
from support.upstream import Upstream
from support.workspaces import Depot

PACKAGES = 12
MIRROR = """
import datetime as dt
import sys
from pathlib import Path
from entrepot.pipeline import bulk
from entrepot.services.mirroring import mirror
from entrepot.services.selecting import MirrorRequest
from entrepot.workspace import Workspace

bulk.TOGETHER = 4

def tell(event):
    if event.code == sys.argv[3] and int(sys.argv[4]) in (event.done, event.done - event.total):
        print("now", flush=True)
        sys.stdin.readline()

now = dt.datetime.fromisoformat(sys.argv[2])
workspace = Workspace(Path(sys.argv[1]), clock=lambda: now)
mirror(workspace, MirrorRequest("upstream", "example/stable"), tell)
"""
POINTS = [("import.inspect", 7), ("publish.write", 5), ("publish.write", -1)]
"""Where a verbatim mirror is killed, one time after the other; -1 is before the very last step."""


@pytest.fixture
def upstream(tmp_path: Path, keys: Callable[[], Key]) -> AptUpstream:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    upstream.add(*(make_deb(tmp_path, f"package{number}") for number in range(PACKAGES)))
    upstream.write()
    return upstream


@pytest.fixture
def up(upstream: AptUpstream) -> Iterator[Upstream]:
    with Upstream(root=upstream.root) as server:
        yield server


@pytest.fixture
def depot(tmp_path: Path, upstream: AptUpstream, up: Upstream) -> Iterator[Depot]:
    depot = Depot(tmp_path / "depot")
    depot.configure('[inspection]\nskip = ["clamav", "contents", "osv"]')
    depot.follow(upstream.draft(up.url))
    depot.distribute()
    yield depot
    depot.close()


def kill(depot: Depot, code: str, reached: int) -> None:
    """Mirrors in a process that is killed when so much of a piece of work is done, or, below zero, left to do."""
    with killed_python(MIRROR, str(depot.home), depot.clock().isoformat(), code, str(reached)) as child:
        assert child.stdout
        assert child.stdout.readline() == "now\n"


def stored(depot: Depot) -> set[str]:
    """Digests of what is in the private store."""
    return {file.key.rpartition("/")[2] for file in depot.workspace.store.files()}


def fetched(depot: Depot, up: Upstream) -> set[str]:
    """Digests of the packages that were asked for."""
    rows = depot.workspace.catalog.database.query("SELECT location, sha256 FROM available")
    return {row["sha256"] for row in rows if up.count(f"/{row['location']}")}


@pytest.mark.parametrize("reached", [6, PACKAGES])
def test_a_mirror_that_is_killed_goes_on_where_it_was(depot: Depot, up: Upstream, reached: int) -> None:
    kill(depot, "import.inspect", reached)
    catalog = depot.workspace.catalog
    assert [(task["kind"], task["state"]) for task in tasks(depot.workspace, 1)] == [("mirror", "failed")]
    assert {row["state"] for row in catalog.database.query("SELECT state FROM imports")} == {"failed"}
    distribution = catalog.repositories.distribution("example/stable")
    assert catalog.versions.latest(distribution).number == 0
    kept = stored(depot)
    assert len(kept) >= reached - 1
    up.forget()
    result = mirroring.mirror(depot.workspace, MirrorRequest("upstream", "example/stable"))
    assert result.added == PACKAGES
    assert result.not_in == []
    for row in catalog.database.query("SELECT location, sha256 FROM available"):
        asked = up.count(f"/{row['location']}")
        assert asked == 0 if row["sha256"] in kept else asked <= 1, row["location"]
    assert catalog.versions.latest(distribution).packages == PACKAGES
    assert not list(depot.workspace.fetch_folder.iterdir())


def test_a_verbatim_mirror_that_is_killed_leaves_one_whole_state_and_goes_on(
    tmp_path: Path, upstream: AptUpstream, up: Upstream, depot: Depot
) -> None:
    assert upstream.key
    (tmp_path / "keyring").write_bytes(upstream.key.public)
    signatures = GpgvSignatures(tmp_path / "keyring")
    request = MirrorRequest("upstream", "example/stable")
    sources.set_source(depot.workspace, "upstream", sources.Change(options={"verbatim": True}))
    repositories.set_distribution(depot.workspace, "example/stable", {"options": {"verbatim": True}})

    def seen(*, settled: bool = False) -> tuple[bytes, frozenset[str]]:
        release = (depot.tree / "dists/stable/InRelease").read_bytes()
        return release, packages_in(depot.tree, "stable", signatures, settled=settled)

    depot.sync(force=True)
    mirroring.mirror(depot.workspace, request)
    before = seen()
    upstream.remove("package0")
    upstream.add(*(make_deb(tmp_path, f"package{number}", "2.0-1") for number in range(PACKAGES)))
    upstream.write()
    depot.sync()
    kept = stored(depot)
    after = (upstream.root / "dists/stable/InRelease").read_bytes()
    for code, done in POINTS:
        up.forget()
        kill(depot, code, done)
        assert not fetched(depot, up) & kept
        kept = stored(depot)
        assert seen() == before
        depot.clock.advance(seconds=LEASE_SECONDS)
    up.forget()
    result = mirroring.mirror(depot.workspace, request)
    assert (result.version, result.publication and result.publication.status) == (None, "published")
    assert not fetched(depot, up)
    assert seen()[0] == after
    assert len(seen()[1]) == 2 * PACKAGES - 1
    assert not mirroring.mirror(depot.workspace, request).publication
