"""A mirror brings what is meant and not in yet, as one version, and tells what did not come in and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import BatchError, NotFoundError, TransferError, UsageError
from entrepot.pipeline import bulk
from entrepot.services import mirroring, repositories
from entrepot.services.operations import tasks, verify_audit
from entrepot.services.selecting import MirrorRequest
from support.toybox import ToyBox, served_box
from support.upstream import Fault, Upstream

LOST = Fault(status=404)
DOWN = Fault(status=503)


@dataclass
class Served:
    """A toy box whose upstream is a server. It offers ``ball`` and ``robot``, which needs ``battery``."""

    box: ToyBox
    server: Upstream

    def add(self, name: str, version: int = 1, **said: str) -> None:
        """Offers a toy, and syncs."""
        self.box.upstream.add(name, version, **said)
        self.box.sync()

    def mirror(self, **more: Any) -> mirroring.MirrorResult:
        """Mirrors to the window."""
        publish_after = more.pop("publish_after", False)
        request = MirrorRequest("box", "shop/window", **more)
        return mirroring.mirror(self.box.workspace, request, publish_after=publish_after)

    def plan(self, **more: Any) -> mirroring.MirrorResult:
        """What it would do."""
        return mirroring.plan_mirror(self.box.workspace, MirrorRequest("box", "shop/window", **more))

    def audit(self, action: str) -> list[dict[str, Any]]:
        """Details of entries of the audit log."""
        entries = self.box.workspace.catalog.audit.list()
        return [json.loads(row["detail"]) for row in entries if row["action"] == action]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with served_box(tmp_path) as (box, server):
        box.upstream.drop("robot")
        box.upstream.add("robot", 2, requires="battery")
        box.upstream.add("battery", 1)
        box.sync()
        server.forget()
        yield Served(box, server)


def test_a_whole_source_is_one_version_one_line_in_the_audit_log_and_one_publication(served: Served) -> None:
    result = served.mirror(publish_after=True)
    assert served.box.members() == ["ball=1", "battery=1", "robot=2"]
    assert (result.added, result.removed, result.not_in) == (3, 0, [])
    assert result.version
    assert result.version.number == 1
    assert result.publication
    assert {"toys/robot/robot_2_any.toy", "toys/ball/ball_1_any.toy"} <= served.box.tree_files().keys()
    (entry,) = served.audit("mirror")
    assert entry == {
        "source": "box",
        "query": "name = *",
        "exact": False,
        "before": 0,
        "after": 1,
        "added": 3,
        "removed": 0,
        "task": next(task["id"] for task in tasks(served.box.workspace, 9) if task["kind"] == "mirror"),
    }
    assert not served.audit("import.decide")
    assert not served.audit("version.create")
    verify_audit(served.box.workspace)
    assert {state for _, state in served.box.states()} == {"published"}


def test_nothing_is_asked_for_where_everything_is_in(served: Served) -> None:
    served.mirror()
    served.server.forget()
    result = served.mirror(exact=True)
    assert result.version is None
    assert result.as_json()["status"] == "unchanged"
    assert result.plan.counts()["unchanged"] == 3
    assert served.server.count() == 0
    assert len(served.audit("mirror")) == 1


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"include": ["b*"]}, ["ball", "battery"]),
        ({"include": ["b*", "robot=2"], "exclude": ["ball"]}, ["battery", "robot"]),
        ({"where": "size < 1 or version > 1"}, ["robot"]),
        ({"include": ["robot"], "dependencies": True}, ["battery", "robot"]),
        ({"include": ["robot"], "dependencies": True, "exclude": ["battery"]}, ["robot"]),
        ({"where": "field:requires = battery"}, ["robot"]),
        ({"where": "not robot and latest(1)"}, ["ball", "battery"]),
    ],
)
def test_a_part_of_a_source_is_what_its_query_means(served: Served, request_: dict[str, Any], names: list[str]) -> None:
    served.mirror(**request_)
    assert [member.partition("=")[0] for member in served.box.members()] == names


def test_the_newest_versions_are_taken_where_that_is_asked_for(served: Served) -> None:
    for version in (1, 10, 9):
        served.box.upstream.add("car", version)
    served.box.sync()
    served.mirror(include=["car"], latest=2)
    assert served.box.members() == ["car=9", "car=10"]


def test_what_a_distribution_keeps_no_more_does_not_come_again(served: Served) -> None:
    for version in (1, 2, 3):
        served.box.upstream.add("car", version)
    served.box.sync()
    repositories.set_distribution(served.box.workspace, "shop/window", {"keep": 2})
    served.mirror(include=["car"], publish_after=True)
    assert served.box.members() == ["car=2", "car=3"]
    served.server.forget()
    again = served.mirror(include=["car"], publish_after=True)
    assert (again.version, again.plan.counts()["surplus"], served.server.count()) == (None, 1, 0)
    repositories.set_distribution(served.box.workspace, "shop/window", {"keep": 3})
    served.mirror(include=["car"], publish_after=True)
    assert served.box.members() == ["car=1", "car=2", "car=3"]


def test_what_is_needed_is_meant_again_though_it_is_in_already(served: Served) -> None:
    served.mirror(include=["robot"], dependencies=True, exact=True)
    served.add("battery", 2)
    served.mirror(include=["robot"], dependencies=True, exact=True)
    assert served.box.members() == ["battery=2", "robot=2"]


def test_a_mirror_adds_and_only_an_exact_one_takes_away_what_mirrors_brought(served: Served) -> None:
    served.box.bring("battery", publish_after=False)
    served.mirror()
    served.box.upstream.drop("ball")
    served.box.upstream.drop("battery")
    served.add("robot", 3)
    served.mirror()
    assert served.box.members() == ["ball=1", "battery=1", "robot=2", "robot=3"]
    result = served.mirror(exact=True, where="version = 3")
    assert served.box.members() == ["battery=1", "robot=3"]
    assert (result.added, result.removed) == (0, 2)


def test_a_package_that_was_built_again_in_the_same_version_takes_the_place_of_the_old_one(served: Served) -> None:
    served.mirror()
    served.box.upstream.drop("ball")
    served.add("ball", 1, text="another one")
    result = served.mirror()
    assert ["with other content" in failed.message for failed in result.failed] == [True]
    assert served.mirror(exact=True).removed == 1
    assert served.box.members() == ["ball=1", "battery=1", "robot=2"]


def test_an_old_package_stays_until_its_successor_is_in(served: Served) -> None:
    served.mirror()
    served.box.upstream.drop("ball")
    served.box.upstream.drop("battery")
    served.box.upstream.drop("robot")
    served.add("robot", 3)
    served.add("battery", 2, text="review")
    served.server.fail("/robot_3_any.toy", DOWN)
    result = served.mirror(exact=True)
    assert served.box.members() == ["battery=1", "robot=2"]
    assert (result.removed, result.kept) == (1, 2)
    served.server.heal()
    served.mirror(exact=True)
    assert served.box.members() == ["battery=1", "robot=3"]


def test_what_the_policy_keeps_out_is_told_once_and_tried_again_only_if_asked(served: Served) -> None:
    served.add("evil", text="block")
    served.add("odd", text="review")
    result = served.mirror()
    assert {item.package: item.status for item in result.not_in} == {"evil": "rejected", "odd": "pending_review"}
    assert served.box.members() == ["ball=1", "battery=1", "robot=2"]
    (decided,) = served.audit("import.decide")
    assert [item["state"] for item in decided["imports"]] == ["rejected", "pending_review"]
    again = served.mirror()
    assert again.not_in == []
    assert (again.plan.counts()["waiting"], again.plan.counts()["refused_before"]) == (1, 1)
    assert len(served.mirror(again=True).not_in) == 2


def test_a_dry_run_tells_what_would_come_and_go_and_how_much_is_to_be_fetched(served: Served) -> None:
    served.mirror()
    served.box.upstream.drop("ball")
    served.box.upstream.drop("robot")
    served.box.upstream.add("kite", 1)
    served.add("robot", 3)
    served.server.forget()
    result = served.plan(exact=True)
    assert [(row["change"], row["package"], row["before"], row["after"]) for row in result.changes] == [
        ("added", "kite", [], "1"),
        ("updated", "robot", ["2"], "3"),
        ("removed", "ball", ["1"], ""),
        ("removed", "robot", ["2"], ""),
    ]
    counts = result.as_json()["counts"]
    assert counts == {
        "chosen": 3,
        "added": 1,
        "updated": 1,
        "removed": 2,
        "unchanged": 1,
        "waiting": 0,
        "refused_before": 0,
        "surplus": 0,
    }
    sizes = [(served.box.upstream.root / name).stat().st_size for name in ("kite_1_any.toy", "robot_3_any.toy")]
    assert result.plan.to_fetch == sum(sizes)
    assert served.server.count() == 0
    assert served.box.members() == ["ball=1", "battery=1", "robot=2"]


def test_what_cannot_be_had_is_left_out_and_told(served: Served) -> None:
    served.server.fail("/robot_2_any.toy", DOWN)
    result = served.mirror()
    assert [(item.package, item.status) for item in result.failed] == [("robot", "failed")]
    assert served.box.members() == ["ball=1", "battery=1"]


def test_nothing_changes_if_one_cannot_be_had_where_that_is_wished(served: Served) -> None:
    served.server.fail("/robot_2_any.toy", DOWN)
    with pytest.raises(BatchError, match="1 of 3 packages could not be had, so nothing is changed") as caught:
        served.mirror(on_failure="fail")
    assert [item for item, _ in caught.value.failures] == ["robot:any=2"]
    assert served.box.members() == []
    served.server.heal()
    served.server.forget()
    served.mirror(on_failure="fail")
    assert [request.path for request in served.server.requests] == ["/robot_2_any.toy"]


def test_what_failed_is_tried_again_at_the_end_where_that_is_wished(served: Served) -> None:
    served.server.fail("/robot_2_any.toy", Fault(status=503, times=2))
    assert served.mirror(on_failure="retry").failed == []
    assert served.box.members() == ["ball=1", "battery=1", "robot=2"]


def test_a_source_that_moved_on_is_synced_again_and_chosen_from_anew(served: Served) -> None:
    upstream = served.box.upstream
    (upstream.root / "robot_2_any.toy").unlink()
    upstream.drop("robot")
    upstream.drop("ball")
    upstream.add("robot", 3)
    upstream.write()
    result = served.mirror()
    assert result.synced_again
    assert result.failed == []
    assert served.box.members() == ["battery=1", "robot=3"]
    assert ("ball", "failed") in served.box.states()


def test_what_an_index_names_and_nobody_has_is_a_failure_after_one_more_sync(served: Served) -> None:
    served.server.fail("/robot_2_any.toy", LOST)
    result = served.mirror()
    assert [item.package for item in result.failed] == ["robot"]
    assert served.server.count("/robot_2_any.toy") == 1
    assert served.server.count("/toys/INDEX") == 1


def test_a_server_that_answers_for_nothing_ends_the_mirror(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "HOPELESS", 2)
    monkeypatch.setattr(bulk, "TOGETHER", 2)
    for name in ("robot_2", "battery_1", "ball_1"):
        served.server.fail(f"/{name}_any.toy", DOWN)
    with pytest.raises(TransferError, match="none of 2 packages could be fetched"):
        served.mirror()
    assert served.server.count("/robot_2_any.toy") == 0
    assert {state for _, state in served.box.states()} == {"failed"}


def test_packages_of_any_number_are_written_down_some_at_a_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "TOGETHER", 2)
    for number in range(5):
        served.box.upstream.add(f"brick{number}", 1)
    served.box.sync()
    assert served.mirror().added == 8
    assert len(served.box.members()) == 8
    assert not list(served.box.workspace.fetch_folder.iterdir())


def test_a_request_that_makes_no_sense_is_refused_before_anything_is_done(served: Served) -> None:
    with pytest.raises(UsageError, match="no way to go on"):
        served.mirror(on_failure="panic")
    with pytest.raises(UsageError, match="files cannot be named here"):
        served.mirror(where="@/etc/passwd")
    with pytest.raises(UsageError, match=r"^column 1: "):
        served.mirror(where="version = x")
    assert served.box.states() == []


def test_a_source_that_was_never_synced_says_so(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upstream.add()
    box.follow()
    with pytest.raises(NotFoundError, match="box was never synced"):
        mirroring.mirror(box.workspace, MirrorRequest("box", "shop/window"))
    box.workspace.close()
