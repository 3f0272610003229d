"""A scan or a decision that ends before any of its writes leaves nothing half decided, and is finished by the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entrepot.services import publishing, reviews, scanning
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")


class Killed(BaseException):
    """Nobody catches it."""


class Dying:
    """A connection that writes ``left`` times more, and then never again."""

    def __init__(self, connection: Any, left: int) -> None:
        self._connection, self._left = connection, left

    def execute(self, sql: str, *parameters: Any) -> Any:
        """As the connection does, while it lives."""
        if sql.lstrip().upper().startswith(WRITES):
            self._left -= 1
            if self._left < 0:
                raise Killed
        return self._connection.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    probe = Probe()
    box = ToyBox(tmp_path, settings='[policies.quick]\non_change = "withdraw"', policy="quick", plugins=[("p", probe)])
    box.upload(make_toy(box.folder, "ball"), make_toy(box.folder, "robot"))
    probe.known = {"robot": [("CVE-2026-1", "high")]}
    yield box
    box.workspace.close()


def told(box: ToyBox) -> tuple[bool, ...]:
    """Whether the robot is out, waits, and the log says so: as the catalog has it for whoever comes next."""
    (row,) = box.workspace.catalog.database.query("SELECT state, reopened_at FROM imports WHERE name = 'robot'")
    reopened = [row for row in box.workspace.catalog.audit.list() if row["action"] == "import.reopen"]
    return "robot=1" not in box.members(), row["state"] == "pending_review", bool(row["reopened_at"]), bool(reopened)


def decided(box: ToyBox, action: str) -> set[int]:
    """How often it was decided, by every table that tells it."""
    catalog = box.workspace.catalog
    (row,) = catalog.database.query("SELECT state FROM imports WHERE name = 'robot'")
    noted = len(list(catalog.database.query("SELECT id FROM reviews")))
    logged = len([row for row in catalog.audit.list() if row["action"] == f"review.{action}"])
    return {int(row["state"] != "pending_review"), noted, logged}


def killed_everywhere(box: ToyBox, work: Callable[[], object], check: Callable[[], bool]) -> int:
    """Does it, and kills it one write later each time, until it is done; answers how often it was killed."""
    database: Any = box.workspace.catalog.database
    connection = database.conn
    for left in count():
        database.conn = Dying(connection, left)
        try:
            work()
        except Killed:
            connection.rollback()
        finally:
            database.conn = connection
        if check():
            return left
    raise AssertionError


def test_a_scan_that_is_killed_reopens_and_withdraws_or_does_nothing(box: ToyBox) -> None:
    def check() -> bool:
        states = set(told(box))
        assert len(states) == 1, told(box)
        return states == {True}

    assert killed_everywhere(box, lambda: scanning.scan(box.workspace), check) > 10
    publishing.publish(box.workspace, "window")
    assert b"robot" not in box.tree_files()["window/INDEX"]
    assert box.workspace.catalog.audit.verify().entries


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_a_decision_that_is_killed_is_whole_or_none(box: ToyBox, action: str) -> None:
    scanning.scan(box.workspace)
    (row,) = reviews.waiting(box.workspace)
    decide: Callable[..., object] = getattr(reviews, action)

    def check() -> bool:
        counts = decided(box, action)
        assert len(counts) == 1, counts
        return counts == {1}

    assert killed_everywhere(box, lambda: decide(box.workspace, row["id"], "looked at it"), check) > 5
    publishing.publish(box.workspace, "window")
    assert (b"robot" in box.tree_files()["window/INDEX"]) == (action == "approve")
    assert box.workspace.catalog.audit.verify().entries
