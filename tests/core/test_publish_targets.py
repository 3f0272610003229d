"""A repository that is published to several places: each gets the whole tree, and one that fails holds up no other."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.contracts import Storage
from entrepot.errors import BatchError, ConflictError, StorageError
from entrepot.services import publishing, repositories, upkeep
from entrepot.services.publishing import PublishRequest, publish, publish_many
from entrepot_storage.wrappers import FaultyStorage
from support.debs import make_deb
from support.program import Program, toy_plugin
from support.s3_buckets import new_bucket, use_credentials
from support.s3_moto import MotoService
from support.toy import ToyUpstream
from support.tree_checker import StampSignatures, contents, packages_in
from support.trees import as_folder, objects
from support.workspaces import Depot

__all__ = ["toy_plugin"]

SIGNATURES = StampSignatures()
PACKAGES = {1: {"main:hello:amd64=1.0-1"}, 2: {"main:hello:amd64=1.0-1", "main:other:amd64=1.0-1"}}
_names = itertools.count(1)


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """Two versions, none of which is published."""
    depot = Depot(tmp_path / "depot", stamp=True, through=True)
    depot.distribute()
    depot.upload(make_deb(tmp_path))
    depot.upload(make_deb(tmp_path, "other"))
    yield depot
    depot.close()


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoService]:
    with MotoService() as service:
        yield service


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where nothing is yet."""
    if request.param == "file":
        return (tmp_path / "other tree").as_uri()
    if request.param == "memory":
        return f"memory://targets-{next(_names)}"
    service: MotoService = request.getfixturevalue("moto")
    use_credentials(monkeypatch)
    depot.configure("[storage.s3]", f'endpoint_url = "{service.url}"')
    return f"s3://{new_bucket(service.url)}/deb"


def tables(depot: Depot) -> list[str]:
    """Tables of the settings besides ``[publish]``, as they are."""
    _, mark, rest = (depot.home / "entrepot.toml").read_text().partition("[storage.s3]")
    return [mark + rest]


def opened(depot: Depot, url: str) -> Storage:
    return depot.workspace.storage(url)


def statuses(depot: Depot, request: PublishRequest = publishing.DEFAULT) -> list[str]:
    """What was done at each target, in their order."""
    return [target.status for target in publish(depot.workspace, "example/stable", request=request).targets]


def test_every_target_gets_the_same_files(depot: Depot, tmp_path: Path, url: str) -> None:
    depot.publish_to("tree:", url)
    assert statuses(depot, PublishRequest(1)) == ["published", "published"]
    assert statuses(depot) == ["published", "published"]
    assert statuses(depot) == ["unchanged", "unchanged"]
    assert objects(opened(depot, url)) == contents(depot.tree)
    assert packages_in(as_folder(opened(depot, url), tmp_path / "copy"), "stable", SIGNATURES) == PACKAGES[2]


def test_a_target_that_is_added_later_gets_everything(depot: Depot, url: str) -> None:
    depot.publish(version=1)
    depot.publish()
    depot.publish_to("tree:", url)
    assert statuses(depot) == ["unchanged", "published"]
    current = depot.needed_files()
    assert objects(opened(depot, url)) == {path: data for path, data in contents(depot.tree).items() if path in current}


def test_a_target_that_was_taken_away_and_comes_back_is_written_anew(depot: Depot, tmp_path: Path, url: str) -> None:
    depot.publish_to("tree:", url)
    depot.publish()
    before = objects(opened(depot, url))
    depot.publish_to("tree:")
    tree = opened(depot, url)
    for path in before:
        tree.delete(path)
    depot.publish_to("tree:", url)
    assert statuses(depot) == ["unchanged", "published"]
    assert objects(tree) == before


def test_a_target_whose_files_are_all_gone_is_written_anew_by_a_full_publication(depot: Depot, url: str) -> None:
    depot.publish_to("tree:", url)
    depot.publish()
    tree = opened(depot, url)
    before = objects(tree)
    for info in list(tree.list()):
        tree.delete(info.key)
    assert statuses(depot) == ["unchanged", "unchanged"]
    assert statuses(depot, PublishRequest(full=True)) == ["published", "published"]
    assert objects(tree) == before == contents(depot.tree)


def test_a_target_of_any_kind_is_collected_checked_and_repaired(depot: Depot, tmp_path: Path, url: str) -> None:
    depot.publish_to(url)
    depot.publish(version=1)
    old = objects(opened(depot, url))
    depot.publish()
    tree = opened(depot, url)
    depot.configure(*tables(depot), grace_days=0, grace_publications=0)
    depot.collect()
    superseded = {path for path in old if "/by-hash/" in path}
    new = objects(tree)
    assert len(superseded) == 1
    assert not superseded & new.keys()
    damaged = "dists/stable/main/binary-amd64/Packages.gz"
    tree.delete("pool/main/h/hello/hello_1.0-1_amd64.deb")
    tree.write(damaged, new[damaged][:-1] + b"x")
    _, result = upkeep.check(depot.workspace, content=True, repair=True)
    assert sorted((fault.path, fault.kind) for fault in result.faults) == [
        (damaged, "content"),
        ("pool/main/h/hello/hello_1.0-1_amd64.deb", "missing"),
    ]
    assert result.repaired
    assert objects(tree) == new
    assert packages_in(as_folder(tree, tmp_path / "copy"), "stable", SIGNATURES) == PACKAGES[2]


def test_one_target_that_fails_is_named_and_the_others_have_the_version(depot: Depot, tmp_path: Path, url: str) -> None:
    depot.publish_to("tree:", url)
    depot.publish(version=1)
    whole = depot.storage
    depot.storage = FaultyStorage(whole, fail_at=1, dead=True, error=lambda: StorageError("the disk is full"))
    with pytest.raises(BatchError, match=r"example/stable: 1 of 2 targets failed") as caught:
        publish(depot.workspace, "example/stable")
    assert [(item, str(error)) for item, error in caught.value.failures] == [("tree:", "the disk is full")]
    (result,) = caught.value.results
    assert isinstance(result, publishing.PublishResult)
    assert (result.version, [target.url for target in result.targets]) == (2, [url])
    depot.storage = whole
    assert packages_in(depot.tree, "stable", SIGNATURES) == PACKAGES[1]
    assert packages_in(as_folder(opened(depot, url), tmp_path / "copy"), "stable", SIGNATURES) == PACKAGES[2]
    assert statuses(depot) == ["published", "unchanged"]
    assert packages_in(depot.tree, "stable", SIGNATURES) == PACKAGES[2]


def test_of_several_distributions_each_failed_target_is_named(depot: Depot, tmp_path: Path) -> None:
    depot.distribute("testing")
    depot.publish_to("tree:", str(tmp_path / "other"))
    depot.storage = FaultyStorage(depot.storage, fail_at=1, dead=True)
    with pytest.raises(BatchError, match="2 of 2 distributions could not be published") as caught:
        publish_many(depot.workspace, ["example"])
    assert [item for item, _ in caught.value.failures] == ["example/stable: tree:", "example/testing: tree:"]
    assert len(caught.value.results) == 2
    assert packages_in(tmp_path / "other", "stable", SIGNATURES) == PACKAGES[2]


def test_a_plan_tells_what_each_target_lacks(depot: Depot, tmp_path: Path) -> None:
    depot.publish()
    depot.publish_to("tree:", str(tmp_path / "other"), str(tmp_path / "third"))
    assert statuses(depot, PublishRequest(dry_run=True)) == ["unchanged", "dry_run", "dry_run"]
    assert not (tmp_path / "other").exists()


def test_two_repositories_cannot_share_a_place(depot: Depot, tmp_path: Path) -> None:
    (here,) = [str(tmp_path / "here")]
    repositories.create_repository(depot.workspace, "first", format_name="apt", publish_to=here, sign=False)
    for attempt in (here, f"{here}/"):
        with pytest.raises(ConflictError, match="repository 'first' is published to"):
            repositories.create_repository(depot.workspace, "second", format_name="apt", publish_to=attempt, sign=False)
        with pytest.raises(ConflictError, match="repository 'first' is published to"):
            depot.publish_to("tree:", attempt)
    repositories.set_repository(depot.workspace, "first", {}, [here, str(tmp_path / "there")])


def test_the_program_says_which_target_failed_and_what_was_done(tmp_path: Path, toy_plugin: Path) -> None:
    program = Program(tmp_path / "home")
    toys = ToyUpstream(tmp_path / "toys")
    toys.add("robot", 1)
    toys.write()
    program("init")
    program("source", "add", "box", toys.root.as_uri(), "--format", "toy", "--no-verify")
    program("sync")
    good, bad = tmp_path / "good", tmp_path / "bad"
    places = ("--publish-to", good, "--publish-to", bad)
    program("repo", "create", "shop", "--format", "toy", *places, "--no-sign")
    program("dist", "create", "shop/window")
    program("import", "box", "robot", "--to", "shop/window", "--no-publish")
    bad.write_bytes(b"a file in the way")
    result = program("publish", code=3)
    assert "files written" in result.stdout
    assert good.as_uri() in result.stdout
    assert f"{bad.as_uri()}: {bad} is not a folder" in result.stderr
    document = program.json("publish", code=3)
    assert [failure["item"] for failure in document["failures"]] == [bad.as_uri()]
    assert document["results"][0]["targets"][0]["status"] == "unchanged"
    bad.unlink()
    shutil.rmtree(good)
    program("publish", "--full")
    assert contents(good) == contents(bad) != {}
