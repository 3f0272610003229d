"""Snapshots: what stays reachable until it is removed, what it costs, and what it keeps from being collected."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, NotFoundError, StorageError, UsageError
from entrepot.progress import silent
from entrepot.services import publishing, repositories, snapshots, upkeep
from entrepot.services.snapshots import SnapshotRequest
from entrepot_storage.wrappers import FaultyStorage
from support.debs import make_deb
from support.toybox import ToyBox
from support.workspaces import NOW, Depot

STABLE = "example/stable"
OLD = "pool/main/h/hello/hello_1.0-1_amd64.deb"
IN_RELEASE = "snapshots/{}/dists/stable/InRelease"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Three versions, the first with a package that the third has no more; none is published."""
    folder = tmp_path_factory.mktemp("filled")
    depot = Depot(folder / "depot", stamp=True, through=True)
    depot.distribute(options={"valid_days": 10})
    depot.upload(make_deb(folder))
    depot.upload(make_deb(folder, version="2.0-1"))
    depot.remove("hello")
    depot.close()
    return depot


@pytest.fixture
def depot(filled: Depot, tmp_path: Path) -> Iterator[Depot]:
    depot = filled.copy(tmp_path / "depot")
    depot.configure(grace_days=1, grace_publications=0)
    yield depot
    depot.close()


def take(depot: Depot, name: str | None, version: int | None = None, *, move: bool = False) -> str:
    """Makes a snapshot; answers its name."""
    request = SnapshotRequest(name, move=move)
    return snapshots.create(depot.workspace, STABLE, version, request=request).snapshot.name


def listed(depot: Depot) -> list[tuple[str, int]]:
    """Name and version of the snapshots that the published list has."""
    document = json.loads((depot.tree / snapshots.LISTING).read_text())
    return [(item["name"], item["version"]) for item in document["snapshots"]]


def test_a_snapshot_is_called_by_its_time_and_is_of_the_version_in_place(depot: Depot) -> None:
    depot.publish(version=1)
    assert take(depot, None) == "20260301T120000Z"
    assert listed(depot) == [("20260301T120000Z", 1)]
    assert (depot.tree / IN_RELEASE.format("20260301T120000Z")).exists()


def test_a_snapshot_does_not_expire_and_the_distribution_names_its_address(depot: Depot) -> None:
    depot.publish(version=1)
    assert "Snapshots:" not in (depot.tree / "dists/stable/InRelease").read_text()
    take(depot, "q1")
    release = (depot.tree / "dists/stable/InRelease").read_text()
    assert "Valid-Until:" in release
    assert "\nSnapshots: https://packages.example.org/snapshots/@SNAPSHOTID@/\n" in release
    assert "Valid-Until:" not in (depot.tree / IN_RELEASE.format("q1")).read_text()


def test_a_snapshot_shares_packages_and_indexes_with_the_tree(depot: Depot) -> None:
    depot.publish(version=2)
    before = {path.stat().st_ino for path in depot.tree.rglob("*") if path.is_file()}
    result = snapshots.create(depot.workspace, STABLE, request=SnapshotRequest("q1"))
    assert not list((depot.tree / "snapshots").rglob("*.deb"))
    suite = depot.tree / "dists/stable/q1/main/binary-amd64"
    assert {path.stat().st_ino for path in suite.rglob("*") if path.is_file()} <= before
    assert result.targets[0].report
    assert result.targets[0].report.requests["write"] == 10


def test_what_a_snapshot_names_is_not_collected_until_it_is_removed(depot: Depot) -> None:
    depot.publish(version=1)
    take(depot, "q1")
    depot.publish(version=3)
    depot.clock.advance(days=30)
    depot.publish(version=3, force=True)
    upkeep.collect(depot.workspace, yes=True)
    assert (depot.tree / OLD).exists()
    assert [result.faults for result in upkeep.check(depot.workspace, content=True)] == [[], []]

    snapshots.remove(depot.workspace, STABLE, "q1")
    assert listed(depot) == []
    assert not (depot.tree / IN_RELEASE.format("q1")).exists()
    upkeep.collect(depot.workspace, yes=True)
    depot.clock.advance(days=2)
    upkeep.collect(depot.workspace, yes=True)
    assert not (depot.tree / OLD).exists()
    assert [path.name for path in (depot.tree / "snapshots").iterdir()] == ["index.json"]
    assert not (depot.tree / "dists/stable/q1").exists()
    assert [result.faults for result in upkeep.check(depot.workspace)] == [[], []]


def test_an_older_version_becomes_a_snapshot_without_being_put_in_place(depot: Depot) -> None:
    depot.publish(version=3)
    take(depot, "old", 1)
    assert (depot.tree / OLD).exists()
    assert depot.published_version() == 3
    assert depot.publish(version=3) == "unchanged"


def test_a_name_that_is_taken_is_another_versions_until_it_is_moved(depot: Depot) -> None:
    depot.publish(version=2)
    take(depot, "prod", 1)
    with pytest.raises(ConflictError, match="a snapshot prod already, of version 1"):
        take(depot, "prod", 2)
    before = (depot.tree / IN_RELEASE.format("prod")).read_text()
    depot.clock.advance(hours=1)
    take(depot, "prod", 2, move=True)
    assert listed(depot) == [("prod", 2)]
    assert (depot.tree / IN_RELEASE.format("prod")).read_text() != before


def test_who_repeats_the_command_finishes_what_was_begun(depot: Depot) -> None:
    depot.publish(version=1)
    storage = depot.storage
    depot.storage = FaultyStorage(storage, fail_at=12, dead=True)
    with pytest.raises(StorageError, match="failed on purpose"):
        take(depot, "q1")
    depot.storage = storage
    depot.clock.advance(minutes=5)
    take(depot, "q1")
    assert listed(depot) == [("q1", 1)]
    assert [result.faults for result in upkeep.check(depot.workspace, content=True)] == [[], []]


def test_a_snapshot_that_was_damaged_is_repaired(depot: Depot) -> None:
    depot.publish(version=1)
    take(depot, "q1")
    (depot.tree / IN_RELEASE.format("q1")).unlink()
    _, result = upkeep.check(depot.workspace, repair=True)
    assert [fault.path for fault in result.faults] == [IN_RELEASE.format("q1")]
    assert [result.faults for result in upkeep.check(depot.workspace, content=True)] == [[], []]


def test_a_time_between_two_snapshots_is_that_of_the_older_one(depot: Depot) -> None:
    depot.publish(version=1)
    take(depot, None)
    depot.clock.advance(days=2)
    depot.publish(version=2)
    take(depot, None)

    def at(**delta: float) -> list[int]:
        found = snapshots.list_snapshots(depot.workspace, STABLE, NOW + dt.timedelta(**delta))
        return [snapshot.version for snapshot in found]

    assert [at(days=days) for days in (-1, 0, 1, 2, 3)] == [[], [1], [1], [2], [2]]


def test_publishing_can_take_a_snapshot_of_every_distribution_under_one_name(depot: Depot, tmp_path: Path) -> None:
    depot.distribute("testing")
    depot.upload(make_deb(tmp_path, "extra"), to="testing")
    request = publishing.PublishRequest()
    _, made = snapshots.publish_with_snapshots(depot.workspace, [], silent, request, SnapshotRequest())
    assert [(item.snapshot.distribution, item.snapshot.name) for item in made] == [
        ("example/stable", "20260301T120000Z"),
        ("example/testing", "20260301T120000Z"),
    ]
    assert listed(depot) == [("20260301T120000Z", 3), ("20260301T120000Z", 1)]


def test_a_place_that_is_added_gets_the_snapshots_there_are(depot: Depot, tmp_path: Path) -> None:
    depot.publish(version=1)
    take(depot, "q1")
    take(depot, "q2", 3)
    depot.publish_to("tree:", (tmp_path / "other").as_uri())
    request = publishing.PublishRequest()
    _, made = snapshots.publish_all(depot.workspace, ["example"], silent, request)
    assert [(item.snapshot.name, [target.url for target in item.targets]) for item in made] == [
        ("q1", [(tmp_path / "other").as_uri()]),
        ("q2", [(tmp_path / "other").as_uri()]),
    ]
    for name in ("q1", "q2"):
        assert (tmp_path / "other" / IN_RELEASE.format(name)).exists()
    assert json.loads((tmp_path / "other" / snapshots.LISTING).read_text()) == json.loads(
        (depot.tree / snapshots.LISTING).read_text()
    )
    assert snapshots.publish_all(depot.workspace, [], silent, request)[1] == []


def test_a_dry_run_writes_nothing_and_notes_nothing(depot: Depot) -> None:
    depot.publish(version=1)
    result = snapshots.create(depot.workspace, STABLE, request=SnapshotRequest("q1", dry_run=True))
    assert [target.status for target in result.targets] == ["dry_run"]
    assert not (depot.tree / "snapshots").exists()
    assert not snapshots.list_snapshots(depot.workspace)
    take(depot, "q1")
    snapshots.remove(depot.workspace, STABLE, "q1", dry_run=True)
    assert listed(depot) == [("q1", 1)]


def test_what_was_refused_since_comes_into_no_snapshot(depot: Depot) -> None:
    depot.publish(version=3)
    with depot.workspace.catalog.transaction():
        depot.workspace.catalog.database.execute("UPDATE imports SET state = 'rejected' WHERE version = '1.0-1'")
    with pytest.raises(ConflictError, match="has what was taken out since"):
        take(depot, "q1", 1)
    assert not snapshots.list_snapshots(depot.workspace)


def test_a_file_of_another_distribution_is_never_replaced(depot: Depot) -> None:
    depot.distribute("stable/updates")
    depot.publish("stable/updates")
    depot.publish(version=1)
    with pytest.raises(ConflictError, match="belongs to another distribution or snapshot"):
        take(depot, "updates")


def test_a_distribution_stays_as_long_as_it_has_snapshots(depot: Depot) -> None:
    depot.publish(version=1)
    take(depot, "q1")
    with pytest.raises(ConflictError, match="still has the snapshots q1"):
        repositories.remove_distribution(depot.workspace, STABLE)


@pytest.mark.parametrize("name", ["index.json", "a/b", "..", "-x", ""])
def test_names_that_cannot_be_folders_are_refused(depot: Depot, name: str) -> None:
    depot.publish(version=1)
    with pytest.raises(UsageError):
        snapshots.create(depot.workspace, STABLE, request=SnapshotRequest(name or " "))


def test_a_snapshot_that_is_not_there_cannot_be_removed(depot: Depot) -> None:
    with pytest.raises(NotFoundError, match="has no snapshot 'q1'"):
        snapshots.remove(depot.workspace, STABLE, "q1")


def test_a_format_may_have_no_snapshots(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    with pytest.raises(UsageError, match="the format toy has no snapshots"):
        snapshots.create(box.workspace, "shop/window")
    box.workspace.close()
