"""Distributions, their names and their versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, NotFoundError, UsageError
from entrepot.services import imports, repositories
from support.toy import make_toy
from support.toybox import ToyBox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def test_version_nought_is_empty_and_versions_never_change(box: ToyBox) -> None:
    versions = box.workspace.catalog.versions
    assert (versions.latest(box.distribution).number, box.members()) == (0, [])
    box.upload(make_toy(box.folder))
    box.upload(make_toy(box.folder, "ball"))
    assert [box.members(number) for number in (0, 1, 2)] == [[], ["robot=1"], ["ball=1", "robot=1"]]
    assert [version.packages for version in versions.list(box.distribution)] == [2, 1, 0]
    with pytest.raises(NotFoundError, match="shop/window has no version 3") as caught:
        versions.get(box.distribution, 3)
    assert caught.value.hint == "its newest version is 2"


def test_what_changed_between_two_versions_is_told_in_both_directions(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    box.upload(make_toy(box.folder, "ball"))
    versions = box.workspace.catalog.versions
    assert [member.name for member in versions.changes(box.distribution, 1, 2)] == ["ball"]
    assert list(versions.changes(box.distribution, 2, 1)) == []
    assert [member.name for member in versions.changes(box.distribution, 0, 2)] == ["robot", "ball"]


def test_one_distribution_knows_nothing_of_another(box: ToyBox) -> None:
    other = box.distribute("door")
    box.upload(make_toy(box.folder))
    assert box.workspace.catalog.versions.latest(other).number == 0
    box.upload(make_toy(box.folder), to="shop/door")
    repositories.remove_distribution(box.workspace, "shop/door")
    assert box.members() == ["robot=1"]
    assert imports.upload(box.workspace, [make_toy(box.folder)], "window").results[0].status == "already_published"


def test_a_distribution_is_found_by_path_by_bare_name_and_by_id(box: ToyBox) -> None:
    table = box.workspace.catalog.repositories
    assert table.distribution("shop/window") == table.distribution("window") == table.distribution("1")


def test_a_bare_name_of_two_distributions_is_ambiguous(box: ToyBox) -> None:
    repositories.create_repository(
        box.workspace, "stall", format_name="toy", publish_to=str(box.folder / "stall"), sign=False
    )
    repositories.create_distribution(box.workspace, "stall/window")
    with pytest.raises(UsageError, match="'window' is the name of 2 distributions") as caught:
        box.workspace.catalog.repositories.distribution("window")
    assert caught.value.data["candidates"] == ["shop/window", "stall/window"]
    assert caught.value.hint == "say which: shop/window, stall/window"


def test_a_distribution_may_have_slashes_in_its_name(box: ToyBox) -> None:
    box.distribute("window/left")
    assert box.workspace.catalog.repositories.distribution("shop/window/left").name == "window/left"
    assert box.workspace.catalog.repositories.distribution("window/left").repository == "shop"


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "-x", "x\n", "é", "a" * 101, "../x"])
def test_names_that_cannot_stand_in_a_path_are_refused(box: ToyBox, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a repository"):
        repositories.create_repository(box.workspace, name, format_name="toy", publish_to="memory://x", sign=False)


@pytest.mark.parametrize("name", ["", "/", "a//b", "../x", "a/../b", "a/", ".hidden", "x y", "a\tb", "a" * 201])
def test_distributions_that_cannot_stand_in_a_path_are_refused(box: ToyBox, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a distribution"):
        box.distribute(name)


def test_a_name_that_is_taken_is_refused(box: ToyBox) -> None:
    with pytest.raises(ConflictError, match="there is a repository called 'shop' already"):
        repositories.create_repository(box.workspace, "shop", format_name="toy", publish_to="memory://x", sign=False)
    with pytest.raises(ConflictError, match="repository 'shop' has a distribution 'window' already"):
        box.distribute("window")
    box.upstream.add("robot")
    box.follow()
    with pytest.raises(ConflictError, match="there is a source called 'box' already"):
        box.follow()


def test_a_repository_with_distributions_is_not_removed(box: ToyBox) -> None:
    with pytest.raises(ConflictError, match="shop still has window"):
        repositories.remove_repository(box.workspace, "shop")
    box.upload(make_toy(box.folder, text="review"), make_toy(box.folder, "ball"))
    repositories.remove_distribution(box.workspace, "window")
    repositories.remove_repository(box.workspace, "shop")
    counts = {name: box.workspace.catalog.database.table(name).count for name in ("versions", "membership", "imports")}
    assert counts == {"versions": 0, "membership": 0, "imports": 0}
    assert "toys/ball/ball_1_any.toy" in box.tree_files()


def test_what_another_distribution_has_not_is_found_by_package(box: ToyBox) -> None:
    asked: list[str] = []
    connection = box.workspace.catalog.database.conn
    connection.set_trace_callback(asked.append)
    list(box.workspace.catalog.versions.beyond(box.distribution, 0, box.distribution, 0))
    connection.set_trace_callback(None)
    (sql,) = asked
    plan = [row["detail"] for row in box.workspace.catalog.database.query(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(line.startswith("SEARCH o USING INDEX idx_membership_package_id") for line in plan), plan
