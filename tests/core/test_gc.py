"""Collection: what nobody needs any more goes after the grace, and nothing else goes, whoever publishes meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import BatchError, ConflictError, StorageError
from entrepot.services import repositories, upkeep
from entrepot.store import file_sha256
from entrepot_storage.wrappers import FaultyStorage
from support.debs import make_deb
from support.toybox import ToyBox
from support.tree_checker import StampSignatures, contents, indexes_in, packages_in
from support.workspaces import Depot

SIGNATURES = StampSignatures()
OLD = "pool/main/h/hello/hello_1.0-1_amd64.deb"
NEW = "pool/main/h/hello/hello_2.0-1_amd64.deb"
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


@pytest.fixture
def depot(versions: Depot, tmp_path: Path) -> Iterator[Depot]:
    depot = versions.copy(tmp_path / "depot")
    yield depot
    depot.close()


def check(depot: Depot) -> None:
    """The tree is what the catalog says it is, and nothing that it needs counts as superseded."""
    packages = packages_in(depot.tree, "stable", SIGNATURES)
    assert packages == PACKAGES[depot.published_version()]
    needed = depot.needed_files()
    assert indexes_in(depot.tree, "stable", SIGNATURES) <= needed
    assert sum(path.startswith("pool/") for path in needed) >= len(packages)


# ------------------------------------------------------------------------------------------------------- grace


@pytest.mark.parametrize(
    ("days", "publications", "gone"), [(0, 0, False), (6, 4, False), (8, 1, False), (7, 2, True), (8, 4, True)]
)
def test_what_no_version_in_place_names_goes_when_days_and_publications_are_over(
    depot: Depot, days: int, publications: int, *, gone: bool
) -> None:
    depot.configure(grace_days=7, grace_publications=3)
    depot.publish(version=2)
    depot.publish(version=3)  # the first of those that follow
    depot.collect()
    for _ in range(publications):
        depot.publish(version=4, force=True)
    depot.clock.advance(days=days)
    collected = depot.collect().trees[0].files
    assert bool(collected) == (not (depot.tree / OLD).exists()) == gone
    check(depot)
    assert not depot.collect().trees[0].files


def test_an_index_counts_publications_of_its_own_distribution_only(depot: Depot) -> None:
    depot.configure(grace_days=0, grace_publications=2)
    depot.distribute("testing")
    for version in (1, 2):
        depot.publish(version=version)
    for _ in range(3):
        depot.publish("testing", force=True)
    assert not depot.collect().trees[0].files
    depot.publish(version=2, force=True)
    assert {file.path.rpartition("/")[0] for file in depot.collect().trees[0].files} == {
        "dists/stable/main/binary-amd64/by-hash/SHA256"
    }


def test_a_package_that_is_back_in_place_begins_its_grace_anew_when_it_leaves_again(depot: Depot) -> None:
    depot.configure(grace_days=7, grace_publications=0)
    depot.publish(version=2)
    depot.publish(version=3)
    depot.collect()
    depot.clock.advance(days=5)
    depot.publish(version=2)
    depot.clock.advance(days=30)
    depot.collect()
    check(depot)
    depot.publish(version=3)
    depot.collect()
    assert (depot.tree / OLD).exists()
    depot.clock.advance(days=8)
    depot.collect()
    assert not (depot.tree / OLD).exists()


# ------------------------------------------------------------------------------------------------------ guards


def test_a_dry_run_tells_what_would_go_and_removes_nothing(depot: Depot) -> None:
    depot.configure(grace_days=0, grace_publications=0)
    depot.publish(version=2)
    depot.publish(version=4)
    before = contents(depot.tree)
    planned = depot.collect(dry_run=True, yes=False)
    assert contents(depot.tree) == before
    assert {OLD, NEW} < {file.path for file in planned.trees[0].files}
    assert depot.collect().trees == planned.trees
    assert contents(depot.tree).keys() == before.keys() - {file.path for file in planned.trees[0].files}


def test_more_than_the_share_that_is_set_goes_only_after_a_yes(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True)
    depot.configure(grace_days=0, grace_publications=0, gc_share=50)
    depot.distribute()
    depot.upload(*(make_deb(tmp_path, f"p{number}") for number in range(21)), publish=True)
    depot.remove(*(f"p{number}" for number in range(21)))
    depot.publish()
    before = contents(depot.tree)
    with pytest.raises(ConflictError, match=r"\d+ of \d+ files of file://\S+ would be removed"):
        depot.collect(yes=False)
    assert contents(depot.tree) == before
    assert len(depot.collect(yes=True).trees[0].files) > 20
    assert packages_in(depot.tree, "stable", SIGNATURES) == frozenset()
    depot.close()


# ------------------------------------------------------------------------------------------- what goes, what stays


def test_what_a_publisher_wrote_that_died_before_its_lease_is_collected(depot: Depot) -> None:
    depot.publish(version=4)
    before = contents(depot.tree).keys()
    whole = depot.storage
    depot.storage = FaultyStorage(whole, fail_at=4, dead=True)
    with pytest.raises(StorageError):
        depot.publish(version=2)
    depot.storage = whole
    orphans = contents(depot.tree).keys() - before
    assert len(orphans) == 3
    depot.configure(grace_days=7, grace_publications=0)
    depot.collect()
    assert contents(depot.tree).keys() - before == orphans
    depot.clock.advance(days=8)
    depot.collect()
    assert contents(depot.tree).keys() == before
    check(depot)


def test_a_package_that_another_distribution_has_stays_for_it(depot: Depot, tmp_path: Path) -> None:
    depot.configure(grace_days=0, grace_publications=0)
    depot.distribute("testing")
    depot.upload(make_deb(tmp_path), to="testing", publish=True)
    depot.publish(version=2)
    depot.publish(version=4)
    depot.collect()
    assert (depot.tree / OLD).exists()
    assert not (depot.tree / NEW).exists()
    assert packages_in(depot.tree, "testing", SIGNATURES) == PACKAGES[1]


def test_a_newer_version_that_is_not_published_yet_takes_nothing_away(depot: Depot) -> None:
    depot.configure(grace_days=0, grace_publications=0)
    depot.publish(version=2)
    depot.collect()
    check(depot)


def test_a_distribution_that_was_removed_goes_after_the_grace_and_first_what_clients_read_first(depot: Depot) -> None:
    depot.configure(grace_days=7, grace_publications=0)
    depot.distribute("testing")
    depot.publish("testing")
    depot.publish(version=2)
    repositories.remove_distribution(depot.workspace, "example/stable")
    depot.collect()
    assert packages_in(depot.tree, "stable", SIGNATURES) == PACKAGES[2]
    depot.clock.advance(days=8)
    depot.publish("testing")
    gone = [file.path for file in depot.collect().trees[0].files]
    assert gone[:3] == [f"dists/stable/{name}" for name in ("InRelease", "Release", "Release.gpg")]
    assert {OLD, NEW} < set(gone)
    assert not (depot.tree / "dists/stable").exists()
    assert packages_in(depot.tree, "testing", SIGNATURES) == frozenset()


def test_a_tree_that_cannot_be_reached_does_not_keep_others_from_being_collected(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True, through=True)
    depot.configure(grace_days=0, grace_publications=0)
    here = tmp_path / "here"
    repositories.set_repository(depot.workspace, "example", {}, ["tree:", str(here)])
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    depot.remove("hello")
    depot.publish()
    depot.storage = FaultyStorage(depot.storage, fail_at=1, dead=True)
    with pytest.raises(BatchError, match="1 of 2 trees could not be collected") as caught:
        depot.collect()
    assert [item for item, _ in caught.value.failures] == ["tree:"]
    assert (depot.tree / OLD).exists()
    assert not (here / OLD).exists()
    depot.close()


# ---------------------------------------------------------------------------------------------- the private store


def kept(box: ToyBox) -> set[str]:
    """Digests of the files of the private store."""
    return {info.key.rpartition("/")[2] for info in box.workspace.store.files()}


@pytest.mark.parametrize(
    ("word", "state", "gone"),
    [("", "published", False), ("review", "pending_review", False), ("block", "rejected", True)],
)
def test_an_artifact_that_no_version_and_no_waiting_import_has_goes_after_the_grace(
    tmp_path: Path, word: str, state: str, *, gone: bool
) -> None:
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1, text=word)
    box.sync()
    result = box.one("robot")
    assert (result.status, kept(box)) == (state, {result.sha256})
    box.clock.advance(days=7)
    upkeep.collect(box.workspace)
    assert kept(box) == (set() if gone else {result.sha256})
    assert not upkeep.collect(box.workspace).artifacts
    box.workspace.close()


def test_an_artifact_of_today_stays_whatever_became_of_its_import(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1, text="block")
    box.sync()
    result = box.one("robot")
    box.clock.advance(days=6)
    assert upkeep.collect(box.workspace).artifacts == 0
    assert kept(box) == {result.sha256}
    assert box.one("robot").status == "rejected"
    box.clock.advance(days=6)
    assert upkeep.collect(box.workspace).artifacts == 0
    box.workspace.close()


def test_an_artifact_that_was_collected_comes_in_again(tmp_path: Path) -> None:
    lax = '[policies.lax]\nblock = "publish"\n[publish]\ngrace_days = 0\n'
    box = ToyBox(tmp_path, settings=lax)
    box.upstream.add("robot", 1, text="block")
    box.sync()
    sha256 = box.one("robot").sha256
    assert upkeep.collect(box.workspace, dry_run=True).artifacts == 1
    assert kept(box) == {sha256}
    assert upkeep.collect(box.workspace).artifacts == 1
    assert kept(box) == set()
    box.distribute("lax", policy="lax")
    assert box.one("robot", to="shop/lax").status == "published"
    assert kept(box) == {sha256}
    box.workspace.close()


def test_a_file_that_a_killed_import_left_in_the_private_store_is_collected(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    package = tmp_path / "left.toy"
    package.write_bytes(b"left")
    box.workspace.store.add(package, file_sha256(package))
    box.clock.time = dt.datetime.now(dt.UTC)
    assert upkeep.collect(box.workspace).artifacts == 0
    box.clock.advance(days=8)
    assert upkeep.collect(box.workspace, dry_run=True).artifacts == 1
    assert len(kept(box)) == 1
    assert upkeep.collect(box.workspace).artifacts == 1
    assert kept(box) == set()
    box.workspace.close()


def test_downloads_and_rendered_pieces_of_today_stay_however_short_the_grace_is(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True)
    depot.clock.time = dt.datetime.now(dt.UTC)
    depot.configure(grace_days=0, grace_publications=0)
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    download = depot.workspace.fetch_folder / "abc"
    download.mkdir()
    (download / "part").write_bytes(b"half of it")
    assert depot.collect().cache_bytes == 0
    assert download.exists()
    depot.clock.advance(days=2)
    assert depot.collect().cache_bytes > 0
    assert not download.exists()
    assert depot.publish(force=True) == "published"
    depot.close()
