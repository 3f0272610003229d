"""An import is killed: nothing of it is in the catalog's versions, and run again it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.services.operations import tasks
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.children import killed_python
from support.debs import make_deb
from support.upstream import Fault, Upstream
from support.workspaces import Depot

LARGE = "/pool/main/l/large/large_1.0-1_amd64.deb"
SMALL = "/pool/main/s/small/small_1.0-1_amd64.deb"
SENT = 1 << 18
"""Bytes of the large package that arrive before the upstream stalls."""
IMPORT = """
import os, signal, sys
from pathlib import Path
from entrepot.hookspecs import hookimpl
from entrepot.services.imports import ImportRequest, import_packages
from entrepot.workspace import Workspace

class Fatal:
    name = answers = "fatal"
    version = "1"
    isolated = False

    def scan(self, artifact, context):
        os.kill(os.getpid(), signal.SIGKILL)

class Plugin:
    @hookimpl
    def register_scanners(self):
        return [Fatal()]

def tell(event):
    if event.code == "import.fetch":
        print(event.done, flush=True)

plugins = [("fatal", Plugin())] if sys.argv[2] == "inspect" else []
request = ImportRequest("upstream", sys.argv[3:], "example/stable")
import_packages(Workspace(Path(sys.argv[1]), extra_plugins=plugins), request, tell)
"""


@pytest.fixture
def upstream(tmp_path: Path, keys: Callable[[], Key]) -> AptUpstream:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    noise = bytes(range(256)) * 4096
    upstream.add(make_deb(tmp_path, "large", files={"usr/share/noise": noise}, compression=""))
    upstream.add(make_deb(tmp_path, "small"))
    upstream.write()
    return upstream


@pytest.fixture
def up(upstream: AptUpstream) -> Iterator[Upstream]:
    with Upstream(root=upstream.root) as server:
        yield server


@pytest.fixture
def depot(tmp_path: Path, upstream: AptUpstream, up: Upstream, keys: Callable[[], Key]) -> Iterator[Depot]:
    depot = Depot(tmp_path / "depot", keys())
    depot.follow(upstream.draft(up.url))
    depot.distribute()
    yield depot
    depot.close()


def states(depot: Depot) -> list[str]:
    """Of every import, in the order in which they began."""
    return [row["state"] for row in depot.workspace.catalog.database.query("SELECT state FROM imports ORDER BY id")]


def check_nothing_came_in(depot: Depot) -> None:
    assert [(task["kind"], task["state"]) for task in tasks(depot.workspace, 1)] == [("import", "failed")]
    assert set(states(depot)) == {"failed"}
    distribution = depot.workspace.catalog.repositories.distribution("example/stable")
    assert depot.workspace.catalog.versions.latest(distribution).number == 0
    assert not depot.tree.exists()


def test_an_import_that_is_killed_while_it_fetches_is_resumed(
    depot: Depot, upstream: AptUpstream, up: Upstream
) -> None:
    up.fail(LARGE, Fault(stall_after=SENT))
    with killed_python(IMPORT, str(depot.home), "fetch", "large") as child:
        assert child.stdout
        assert any(int(line) == SENT for line in child.stdout)
    check_nothing_came_in(depot)
    up.heal()
    assert depot.bring("large", publish=True) == 1
    # The last of what arrived may not have been on the disk yet.
    assert 0 < int(up.last(LARGE).headers["range"].removeprefix("bytes=").removesuffix("-")) <= SENT
    assert up.last(LARGE).status == 206
    assert states(depot) == ["failed", "published"]
    assert (depot.tree / LARGE.lstrip("/")).read_bytes() == (upstream.root / LARGE.lstrip("/")).read_bytes()
    assert not list(depot.workspace.fetch_folder.iterdir())


def test_an_import_that_is_killed_while_it_inspects_fetches_nothing_twice(depot: Depot, up: Upstream) -> None:
    with killed_python(IMPORT, str(depot.home), "inspect", "small") as child:
        assert child.wait(timeout=60) < 0
    check_nothing_came_in(depot)
    up.forget()
    assert depot.bring("small", publish=True) == 1
    assert up.count(SMALL) == 0
