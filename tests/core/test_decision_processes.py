"""Decisions by processes of their own: two at the same moment, and some that are killed (SIGKILL) between two steps."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from entrepot.errors import ConflictError
from entrepot.services import publishing, reviews, scanning
from entrepot.services.operations import tasks
from support.children import killed_python, run_all
from support.toy import make_toy
from support.toybox import ToyBox

SETTINGS = """
[inspection]
skip = ["clamav", "contents", "dependencies", "osv"]
[policies.quick]
on_change = "withdraw"
"""
"""Scanners that are left out would be started in processes of their own."""

OPENED = """
import datetime as dt, os, signal, sys
from pathlib import Path
import support.toy
from entrepot.errors import EntrepotError
from entrepot.services import reviews, scanning
from entrepot.workspace import Workspace

def opened(home, actor, moment):
    now = dt.datetime.fromisoformat(moment)
    return Workspace(Path(home), actor=actor, clock=lambda: now, extra_plugins=[("toy", support.toy)])

def wait():
    print("ready", flush=True)
    sys.stdin.readline()
"""

PERSON = (
    OPENED
    + """
home, moment, actor, action, number = sys.argv[1:]
looked = reviews._waiting

def look(*arguments):
    view = looked(*arguments)
    wait()
    return view

reviews._waiting = look
try:
    getattr(reviews, action)(opened(home, actor, moment), int(number), f"{actor} says so")
    print(actor)
except EntrepotError as error:
    print(f"{type(error).__name__}: {error}")
"""
)
"""Decides; between seeing that the import waits and deciding, it says ``ready`` and waits for a line."""

SCANNER = (
    OPENED
    + """
home, moment = sys.argv[1:]
following = scanning.follow

def follow(*arguments):
    wait()
    return following(*arguments)

scanning.follow = follow
print(len(scanning.scan(opened(home, "cron", moment)).worse))
"""
)
"""Scans; between knowing what would not come in any more and what follows, it waits in the same way."""

MORTAL = (
    OPENED
    + """
def work(home, moment, action, number, steps):
    workspace = opened(home, "ada", moment)
    name = workspace.catalog.imports.get(number)["name"]

    def traced(sql):
        nonlocal steps
        steps -= sql.startswith("COMMIT")
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    workspace.catalog.database.conn.set_trace_callback(traced)
    if action == "scan":
        scanning.scan(workspace, scanning.ScanRequest([name]))
    else:
        getattr(reviews, action)(workspace, number, "looked at it")

home, action = sys.argv[1:]
wait()
for line in sys.stdin:
    moment, number, steps = line.split()
    child = os.fork()
    if child == 0:
        work(home, moment, action, int(number), int(steps))
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""
)
"""For each line one process that does the action, and is killed where the next transaction would end after so many:
what was done in files since the one before is done. Says how it ended."""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, settings=SETTINGS)
    yield box
    box.workspace.close()


def held(box: ToyBox, name: str = "robot") -> int:
    """The id of an import that waits."""
    (result,) = box.upload(make_toy(box.folder, name, text="review")).results
    assert result.status == "pending_review"
    assert result.import_id
    return result.import_id


def state(box: ToyBox, import_id: int) -> str:
    return str(box.workspace.catalog.imports.get(import_id)["state"])


def actions(box: ToyBox) -> list[str]:
    """What the audit log has, oldest first; its chain holds."""
    assert box.workspace.catalog.audit.verify().entries
    return [row["action"] for row in box.workspace.catalog.audit.list()][::-1]


# ------------------------------------------------------------------------------------------------ at the same moment


@pytest.mark.parametrize("both", [("approve", "approve"), ("approve", "reject"), ("reject", "reject")])
def test_of_two_who_decide_at_the_same_moment_one_counts_and_the_other_is_told(
    box: ToyBox, both: tuple[str, str]
) -> None:
    import_id = held(box)
    persons = dict(zip(("ada", "ben"), both, strict=True))
    arguments: list[tuple[str, ...]] = [
        (str(box.home), box.clock().isoformat(), actor, action, str(import_id)) for actor, action in persons.items()
    ]
    said = [output.strip() for output in run_all(PERSON, arguments)]
    ((winner, action),) = [(actor, action) for actor, action in persons.items() if actor in said]
    (told,) = [line for line in said if line != winner]
    end = {"approve": "published", "reject": "rejected"}[action]
    assert told.startswith(f"ConflictError: import {import_id} was decided at this moment: it is {end}, ")
    assert f"by {winner}" in told
    assert state(box, import_id) == end
    (review,) = reviews.show_import(box.workspace, import_id).reviews
    assert (review["actor"], review["decision"]) == (winner, action)
    assert [name for name in actions(box) if name.startswith("review.")] == [f"review.{action}"]
    assert box.members() == (["robot=1"] if action == "approve" else [])


def test_what_is_let_in_while_a_scan_looks_is_not_opened_again_by_that_scan(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    box.clock.advance(days=8)
    with killed_python(SCANNER, str(box.home), box.clock().isoformat()) as scan:
        assert scan.stdout
        assert scan.stdin
        assert scan.stdout.readline() == "ready\n"
        assert [row["id"] for row in reviews.waiting(box.workspace)] == [import_id]
        reviews.approve(box.workspace, import_id, "for another week", expires_in_days=7)
        scan.stdin.write("go on\n")
        scan.stdin.flush()
        assert scan.wait(timeout=60) == 0
    assert (state(box, import_id), box.members()) == ("published", ["robot=1"])
    assert actions(box).count("import.reopen") == 1


# ------------------------------------------------------------------------------------------------------------- kills


def killed(driver: subprocess.Popen[str], box: ToyBox, import_id: int, steps: int) -> bool:
    """Whether the process was killed before it was done."""
    assert driver.stdin
    assert driver.stdout
    driver.stdin.write(f"{box.clock().isoformat()} {import_id} {steps}\n")
    driver.stdin.flush()
    status = int(driver.stdout.readline())
    assert status in (0, signal.SIGKILL), os.waitstatus_to_exitcode(status)
    return status != 0


@pytest.mark.parametrize("action", ["approve", "reject", "scan"])
def test_who_is_killed_between_two_steps_leaves_all_or_nothing_and_the_next_one_finishes(
    box: ToyBox, action: str
) -> None:
    box.workspace.catalog.repositories.update_distribution(
        box.distribution, {"policy": "quick" if action == "scan" else "soft"}
    )
    ends = {"approve": ("published", True), "reject": ("rejected", False), "scan": ("pending_review", False)}
    with killed_python(MORTAL, str(box.home), action) as driver:
        assert driver.stdout
        assert driver.stdin
        assert driver.stdout.readline() == "ready\n"
        driver.stdin.write("go\n")
        for steps in count():
            name = f"robot{steps}"
            import_id = held(box, name)
            if action != "approve":
                reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
                box.clock.advance(days=8)
            if action == "reject":
                reviews.waiting(box.workspace)
            before = (state(box, import_id), f"{name}=1" in box.members())
            died = killed(driver, box, import_id, steps)
            after = (state(box, import_id), f"{name}=1" in box.members())
            assert after in (before, ends[action])
            decided = [row["decision"] for row in reviews.show_import(box.workspace, import_id).reviews]
            assert decided.count(action) == int(action != "scan" and after == ends[action])
            finish(box, action, import_id, again=after == before)
            assert (state(box, import_id), f"{name}=1" in box.members()) == ends[action]
            publishing.publish(box.workspace, "window")
            assert (f"{name}_1_any".encode() in box.tree_files()["window/INDEX"]) == ends[action][1]
            assert actions(box)
            if not died:
                assert steps > 4
                break
    assert {task["state"] for task in tasks(box.workspace, 1000)} == {"completed", "failed"}


def finish(box: ToyBox, action: str, import_id: int, *, again: bool) -> None:
    """Does it once more: that is refused where it was done."""
    if action == "scan":
        name = box.workspace.catalog.imports.get(import_id)["name"]
        scanning.scan(box.workspace, scanning.ScanRequest([name]))
        return
    decide = reviews.approve if action == "approve" else reviews.reject
    if again:
        decide(box.workspace, import_id, "looked at it")
    else:
        with pytest.raises(ConflictError, match="does not wait"):
            decide(box.workspace, import_id, "looked at it")
