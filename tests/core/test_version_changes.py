"""Going back, promoting, merging, taking out: each is one version, and a policy stands before all that comes in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, NotFoundError, UsageError
from entrepot.models import Distribution
from entrepot.services import publishing, repositories, reviews, versions
from entrepot.services.version_changes import ChangeRequest, VersionDiff
from support.toy import make_toy
from support.toybox import ToyBox

QUIETLY = ChangeRequest(publish_after=False)
ONLY_TELL = ChangeRequest(dry_run=True)


OPEN = '[policies.open]\ninherits = "soft"\n[policies.open.toy-words]\nreview = "publish"\n'
LENIENT = '[policies.lenient]\ninherits = "soft"\n[policies.lenient.toy-words]\nblock = "publish"\n'


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, settings=OPEN + LENIENT)
    yield box
    box.workspace.close()


def held(box: ToyBox, path: str, number: int | None = None) -> list[str]:
    """``name=version`` of what a version of a distribution has."""
    catalog = box.workspace.catalog
    distribution = catalog.repositories.distribution(path)
    number = catalog.versions.latest(distribution).number if number is None else number
    return [f"{row.name}={row.version}" for row in catalog.versions.members(distribution, number)]


def audited(box: ToyBox) -> list[str]:
    """What the audit log says was done, oldest first."""
    return [row["action"] for row in box.workspace.catalog.database.query("SELECT action FROM audit ORDER BY id")]


def distribute(box: ToyBox, name: str, policy: str = "soft", components: tuple[str, ...] = ("main",)) -> Distribution:
    return box.distribute(name, policy=policy, components=components)


# ------------------------------------------------------------------------------------------------------------- diff


def paged(box: ToyBox, whole: VersionDiff, before: int, after: int) -> bool:
    """Whether pages of one change each have, together, what the whole has, and each of them the counts of the whole."""
    every = range(len(whole.changes))
    pages = [versions.diff_page(box.workspace, "window", before, after, limit=1, offset=number) for number in every]
    assert all(page.counts == whole.counts() for page in pages)
    assert [page.diff.changes for page in pages] == [[change] for change in whole.changes]
    return pages[-1].next is None


def test_a_diff_names_what_came_what_went_and_what_became_of_the_rest(box: ToyBox) -> None:
    box.upload(make_toy(box.folder), make_toy(box.folder, "ball", 2), make_toy(box.folder, "kite", 5))
    versions.remove_packages(box.workspace, "window", ["robot", "ball", "kite"], request=QUIETLY)
    box.upload(make_toy(box.folder, "ball", 3), make_toy(box.folder, "kite", 4), make_toy(box.folder, "top"))
    told = versions.diff(box.workspace, "window", 1)
    assert [(change.name, change.change, change.before, change.after) for change in told.changes] == [
        ("ball", "upgraded", ("2",), ("3",)),
        ("kite", "downgraded", ("5",), ("4",)),
        ("robot", "removed", ("1",), ()),
        ("top", "added", (), ("1",)),
    ]
    assert told.counts() == {"added": 1, "downgraded": 1, "removed": 1, "upgraded": 1}
    assert (told.before, told.after) == ("shop/window version 1", "shop/window version 3")
    assert paged(box, told, 1, 3)


def test_a_diff_compares_numbers_as_the_format_does_and_says_where_content_alone_differs(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, version=9))
    versions.remove_packages(box.workspace, "window", ["robot"], request=QUIETLY)
    box.upload(make_toy(box.folder, version=10))
    (change,) = versions.diff(box.workspace, "window", 1, 3).changes
    assert (change.change, change.before, change.after) == ("upgraded", ("9",), ("10",))
    versions.remove_packages(box.workspace, "window", ["robot"], request=QUIETLY)
    box.upload(make_toy(box.folder, version=10, text="another"))
    (change,) = versions.diff(box.workspace, "window", 3, 5).changes
    assert change.change == "rebuilt"
    assert paged(box, versions.diff(box.workspace, "window", 3, 5), 3, 5)
    box.upload(make_toy(box.folder, version=11))
    assert paged(box, versions.diff(box.workspace, "window", 1, 6), 1, 6)


def test_a_diff_has_the_findings_of_what_comes_in(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, text="warn"))
    document = versions.diff(box.workspace, "window", 0, 1).as_json()
    assert [item["id"] for item in document["changes"][0]["findings"] if item["scanner"] == "toy-words"] == ["toy-word"]
    back = versions.diff(box.workspace, "window", 1, 0).as_json()
    assert back["changes"][0]["change"] == "removed"
    assert back["changes"][0]["findings"] == []
    assert [item["id"] for item in back["changes"][0]["findings_gone"]] == ["toy-word"]


def test_a_finding_that_stays_is_neither_new_nor_gone(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, text="warn"))
    versions.remove_packages(box.workspace, "window", ["robot"], request=QUIETLY)
    box.upload(make_toy(box.folder, version=2, text="warn"))
    (change,) = versions.diff(box.workspace, "window", 1, 3).as_json()["changes"]
    found = {item["id"]: item["new"] for item in change["findings"] if item["scanner"] == "toy-words"}
    assert (found, change["findings_gone"]) == ({"toy-word": False}, [])


def test_a_version_that_is_not_there_has_no_diff(box: ToyBox) -> None:
    with pytest.raises(NotFoundError, match="has no version 7"):
        versions.diff(box.workspace, "window", 0, 7)


# --------------------------------------------------------------------------------------------------------- rollback


def test_rolling_back_makes_a_new_version_that_is_equal_to_the_old_one_and_publishes_it(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    index = box.tree_files()["window/INDEX"]
    box.upload(make_toy(box.folder, version=2), make_toy(box.folder, "ball"))
    result = versions.rollback(box.workspace, "window", 1)
    assert result.version is not None
    assert (result.version.number, result.version.message) == (3, "roll back to version 1")
    assert (result.version.added, result.version.removed, result.version.packages) == (0, 2, 1)
    assert held(box, "window") == held(box, "window", 1) == ["robot=1"]
    assert held(box, "window", 2) == ["ball=1", "robot=1", "robot=2"]
    assert box.tree_files()["window/INDEX"] == index
    assert result.publication is not None
    assert audited(box)[-2:] == ["version.rollback", "publish"]


def test_packages_that_had_gone_come_back_to_their_old_place(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    index = box.tree_files()["window/INDEX"]
    versions.remove_packages(box.workspace, "window", ["robot"])
    assert box.tree_files()["window/INDEX"] == b""
    versions.rollback(box.workspace, "window", 1)
    assert box.tree_files()["window/INDEX"] == index
    # ... and may go and come once more.
    versions.rollback(box.workspace, "window", 2)
    versions.rollback(box.workspace, "window", 3)
    assert held(box, "window") == ["robot=1"]


def test_rolling_back_to_what_is_there_changes_nothing(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    before = audited(box)
    result = versions.rollback(box.workspace, "window", 1)
    assert (result.version, result.as_json()["status"]) == (None, "unchanged")
    assert audited(box) == before


def test_a_rollback_that_only_tells_changes_nothing(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    before = box.dump()
    result = versions.rollback(box.workspace, "window", 0, request=ONLY_TELL)
    assert [change.change for change in result.diff.changes] == ["removed"]
    assert result.as_json()["status"] == "dry_run"
    assert box.dump() == before


def test_what_the_policy_of_today_refuses_does_not_come_back(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upload(make_toy(box.folder, text="warn"))
    versions.remove_packages(box.workspace, "window", ["robot"])
    repositories.set_distribution(box.workspace, "window", {"policy": "strict"})
    before = box.dump()
    with pytest.raises(ConflictError, match=r"the policy strict of shop/window does not let in robot:any=1") as caught:
        versions.rollback(box.workspace, "window", 1)
    assert "toy-words: warn" in str(caught.value.data)
    assert box.dump() == before
    box.workspace.close()


def test_what_a_person_rejected_does_not_come_back_by_another_way(box: ToyBox) -> None:
    distribute(box, "door")
    box.upload(make_toy(box.folder, text="review"), to="shop/door")
    reviews.reject(box.workspace, 1, "not for our door")
    repositories.set_distribution(box.workspace, "shop/window", {"policy": "open"})
    repositories.set_distribution(box.workspace, "shop/door", {"policy": "open"})
    box.upload(make_toy(box.folder, text="review"))
    with pytest.raises(ConflictError, match="tester rejected it here: not for our door"):
        versions.promote(box.workspace, "window", "shop/door")
    assert held(box, "shop/door") == []


# -------------------------------------------------------------------------------------------------------- promotion


def test_promotion_makes_another_distribution_have_the_same_in_one_version(box: ToyBox) -> None:
    distribute(box, "door")
    box.upload(make_toy(box.folder, "old"), to="shop/door")
    box.upload(make_toy(box.folder), make_toy(box.folder, "ball"))
    result = versions.promote(box.workspace, "window", "door")
    assert held(box, "shop/door") == ["ball=1", "robot=1"]
    assert result.version is not None
    assert (result.version.number, result.version.added, result.version.removed) == (2, 2, 1)
    assert result.version.message == "promote shop/window version 1"
    # One pool: the packages are not there twice.
    assert [path for path in box.tree_files() if path.endswith(".toy")] == [
        "toys/ball/ball_1_any.toy",
        "toys/old/old_1_any.toy",
        "toys/robot/robot_1_any.toy",
    ]
    assert box.tree_files()["door/INDEX"] == box.tree_files()["window/INDEX"]
    again = versions.promote(box.workspace, "window", "door")
    assert (again.version, list(again.diff.changes)) == (None, [])


def test_a_version_that_is_not_the_newest_can_be_promoted(box: ToyBox) -> None:
    distribute(box, "door")
    box.upload(make_toy(box.folder))
    box.upload(make_toy(box.folder, "ball"))
    versions.promote(box.workspace, "window", "door", 1)
    assert held(box, "shop/door") == ["robot=1"]


def test_promotion_goes_from_one_repository_to_another(box: ToyBox) -> None:
    repositories.create_repository(
        box.workspace, "stall", format_name="toy", publish_to=str(box.folder / "stall"), sign=False
    )
    repositories.create_distribution(box.workspace, "stall/table")
    box.upload(make_toy(box.folder))
    versions.promote(box.workspace, "window", "stall/table")
    assert (box.folder / "stall/toys/robot/robot_1_any.toy").is_file()
    assert (box.folder / "stall/table/INDEX").read_bytes() == box.tree_files()["window/INDEX"]


def test_what_is_promoted_has_an_import_that_tells_where_it_came_from_and_what_scanners_said(box: ToyBox) -> None:
    distribute(box, "door")
    box.upload(make_toy(box.folder, text="warn"))
    versions.promote(box.workspace, "window", "door", request=QUIETLY)
    catalog = box.workspace.catalog
    row = list(catalog.database.query("SELECT * FROM imports ORDER BY id"))[-1]
    assert (row["state"], row["name"], row["message"]) == (
        "published",
        "robot",
        "promote shop/window version 1, in version 1",
    )
    said = {stored.scanner: stored.verdict.reason for stored in catalog.imports.verdicts(row["id"])}
    assert said["toy-words"] == "said_warn"
    door = catalog.repositories.distribution("shop/door")
    assert (
        catalog.imports.last_verdicts([row["sha256"]], door.id)[row["sha256"]]["toy-words"].verdict.reason
        == "said_warn"
    )


def test_the_policy_of_the_target_decides_and_one_refusal_is_enough_for_nothing_to_change(box: ToyBox) -> None:
    distribute(box, "door", policy="strict")
    box.upload(make_toy(box.folder, text="warn"))
    before = box.dump()
    with pytest.raises(ConflictError, match=r"the policy strict of shop/door does not let in robot:any=1") as caught:
        versions.promote(box.workspace, "window", "door")
    assert caught.value.hint.startswith("nothing was changed")
    assert box.dump() == before
    told = versions.promote(box.workspace, "window", "door", request=ONLY_TELL)
    assert [item.package for item in told.refused] == ["robot:any=1"]
    assert box.dump() == before


def test_what_is_refused_can_be_left_out_and_waits_for_a_person(tmp_path: Path) -> None:
    settings = '[policies.house]\ninherits = "soft"\n[policies.house.toy-words]\nwarn = "pending_review"\n'
    box = ToyBox(tmp_path, settings=settings)
    distribute(box, "door", policy="house")
    box.upload(make_toy(box.folder, text="warn"), make_toy(box.folder, "ball"))
    result = versions.promote(box.workspace, "window", "door", request=ChangeRequest(hold_refused=True))
    assert held(box, "shop/door") == ["ball=1"]
    (import_id,) = result.held
    row = box.workspace.catalog.imports.get(import_id)
    assert (row["state"], row["name"]) == ("pending_review", "robot")
    assert "toy-words: warn" in row["reasons"][0]
    assert held(box, "shop/window") == ["ball=1", "robot=1"]
    box.workspace.close()


def test_what_the_target_rejects_is_left_out_and_does_not_wait(box: ToyBox) -> None:
    repositories.set_distribution(box.workspace, "shop/window", {"policy": "lenient"})
    distribute(box, "door")
    box.upload(make_toy(box.folder, text="block"))
    assert held(box, "shop/window") == ["robot=1"]
    result = versions.promote(box.workspace, "window", "door", request=ChangeRequest(hold_refused=True))
    assert (result.version, list(result.held)) == (None, [])
    assert [item.decision.outcome.value for item in result.refused] == ["reject"]
    assert box.states()[-1] == ("robot", "rejected")


def test_a_component_that_the_target_lacks_becomes_its_first(box: ToyBox) -> None:
    distribute(box, "attic", components=("main", "extra"))
    distribute(box, "door", components=("toys",))
    box.upload(make_toy(box.folder), to="shop/attic", component="extra")
    versions.promote(box.workspace, "attic", "door", request=QUIETLY)
    door = box.workspace.catalog.repositories.distribution("shop/door")
    assert [member.component for member in box.workspace.catalog.versions.members(door, 1)] == ["toys"]
    assert versions.promote(box.workspace, "attic", "door", request=QUIETLY).version is None


def test_promotion_needs_two_distributions_of_one_format(box: ToyBox) -> None:
    with pytest.raises(UsageError, match="where it is to come from and where it is to go"):
        versions.promote(box.workspace, "window", "shop/window")
    repositories.create_repository(
        box.workspace, "debs", format_name="apt", publish_to=str(box.folder / "debs"), sign=False
    )
    repositories.create_distribution(box.workspace, "debs/stable", architectures=["amd64"])
    with pytest.raises(UsageError, match="shop/window has toy packages, debs/stable takes apt ones"):
        versions.promote(box.workspace, "window", "debs/stable")


# ------------------------------------------------------------------------------------------------------------ merge


def test_merging_adds_and_takes_nothing_away(box: ToyBox) -> None:
    distribute(box, "door")
    distribute(box, "gate")
    box.upload(make_toy(box.folder))
    box.upload(make_toy(box.folder, version=2), to="shop/door")
    box.upload(make_toy(box.folder, "ball"), to="shop/gate")
    results = versions.merge(box.workspace, ["door", "gate"], "window")
    assert held(box, "window") == ["ball=1", "robot=1", "robot=2"]
    assert [result.publication is not None for result in results] == [False, True]


def test_of_what_is_merged_the_newest_can_be_kept_alone(box: ToyBox) -> None:
    distribute(box, "door")
    box.upload(make_toy(box.folder, version=9), make_toy(box.folder, "ball", 3))
    box.upload(make_toy(box.folder, version=10), make_toy(box.folder, "ball", 2), to="shop/door")
    versions.merge(box.workspace, ["door"], "window", request=QUIETLY, newest_only=True)
    assert held(box, "window") == ["ball=3", "robot=10"]


def test_two_contents_for_one_version_cannot_be_merged(box: ToyBox) -> None:
    distribute(box, "door")
    box.upload(make_toy(box.folder))
    box.upload(make_toy(box.folder, text="another"), to="shop/door")
    before = box.dump()
    with pytest.raises(ConflictError, match="shop/window has robot 1 any with other content"):
        versions.merge(box.workspace, ["door"], "window")
    assert box.dump() == before
    versions.promote(box.workspace, "door", "window")
    assert held(box, "window") == ["robot=1"]


# ---------------------------------------------------------------------------------------------------------- removal


def test_packages_are_taken_out_by_name_version_and_architecture(box: ToyBox) -> None:
    box.upload(
        make_toy(box.folder), make_toy(box.folder, version=2), make_toy(box.folder, "ball", architecture="small")
    )
    versions.remove_packages(box.workspace, "window", ["robot=1"], request=QUIETLY)
    assert held(box, "window") == ["ball=1", "robot=2"]
    with pytest.raises(NotFoundError, match="shop/window has no ball:big") as caught:
        versions.remove_packages(box.workspace, "window", ["robot", "ball:big"], request=QUIETLY)
    assert caught.value.hint == "it has ball:small=1"
    assert held(box, "window") == ["ball=1", "robot=2"]
    versions.remove_packages(box.workspace, "window", ["robot", "ball:small"], request=QUIETLY)
    assert held(box, "window") == []
    assert held(box, "window", 1) == ["ball=1", "robot=1", "robot=2"]


def test_an_older_version_can_be_published_by_its_number_after_packages_were_taken_out(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    index = box.tree_files()["window/INDEX"]
    versions.remove_packages(box.workspace, "window", ["robot"])
    publishing.publish(box.workspace, "window", request=publishing.PublishRequest(version=1))
    assert box.tree_files()["window/INDEX"] == index
