"""Tasks that failed are done again with what they were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import ConflictError
from entrepot.services import operations, queue
from entrepot.services.requests import UPLOADS
from entrepot.services.tasks import running
from support.toybox import ToyBox
from support.views import NOW


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    """A workspace in which as many tasks are under way as may be, so that none that is asked for begins."""
    box = ToyBox(tmp_path)
    with box.workspace.catalog.transaction():
        for number in range(box.workspace.settings.web.tasks):
            box.workspace.catalog.tasks.take(ask(box, subject=f"busy {number}"), NOW)
    yield box
    box.workspace.close()


def ask(box: ToyBox, kind: str = "sync", subject: str = "box", **request: object) -> int:
    """A task that waits."""
    return box.workspace.catalog.tasks.wait(kind, subject, "kim", "http:10.0.0.1", request, NOW)


def end(box: ToyBox, task_id: int, state: str = "failed") -> int:
    """The task, ended."""
    with box.workspace.catalog.transaction():
        box.workspace.catalog.tasks.finish(
            task_id, state, [], {"title": "Failed", "detail": "the network is down"}, NOW
        )
    return task_id


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_what_failed_is_asked_for_again_with_the_same_arguments(box: ToyBox, state: str) -> None:
    old = end(box, ask(box, source="box", force=True), state)
    new = operations.task(box.workspace, queue.retry(box.workspace, old))
    assert (new["kind"], new["subject"], new["state"]) == ("sync", "box", "waiting")
    assert (new["request"], new["retry_of"]) == ({"source": "box", "force": True}, old)
    assert new["actor"] == "tester", "who asks is who is said to have done it"
    (entry,) = [row for row in operations.audit(box.workspace, 10) if row["action"] == "task.retry"]
    assert (entry["subject"], entry["detail"]) == (f"task {old}", f'{{"task":{new["id"]}}}')


@pytest.mark.parametrize("state", ["waiting", "completed"])
def test_what_did_not_fail_is_not_done_again(box: ToyBox, state: str) -> None:
    task_id = ask(box, source="box")
    if state == "completed":
        end(box, task_id, state)
    with pytest.raises(ConflictError, match=f"task {task_id} is {state}"):
        queue.retry(box.workspace, task_id)


def test_a_task_is_done_again_once_at_a_time(box: ToyBox) -> None:
    old = end(box, ask(box, source="box"))
    new = queue.retry(box.workspace, old)
    with pytest.raises(ConflictError, match=f"being done again already, as task {new}"):
        queue.retry(box.workspace, old)
    end(box, new)
    assert queue.retry(box.workspace, old) > new


def test_a_command_is_entered_again_and_not_retried(box: ToyBox) -> None:
    def fail() -> None:
        with running(box.workspace, "sync", "box"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    (task,) = operations.tasks(box.workspace, 1)
    assert not queue.keeps_request(box.workspace, task["id"])
    with pytest.raises(ConflictError, match="was a command") as caught:
        queue.retry(box.workspace, task["id"])
    assert caught.value.hint == "enter it again"


def test_an_upload_is_done_again_while_its_files_are_there(box: ToyBox) -> None:
    old = end(box, ask(box, "upload", "shop/window", folder="abc", files=["robot.toy"], distribution="shop/window"))
    with pytest.raises(ConflictError, match=f"the files of task {old} are not kept"):
        queue.retry(box.workspace, old)
    (box.workspace.home / UPLOADS / "abc").mkdir(parents=True)
    assert queue.retry(box.workspace, old) > old
