"""What is due becomes tasks, once, whoever looks; nothing here waits for a clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, UsageError
from entrepot.services import operations, schedule
from entrepot.workspace import Workspace
from support.toybox import ToyBox

SETTINGS = """
[schedule.upstream]
run = "sync"
every = "6h"
[schedule.nightly]
run = "scan"
at = "02:30"
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    """A workspace at ten in the morning whose schedule was looked at, so that nothing is due before noon."""
    box = ToyBox(tmp_path, settings=SETTINGS)
    box.clock.time = box.clock.time.replace(hour=10)
    box.follow()
    assert schedule.begin_due(box.workspace) == []
    yield box
    box.workspace.close()


def due(workspace: Workspace) -> list[tuple[str, str, int]]:
    """What is due and begun now: job, status and how many were missed."""
    return [(run.job.name, run.status, run.missed) for run in schedule.begin_due(workspace)]


def end(box: ToyBox, state: str = "completed") -> None:
    """Ends all tasks that are under way."""
    with box.workspace.catalog.transaction():
        for task in box.workspace.catalog.tasks.list(100):
            if task["state"] in ("waiting", "running"):
                box.workspace.catalog.tasks.finish(task["id"], state, [], None, box.clock())


def test_a_job_is_begun_when_it_is_due_and_once(box: ToyBox) -> None:
    box.clock.advance(hours=1, minutes=59)
    assert due(box.workspace) == []
    box.clock.advance(minutes=2)
    assert due(box.workspace) == [("upstream", "begun", 0)]
    assert due(box.workspace) == []
    (task,) = operations.tasks(box.workspace, 5)
    assert (task["kind"], task["subject"], task["request"]) == ("sync", "box", {"source": "box"})
    assert (task["job"], task["due_at"], task["state"]) == ("upstream", "2026-03-01T12:00:00Z", "waiting")


def test_two_that_look_at_once_begin_it_once(box: ToyBox) -> None:
    other = box.opened()
    box.clock.advance(hours=3)
    assert [due(workspace) for workspace in (box.workspace, other)] == [[("upstream", "begun", 0)], []]
    other.close()


def test_who_saw_that_it_is_due_and_comes_second_begins_nothing(box: ToyBox, monkeypatch: pytest.MonkeyPatch) -> None:
    other = box.opened()
    box.clock.advance(hours=3)
    held = other.catalog.schedule.states()
    answers = iter([held])
    real = other.catalog.schedule.states
    monkeypatch.setattr(other.catalog.schedule, "states", lambda: next(answers, None) or real())
    assert due(box.workspace) == [("upstream", "begun", 0)]
    assert due(other) == []
    other.close()


def test_a_job_that_still_runs_is_not_begun_again(box: ToyBox) -> None:
    box.clock.advance(hours=3)
    due(box.workspace)
    box.clock.advance(hours=6)
    assert due(box.workspace) == [("upstream", "running", 0)]
    view = schedule.jobs(box.workspace)[0]
    assert (view.status, str(view.next_at)) == ("running", "2026-03-02 00:00:00+00:00")
    assert view.as_json()["skipped"] == "2026-03-01T18:00:00Z"
    end(box)
    box.clock.advance(hours=6)
    assert ("upstream", "begun", 0) in due(box.workspace)


def test_a_job_whose_process_died_is_begun_again(box: ToyBox) -> None:
    box.clock.advance(hours=3)
    due(box.workspace)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    box.workspace.catalog.database.conn.execute("UPDATE tasks SET state = 'running', pid = ?", [gone.pid])
    box.clock.advance(hours=6)
    assert due(box.workspace) == [("upstream", "begun", 0)]
    assert [task["state"] for task in operations.tasks(box.workspace, 5)] == ["waiting", "failed"]


def test_a_task_of_another_machine_holds_a_job_up_for_a_day(box: ToyBox) -> None:
    box.clock.advance(hours=3)
    due(box.workspace)
    box.workspace.catalog.database.conn.execute("UPDATE tasks SET state = 'running', host = 'elsewhere'")
    box.clock.advance(hours=23)
    assert ("upstream", "running", 3) in due(box.workspace)
    box.clock.advance(hours=6)
    assert ("upstream", "begun", 0) in due(box.workspace)


def test_what_was_missed_is_done_once_and_told(box: ToyBox) -> None:
    box.clock.advance(days=2)
    assert sorted(due(box.workspace)) == [("nightly", "begun", 1), ("upstream", "begun", 7)]
    (view,) = [view for view in schedule.jobs(box.workspace) if view.job.name == "upstream"]
    assert (view.as_json()["missed"], view.as_json()["next"]) == (7, "2026-03-03T12:00:00Z")


def test_what_somebody_does_already_is_not_done_twice(box: ToyBox) -> None:
    task = box.workspace.catalog.tasks.wait("sync", "box", "kim", "", {"source": "box"}, box.clock())
    box.clock.advance(hours=3)
    (run,) = schedule.begin_due(box.workspace)
    assert (run.tasks, run.joined, run.status) == ([], [task], "begun")


def test_another_rule_is_due_at_its_own_next_time(box: ToyBox) -> None:
    (box.home / "entrepot.toml").write_text(SETTINGS.replace("6h", "4h"))
    changed = box.opened()
    box.clock.advance(hours=3)
    assert due(changed) == []
    box.clock.advance(hours=3)
    assert due(changed) == [("upstream", "begun", 0)]
    changed.close()


def test_a_scan_is_a_task_for_each_distribution(box: ToyBox) -> None:
    box.distribute("cellar")
    box.clock.advance(hours=17)
    schedule.begin_due(box.workspace)
    found = [(task["kind"], task["subject"]) for task in operations.tasks(box.workspace, 5) if task["job"] == "nightly"]
    assert sorted(found) == [("scan", "shop/cellar"), ("scan", "shop/window")]


def test_a_job_is_begun_by_name_though_it_is_not_due(box: ToyBox) -> None:
    (run,) = schedule.begin(box.workspace, ["nightly"])
    assert (run.status, len(run.tasks)) == ("begun", 1)
    (again,) = schedule.begin(box.workspace, ["nightly"])
    assert (again.status, again.held_up_by) == ("running", run.tasks)
    view = schedule.jobs(box.workspace)[1]
    assert (str(view.next_at), view.as_json()["last"]) == ("2026-03-02 02:30:00+00:00", "2026-03-01T10:00:00Z")
    with pytest.raises(NotFoundError, match="no job 'weekly'") as caught:
        schedule.begin(box.workspace, ["weekly"])
    assert caught.value.hint == "known: upstream, nightly"


def test_how_the_last_run_ended_is_told(box: ToyBox) -> None:
    assert [view.status for view in schedule.jobs(box.workspace)] == ["never", "never"]
    schedule.begin(box.workspace, ["upstream"])
    end(box, "failed")
    assert schedule.jobs(box.workspace)[0].status == "failed"


@pytest.mark.parametrize(("of", "subjects"), [("shop", ["shop/window"]), ("nowhere", ["nowhere"])])
def test_names_are_distributions_or_repositories_and_one_that_is_wrong_is_told_by_its_task(
    box: ToyBox, of: str, subjects: list[str]
) -> None:
    (box.home / "entrepot.toml").write_text(f'[schedule.out]\nrun = "publish"\nof = "{of}"\nevery = "1h"\n')
    changed = box.opened()
    schedule.begin(changed, ["out"])
    assert [task["subject"] for task in operations.tasks(changed, 5)] == subjects
    changed.close()


def test_what_would_expire_is_signed_again_by_a_publication_of_nothing_new(box: ToyBox) -> None:
    (box.home / "entrepot.toml").write_text('[schedule.signatures]\nrun = "refresh"\nevery = "1d"\n')
    changed = box.opened()
    schedule.begin(changed, ["signatures"])
    (task,) = operations.tasks(changed, 5)
    assert (task["kind"], task["request"]) == ("publish", {"distribution": "shop/window", "refresh": True})
    changed.close()


def test_nothing_to_do_is_a_run_without_tasks(box: ToyBox) -> None:
    (box.home / "entrepot.toml").write_text('[schedule.feeds]\nrun = "advisories"\nevery = "1h"\n')
    changed = box.opened()
    (run,) = schedule.begin(changed, ["feeds"])
    assert (run.status, schedule.jobs(changed)[0].status) == ("nothing", "completed")
    changed.close()


def test_without_a_schedule_there_is_nothing_to_run(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    assert schedule.begin_due(box.workspace) == ()
    with pytest.raises(UsageError, match="nothing is scheduled"):
        schedule.run(box.workspace)
    box.workspace.close()
