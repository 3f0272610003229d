"""A publisher dies at each of its writes: clients go on, and the next publication ends what was begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.publish.lease import LEASE_KEY, LEASE_SECONDS
from entrepot_storage.wrappers import DryRunStorage
from support.debs import make_deb, make_source
from support.tree_checker import StampSignatures, contents, packages_in
from support.workspaces import Depot, crashes

SIGNATURES = StampSignatures()
OLD = frozenset({"main:hello:amd64=1.0-1", "main:data:all=1.0-1"})
NEW = OLD | {"main:hello:amd64=1:2.0-1", "contrib:extra:amd64=1.0-1", "contrib:extra:source=1.0-1"}


@dataclass(frozen=True)
class Scenario:
    """A publication. ``published`` is what is in the tree before it, ``wanted`` what it puts in place."""

    published: tuple[int, ...]
    wanted: int
    before: frozenset[str]
    after: frozenset[str]


SCENARIOS = {
    "first": Scenario((), 3, frozenset(), NEW),
    "update": Scenario((1,), 3, OLD, NEW),
    "rollback": Scenario((1, 3), 1, NEW, OLD),
}


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Three versions, none of which is published."""
    folder = tmp_path_factory.mktemp("versions")
    depot = Depot(folder / "depot", stamp=True, through=True)
    depot.distribute(components=("main", "contrib"))
    depot.upload(make_deb(folder), make_deb(folder, "data", arch="all"))
    depot.upload(make_deb(folder, "hello", "1:2.0-1"))
    depot.upload(make_deb(folder, "extra"), make_source(folder, "extra")[0], component="contrib")
    depot.close()
    return depot


def begin(versions: Depot, folder: Path, published: Sequence[int]) -> Depot:
    """What there is before a publication."""
    depot = versions.copy(folder / "begun")
    for number in published:
        depot.publish(version=number)
        depot.clock.advance(minutes=1)
    depot.close()
    return depot


def undisturbed(begun: Depot, folder: Path, wanted: int) -> dict[str, dict[str, bytes]]:
    """What the tree is after a publication that nothing disturbs, by what the next one then says of itself.

    Who finds everything in place leaves it with the date of the one that died, who does not dates it anew.
    """
    found = {}
    for status, seconds in (("unchanged", 0), ("published", LEASE_SECONDS)):
        depot = begun.copy(folder / status)
        depot.clock.advance(seconds=seconds)
        assert depot.publish(version=wanted) == "published"
        assert packages_in(depot.tree, "stable", SIGNATURES)
        found[status] = contents(depot.tree)
        depot.close()
    return found


def test_what_a_client_reads_first_is_written_last(versions: Depot, tmp_path: Path) -> None:
    depot = begin(versions, tmp_path, [1])
    depot.storage = dry = DryRunStorage(depot.storage)
    depot.publish(version=3)
    ranks = [_rank(operation.key) for operation in dry.operations if operation.key != LEASE_KEY]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2, 3, 4}


def _rank(path: str) -> int:
    """When a file may be written: packages, what no name in use leads to, plain indexes, Release, InRelease."""
    if path.startswith("pool/"):
        return 0
    if "/by-hash/" in path:
        return 1
    return {"Release": 3, "Release.gpg": 3, "InRelease": 4}.get(path.rpartition("/")[2], 2)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_publisher_that_dies_at_any_write_leaves_a_whole_tree_and_the_next_one_finishes(
    versions: Depot, tmp_path: Path, name: str, *, after: bool
) -> None:
    scenario = SCENARIOS[name]
    begun = begin(versions, tmp_path, scenario.published)
    expected = undisturbed(begun, tmp_path, scenario.wanted)
    for depot in crashes(begun, tmp_path, scenario.wanted, after=after):
        assert packages_in(depot.tree, "stable", SIGNATURES, settled=False) in (scenario.before, scenario.after)
        status = depot.publish(version=scenario.wanted)
        assert packages_in(depot.tree, "stable", SIGNATURES) == scenario.after
        assert contents(depot.tree) == expected[status]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_after_a_publisher_died_at_any_write_another_version_can_be_published(
    versions: Depot, tmp_path: Path, *, after: bool
) -> None:
    for depot in crashes(begin(versions, tmp_path, [1]), tmp_path, 3, after=after):
        for version, packages in ((2, OLD | {"main:hello:amd64=1:2.0-1"}), (1, OLD), (3, NEW)):
            depot.publish(version=version)
            assert packages_in(depot.tree, "stable", SIGNATURES) == packages
