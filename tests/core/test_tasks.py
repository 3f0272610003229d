"""Tasks: what was asked for, how far it came, how it ended; and who did it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, UsageError
from entrepot.progress import ProgressEvent
from entrepot.services import operations
from entrepot.services.tasks import running
from support.toybox import ToyBox
from support.views import NOW


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def test_a_task_is_what_was_asked_for_how_far_it_came_and_how_it_ended(box: ToyBox) -> None:
    with running(box.workspace, "test", "something") as task:
        task.progress(ProgressEvent("one", "Doing", done=1, total=2, unit="files"))
        task.progress(ProgressEvent("one", "Done", "completed", 2, 2, "files"))
        assert operations.task(box.workspace, task.id)["state"] == "running"
        task.created.append("a thing")
    row = operations.task(box.workspace, task.id)
    assert (row["kind"], row["subject"], row["state"], row["actor"]) == ("test", "something", "completed", "tester")
    assert row["created_resources"] == ["a thing"]
    assert row["progress_reports"] == [
        {"code": "one", "message": "Done", "state": "completed", "done": 2, "total": 2, "unit": "files"}
    ]
    assert (row["pid"], row["error"]) == (os.getpid(), None)


@pytest.mark.parametrize(
    ("error", "state", "problem"),
    [
        (
            UsageError("no", hint="yes"),
            "failed",
            {"title": "Not understood", "status": 422, "detail": "no", "hint": "yes"},
        ),
        (RuntimeError("oops"), "failed", {"title": "RuntimeError", "status": 500, "detail": "oops", "hint": ""}),
        (
            KeyboardInterrupt(),
            "canceled",
            {"title": "Canceled", "status": 409, "detail": "it was ended while it ran", "hint": ""},
        ),
    ],
)
def test_a_task_that_ends_with_an_error_says_which(
    box: ToyBox, error: BaseException, state: str, problem: dict[str, object]
) -> None:
    def work() -> None:
        with running(box.workspace, "test", "something") as begun:
            begun.progress(ProgressEvent("one", "Done", "completed"))
            begun.progress(ProgressEvent("two", "Doing"))
            raise error

    with pytest.raises(type(error)):
        work()
    (task,) = operations.tasks(box.workspace, 1)
    assert (task["state"], task["error"]) == (state, problem)
    assert [report["state"] for report in task["progress_reports"]] == ["completed", state]


def test_a_task_whose_process_is_gone_is_ended_with_its_imports(box: ToyBox) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    catalog = box.workspace.catalog
    with catalog.transaction():
        task = catalog.tasks.start("import", "shop/window", "tester", NOW)
        values = {"state": "fetching", "name": "robot", "distribution_id": box.distribution.id, "task_id": task}
        catalog.imports.start(values, NOW)
        catalog.database.conn.execute("UPDATE tasks SET pid = ?", [gone.pid])
    (row,) = operations.tasks(box.workspace, 1)
    assert (row["state"], row["error"]["title"]) == ("failed", "Interrupted")
    assert catalog.imports.get(1)["message"] == "interrupted; import it again"


def test_an_import_that_was_under_way_when_its_task_failed_is_failed(box: ToyBox) -> None:
    def fail() -> None:
        with running(box.workspace, "import", "shop/window") as task:
            values = {"state": "inspecting", "name": "robot", "distribution_id": 1, "task_id": task.id}
            box.workspace.catalog.imports.start(values, NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert box.workspace.catalog.imports.get(1)["state"] == "failed"


def test_a_task_that_is_not_there_is_named(box: ToyBox) -> None:
    with pytest.raises(NotFoundError, match="there is no task 99"):
        operations.task(box.workspace, 99)
