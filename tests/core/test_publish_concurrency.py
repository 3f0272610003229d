"""Several publishers of one tree: whoever comes second starts over or gives up, and the tree is whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from entrepot.contracts import Storage
from entrepot.errors import BusyError
from entrepot.services.publishing import PublishRequest, publish
from support.debs import make_deb
from support.interrupted import Interrupted
from support.tree_checker import StampSignatures, indexes_in, packages_in
from support.workspaces import Depot

SIGNATURES = StampSignatures()
DISTRIBUTION = "example/stable"
PACKAGES = {
    1: frozenset({"main:hello:amd64=1.0-1"}),
    2: frozenset({"main:hello:amd64=1.0-1", "main:hello:amd64=2.0-1"}),
    3: frozenset({"main:hello:amd64=1.0-1", "main:hello:amd64=2.0-1", "contrib:extra:amd64=1.0-1"}),
}
"""What the versions have: the second changes one component, the third the other."""


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Three versions, of which the first is a second one's beginning and none is published."""
    folder = tmp_path_factory.mktemp("versions")
    depot = Depot(folder / "depot", stamp=True, through=True)
    depot.distribute(components=("main", "contrib"))
    depot.upload(make_deb(folder))
    depot.upload(make_deb(folder, version="2.0-1"))
    depot.upload(make_deb(folder, "extra"), component="contrib")
    depot.close()
    return depot


def interruptions(depot: Depot, folder: Path, wanted: int, other: int) -> Iterator[tuple[Depot, list[BusyError]]]:
    """``wanted`` is published while another publisher comes by with ``other``, before each write in turn."""
    for call in count(1):
        copied = depot.copy(folder / str(call))
        tree = copied.storage
        failures: list[BusyError] = []

        def come_by(copied: Depot = copied, tree: Storage = tree, failures: list[BusyError] = failures) -> None:
            copied.storage = tree
            workspace = copied.opened()
            try:
                publish(workspace, DISTRIBUTION, request=PublishRequest(other))
            except BusyError as error:
                failures.append(error)
            finally:
                workspace.close()

        copied.storage = interrupted = Interrupted(tree, call, come_by)
        try:
            copied.publish(version=wanted)
        except BusyError as error:
            failures.append(error)
        copied.storage = tree
        if not interrupted.happened:
            assert call > 8
            return
        yield copied, failures
        copied.close()


@pytest.mark.parametrize(("published", "wanted", "other"), [(2, 3, 1), (1, 3, 2), (3, 1, 2), (1, 2, 2)])
def test_a_publisher_that_comes_by_at_any_write_of_another_one_breaks_nothing(
    versions: Depot, tmp_path: Path, published: int, wanted: int, other: int
) -> None:
    begun = versions.copy(tmp_path / "begun")
    begun.publish(version=published)
    begun.close()
    for depot, failures in interruptions(begun, tmp_path, wanted, other):
        assert len(failures) <= 1
        check(depot)
        for version in PACKAGES:
            depot.publish(version=version)
            check(depot)


def check(depot: Depot) -> None:
    """The tree is what the catalog says it is, and nothing that it needs counts as superseded."""
    assert packages_in(depot.tree, "stable", SIGNATURES) == PACKAGES[depot.published_version()]
    assert indexes_in(depot.tree, "stable", SIGNATURES) <= depot.needed_files()
