"""Approvals are waivers: for what was found by then, for as long as they say, by whoever may."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, UsageError
from entrepot.services import browse, policies, publishing, reviews, scanning
from entrepot.workspace import Workspace
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

POLICIES = """
[policies.careful]
on_change = "report"
[policies.quick]
on_change = "withdraw"
[policies.pairs]
four_eyes = true
"""
HIGH, WORSE = ("CVE-2026-1", "high", "TOY-1"), ("CVE-2026-2", "critical")


@pytest.fixture
def probe() -> Probe:
    return Probe({"robot": [HIGH]})


@pytest.fixture
def box(tmp_path: Path, probe: Probe) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, settings=POLICIES, plugins=[("probe", probe)])
    yield box
    box.workspace.close()


def held(box: ToyBox, to: str = "shop/window", version: int = 1) -> int:
    """The id of an import of the robot that waits."""
    (result,) = box.upload(make_toy(box.folder, "robot", version), to=to).results
    assert result.status == "pending_review", result.message
    assert result.import_id is not None
    return result.import_id


def bring(box: ToyBox) -> int:
    """The id of an import of the robot out of a source, that waits."""
    box.upstream.add("robot", 1)
    box.sync()
    (result,) = box.bring("robot").results
    assert result.status == "pending_review", result.message
    assert result.import_id is not None
    return result.import_id


def remove(box: ToyBox) -> None:
    """Makes a version that has nothing."""
    versions = box.workspace.catalog.versions
    members = versions.members(box.distribution, versions.latest(box.distribution).number)
    with box.workspace.catalog.transaction():
        versions.create(box.distribution, [], [member.membership_id for member in members], "remove", box.clock())


def state(box: ToyBox, import_id: int) -> str:
    return str(box.workspace.catalog.imports.get(import_id)["state"])


def published(box: ToyBox) -> bool:
    """Whether a file of the robot is in the tree under a name that its index has."""
    return b"robot" in box.tree_files()["window/INDEX"]


# ------------------------------------------------------------------------------------------------ what is covered


def test_what_was_let_through_once_comes_in_again_while_that_holds(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "not reachable")
    (again,) = box.upload(make_toy(box.folder, "robot")).results
    assert again.status == "already_published"
    (review,) = reviews.show_import(box.workspace, import_id).reviews
    assert review["covers"] == ["probe/CVE-2026-1"]
    assert review["origin"] == box.workspace.origin


def test_what_left_a_distribution_comes_back_by_its_waiver_and_after_it_waits(box: ToyBox) -> None:
    reviews.approve(box.workspace, held(box), "not reachable", expires_in_days=7)
    robot = make_toy(box.folder, "robot")
    remove(box)
    (again,) = box.upload(robot).results
    assert again.status == "published"
    (ruling,) = [ruling for ruling in again.rulings if ruling.scanner == "probe"]
    assert "let through by tester in review 1 until" in ruling.message
    assert box.members() == ["robot=1"]
    remove(box)
    box.clock.advance(days=7)
    (late,) = box.upload(robot).results
    assert late.status == "pending_review"
    assert box.members() == []


def test_what_was_let_through_is_told_where_a_package_is_shown(box: ToyBox) -> None:
    def told() -> list[tuple[str, str]]:
        return [
            (item.finding.id, item.waiver.justification if item.waiver else "")
            for said in browse.show_package(box.workspace, "robot").verdicts
            for item in said.findings
        ]

    reviews.approve(box.workspace, bring(box), "not reachable", expires_in_days=7)
    assert told() == [("CVE-2026-1", "not reachable")]
    box.clock.advance(days=7)
    assert told() == [("CVE-2026-1", "")]


def test_a_policy_is_tried_with_the_waivers_of_the_distribution(box: ToyBox) -> None:
    import_id = bring(box)
    wanted = [("robot", "shop/window", None), ("robot", None, "box"), ("robot", "shop/window", "box")]

    def outcomes() -> list[str]:
        tests = [policies.check(box.workspace, None, "soft", to=None, source=None, import_id=import_id)]
        tests += [
            policies.check(box.workspace, text, "soft", to=to, source=source, import_id=None)
            for text, to, source in wanted
        ]
        return [test.decision.outcome.value for (test,) in tests]

    before = outcomes()
    reviews.approve(box.workspace, import_id, "not reachable", expires_in_days=7)
    during = outcomes()
    box.clock.advance(days=7)
    # Of what is not fetched yet nobody knows what the probe will find.
    assert before == ["pending_review", "pending_review", "publish", "publish"]
    assert during == ["publish", "publish", "publish", "publish"]
    assert outcomes() == before


def test_a_policy_is_tried_before_fetching_with_what_was_let_through(box: ToyBox, probe: Probe) -> None:
    probe.before_fetch = True
    import_id = bring(box)

    def outcome(to: str) -> str:
        (test,) = policies.check(box.workspace, "robot", "soft", to=to, source="box", import_id=None)
        return test.decision.outcome.value

    box.distribute("cellar")
    assert outcome("shop/window") == "pending_review"
    reviews.approve(box.workspace, import_id, "not reachable")
    assert [outcome("shop/window"), outcome("shop/cellar")] == ["publish", "pending_review"]


def test_an_approval_is_for_one_distribution(box: ToyBox) -> None:
    box.distribute("cellar")
    reviews.approve(box.workspace, held(box), "not reachable here")
    assert state(box, held(box, "shop/cellar")) == "pending_review"


def test_an_approval_is_for_one_artifact(box: ToyBox) -> None:
    reviews.approve(box.workspace, held(box), "not reachable here")
    assert state(box, held(box, version=2)) == "pending_review"


def test_a_finding_that_came_later_is_not_covered(box: ToyBox, probe: Probe) -> None:
    first = held(box)
    second = held(box)
    reviews.approve(box.workspace, first, "not reachable")
    reviews.reject(box.workspace, second, "doubled")
    probe.known["robot"].append(("CVE-2026-3", "high"))
    assert state(box, held(box)) == "pending_review"


@pytest.mark.parametrize("name", ["CVE-2026-1", "cve-2026-1", "TOY-1"])
def test_single_vulnerabilities_can_be_let_through_by_any_of_their_names(box: ToyBox, name: str) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "not reachable", cve_ids=[name])
    (review,) = reviews.show_import(box.workspace, import_id).reviews
    assert (review["covers"], review["cve_ids"]) == (["probe/CVE-2026-1"], [name])
    assert box.members() == ["robot=1"]


def test_an_approval_of_some_names_what_would_still_hold_it(box: ToyBox, probe: Probe) -> None:
    probe.known["robot"].append(("CVE-2026-3", "high"))
    import_id = held(box)
    with pytest.raises(ConflictError, match="still be held by probe/CVE-2026-3") as caught:
        reviews.approve(box.workspace, import_id, "one of two", cve_ids=["CVE-2026-1"])
    assert caught.value.data["left"] == ["probe/CVE-2026-3"]
    assert (state(box, import_id), box.members()) == ("pending_review", [])
    with pytest.raises(UsageError, match="no finding CVE-2026-9"):
        reviews.approve(box.workspace, import_id, "another", cve_ids=["CVE-2026-9"])


def test_four_eyes_are_those_of_two_persons(box: ToyBox) -> None:
    box.distribute("safe", policy="pairs")
    import_id = held(box, "shop/safe")
    with pytest.raises(ConflictError, match="brought in by tester, and tester may not approve it"):
        reviews.approve(box.workspace, import_id, "mine")
    other = Workspace(box.home, actor="ada", clock=box.clock, extra_plugins=box._plugins)
    assert reviews.approve(other, import_id, "looked at it").results[0].status == "published"
    other.close()


def test_reviews_cannot_be_changed_or_removed(box: ToyBox) -> None:
    reviews.approve(box.workspace, held(box), "looked at it")
    for statement in ("UPDATE reviews SET justification = 'x'", "DELETE FROM reviews"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            box.workspace.catalog.database.execute(statement)


# -------------------------------------------------------------------------------------------------------- expiry


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_waiver_ends_in_the_future(box: ToyBox, days: int) -> None:
    with pytest.raises(UsageError, match="cannot end"):
        reviews.approve(box.workspace, held(box), "soon", expires_in_days=days)


def test_an_import_waits_again_once_its_waiver_has_expired(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    box.clock.advance(days=7, seconds=-1)
    assert reviews.waiting(box.workspace) == []
    box.clock.advance(seconds=1)
    (row,) = reviews.waiting(box.workspace)
    assert (row["id"], row["state"]) == (import_id, "pending_review")
    assert "its waiver has expired" in row["message"]
    assert box.members() == ["robot=1"]
    assert [entry["action"] for entry in box.workspace.catalog.audit.list(1)] == ["import.reopen"]
    assert [row["id"] for row in reviews.queue(box.workspace, expired=True)] == [import_id]


def test_a_clock_that_goes_back_takes_nothing_back(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    box.clock.advance(days=8)
    reviews.waiting(box.workspace)
    box.clock.advance(days=-8)
    assert [row["id"] for row in reviews.waiting(box.workspace)] == [import_id]
    reviews.approve(box.workspace, import_id, "for another week", expires_in_days=7)
    box.clock.advance(days=6)
    assert reviews.waiting(box.workspace) == []


def test_publishing_leaves_out_what_the_policy_withdraws_after_its_waiver(box: ToyBox) -> None:
    box.workspace.catalog.repositories.update_distribution(box.distribution, {"policy": "quick"})
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    assert published(box)
    box.clock.advance(days=8)
    result = publishing.publish(box.workspace, "window")
    assert [sentence for sentence in result.lapsed if "robot 1" in sentence]
    assert (box.members(), published(box), state(box, import_id)) == ([], False, "pending_review")
    reviews.approve(box.workspace, import_id, "looked again")
    assert (box.members(), published(box)) == (["robot=1"], True)


@pytest.mark.parametrize("policy", ["soft", "careful"])
def test_what_is_only_held_again_stays_in_until_it_is_rejected(box: ToyBox, policy: str) -> None:
    box.workspace.catalog.repositories.update_distribution(box.distribution, {"policy": policy})
    box.distribute("cellar")
    reviews.approve(box.workspace, held(box, "shop/cellar"), "for good")
    box.upload(make_toy(box.folder, "ball"))
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    box.clock.advance(days=8)
    publishing.publish(box.workspace, "window")
    assert published(box)
    done = reviews.reject(box.workspace, import_id, "time is over")
    assert done.version is not None
    assert (box.members(), published(box), state(box, import_id)) == (["ball=1"], False, "rejected")
    assert b"robot" in box.tree_files()["cellar/INDEX"]
    assert reviews.waiting(box.workspace) == []


def test_a_rejection_ends_the_waivers_before_it(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    box.clock.advance(days=8)
    reviews.waiting(box.workspace)
    reviews.reject(box.workspace, import_id, "time is over")
    assert box.workspace.catalog.reviews.waivers(box.distribution.id) == {}
    assert state(box, held(box)) == "pending_review"


# ------------------------------------------------------------------------------------------------- older versions


def test_an_older_version_does_not_bring_back_what_was_refused_since(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for a week", expires_in_days=7)
    box.clock.advance(days=8)
    reviews.waiting(box.workspace)
    reviews.reject(box.workspace, import_id, "time is over")
    with pytest.raises(ConflictError, match=rf"robot 1 \(import {import_id}: rejected\)"):
        publishing.publish(box.workspace, "window", request=publishing.PublishRequest(1))
    assert not published(box)
    publishing.publish(box.workspace, "window", request=publishing.PublishRequest(1, allow_withdrawn=True))
    assert published(box)


def test_an_older_version_whose_packages_nobody_refused_is_published(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, "ball"))
    box.upload(make_toy(box.folder, "kite"))
    held(box)
    publishing.publish(box.workspace, "window", request=publishing.PublishRequest(1))
    assert b"kite" not in box.tree_files()["window/INDEX"]


# ---------------------------------------------------------------------------------------------------- the details


def test_what_waits_is_shown_beside_what_is_in(box: ToyBox, probe: Probe) -> None:
    probe.known.clear()
    box.upload(make_toy(box.folder, "robot", 1, summary="walks"))
    probe.known["robot"] = [HIGH]
    (result,) = box.upload(make_toy(box.folder, "robot", 2, summary="walks and talks")).results
    assert result.import_id
    comparison = reviews.show_import(box.workspace, result.import_id, comparing=True).comparison
    assert comparison is not None
    assert comparison.version == "1"
    assert comparison.fields["summary"] == ("walks", "walks and talks")
    assert comparison.sizes[0] < comparison.sizes[1]


def test_the_queue_is_filtered_by_distribution_and_state(box: ToyBox) -> None:
    box.distribute("cellar")
    here, there = held(box), held(box, "shop/cellar")
    reviews.reject(box.workspace, there, "no")
    assert [row["id"] for row in reviews.queue(box.workspace, to="window")] == [here]
    assert [row["id"] for row in reviews.queue(box.workspace, states=["rejected"])] == [there]
    assert len(reviews.queue(box.workspace, states=["rejected", "pending_review"])) == 2


def test_every_decision_of_a_policy_is_in_the_audit_log(box: ToyBox) -> None:
    import_id = held(box)
    (entry,) = [row for row in box.workspace.catalog.audit.list() if row["action"] == "import.decide"]
    (decided,) = json.loads(entry["detail"])["imports"]
    assert (decided["id"], decided["package"], decided["state"]) == (import_id, "robot 1 any", "pending_review")
    assert len(decided["sha256"]) == 64
    assert decided["reasons"]


def test_what_is_in_and_waits_again_is_shown_beside_what_was_in_before_it_came(box: ToyBox, probe: Probe) -> None:
    probe.known.clear()
    box.upload(make_toy(box.folder, "robot", 1))
    box.upload(make_toy(box.folder, "robot", 2))
    probe.known["robot"] = [HIGH]
    scanning.scan(box.workspace, scanning.ScanRequest(scanners=["probe"]))
    compared = {
        row["version"]: reviews.show_import(box.workspace, row["id"], comparing=True).comparison
        for row in reviews.waiting(box.workspace)
    }
    assert {version: (item.version, item.is_in) for version, item in compared.items() if item} == {
        "1": ("", True),
        "2": ("1", True),
    }
