"""What a tree and the catalog of a workspace on a storage know of each other, whenever a command is killed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage
from entrepot.errors import StorageError
from entrepot.publish.lease import LEASE_KEY, LEASE_SECONDS
from entrepot.services import homes, imports, repositories
from entrepot.services.publishing import publish
from entrepot.workspace import Workspace
from entrepot_storage.memory import MemoryStorage
from entrepot_storage.wrappers import CountingStorage
from support.debs import make_deb
from support.remote import Place, make_repository, names_in

STABLE = "shop/stable"
PACKAGES = "dists/stable/main/binary-amd64/Packages.gz"


class Watched(CountingStorage):
    """Calls ``before`` with the key of every write."""

    def __init__(self, inner: Storage, before: Callable[[str], object]) -> None:
        super().__init__(inner)
        self.before = before

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object."""
        self.before(key)
        return super().write(key, body, meta=meta, if_absent=if_absent, if_match=if_match)


class Plug(Watched):
    """Nothing is written any more when it is pulled: what a killed process does to a storage."""

    pulled = False

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner, lambda key: self.check())

    def check(self) -> None:
        """``StorageError`` if it is pulled."""
        if self.pulled:
            raise StorageError("the plug is pulled")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A workspace with a distribution that has a package, which is not published."""
    place = Place().initialised()
    with place.opened() as workspace:
        repositories.create_repository(workspace, "shop", format_name="apt", publish_to="place://tree", sign=False)
        repositories.create_distribution(workspace, STABLE)
        imports.upload(workspace, [make_deb(tmp_path)], STABLE, publish_after=False)
    return place


def states(workspace: Workspace) -> list[tuple[str, int]]:
    """State and version of each publication."""
    return workspace.catalog.database.execute("SELECT state, version FROM publications ORDER BY id").fetchall()


def intended(workspace: Workspace) -> int:
    """How many files the catalog knows to be in the tree, or about to be."""
    return workspace.catalog.database.table("published_files").count


def test_the_storage_knows_of_a_publication_before_the_tree_changes(place: Place) -> None:
    seen: dict[str, tuple[int, list[tuple[str, int]]]] = {}

    def look(key: str) -> None:
        with place.opened() as other:
            seen[key] = intended(other), states(other)
            if key != LEASE_KEY:
                # Nobody waits for whoever writes a tree.
                make_repository(other, f"other-{len(seen)}")

    place.tree = Watched(MemoryStorage(), look)
    with place.opened() as workspace:
        publish(workspace, STABLE)
    by_hash = [seen[key] for key in seen if "/by-hash/" in key]
    assert by_hash
    assert all(files > 0 and begun == [] for files, begun in by_hash)
    assert seen["dists/stable/Release"][1] == [("started", 1)]
    with place.opened() as workspace:
        assert states(workspace) == [("completed", 1)]
        assert len(names_in(workspace)) == len(seen)


def test_what_a_kill_amid_a_publication_left_the_next_one_repairs(place: Place, elsewhere: Callable[[], None]) -> None:
    place.storage = plug = Plug(place.storage)

    def pull(key: str) -> None:
        plug.pulled = plug.pulled or key == "dists/stable/Release"
        plug.check()

    tree = place.tree
    place.tree = Watched(tree, pull)
    with pytest.raises(StorageError, match="plug"), place.opened() as workspace:
        publish(workspace, STABLE)
    place.storage, place.tree = plug.inner, tree
    place.clock.advance(seconds=LEASE_SECONDS + 1)
    elsewhere()
    with place.opened() as workspace:
        assert states(workspace) == [("started", 1)]
        publish(workspace, STABLE)
        assert states(workspace) == [("started", 1), ("completed", 1)]
    assert place.tree.stat("dists/stable/Release")


def test_after_a_restore_a_publication_writes_what_the_catalog_no_longer_knows(place: Place, tmp_path: Path) -> None:
    with place.opened() as workspace:
        publish(workspace, STABLE)
    with place.opened() as workspace:
        before = homes.generations(workspace)[0]
        imports.upload(workspace, [make_deb(tmp_path, "other")], STABLE)
    assert b"Package: other" in gzip.decompress(content(place, PACKAGES))
    with place.opened() as workspace:
        homes.restore(workspace, before.number)
        assert publish(workspace, STABLE).status == "published"
    assert b"Package: other" not in gzip.decompress(content(place, PACKAGES))


def content(place: Place, key: str) -> bytes:
    """An object of the tree."""
    with place.tree.read(key) as stream:
        return stream.read()
