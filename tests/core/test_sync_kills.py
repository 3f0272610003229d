"""A sync is killed: the catalog is what it was before, whole, and the next sync brings all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.models import SourceDraft
from entrepot.services.operations import tasks, verify_audit
from support.apt_repository import Key, Suite, index, stanza
from support.children import killed_python
from support.upstream import Fault, Upstream
from support.workspaces import Depot

MAIN = "main/binary-amd64/Packages"
SYNC = """
import sys
from pathlib import Path
from entrepot.services.sources import sync_source
from entrepot.workspace import Workspace

def tell(event):
    if event.code == "sync.index" and event.done >= int(sys.argv[2]):
        print(event.done, flush=True)
        sys.stdin.readline()

sync_source(Workspace(Path(sys.argv[1])), "upstream", tell)
"""
MANY = [stanza(f"package-{number}") for number in range(2100)]
"""More than lie between two events, so that there is one in the middle of the transaction."""
BEFORE = Suite(indexes={MAIN: index(stanza("hello"), stanza("nginx"))}, by_hash=True)
AFTER = Suite(indexes={MAIN: index(stanza("hello", "2.0"), *MANY)}, by_hash=True)
IN_RELEASE = "/dists/stable/InRelease"
INDEX = next(path for path in AFTER.payload() if "/by-hash/" in path)


@pytest.fixture
def key(keys: Callable[[], Key]) -> Key:
    return keys()


@pytest.fixture
def up(key: Key) -> Iterator[Upstream]:
    with Upstream(files=BEFORE.files(key)) as server:
        yield server


@pytest.fixture
def depot(tmp_path: Path, up: Upstream, key: Key) -> Iterator[Depot]:
    """A catalog with what the upstream offered before it changed."""
    depot = Depot(tmp_path / "depot")
    depot.follow(SourceDraft(name="upstream", format="apt", url=up.url, distributions=("stable",), keyring=key.public))
    up.files = AFTER.files(key)
    up.forget()
    yield depot
    depot.close()


def rows(depot: Depot) -> dict[str, list[Any]]:
    """Everything that is in the catalog, but tasks."""
    database = depot.workspace.catalog.database
    return {name: list(database.table(name).rows) for name in database.table_names() if name != "tasks"}


def check_failed_and_complete(depot: Depot) -> None:
    """The catalog is sound, the killed sync counts as failed, and the next one brings everything."""
    connection = depot.workspace.catalog.database.conn
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.execute("INSERT INTO available_fts (available_fts, rank) VALUES ('integrity-check', 1)")
    assert [(task["kind"], task["state"]) for task in tasks(depot.workspace, 1)] == [("sync", "failed")]
    counts = depot.sync().counts
    assert counts
    assert (counts.added, counts.changed, counts.removed, counts.unchanged) == (2100, 1, 1, 0)
    assert verify_audit(depot.workspace)
    assert not list((depot.home / "scratch").iterdir())


@pytest.mark.parametrize(
    ("path", "bytes_sent"),
    [(IN_RELEASE, -1), (IN_RELEASE, 300), (INDEX, -1), (INDEX, 5000)],
    ids=["no answer", "half a Release", "no index", "half an index"],
)
def test_a_sync_that_is_killed_while_it_fetches_leaves_the_catalog_as_it_was(
    depot: Depot, up: Upstream, path: str, bytes_sent: int
) -> None:
    before = rows(depot)
    up.fail(path, Fault(stall_after=bytes_sent))
    with killed_python(SYNC, str(depot.home), "0"):
        up.wait_for(path)
    up.heal()
    assert rows(depot) == before
    check_failed_and_complete(depot)


def test_a_sync_that_is_killed_while_it_writes_leaves_the_catalog_as_it_was(depot: Depot) -> None:
    before = rows(depot)
    with killed_python(SYNC, str(depot.home), "2000") as child:
        assert child.stdout
        assert child.stdout.readline() == "2000\n"
        assert rows(depot) == before
    assert rows(depot) == before
    check_failed_and_complete(depot)
