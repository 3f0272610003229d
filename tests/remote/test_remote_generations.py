"""Earlier generations of a workspace on a storage: kept by the settings, brought back, collected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import BusyError, ConflictError, NotFoundError, UsageError
from entrepot.remote.keeping import GRACE, kept
from entrepot.remote.layout import GENERATIONS, Made, new_name
from entrepot.remote.session import SWEEP_EVERY
from entrepot.services import homes, upkeep
from entrepot.settings import HomeSettings
from entrepot.workspace import Workspace
from support.remote import Place, make_repository, names_in

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def made(number: int, at: dt.datetime) -> Made:
    return Made(new_name(number), at, "tester", "here", 1)


def test_the_newest_generations_are_kept_and_the_last_of_each_of_some_days() -> None:
    # Four a day, for ten days.
    every = [made(40 - step, NOON - dt.timedelta(hours=6 * step)) for step in range(40)]
    chosen = kept(every[1:], every[0], HomeSettings(keep_generations=4, keep_days=3))
    assert [one.number for one in chosen] == [39, 38, 37, 33, 29]


def test_one_generation_alone_can_be_kept() -> None:
    every = [made(2, NOON), made(1, NOON - dt.timedelta(hours=1))]
    assert kept(every[1:], every[0], HomeSettings(keep_generations=1, keep_days=0)) == ()


def test_an_older_generation_comes_back_as_a_new_one(elsewhere: Callable[[], None]) -> None:
    place = Place().initialised("first")
    with place.opened() as workspace:
        make_repository(workspace, "mistake")
    with place.opened() as workspace:
        assert homes.restore(workspace, 1, dry_run=True)[0].number == 1
        old, newest = homes.restore(workspace, 1)
        assert (old.number, newest.number, newest.restored_from) == (1, 3, 1)
        assert names_in(workspace) == ["first"]
    elsewhere()
    with place.opened() as workspace:
        assert names_in(workspace) == ["first"]
        workspace.catalog.audit.verify()
        assert [entry["action"] for entry in workspace.catalog.audit.list(1)] == ["home.restore"]
        assert [one.number for one in homes.generations(workspace)] == [3, 2, 1]
        homes.restore(workspace, 2)
        assert names_in(workspace) == ["first", "mistake"]


def test_a_generation_that_is_not_there_cannot_come_back() -> None:
    place = Place().initialised()
    with place.opened() as workspace:
        with pytest.raises(NotFoundError, match="no generation 7"):
            homes.restore(workspace, 7, dry_run=True)
        with pytest.raises(ConflictError, match="the newest already"):
            homes.restore(workspace, 1)


def test_nobody_goes_on_with_what_was_read_before_an_older_generation_came_back() -> None:
    place = Place().initialised("first")
    with place.opened() as workspace:
        make_repository(workspace, "mistake")

    def write_late() -> None:
        with place.opened() as slow:
            names_in(slow)
            with place.opened() as quick:
                homes.restore(quick, 1)
            make_repository(slow, "second")

    with pytest.raises(BusyError, match="set back to an older generation"):
        write_late()
    assert place.names() == ["first"]


def test_what_no_kept_generation_has_is_removed_after_a_grace(elsewhere: Callable[[], None]) -> None:
    place = Place().initialised(settings="keep_generations = 2\nkeep_days = 0\n")
    for name in ("first", "second", "third"):
        with place.opened() as workspace:
            make_repository(workspace, name)
    with place.opened() as workspace:
        assert workspace.session.sweep() == 0
        # What is stored has the time of this machine.
        place.clock.time = dt.datetime.now(dt.UTC) + GRACE + dt.timedelta(minutes=1)
        assert upkeep.collect(workspace).generation_objects > 4
        assert workspace.session.sweep() == 0
    assert len(list(place.storage.list(GENERATIONS))) == 2
    elsewhere()
    with place.opened() as workspace:
        assert names_in(workspace) == ["first", "second", "third"]
        homes.restore(workspace, homes.generations(workspace)[1].number)
        assert names_in(workspace) == ["first", "second", "third"]
        assert not workspace.catalog.tasks.list(9)


def test_every_so_many_generations_what_is_not_kept_is_removed(elsewhere: Callable[[], None]) -> None:
    place = Place().initialised(settings="keep_generations = 2\nkeep_days = 0\n")
    place.clock.time = dt.datetime.now(dt.UTC) + GRACE + dt.timedelta(minutes=1)
    with place.opened() as workspace:
        for number in range(2, SWEEP_EVERY + 2):
            make_repository(workspace, f"r{number}")
            workspace.commit()
    kept_there = sorted(info.key for info in place.storage.list(GENERATIONS))
    assert [int(key.removeprefix(GENERATIONS)[:9]) for key in kept_there] == [19, 20, 21]
    elsewhere()
    assert len(place.names()) == SWEEP_EVERY


def test_a_folder_has_no_generations(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        homes.generations(Workspace(tmp_path))
