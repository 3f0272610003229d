"""Reviews: a person lets in, or refuses, exactly the package that waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, NotFoundError, UsageError
from entrepot.services import publishing, reviews
from support.toy import make_toy
from support.toybox import ToyBox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


@pytest.fixture
def held(box: ToyBox) -> int:
    """The id of an import that waits."""
    (result,) = box.upload(make_toy(box.folder, "robot", text="review")).results
    assert result.status == "pending_review"
    assert result.import_id is not None
    return result.import_id


def test_what_waits_is_listed_with_what_the_scanners_said(box: ToyBox, held: int) -> None:
    (row,) = reviews.waiting(box.workspace)
    assert (row["id"], row["name"], row["distribution"]) == (held, "robot", "shop/window")
    view = reviews.show_import(box.workspace, held).as_json()
    assert view["state"] == "pending_review"
    assert "review" in {verdict["status"] for verdict in view["verdicts"]}


def test_what_is_approved_is_published_and_no_longer_waits(box: ToyBox, held: int) -> None:
    batch = reviews.approve(box.workspace, held, "looked at it")
    (result,) = batch.results
    assert (result.status, result.package, result.repository_version) == ("published", "robot", 1)
    assert batch.publication is not None
    assert box.members() == ["robot=1"]
    assert any("robot" in path for path in box.tree_files())
    assert reviews.waiting(box.workspace) == []
    (review,) = reviews.show_import(box.workspace, held).reviews
    assert (review["decision"], review["justification"]) == ("approve", "looked at it")


def test_what_is_rejected_stays_out_and_touches_nothing_else(box: ToyBox, held: int) -> None:
    box.upload(make_toy(box.folder, "robot", 2))
    view = reviews.reject(box.workspace, held, "not wanted")
    assert view.row["state"] == "rejected"
    publishing.publish(box.workspace, "window", request=publishing.PublishRequest(force=True))
    assert box.members() == ["robot=2"]
    assert reviews.waiting(box.workspace) == []


@pytest.mark.parametrize("decide", [reviews.approve, reviews.reject])
def test_a_decision_is_made_once_and_for_a_reason(box: ToyBox, held: int, decide: object) -> None:
    assert callable(decide)
    with pytest.raises(UsageError, match="justification"):
        decide(box.workspace, held, " ")
    decide(box.workspace, held, "first")
    with pytest.raises(ConflictError, match="does not wait"):
        decide(box.workspace, held, "second")
    with pytest.raises(NotFoundError):
        decide(box.workspace, 999, "third")


def test_decisions_are_in_the_audit_log(box: ToyBox, held: int) -> None:
    reviews.approve(box.workspace, held, "looked at it")
    actions = [row["action"] for row in box.workspace.catalog.audit.list()]
    assert "review.approve" in actions
    assert box.workspace.catalog.audit.verify().entries == len(actions)


def test_the_same_package_that_came_in_meanwhile_is_not_added_twice(box: ToyBox, held: int) -> None:
    (again,) = box.upload(make_toy(box.folder, "robot", text="review")).results
    assert again.import_id is not None
    reviews.approve(box.workspace, held, "looked at it")
    batch = reviews.approve(box.workspace, again.import_id, "looked at it again")
    assert batch.version is None
    assert box.members() == ["robot=1"]
