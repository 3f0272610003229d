"""What waits or was refused cannot be fetched: from real APT and RPM trees, at once or after the grace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.events import ImportResult
from entrepot.services import imports, reviews, scanning, upkeep
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


def bring(depot: Depot, name: str) -> ImportResult:
    make = make_deb if depot.workspace.catalog.repositories.get("example").format == "apt" else make_rpm
    (result,) = imports.upload(depot.workspace, [make(depot.folder, name)], "example/stable").results
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
@pytest.mark.parametrize("at_once", [False, True], ids=["grace", "at once"])
def test_what_was_taken_out_goes_after_the_grace_or_at_once(
    depot: Depot, probe: Probe, *, refused: bool, at_once: bool
) -> None:
    import_id = bring(depot, "evil").import_id or 0
    assert reachable(depot, "evil")
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace)
    if refused:
        reviews.reject(depot.workspace, import_id, "no")
    assert named(depot, "evil") == 0
    upkeep.collect(depot.workspace, yes=True)
    assert reachable(depot, "evil")
    if not at_once:
        depot.clock.advance(days=7)
    upkeep.collect(depot.workspace, yes=True, withdrawn=at_once)
    assert not reachable(depot, "evil")
    assert reachable(depot, "good")
    assert [result.faults for result in upkeep.check(depot.workspace, content=True)] == [[]]


def test_what_is_let_in_again_after_its_file_went_comes_back(depot: Depot, probe: Probe) -> None:
    import_id = bring(depot, "evil").import_id or 0
    probe.known = {"evil": BAD}
    scanning.scan(depot.workspace)
    upkeep.collect(depot.workspace, yes=True, withdrawn=True)
    assert not reachable(depot, "evil")
    reviews.approve(depot.workspace, import_id, "a false alarm")
    assert (reachable(depot, "evil"), named(depot, "evil")) == (True, 1)
    upkeep.collect(depot.workspace, yes=True, withdrawn=True)
    assert reachable(depot, "evil")
