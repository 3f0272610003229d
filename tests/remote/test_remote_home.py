"""A workspace on a storage: what one command does, another one finds; of commands at once nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import BusyError, NotFoundError, UsageError
from entrepot.publish.lease import LEASE_SECONDS, LostLeaseError
from entrepot.remote.layout import CHUNK
from entrepot.services import homes, imports, notifiers, queue, repositories
from entrepot.services.workspaces import open_workspace
from entrepot.settings import HomeSettings
from entrepot.workspace import Workspace
from entrepot_storage.wrappers import CountingStorage, Counts
from support.debs import make_deb
from support.remote import Place, make_repository, names_in

SMALL = 40
"""Chunks of a database that is small for a test and large for what changes in it."""


def fill(workspace: Workspace, chunks: int) -> None:
    """Makes the catalog so much larger, with what cannot be compressed."""
    with workspace.catalog.transaction():
        workspace.catalog.database.conn.execute("CREATE TABLE ballast (content BLOB)")
        for _ in range(chunks):
            workspace.catalog.database.conn.execute("INSERT INTO ballast VALUES (?)", [os.urandom(CHUNK)])


def counted(place: Place, work: Callable[[Workspace], object]) -> Counts:
    """What one command asked of the storage."""
    storage, place.storage = place.storage, CountingStorage(place.storage)
    with place.opened() as workspace:
        work(workspace)
    counts, place.storage = place.storage.counts, storage
    return counts


def test_what_one_command_did_another_machine_finds(elsewhere: Callable[[], None]) -> None:
    place = Place().initialised("shop")
    elsewhere()
    assert place.names() == ["shop"]
    with place.opened() as workspace:
        workspace.catalog.audit.verify()


def test_where_no_workspace_is_nothing_is_made_by_looking() -> None:
    place = Place()
    with pytest.raises(NotFoundError), place.opened() as workspace:
        names_in(workspace)
    assert list(place.storage.list()) == []


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/x", "s3://bucket/x?token=secret", "s3://bucket/x#secret"])
def test_the_url_of_a_workspace_has_no_secret_in_it(url: str) -> None:
    with pytest.raises(UsageError) as caught, open_workspace(url):
        pass
    assert "secret" not in str(caught.value)


def test_settings_and_secrets_travel_and_are_for_their_owner_only(elsewhere: Callable[[], None]) -> None:
    place = Place().initialised(settings="keep_days = 3\n")
    elsewhere()
    with place.opened() as workspace:
        assert workspace.settings.home == HomeSettings(0, 20, 3)
        key = workspace.home / "secrets" / "audit.key"
        assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_was_not_changed_is_not_fetched_again_and_nothing_is_written() -> None:
    place = Place().initialised("shop")
    counts = counted(place, names_in)
    assert (counts.stats, counts.reads, counts.writes) == (1, 0, 0)


def test_one_package_of_a_large_catalog_moves_only_chunks_that_changed(elsewhere: Callable[[], None]) -> None:
    place = Place().initialised()
    with place.opened() as workspace:
        fill(workspace, SMALL)
    up = counted(place, lambda workspace: make_repository(workspace, "shop"))
    assert up.bytes_written < SMALL * CHUNK / 10
    assert up.bytes_read < 2000
    elsewhere()
    assert counted(place, names_in).bytes_read > SMALL * CHUNK
    with place.opened() as workspace:
        make_repository(workspace, "other")
    assert counted(place, names_in).writes == 0


def test_a_machine_that_saw_an_older_generation_fetches_only_what_differs(
    elsewhere: Callable[[], None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place().initialised()
    with place.opened() as workspace:
        fill(workspace, SMALL)
    elsewhere()
    with place.opened() as workspace:
        make_repository(workspace, "shop")
    monkeypatch.setenv("ENTREPOT_CACHE", str(cache))
    assert counted(place, names_in).bytes_read < SMALL * CHUNK / 10


def test_memory_and_disk_do_not_grow_with_the_catalog(elsewhere: Callable[[], None], tmp_path: Path) -> None:
    place = Place().initialised()
    with place.opened() as workspace:
        fill(workspace, 2 * SMALL)
    elsewhere()
    # Plugins and schema are there already: what is measured is what moves.
    place.copy().initialised("warm")
    tracemalloc.start()
    with place.opened() as workspace:
        make_repository(workspace, "shop")
        size = (workspace.home / "catalog.db").stat().st_size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 2 * SMALL * CHUNK
    assert peak < SMALL * CHUNK
    assert sum(path.stat().st_size for path in workspace.session.folder.rglob("*")) < 1.1 * size


def test_who_read_before_another_wrote_goes_on_with_what_that_one_did() -> None:
    place = Place().initialised("first")
    with place.opened() as slow:
        reading = slow.catalog.database.conn.execute("SELECT name FROM repositories, (SELECT 1 UNION SELECT 2)")
        assert reading.fetchone() == ("first",)
        with place.opened() as quick:
            make_repository(quick, "second")
        make_repository(slow, "third")
        # What was being read is read to its end, as it was.
        assert reading.fetchall() == [("first",)]
        assert names_in(slow) == ["first", "second", "third"]
    assert place.names() == ["first", "second", "third"]


def test_settings_that_two_changed_at_once_are_refused_to_the_second() -> None:
    place = Place().initialised()

    def change_late() -> None:
        with place.opened() as slow:
            (slow.home / "entrepot.toml").write_text("[home]\nwait = 0\nkeep_days = 1\n")
            with place.opened() as quick:
                (quick.home / "entrepot.toml").write_text("[home]\nwait = 0\nkeep_days = 2\n")
            make_repository(slow, "shop")

    with pytest.raises(BusyError, match=r"entrepot\.toml"):
        change_late()
    with place.opened() as workspace:
        assert workspace.settings.home.keep_days == 2
        assert names_in(workspace) == []


def test_readers_never_wait_and_a_second_writer_is_told_who_writes() -> None:
    place = Place().initialised("first")
    with place.opened() as writer:
        make_repository(writer, "second")
        assert place.names() == ["first"]
        with pytest.raises(BusyError, match="the workspace is being changed by process"), place.opened() as other:
            make_repository(other, "third")
    assert place.names() == ["first", "second"]


def write_while(place: Place, meanwhile: Callable[[Workspace], None]) -> None:
    """A command that writes, during which something happens."""
    with place.opened() as slow:
        make_repository(slow, "lost")
        meanwhile(slow)


def test_what_is_done_under_a_lease_that_another_took_over_is_not_kept() -> None:
    place = Place().initialised("first")

    def take_over(slow: Workspace) -> None:
        place.clock.advance(seconds=LEASE_SECONDS + 1)
        with place.opened() as quick:
            make_repository(quick, "second")

    with pytest.raises(LostLeaseError, match="nothing of what this one did was kept") as caught:
        write_while(place, take_over)
    assert caught.value.exit_code == 1
    assert place.names() == ["first", "second"]


def test_who_has_taken_a_lease_over_is_not_overtaken_by_who_had_it() -> None:
    place = Place().initialised("first")

    def wake_up_in_between(slow: Workspace) -> None:
        place.clock.advance(seconds=LEASE_SECONDS + 1)
        with place.opened() as quick:
            make_repository(quick, "second")
            with pytest.raises(LostLeaseError):
                slow.commit()

    write_while(place, wake_up_in_between)
    assert place.names() == ["first", "second"]


def test_a_lease_can_be_taken_away() -> None:
    place = Place().initialised("first")

    def take_away(slow: Workspace) -> None:
        with place.opened() as quick:
            assert homes.show(quick).lease is not None
            assert homes.break_lease(quick).pid == os.getpid()

    with pytest.raises(LostLeaseError):
        write_while(place, take_away)
    with place.opened() as workspace:
        assert homes.show(workspace).lease is None
        assert names_in(workspace) == ["first"]


def test_an_error_keeps_what_was_done_before_it_as_in_a_folder() -> None:
    place = Place().initialised()

    def fail(workspace: Workspace) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_while(place, fail)
    assert place.names() == ["lost"]


def test_two_processes_at_once_both_land(tmp_path: Path) -> None:
    home = (tmp_path / "remote").as_uri()
    program = [sys.executable, "-m", "entrepot", "--quiet", "--home", home]
    subprocess.run([*program, "init"], check=True, stdout=subprocess.DEVNULL)
    command = [*program, "repo", "create", "--format", "apt", "--no-sign", "--publish-to"]
    running = [
        subprocess.Popen([*command, str(tmp_path / name), name], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for name in ("one", "two")
    ]
    assert [process.communicate()[1] for process in running] == [b"", b""]
    with open_workspace(home) as workspace:
        assert sorted(names_in(workspace)) == ["one", "two"]
        assert workspace.session.newest is not None
        assert workspace.session.newest.made.number == 3


def test_tasks_are_done_by_who_asks_for_them_one_after_the_other() -> None:
    place = Place().initialised()
    with place.opened() as workspace:
        task = queue.submit(workspace, "gc", "workspace", {"dry_run": False, "yes": False, "withdrawn": False})
        assert workspace.catalog.tasks.get(task)["state"] == "completed"
    with place.opened() as workspace:
        assert workspace.catalog.tasks.get(task)["state"] == "completed"


def test_others_are_told_by_who_wrote_and_a_reader_waits_for_nobody_to_do_so(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    place = Place().initialised(settings=f'[notify.log]\nkind = "jsonl"\npath = "{log}"\n')
    with place.opened() as workspace:
        repositories.create_repository(workspace, "shop", format_name="apt", publish_to="place://tree", sign=False)
        repositories.create_distribution(workspace, "shop/stable")
        imports.upload(workspace, [make_deb(tmp_path)], "shop/stable")
    with place.opened() as reader:
        assert notifiers.deliver_at_end(reader) == ()
    assert not log.exists()
    with place.opened() as writer:
        make_repository(writer, "other")
        (delivery,) = notifiers.deliver_at_end(writer)
    assert delivery.delivered == len(log.read_text().splitlines()) > 0
    with place.opened() as writer:
        make_repository(writer, "third")
        assert notifiers.deliver_at_end(writer) == ()
