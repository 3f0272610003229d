"""A dry run tells the truth: steps, bytes and requests are those of the publication that follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.errors import SigningError
from entrepot.publish.lease import LEASE_KEY
from entrepot.publish.plan import TreePlan
from entrepot.services.publishing import DEFAULT, PublishRequest, publish
from entrepot_storage.wrappers import CountingStorage, Counts, DryRunStorage
from support.apt_repository import Key
from support.debs import make_deb
from support.gnupg import gnupg_home, make_key
from support.stock import stock
from support.tree_checker import StampSignatures, contents, packages_in, packages_named
from support.workspaces import NOW, Depot, crashes

SIGNATURES = StampSignatures()
STEPS = {"write": "write", "copy": "copy", "delete": "remove"}
LEASE_WRITES = 2


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Three versions, none of which is published; the third lacks what the second brought."""
    folder = tmp_path_factory.mktemp("versions")
    depot = Depot(folder / "depot", stamp=True, through=True)
    depot.distribute(components=("main", "contrib"), compressions=("gz", "xz"))
    depot.upload(make_deb(folder), make_deb(folder, "data", arch="all"))
    depot.upload(make_deb(folder, "extra"), component="contrib")
    depot.remove("extra")
    depot.close()
    return depot


@pytest.fixture
def depot(versions: Depot, tmp_path: Path) -> Iterator[Depot]:
    depot = versions.copy(tmp_path / "depot")
    yield depot
    depot.close()


def sign(depot: Depot, name: str | None) -> None:
    """Lets the repository be signed, or not."""
    catalog = depot.workspace.catalog
    with catalog.transaction():
        catalog.repositories.update(catalog.repositories.get("example"), {"signer": name, "sign_with": None})


def stop_signing(depot: Depot) -> None:
    sign(depot, None)


def planned(depot: Depot, request: PublishRequest = DEFAULT) -> TreePlan | None:
    """What a dry run says."""
    before = contents(depot.tree)
    (target,) = publish(depot.workspace, "example/stable", request=replace(request, dry_run=True)).targets
    assert contents(depot.tree) == before
    return target.plan


def counted(depot: Depot, request: PublishRequest = DEFAULT) -> tuple[Counts, Mapping[str, int]]:
    """What a publication asked of the storage, and what it says that it did."""
    whole = depot.storage
    depot.storage = counting = CountingStorage(whole)
    (target,) = publish(depot.workspace, "example/stable", request=request).targets
    depot.storage = whole
    return counting.counts, target.report.requests if target.report else {}


def steps_done(depot: Depot, folder: Path, request: PublishRequest) -> list[tuple[str, str, int]]:
    """What a publication of a copy does, in order; the lease is left out."""
    depot.close()
    copied = depot.copy(folder / "copy")
    copied.storage = dry = DryRunStorage(copied.storage)
    publish(copied.workspace, "example/stable", request=request)
    copied.close()
    return [(STEPS[done.kind], done.key, done.size) for done in dry.operations if done.key != LEASE_KEY]


def nothing(depot: Depot) -> None:
    """Changes nothing."""


@pytest.mark.parametrize(
    ("published", "change", "request_"),
    [
        pytest.param([], nothing, PublishRequest(1), id="first"),
        pytest.param([1], nothing, PublishRequest(2), id="one more"),
        pytest.param([1, 2], nothing, PublishRequest(1), id="rollback"),
        pytest.param([1, 2, 3], nothing, PublishRequest(2), id="back again"),
        pytest.param([2], nothing, PublishRequest(2, force=True), id="signed again"),
        pytest.param([2], nothing, PublishRequest(3, full=True), id="full"),
        pytest.param([2], stop_signing, PublishRequest(2), id="not signed any more"),
    ],
)
def test_what_a_dry_run_tells_is_what_is_done(
    depot: Depot, tmp_path: Path, published: list[int], change: Callable[[Depot], None], request_: PublishRequest
) -> None:
    for number in published:
        depot.publish(version=number)
        depot.clock.advance(minutes=1)
    change(depot)
    plan = planned(depot, request_)
    assert plan
    wanted = [step for step in plan.steps() if step[0] != "supersede"]
    assert sorted(wanted) == sorted(steps_done(depot, tmp_path, request_))
    before = contents(depot.tree)
    counts, reported = counted(depot, request_)
    asked = {
        "write": counts.writes,
        "copy": counts.copies,
        "read": counts.reads + counts.stats,
        "delete": counts.deletes,
    }
    assert asked == plan.requests() == reported
    assert counts.lists == 0
    lease_bytes = counts.bytes_written + counts.bytes_copied - plan.size
    assert 0 < lease_bytes < LEASE_WRITES * 500
    after = contents(depot.tree)
    assert after.keys() - before.keys() <= {path for _, path, _ in wanted}
    assert before.keys() - after.keys() == {path for step, path, _ in wanted if step == "remove"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_nothing_is_planned_asked_for_or_written_where_nothing_changed(depot: Depot, number: int) -> None:
    depot.publish(version=number)
    assert planned(depot, PublishRequest(number)) is None
    assert counted(depot, PublishRequest(number)) == (Counts(), {})


def test_one_package_more_costs_the_same_few_requests_in_a_large_distribution(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot", stamp=True, through=True)
    depot.distribute(compressions=("gz", "xz"))
    stock(depot, *(f"package-{number}" for number in range(1000)))
    depot.publish()
    stock(depot, "one-more")
    counts, _ = counted(depot)
    assert counts.writes + counts.copies <= 12
    assert counts.reads + counts.stats <= 3
    assert (counts.lists, counts.deletes) == (0, 0)
    assert len(packages_in(depot.tree, "stable", SIGNATURES)) == 1001
    depot.close()


# ------------------------------------------------------------------------------------------------------ signing


def test_what_clients_read_first_is_signed_or_not_as_the_repository_is(depot: Depot) -> None:
    def release_files() -> set[str]:
        return {path.name for path in (depot.tree / "dists/stable").iterdir() if path.is_file()}

    depot.publish()
    signed = {"InRelease", "Release", "Release.gpg"}
    assert release_files() == signed
    for signer, expected in ((None, {"Release"}), ("stamp", signed), (None, {"Release"})):
        depot.clock.advance(minutes=1)
        sign(depot, signer)
        depot.publish()
        assert release_files() == expected
        if signer:
            packages_in(depot.tree, "stable", SIGNATURES)


def test_the_signature_of_a_release_goes_before_what_has_its_own_signature_in_it(depot: Depot) -> None:
    depot.publish()
    stop_signing(depot)
    plan = planned(depot)
    assert plan
    assert plan.removals == ["dists/stable/Release.gpg", "dists/stable/InRelease"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("signers", [("stamp", None), (None, "stamp")], ids=["not any more", "from now on"])
def test_a_publisher_that_dies_while_signing_is_given_up_or_begun_leaves_nothing_that_contradicts_itself(
    versions: Depot, tmp_path: Path, signers: tuple[str | None, str | None], *, after: bool
) -> None:
    begun = versions.copy(tmp_path / "begun")
    sign(begun, signers[0])
    begun.publish(version=1)
    begun.clock.advance(minutes=1)
    sign(begun, signers[1])
    begun.close()
    for depot in crashes(begun, tmp_path, 2, after=after):
        assert len(seen(depot)) in (2, 3)
        for signer in (signers[1], signers[0]):
            sign(depot, signer)
            depot.publish(version=2)
            assert len(seen(depot)) == 3
            assert (depot.tree / "dists/stable/InRelease").exists() == (signer is not None)
            depot.clock.advance(minutes=1)


def seen(depot: Depot) -> frozenset[str]:
    """What a client sees that trusts the repository, signed or not, and refuses only signatures of something else."""
    folder = depot.tree / "dists/stable"
    if (folder / "InRelease").exists():
        return packages_named(depot.tree, "stable", SIGNATURES.opened(folder / "InRelease"))
    if (folder / "Release.gpg").exists():
        SIGNATURES.check(folder / "Release", folder / "Release.gpg")
    return packages_named(depot.tree, "stable", (folder / "Release").read_bytes())


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Key]:
    """A key that expires ten days after it was made, which is at the tests' time."""
    with gnupg_home() as home:
        made = f"{NOW:%Y%m%dT%H%M%S}!"
        yield Key(home, make_key(home, "Archive <archive@example.org>", "ed25519", "10d", "--faked-system-time", made))


@pytest.mark.client
@pytest.mark.parametrize(("days", "problem"), [(2, ""), (4, "expires on"), (11, "expired on")])
def test_a_key_that_expired_or_soon_will_stops_a_publication_before_its_first_write(
    tmp_path: Path, short_lived: Key, days: int, problem: str
) -> None:
    depot = Depot(tmp_path / "depot", short_lived)
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    before = contents(depot.tree)
    depot.upload(make_deb(tmp_path, "other"))
    depot.clock.advance(days=days)
    if problem:
        for dry_run in (True, False):
            with pytest.raises(SigningError, match=problem):
                publish(depot.workspace, "example/stable", request=PublishRequest(dry_run=dry_run))
        assert contents(depot.tree) == before
        assert depot.published_version() == 1
    else:
        assert depot.publish() == "published"
    depot.close()
