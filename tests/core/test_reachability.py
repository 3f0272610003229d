"""What waits or was refused cannot be fetched from real APT and RPM trees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import StorageError
from entrepot.events import ImportResult, TreePublished
from entrepot.hookspecs import hookimpl
from entrepot.publish.collect import Collection, TreeCollector
from entrepot.services import imports, publishing, reviews, scanning, snapshots, upkeep
from entrepot.services.snapshots import SnapshotRequest
from support.debs import make_deb
from support.probes import Probe
from support.rpms import make_rpm
from support.workspaces import Depot

BAD: list[tuple[str, ...]] = [("CVE-2026-1", "high")]


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture(params=["apt", "rpm"])
def depot(request: pytest.FixtureRequest, tmp_path: Path, probe: Probe) -> Iterator[Depot]:
    depot = Depot(tmp_path / "depot", stamp=True, format_name=request.param, plugins=[("probe", probe)])
    depot.configure("[policies.quick]", 'on_change = "withdraw"', grace_publications=0)
    depot.distribute()
    distribution = depot.workspace.catalog.repositories.distribution("example/stable")
    depot.workspace.catalog.repositories.update_distribution(distribution, {"policy": "quick"})
    bring(depot, "good")
    yield depot
    depot.close()


def bring(depot: Depot, name: str, to: str = "example/stable") -> ImportResult:
    make = make_deb if depot.workspace.catalog.repositories.get("example").format == "apt" else make_rpm
    (result,) = imports.upload(depot.workspace, [make(depot.folder, name)], to).results
    return result


def reachable(depot: Depot, name: str) -> bool:
    """Whether a package file of this name is anywhere in the tree."""
    return any(path.name.startswith(name) for path in depot.tree.rglob(f"{name}*"))


def named(depot: Depot, name: str) -> int:
    """How many packages of this name the newest version in place has."""
    sql = "SELECT count(*) FROM packages_in_distributions WHERE package = ?"
    return int(depot.workspace.catalog.database.execute(sql, [name]).fetchone()[0])


def test_what_waits_or_was_refused_never_was_in_the_tree(depot: Depot, probe: Probe) -> None:
    probe.known = {"evil": BAD}
    waits = bring(depot, "evil")
    assert waits.status == "pending_review"
    assert not reachable(depot, "evil")
    reviews.reject(depot.workspace, waits.import_id or 0, "no")
    upkeep.collect(depot.workspace, withdrawn=True)
    assert not reachable(depot, "evil")
    assert reachable(depot, "good")


@pytest.mark.parametrize("refused", [False, True], ids=["withdrawn", "rejected"])
def test_what_was_taken_out_goes_with_the_publication_that_leaves_it_out(
    depot: Depot, probe: Probe, *, refused: bool
) -> None:
    import_id = bring(depot, "evil").import_id or 0
    assert reachable(depot, "evil")
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace, scanning.ScanRequest(publish_after=False))
    assert reachable(depot, "evil")
    if refused:
        reviews.reject(depot.workspace, import_id, "no", publish_after=False)
    (target,) = publishing.publish(depot.workspace, "example/stable").targets
    (path,) = target.withdrawn
    assert path.rpartition("/")[2].startswith("evil")
    assert (reachable(depot, "evil"), named(depot, "evil")) == (False, 0)
    assert reachable(depot, "good")
    assert json.loads(next(depot.workspace.catalog.audit.list(1))["detail"])["files"] == [path]
    assert [result.faults for result in upkeep.check(depot.workspace, content=True)] == [[], []]


def test_caches_are_told_of_what_went(depot: Depot, probe: Probe) -> None:
    told: list[TreePublished] = []

    class Listener:
        @hookimpl
        def tree_published(self, event: TreePublished) -> None:
            told.append(event)

    depot.workspace.plugins.manager.register(Listener())
    bring(depot, "evil")
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace)
    assert len(told[-1].changed) == 1
    assert "evil" in told[-1].changed[0]


def test_what_could_not_be_removed_is_removed_by_the_next_publication(
    depot: Depot, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> Collection:
        raise StorageError("the disk is gone")

    bring(depot, "evil")
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace, scanning.ScanRequest(publish_after=False))
    with monkeypatch.context() as patch:
        patch.setattr(TreeCollector, "remove", broken)
        with pytest.raises(StorageError, match="the disk is gone"):
            publishing.publish(depot.workspace, "example/stable")
    assert reachable(depot, "evil")
    result = publishing.publish(depot.workspace, "example/stable")
    assert (result.status, reachable(depot, "evil")) == ("unchanged", False)


def test_gc_leaves_what_the_version_in_place_still_names(depot: Depot, probe: Probe) -> None:
    bring(depot, "evil")
    publishing.publish(depot.workspace, "example/stable")
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace, scanning.ScanRequest(publish_after=False))
    upkeep.collect(depot.workspace, yes=True, withdrawn=True)
    assert reachable(depot, "evil")
    publishing.publish(depot.workspace, "example/stable")
    assert not reachable(depot, "evil")


def test_what_is_let_in_again_after_its_file_went_comes_back(depot: Depot, probe: Probe) -> None:
    import_id = bring(depot, "evil").import_id or 0
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace)
    assert not reachable(depot, "evil")
    reviews.approve(depot.workspace, import_id, "a false alarm")
    assert (reachable(depot, "evil"), named(depot, "evil")) == (True, 1)
    upkeep.collect(depot.workspace, yes=True, withdrawn=True)
    assert reachable(depot, "evil")


def test_a_file_that_another_distribution_has_stays(depot: Depot, probe: Probe) -> None:
    depot.distribute("other")
    bring(depot, "evil")
    bring(depot, "evil", "example/other")
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace, scanning.ScanRequest(["example/stable"]))
    assert named(depot, "evil") == 1
    assert reachable(depot, "evil")


def test_a_snapshot_has_it_until_the_snapshot_is_removed(depot: Depot, probe: Probe) -> None:
    bring(depot, "evil")
    snapshots.create(depot.workspace, "example/stable", request=SnapshotRequest("before"))
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace)
    assert reachable(depot, "evil")
    snapshots.remove(depot.workspace, "example/stable", "before")
    assert not reachable(depot, "evil")
