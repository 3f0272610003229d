"""Imports: from a source into a version, by decision of a policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, UsageError
from entrepot.models import ImportState
from entrepot.services import publishing, repositories
from support.toy import make_toy
from support.toybox import ToyBox, served_box
from support.upstream import Upstream


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


@dataclass
class Served:
    """A toy box whose upstream is a server."""

    box: ToyBox
    server: Upstream


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with served_box(tmp_path) as (box, server):
        yield Served(box, server)


def test_a_package_that_passes_is_published(box: ToyBox) -> None:
    path = box.upstream.add("robot", 1)
    box.sync()
    batch = box.bring("robot")
    (result,) = batch.results
    document = result.as_json()
    assert result.pipeline["antivirus"] in ("clean", "skipped")  # by what this machine has
    document["pipeline"] = {name: word for name, word in result.pipeline.items() if name != "antivirus"}
    rulings = document.pop("rulings")
    assert isinstance(rulings, list)
    assert [(ruling["scanner"], ruling["outcome"]) for ruling in rulings] == [
        (name, "publish") for name in ("clamav", "contents", "dependencies", "format", "osv", "signature", "toy-words")
    ]
    assert document == {
        "status": "published",
        "package": "robot",
        "version": "1",
        "architecture": "any",
        "distribution": "window",
        "component": "main",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "import_id": 1,
        "repository_version": 1,
        "pipeline": {
            "cve_scan": "skipped",
            "dependencies": "satisfied",
            "contents": "usual",
            "format": "valid",
            "gpg": "unsigned_pass",
            "words": "said_pass",
        },
        "findings": [],
        "reasons": [],
        "message": "in version 1",
    }
    assert box.members() == ["robot=1"]
    assert box.tree_files()["toys/robot/robot_1_any.toy"] == path.read_bytes()
    assert batch.publication
    assert batch.publication.status == "published"


def test_the_published_tree_can_be_a_source(box: ToyBox) -> None:
    box.upstream.add("robot", 1, summary="walks")
    box.sync()
    box.bring("robot")
    box.follow(name="mirror", url=box.tree.as_uri(), distributions=("window",))
    assert box.sync("mirror").packages == 1


def test_a_batch_is_one_version_and_one_publication(box: ToyBox) -> None:
    for name in ("robot", "ball", "car", "kite"):
        box.upstream.add(name, 1)
    box.sync()
    batch = box.bring("robot", "ball", "car", "kite")
    assert [result.repository_version for result in batch.results] == [1, 1, 1, 1]
    assert batch.version
    assert (batch.version.number, batch.version.packages) == (1, 4)
    assert batch.version.message == "import robot 1, ball 1, car 1 and 1 more"
    assert box.workspace.catalog.database.table("publications").count == 1


def test_a_version_that_is_made_can_be_published_later(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    batch = box.bring("robot", publish_after=False)
    assert batch.publication is None
    assert not box.tree.exists()
    assert publishing.publish(box.workspace, "window").version == 1
    assert "toys/robot/robot_1_any.toy" in box.tree_files()


def test_an_older_version_may_follow_a_newer_one(box: ToyBox) -> None:
    box.upstream.add("robot", 2)
    box.upstream.add("robot", 10)
    box.sync()
    box.bring("robot")
    box.bring("robot=2")
    assert box.members() == ["robot=2", "robot=10"]
    assert box.members(1) == ["robot=10"]


@pytest.mark.parametrize(
    ("wanted", "component"), [(None, "main"), ("main", "main"), ("extra", "extra")], ids=["default", "main", "extra"]
)
def test_a_package_goes_to_its_own_component_unless_another_is_asked_for(
    tmp_path: Path, wanted: str | None, component: str
) -> None:
    box = ToyBox(tmp_path, components=("extra", "main"))
    box.upstream.add("robot", 1)
    box.sync()
    assert box.one("robot", component=wanted).component == component
    box.workspace.close()


def test_a_package_of_a_component_that_the_distribution_lacks_goes_to_its_first(tmp_path: Path) -> None:
    box = ToyBox(tmp_path, components=("extra", "other"))
    box.upstream.add("robot", 1)
    box.sync()
    assert box.one("robot").component == "extra"
    box.workspace.close()


def test_a_component_that_is_not_there_is_refused_before_anything_is_fetched(served: Served) -> None:
    with pytest.raises(ConflictError, match="shop/window has no component 'attic'") as caught:
        served.box.bring("robot", component="attic")
    assert caught.value.hint == "it has main"
    with pytest.raises(ConflictError):
        served.box.upload(make_toy(served.box.folder), component="attic")
    assert served.server.count() == 0
    assert served.box.states() == []


def test_dependencies_come_along(box: ToyBox) -> None:
    box.upstream.add("robot", 1, "big", requires="battery wheel")
    box.upstream.add("battery", 1, requires="acid")
    for name in ("wheel", "acid", "ball"):
        box.upstream.add(name, 1)
    box.sync()
    assert len(box.bring("robot", dependencies=True).results) == 4
    assert box.members() == ["acid=1", "battery=1", "robot=1", "wheel=1"]


def test_dependencies_that_are_in_the_distribution_are_not_brought_again(box: ToyBox) -> None:
    box.upstream.add("robot", 1, "big", requires="battery")
    box.upstream.add("battery", 1)
    box.sync()
    box.bring("battery")
    batch = box.bring("robot", dependencies=True)
    assert [result.package for result in batch.results] == ["robot"]


def test_dependencies_that_nothing_offers_are_named_and_nothing_comes_in(box: ToyBox) -> None:
    box.upstream.add("robot", 1, "big", requires="unobtainium")
    box.sync()
    with pytest.raises(UsageError, match="robot:big=1 needs unobtainium, which nothing offers"):
        box.bring("robot", dependencies=True)
    assert box.states() == []


def test_a_distribution_takes_packages_of_its_own_format_only(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    repositories.create_repository(
        box.workspace, "debs", format_name="apt", publish_to=str(box.folder / "debs"), sign=False
    )
    repositories.create_distribution(box.workspace, "debs/stable")
    with pytest.raises(UsageError, match="box has toy packages, debs/stable takes apt ones"):
        box.bring("robot", to="debs/stable")


def test_an_import_is_a_task_with_its_progress_and_what_it_made(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    box.bring("robot")
    publish, task, _ = box.workspace.catalog.tasks.list(10)
    assert (publish["kind"], publish["state"]) == ("publish", "completed")
    assert (task["kind"], task["subject"], task["state"]) == ("import", "shop/window", "completed")
    assert task["created_resources"] == ["shop/window version 1"]
    codes = {report["code"]: report for report in task["progress_reports"]}
    assert set(codes) == {"import.fetch", "import.inspect", "publish.write"}
    assert {report["state"] for report in codes.values()} == {"completed"}
    assert codes["import.fetch"]["done"] == codes["import.fetch"]["total"]


def test_the_audit_log_tells_who_made_which_version(box: ToyBox) -> None:
    box.upload(make_toy(box.folder))
    entries = list(box.workspace.catalog.audit.list())
    told = [(entry["actor"], entry["action"], entry["subject"]) for entry in reversed(entries)]
    assert told[-2:] == [("tester", "version.create", "shop/window"), ("tester", "publish", "shop/window")]
    assert box.workspace.catalog.audit.verify().entries == len(entries)


def test_what_was_fetched_is_not_left_behind(served: Served) -> None:
    served.box.bring("robot")
    assert list((served.box.home / "fetch").iterdir()) == []
    assert list((served.box.home / "scratch").iterdir()) == []


def test_every_end_of_an_import_is_a_state(box: ToyBox) -> None:
    for word in ("pass", "review", "block"):
        box.upload(make_toy(box.folder, f"says-{word}", text=word))
    assert {state for _, state in box.states()} <= {state.value for state in ImportState}
    unfinished = box.workspace.catalog.database.query("SELECT id FROM imports WHERE finished_at IS NULL")
    assert list(unfinished) == []
