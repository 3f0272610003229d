"""The lease on a tree: who gets it, who waits, who is taken for dead, and what happens to who lost it."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Storage
from entrepot.errors import BusyError, StorageError
from entrepot.publish.lease import LEASE_KEY, LEASE_SECONDS, WAIT_STEP, Lease, LostLeaseError
from entrepot.services.publishing import PublishRequest, publish
from entrepot_storage.memory import MemoryStorage
from support.children import killed_python
from support.debs import make_deb
from support.interrupted import Interrupted
from support.tree_checker import StampSignatures, packages_in
from support.workspaces import Clock, Depot

SIGNATURES = StampSignatures()
PACKAGES = {1: {"main:hello:amd64=1.0-1"}, 2: {"main:hello:amd64=1.0-1", "main:hello:amd64=2.0-1"}}


@pytest.fixture
def storage() -> Storage:
    return MemoryStorage("tree")


def document(storage: Storage) -> dict[str, Any]:
    """What the object says."""
    with storage.read(LEASE_KEY) as stream:
        found: dict[str, Any] = json.load(stream)
        return found


def held_by(storage: Storage, **changes: Any) -> None:
    """Leaves a lease as a publisher does that holds it, on this machine unless changed."""
    with Lease(storage, Clock()):
        found = document(storage)
    storage.write(LEASE_KEY, json.dumps(found | changes).encode())


def dead_process() -> int:
    """The number of a process that is gone."""
    with killed_python("") as child:
        return child.pid


def test_a_lease_is_given_back_and_every_taking_raises_its_generation(storage: Storage) -> None:
    clock = Clock()
    for generation in (1, 2, 3):
        with Lease(storage, clock) as lease:
            assert not lease.inherited
            assert document(storage)["generation"] == lease.generation == generation
            assert document(storage)["expires"] == (clock() + dt.timedelta(seconds=LEASE_SECONDS)).isoformat()
        assert document(storage)["expires"] is None


def test_who_comes_second_is_told_who_holds_it(storage: Storage) -> None:
    clock = Clock()
    with Lease(storage, clock), pytest.raises(BusyError, match=f"by process {os.getpid()} on "), Lease(storage, clock):
        pass


def test_who_comes_second_waits_until_it_is_given_back(storage: Storage) -> None:
    clock = Clock()
    first = Lease(storage, clock).__enter__()
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            first.__exit__(None, None, None)

    with Lease(storage, clock, wait=60, sleep=sleep) as second:
        assert (second.generation, second.inherited) == (2, False)
    assert naps == [WAIT_STEP] * 3


def test_who_has_waited_long_enough_gives_up(storage: Storage) -> None:
    clock = Clock()
    naps: list[float] = []
    with Lease(storage, clock), pytest.raises(BusyError), Lease(storage, clock, wait=5, sleep=naps.append):
        pass
    assert sum(naps) == 5


def test_a_lease_of_a_dead_process_of_this_machine_is_taken_over_at_once(storage: Storage) -> None:
    held_by(storage, pid=dead_process())
    with Lease(storage, Clock()) as lease:
        assert lease.inherited


@pytest.mark.parametrize("space", ["another machine or container", None])
def test_a_lease_from_elsewhere_is_taken_over_only_when_it_has_run_out(storage: Storage, space: str | None) -> None:
    held_by(storage, pid=dead_process(), space=space)
    clock = Clock()
    clock.advance(seconds=LEASE_SECONDS - 1)
    with pytest.raises(BusyError), Lease(storage, clock):
        pass
    clock.advance(seconds=1)
    with Lease(storage, clock) as lease:
        assert lease.inherited


def test_a_lease_is_kept_up_as_long_as_it_is_confirmed(storage: Storage) -> None:
    clock = Clock()
    with Lease(storage, clock) as lease:
        for _ in range(5):
            clock.advance(seconds=LEASE_SECONDS - 1)
            lease.confirm()
            with pytest.raises(BusyError), Lease(storage, clock):
                pass


def test_nothing_is_asked_while_more_than_half_of_a_lease_is_left(storage: Storage) -> None:
    clock = Clock()
    with Lease(storage, clock) as lease:
        clock.advance(seconds=LEASE_SECONDS / 2 - 1)
        lease.confirm()
        assert (lease.reads, lease.writes) == (1, 1)


def taken_over(storage: Storage, clock: Clock) -> None:
    clock.advance(seconds=LEASE_SECONDS)
    with Lease(storage, clock) as other:
        assert other.inherited


def test_who_has_lost_a_lease_is_told_when_it_is_confirmed(storage: Storage) -> None:
    clock = Clock()
    lease = Lease(storage, clock).__enter__()
    taken_over(storage, clock)
    with pytest.raises(LostLeaseError):
        lease.confirm()
    assert document(storage)["generation"] == 2


def test_who_has_lost_a_lease_is_told_at_the_end(storage: Storage) -> None:
    clock = Clock()
    lease = Lease(storage, clock).__enter__()
    taken_over(storage, clock)
    with pytest.raises(LostLeaseError):
        lease.__exit__(None, None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"{}",
        b'{"generation": 1, "host": "a", "pid": 1, "expires": "tomorrow"}',
        b'{"generation": 1, "host": "a", "pid": 1, "expires": "2026-03-01T12:00:00"}',
        b'{"generation": "x", "host": "a", "pid": 1, "expires": null}',
        b'{"generation": 1, "host": "a", "pid": null, "expires": 7}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_lease_is_named_with_what_to_do(storage: Storage, data: bytes) -> None:
    storage.write(LEASE_KEY, data)
    with pytest.raises(StorageError, match=r"lease.json is not a lease") as caught, Lease(storage, Clock()):
        pass
    assert "remove it" in caught.value.hint


# ------------------------------------------------------------------------------------- publishers and their leases


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Two versions, the first of which is published."""
    folder = tmp_path_factory.mktemp("versions")
    depot = Depot(folder / "depot", stamp=True, through=True)
    depot.distribute()
    depot.upload(make_deb(folder))
    depot.upload(make_deb(folder, version="2.0-1"))
    depot.publish(version=1)
    depot.close()
    return depot


@pytest.mark.parametrize("other", [1, 2])
def test_a_publisher_that_stalls_until_another_one_took_over_ends_with_a_whole_tree(
    versions: Depot, tmp_path: Path, other: int
) -> None:
    for call in count(1):
        depot = versions.copy(tmp_path / str(call))
        whole = depot.storage
        depot.storage = interrupted = Interrupted(whole, call, stalled(depot, whole, other))
        depot.publish(version=2)
        if not interrupted.happened:
            assert call > 6
            depot.close()
            return
        depot.storage = whole
        assert packages_in(depot.tree, "stable", SIGNATURES) == PACKAGES[depot.published_version()] == PACKAGES[2]
        assert depot.publish(version=2) == "unchanged"
        depot.close()


def stalled(depot: Depot, whole: Storage, other: int) -> Callable[[], None]:
    """Time passes, and another publisher comes by."""

    def event() -> None:
        depot.storage = whole
        depot.clock.advance(seconds=LEASE_SECONDS)
        workspace = depot.opened()
        publish(workspace, "example/stable", request=PublishRequest(other, force=True))
        workspace.close()

    return event
