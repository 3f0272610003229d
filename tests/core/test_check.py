"""Checking a tree against the catalog, and writing again what is missing or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.errors import BatchError, StorageError
from entrepot.services import imports, mirroring, repositories, upkeep
from entrepot.services.selecting import MirrorRequest
from entrepot.store import file_sha256
from entrepot_storage.wrappers import CountingStorage, FaultyStorage
from support.debs import make_deb
from support.toybox import served_box
from support.tree_checker import StampSignatures, contents, packages_in
from support.workspaces import Depot

SIGNATURES = StampSignatures()
PACKAGE = "pool/main/h/hello/hello_1.0-1_amd64.deb"
INDEX = "dists/stable/main/binary-amd64/Packages.gz"
ENTRY = "dists/stable/InRelease"


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """Two versions, the first of which is published."""
    depot = Depot(tmp_path / "depot", stamp=True)
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    depot.upload(make_deb(tmp_path, "other"))
    yield depot
    depot.close()


def by_hash(depot: Depot) -> str:
    (path,) = depot.tree.glob("dists/stable/main/binary-amd64/by-hash/SHA256/*")
    return path.relative_to(depot.tree).as_posix()


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    """A file of its own: the one that was there may be shared with the private store."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1])


def change(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


DAMAGES: list[tuple[Callable[[Path], None], str]] = [(remove, "missing"), (truncate, "size"), (change, "content")]


def faults(depot: Depot, *, content: bool = True, repair: bool = False) -> list[tuple[str, str]]:
    """Path and kind of what is wrong."""
    _, result = upkeep.check(depot.workspace, content=content, repair=repair)
    assert result.repaired == (repair and bool(result.faults))
    return [(fault.path, fault.kind) for fault in result.faults]


def test_a_tree_that_is_as_it_was_published_has_no_fault(depot: Depot) -> None:
    _, result = upkeep.check(depot.workspace, content=True)
    assert not result.faults
    assert result.checked == len(contents(depot.tree))


@pytest.mark.parametrize(("damage", "kind"), DAMAGES, ids=[kind for _, kind in DAMAGES])
@pytest.mark.parametrize("name", ["package", "by-hash", "index", "entry", "front"])
def test_what_is_missing_or_damaged_is_found_and_written_again_byte_for_byte(
    depot: Depot, name: str, damage: Callable[[Path], None], kind: str
) -> None:
    before = contents(depot.tree)
    paths = {"package": PACKAGE, "by-hash": by_hash(depot), "index": INDEX, "entry": ENTRY, "front": "index.html"}
    damage(depot.tree / paths[name])
    assert contents(depot.tree) != before
    assert faults(depot, content=False) == ([] if kind == "content" else [(paths[name], kind)])
    assert faults(depot) == [(paths[name], kind)]
    assert faults(depot, repair=True) == [(paths[name], kind)]
    assert contents(depot.tree) == before
    assert faults(depot) == []


def test_everything_is_written_again_where_the_whole_tree_is_gone(depot: Depot) -> None:
    before = contents(depot.tree)
    for path in before:
        (depot.tree / path).unlink()
    assert len(faults(depot, repair=True)) == len(before)
    assert contents(depot.tree) == before


def test_repairing_leaves_the_version_in_place_that_is_in_place(depot: Depot) -> None:
    (depot.tree / PACKAGE).unlink()
    faults(depot, repair=True)
    assert packages_in(depot.tree, "stable", SIGNATURES) == {"main:hello:amd64=1.0-1"}
    assert depot.published_version() == 1


def test_superseded_files_and_those_that_were_never_written_are_no_faults(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True, through=True)
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    superseded = depot.tree / by_hash(depot)
    depot.upload(make_deb(tmp_path, "other"), publish=True)
    superseded.unlink()
    depot.upload(make_deb(tmp_path, "third"))
    whole = depot.storage
    depot.storage = FaultyStorage(whole, fail_at=1, dead=True)
    with pytest.raises(StorageError):
        depot.publish()
    depot.storage = whole
    assert faults(depot) == []
    depot.close()


def test_a_package_of_the_version_in_place_that_the_manifest_lacks_is_found(depot: Depot) -> None:
    database = depot.workspace.catalog.database
    database.execute("DELETE FROM published_files WHERE path = ?", [PACKAGE])
    (depot.tree / PACKAGE).unlink()
    assert faults(depot) == [(PACKAGE, "unknown")]
    faults(depot, repair=True)
    assert packages_in(depot.tree, "stable", SIGNATURES) == {"main:hello:amd64=1.0-1"}
    assert faults(depot) == []


def test_a_package_that_is_damaged_in_the_private_store_too_is_lost_until_it_is_brought_in_again(
    depot: Depot, tmp_path: Path
) -> None:
    before = contents(depot.tree)
    package = depot.tree / PACKAGE
    data = bytearray(before[PACKAGE])
    data[-1] ^= 1
    package.write_bytes(data)  # in place, and so in the private store, with which the tree shares the file
    (depot.tree / INDEX).unlink()
    with pytest.raises(BatchError) as caught:
        upkeep.check(depot.workspace, content=True, repair=True)
    (stored, failure), (item, _) = caught.value.failures
    assert stored == "private store: hello_1.0-1_amd64.deb"
    assert item.endswith(PACKAGE)
    assert "upload it again" in failure.hint
    _, result = caught.value.results
    assert isinstance(result, upkeep.CheckResult)
    assert ([fault.path for fault in result.lost], result.repaired) == ([PACKAGE], False)
    assert (depot.tree / INDEX).read_bytes() == before[INDEX]
    assert faults(depot) == [(PACKAGE, "content")]
    with pytest.raises(StorageError, match=r"hello_1.0-1_amd64.deb is not in the private store any more"):
        depot.publish(full=True)
    assert not imports.upload(depot.workspace, [make_deb(tmp_path)], "example/stable", publish_after=False).failed
    assert faults(depot, repair=True) == [(PACKAGE, "content")]
    assert contents(depot.tree) == before
    assert faults(depot) == []


def test_only_the_target_that_is_damaged_is_written_to(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True, through=True)
    other = tmp_path / "other"
    repositories.set_repository(depot.workspace, "example", {}, ["tree:", str(other)])
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    before = contents(other)
    (other / PACKAGE).unlink()
    depot.storage = counting = CountingStorage(depot.storage)
    results = upkeep.check(depot.workspace, repair=True)
    found = [(result.url, len(result.faults)) for result in results]
    assert found == [("private store", 0), ("tree:", 0), (other.as_uri(), 1)]
    assert contents(other) == before
    assert (counting.counts.writes, counting.counts.copies, counting.counts.lists) == (0, 0, 0)
    depot.close()


def test_a_tree_that_cannot_be_reached_does_not_keep_others_from_being_checked(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True, through=True)
    other = tmp_path / "other"
    repositories.set_repository(depot.workspace, "example", {}, ["tree:", str(other)])
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    (other / PACKAGE).unlink()
    depot.storage = gone = FaultyStorage(depot.storage, fail_at=1, dead=True)
    with pytest.raises(StorageError):
        gone.delete("x")
    with pytest.raises(BatchError) as caught:
        upkeep.check(depot.workspace, repair=True)
    assert [item for item, _ in caught.value.failures] == ["tree:"]
    assert (other / PACKAGE).exists()
    depot.close()


def test_the_private_store_takes_back_what_a_tree_has_and_a_mirror_fetches_the_rest(tmp_path: Path) -> None:
    with served_box(tmp_path) as (box, server):
        workspace = box.workspace
        box.sync()
        request = MirrorRequest("box", "shop/window")
        mirroring.mirror(workspace, request)
        for stored in list(workspace.store.files()):
            workspace.store.storage.delete(stored.key)
        store, tree = upkeep.check(workspace)
        assert [(fault.path, fault.kind) for fault in store.faults] == [
            ("ball_1_any.toy", "missing"),
            ("robot_1_any.toy", "missing"),
        ]
        assert not tree.faults
        assert [result.repaired for result in upkeep.check(workspace, repair=True)] == [True, False]
        assert [result.faults for result in upkeep.check(workspace, content=True)] == [[], []]

        (robot,) = (path for path in box.tree.rglob("robot_1_any.toy"))
        workspace.store.remove(file_sha256(robot))
        robot.unlink()
        with pytest.raises(BatchError) as caught:
            upkeep.check(workspace, repair=True)
        assert {failure.hint.partition(",")[0] for _, failure in caught.value.failures} == {"mirror"}
        server.forget()
        assert mirroring.mirror(workspace, request).version is None
        assert [request.path for request in server.requests] == ["/robot_1_any.toy"]
        assert [result.repaired for result in upkeep.check(workspace, repair=True)] == [False, True]
        assert robot.exists()
        assert [result.faults for result in upkeep.check(workspace, content=True)] == [[], []]
