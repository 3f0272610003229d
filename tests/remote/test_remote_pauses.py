"""Long commands on a workspace on a storage: others write while they fetch, and nothing of either is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import support.toy
from entrepot.catalog.logged import Logged
from entrepot.catalog.snapshot import CatalogSnapshot
from entrepot.models import Connection
from entrepot.pipeline import bulk
from entrepot.services import homes, mirroring, operations, repositories, sources, tasks
from entrepot.services.selecting import MirrorRequest
from support.remote import Place, make_repository, names_in
from support.toy import ToyUpstream
from support.upstream import Fault, Upstream

TOYS = ("ball", "battery", "robot")


class Watched(Upstream):
    """Something happens before each answer."""

    before: Callable[[str], object] | None = None

    def take_fault(self, path: str) -> Fault:
        if self.before:
            self.before(path)
        return super().take_fault(path)


def test_others_write_while_a_mirror_fetches_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "TOGETHER", 1)
    place, toys = Place([("toy", support.toy)]).initialised(), ToyUpstream(tmp_path / "upstream")
    for name in TOYS:
        toys.add(name, 1)
    toys.write()
    written: list[str] = []

    def write(path: str) -> None:
        with place.opened("another") as other:
            written.append(f"r{len(written)}")
            make_repository(other, written[-1])

    with Watched(root=toys.root) as server:
        with place.opened() as workspace:
            repositories.create_repository(workspace, "shop", format_name="toy", publish_to="place://tree", sign=False)
            repositories.create_distribution(workspace, "shop/window")
            sources.add_source(workspace, toys.draft(server.url, connection=Connection(retries=0)))
        with place.opened() as workspace:
            before = len(homes.generations(workspace))
            server.before = write
            sources.sync_source(workspace, "box")
            synced = len(written)
            # Exactly what is meant: what was chosen before others wrote is asked for after that.
            result = mirroring.mirror(workspace, MirrorRequest("box", "shop/window", exact=True))
            paths = [path.name for path in workspace.home.glob("catalog.db*")]
            assert len([name for name in paths if not name.endswith(("-wal", "-shm"))]) == 1
    assert (result.added, result.not_in) == (3, [])
    assert (synced, len(written)) == (1, 4)
    assert place.tree.stat("window/INDEX")
    with place.opened() as workspace:
        assert names_in(workspace) == sorted(["shop", *written])
        assert {task["state"] for task in operations.tasks(workspace, 9)} == {"completed"}
        operations.verify_audit(workspace)
        # What a command did step by step is one generation to go back to, and so is what each other one did.
        assert len(homes.generations(workspace)) == before + len(written) + 1


def test_a_state_is_kept_while_somebody_reads_an_older_one() -> None:
    place = Place().initialised("first")
    with place.opened() as workspace:
        make_repository(workspace, "second")
        with closing(CatalogSnapshot(lambda: workspace.catalog.path)) as older:
            assert older.read(lambda tables: tables.database.execute("SELECT count(*) FROM repositories")) == [(2,)]
            make_repository(workspace, "third")
            workspace.pause()
            assert place.names() == ["first", "second", "third"]
            with place.opened() as other:
                make_repository(other, "fourth")
            make_repository(workspace, "fifth")
            assert older.read(lambda tables: tables.database.execute("SELECT count(*) FROM repositories")) == [(2,)]
    assert place.names() == sorted(["first", "second", "third", "fourth", "fifth"])


def test_a_log_is_read_up_to_the_last_transaction_that_ended(tmp_path: Path) -> None:
    path, copy = tmp_path / "some.db", tmp_path / "copy.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        writer.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES (zeroblob(50000))")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
        writer.execute("INSERT INTO t VALUES (randomblob(300000))")
        # More than the cache holds, so that it is in the log when it is taken back.
        writer.execute("PRAGMA cache_size = 10")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (randomblob(900000))")
        writer.execute("UPDATE t SET x = zeroblob(10)")
        writer.execute("ROLLBACK")
        with Logged(path) as logged:
            assert logged.pages
            logged.copy(copy)
            assert copy.stat().st_size == logged.size
            assert logged.read(0, logged.size) == copy.read_bytes()
        expected = writer.execute("SELECT x FROM t ORDER BY rowid").fetchall()
    with closing(sqlite3.connect(copy)) as copied:
        assert copied.execute("SELECT x FROM t ORDER BY rowid").fetchall() == expected
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_task_of_a_machine_that_is_not_heard_of_ends() -> None:
    place = Place().initialised()
    with place.opened() as workspace, workspace.catalog.transaction():
        number = workspace.catalog.tasks.start("sync", "box", "function", workspace.now())
        workspace.catalog.database.execute("UPDATE tasks SET host = 'gone'")
    place.clock.advance(seconds=23 * 3600)
    with place.opened() as workspace, tasks.running(workspace, "gc", "workspace"):
        assert workspace.catalog.tasks.get(number)["state"] == "running"
    place.clock.advance(seconds=2 * 3600)
    with place.opened() as workspace, tasks.running(workspace, "gc", "workspace"):
        assert workspace.catalog.tasks.get(number)["state"] == "failed"
