"""Collections and publishers at the same time, in every order, and those that die: nothing that is needed goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from entrepot.errors import BatchError, BusyError
from entrepot.publish.lease import LEASE_SECONDS
from entrepot.services import upkeep
from entrepot.services.publishing import PublishRequest, publish
from entrepot.workspace import Workspace
from entrepot_storage.wrappers import FaultyStorage
from support.debs import make_deb
from support.interrupted import Interrupted
from support.tree_checker import StampSignatures, indexes_in, packages_in
from support.workspaces import Depot, crashes

SIGNATURES = StampSignatures()
PACKAGES = {
    1: frozenset({"main:hello:amd64=1.0-1"}),
    2: frozenset({"main:hello:amd64=1.0-1", "main:hello:amd64=2.0-1"}),
    3: frozenset[str](),
    4: frozenset({"main:extra:amd64=1.0-1"}),
}
"""What the versions have."""


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Four versions, none of which is published; the third takes away what the first two brought."""
    folder = tmp_path_factory.mktemp("versions")
    depot = Depot(folder / "depot", stamp=True, through=True)
    depot.distribute()
    depot.upload(make_deb(folder))
    depot.upload(make_deb(folder, version="2.0-1"))
    depot.remove("hello")
    depot.upload(make_deb(folder, "extra"))
    depot.close()
    return depot


def begin(versions: Depot, folder: Path, *published: int, grace_days: int = 0) -> Depot:
    """What there is before: versions that were published one after the other, and no grace, or one of days."""
    depot = versions.copy(folder / "begun")
    depot.configure(grace_days=grace_days, grace_publications=0)
    for number in published:
        depot.publish(version=number)
        depot.clock.advance(days=1)
    depot.close()
    return depot


def check(depot: Depot) -> None:
    """The tree is what the catalog says it is, and nothing that it needs counts as superseded."""
    packages = packages_in(depot.tree, "stable", SIGNATURES)
    assert packages == PACKAGES[depot.published_version()]
    needed = depot.needed_files()
    assert indexes_in(depot.tree, "stable", SIGNATURES) <= needed
    assert sum(path.startswith("pool/") for path in needed) >= len(packages)


def check_from_here(depot: Depot) -> None:
    """Whatever is published next is whole, and stays so when all is collected that can be."""
    for version in (2, 4):
        depot.publish(version=version)
        check(depot)
        depot.clock.advance(days=30)
        depot.collect()
        check(depot)


def beside(depot: Depot, call: int, event: Callable[[Workspace], object]) -> tuple[Interrupted, list[Exception]]:
    """Lets another command do something before the ``call``-th mutating call of what this one does next."""
    failures: list[Exception] = []
    whole = depot.storage

    def come_by() -> None:
        depot.storage = whole
        workspace = depot.opened()
        try:
            event(workspace)
        except (BatchError, BusyError) as error:
            failures.append(error)
        finally:
            workspace.close()

    depot.storage = interrupted = Interrupted(whole, call, come_by)
    return interrupted, failures


def collect(workspace: Workspace) -> None:
    """What a collection is that nobody guards."""
    upkeep.collect(workspace, yes=True)


@pytest.mark.parametrize(
    ("published", "wanted", "grace_days"), [((), 2, 0), ((2, 4), 1, 0), ((2, 4), 1, 7), ((2,), 4, 7), ((4, 2, 3), 2, 7)]
)
def test_a_collection_at_any_write_of_a_publisher_takes_nothing_that_is_needed(
    versions: Depot, tmp_path: Path, published: tuple[int, ...], wanted: int, grace_days: int
) -> None:
    begun = begin(versions, tmp_path, *published, grace_days=grace_days)
    for call in count(1):
        depot = begun.copy(tmp_path / str(call))
        interrupted, _ = beside(depot, call, collect)
        # The collection may be where the publisher has just looked whether somebody holds the lease.
        with suppress(BusyError):
            depot.publish(version=wanted)
        if not interrupted.happened:
            assert call > 6
            depot.close()
            return
        depot.publish(version=wanted)
        check(depot)
        check_from_here(depot)
        depot.close()


@pytest.mark.parametrize("deleted", [2, 3])
def test_a_collection_that_dies_at_any_write_of_a_publisher_has_taken_nothing_that_is_needed(
    versions: Depot, tmp_path: Path, deleted: int
) -> None:
    begun = begin(versions, tmp_path, 4)
    for call in count(1):
        depot = begun.copy(tmp_path / str(call))

        def die(workspace: Workspace, depot: Depot = depot) -> None:
            whole = depot.storage
            depot.storage = FaultyStorage(whole, fail_at=1 + deleted, after=True, dead=True)
            try:
                collect(workspace)
            finally:
                depot.storage = whole

        interrupted, _ = beside(depot, call, die)
        with suppress(BusyError):
            depot.publish(version=2)
        if not interrupted.happened:
            assert call > 6
            depot.close()
            return
        depot.clock.advance(seconds=LEASE_SECONDS)
        depot.publish(version=2)
        check(depot)
        check_from_here(depot)
        depot.close()


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_a_publisher_at_any_step_of_a_collection_finds_or_writes_all_that_it_needs(
    versions: Depot, tmp_path: Path, wanted: int
) -> None:
    begun = begin(versions, tmp_path, 2, 1, 4)
    request = PublishRequest(wanted)
    for call in count(1):
        depot = begun.copy(tmp_path / str(call))
        interrupted, failures = beside(depot, call, lambda other: publish(other, "example/stable", request=request))
        with suppress(BatchError):
            depot.collect()
        if not interrupted.happened:
            assert call > 6
            depot.close()
            return
        # From the collection's first write to its last one the lease is held, and the publisher is told so.
        assert [type(error) for error in failures] in ([], [BusyError])
        check(depot)
        check_from_here(depot)
        depot.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_collection_that_dies_at_any_step_leaves_a_tree_that_can_be_published_to_and_collected(
    versions: Depot, tmp_path: Path, *, after: bool
) -> None:
    begun = begin(versions, tmp_path, 2, 1, 4)
    for call in count(1):
        depot = begun.copy(tmp_path / str(call))
        whole = depot.storage
        depot.storage = storage = FaultyStorage(whole, fail_at=call, after=after, dead=True)
        with suppress(BatchError):
            depot.collect()
        if not storage.failed:
            assert call > 6
            depot.close()
            return
        depot.storage = whole
        depot.clock.advance(seconds=LEASE_SECONDS)
        check(depot)
        if call % 2:
            depot.collect()
        check_from_here(depot)
        depot.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("published", "wanted"), [((), 2), ((1, 4), 1), ((2,), 4)])
def test_a_collection_after_a_publisher_died_leaves_what_clients_may_be_reading(
    versions: Depot, tmp_path: Path, published: tuple[int, ...], wanted: int, *, after: bool
) -> None:
    before = PACKAGES[published[-1]] if published else frozenset()
    for depot in crashes(begin(versions, tmp_path, *published), tmp_path, wanted, after=after):
        depot.collect()
        assert packages_in(depot.tree, "stable", SIGNATURES, settled=False) in (before, PACKAGES[wanted])
        depot.publish(version=wanted)
        depot.collect()
        check(depot)
