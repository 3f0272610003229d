"""A mirror is killed somewhere: nothing of it is in a version, and run again it fetches nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.services import mirroring
from entrepot.services.operations import tasks
from entrepot.services.selecting import MirrorRequest
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.children import killed_python
from support.debs import make_deb
from support.upstream import Upstream
from support.workspaces import Depot

PACKAGES = 12
MIRROR = """
import sys
from pathlib import Path
from entrepot.pipeline import bulk
from entrepot.services.mirroring import mirror
from entrepot.services.selecting import MirrorRequest
from entrepot.workspace import Workspace

bulk.TOGETHER = 4

def tell(event):
    if event.code == "import.inspect" and event.done == int(sys.argv[2]):
        print("now", flush=True)
        sys.stdin.readline()

mirror(Workspace(Path(sys.argv[1])), MirrorRequest("upstream", "example/stable"), tell)
"""


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


@pytest.mark.parametrize("reached", [1, 6, PACKAGES])
def test_a_mirror_that_is_killed_goes_on_where_it_was(depot: Depot, up: Upstream, reached: int) -> None:
    with killed_python(MIRROR, str(depot.home), str(reached)) as child:
        assert child.stdout
        assert child.stdout.readline() == "now\n"
    catalog = depot.workspace.catalog
    assert [(task["kind"], task["state"]) for task in tasks(depot.workspace, 1)] == [("mirror", "failed")]
    assert {row["state"] for row in catalog.database.query("SELECT state FROM imports")} == {"failed"}
    distribution = catalog.repositories.distribution("example/stable")
    assert catalog.versions.latest(distribution).number == 0
    kept = {file.key.rpartition("/")[2] for file in depot.workspace.store.files()}
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
