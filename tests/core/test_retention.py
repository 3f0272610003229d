"""What a distribution keeps: the newest versions of each package, and the newest or youngest of its own versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalog.versions import Addition
from entrepot.errors import NotFoundError, UsageError
from entrepot.models import PackageFile, PackageInfo, Sha256
from entrepot.services import repositories, retaining, retention, snapshots, upkeep, versions
from entrepot.services.snapshots import SnapshotRequest
from entrepot.services.version_changes import ChangeRequest
from support.debs import make_deb
from support.rpms import make_rpm
from support.workspaces import Depot

STABLE = "example/stable"
QUIET = ChangeRequest(publish_after=False)


@dataclass(frozen=True, order=True)
class Package:
    """A package that is in without any import."""

    name: str
    version: str
    architecture: str = "amd64"
    depends: str = ""
    module: str = ""
    component: str = "main"


def arrive(depot: Depot, *packages: Package) -> int:
    """Makes a version with these packages besides those that are there; answers its number."""
    workspace = depot.workspace
    catalog, key = workspace.catalog, workspace.format("apt").versions.key
    distribution = catalog.repositories.distribution(STABLE)
    additions = []
    with catalog.transaction():
        for package in packages:
            sha256 = Sha256(hashlib.sha256(repr(package).encode()).hexdigest())
            raw = f"Package: {package.name}\nVersion: {package.version}\nArchitecture: {package.architecture}\n"
            raw += f"Depends: {package.depends}\n" if package.depends else ""
            info = PackageInfo(
                format="apt",
                kind="binary",
                name=package.name,
                version=package.version,
                version_key=key(package.version),
                architecture=package.architecture,
                source_name=package.name,
                summary="",
                section="",
                raw=f"{raw}Size: 1\nSHA256: {sha256}".encode(),
                files=(PackageFile(f"{package.name}_{package.version}_{package.module}.deb", 1, sha256),),
                module=package.module,
            )
            package_id = catalog.packages.add(info, workspace.now())
            additions.append(Addition(package_id, info, package.component, "pool"))
        return catalog.versions.create(distribution, additions, [], "arrived", workspace.now()).number


def held(depot: Depot, number: int | None = None) -> list[str]:
    """Names and versions of the packages of a version."""
    catalog = depot.workspace.catalog
    distribution = catalog.repositories.distribution(STABLE)
    number = catalog.versions.latest(distribution).number if number is None else number
    return [f"{member.name}={member.version}" for member in catalog.versions.members(distribution, number)]


def numbers(depot: Depot) -> list[int]:
    """The versions that there are."""
    catalog = depot.workspace.catalog
    return sorted(version.number for version in catalog.versions.list(catalog.repositories.distribution(STABLE)))


def keep(depot: Depot, **limits: int) -> None:
    """Sets what the distribution keeps."""
    repositories.set_distribution(depot.workspace, STABLE, limits)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    depot = Depot(tmp_path_factory.mktemp("empty") / "depot", stamp=True)
    depot.distribute(architectures=["amd64"])
    depot.close()
    return depot


@pytest.fixture
def depot(empty: Depot, tmp_path: Path) -> Iterator[Depot]:
    depot = empty.copy(tmp_path / "depot")
    depot.publish_to(str(depot.tree))
    yield depot
    depot.close()


# ---------------------------------------------------------------------------------------------- versions of packages


def test_the_newest_of_each_package_stay_by_version_order(depot: Depot) -> None:
    arrive(depot, *(Package("hello", version) for version in ("1.10", "1.9", "1.9~rc1", "2:0.1")))
    keep(depot, keep=2)
    result = retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert held(depot) == ["hello=1.10", "hello=2:0.1"]
    (change,) = result.change.diff.changes
    assert (change.before, change.after) == (("1.9~rc1", "1.9"), ())
    assert held(depot, 1) == ["hello=1.9~rc1", "hello=1.9", "hello=1.10", "hello=2:0.1"]


def test_architectures_components_and_streams_of_modules_count_apart(depot: Depot) -> None:
    apart = [
        Package("hello", "1"),
        Package("hello", "2", "arm64"),
        Package("hello", "3", component="extra"),
        Package("hello", "4", module="m:one:1:aa"),
        Package("hello", "5", module="m:two:1:aa"),
    ]
    arrive(depot, Package("hello", "3", module="m:one:2:bb"), *apart)
    keep(depot, keep=1)
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert held(depot) == [f"hello={number}" for number in range(1, 6)]


def test_it_is_applied_before_the_newest_version_is_published(depot: Depot, tmp_path: Path) -> None:
    keep(depot, keep=1)
    depot.upload(make_deb(tmp_path), publish=True)
    depot.upload(make_deb(tmp_path, version="2.0-1"), publish=True)
    assert (held(depot), depot.published_version()) == (["hello=2.0-1"], 3)
    entry = depot.workspace.catalog.audit.list(limit=50)
    (line,) = [row for row in entry if row["action"] == "version.retain"]
    assert json.loads(line["detail"])["removed"] == ["hello:amd64=1.0-1"]


def test_a_dry_run_tells_what_would_go(depot: Depot) -> None:
    arrive(depot, Package("hello", "1"), Package("hello", "2"))
    keep(depot, keep=1)
    result = retention.apply_retention(depot.workspace, STABLE, request=ChangeRequest(dry_run=True))
    assert [change.name for change in result.change.diff.changes] == ["hello"]
    assert numbers(depot) == [0, 1]


def test_only_names_that_came_in_are_looked_at_until_the_limit_changes(depot: Depot) -> None:
    arrive(depot, Package("hello", "1"), Package("hello", "2"), Package("other", "1"))
    keep(depot, keep=2)
    catalog = depot.workspace.catalog

    def retain() -> list[str]:
        distribution = catalog.repositories.distribution(STABLE)
        return [member.version for member in retaining.retain(depot.workspace, distribution)[0].packages]

    assert retain() == []
    assert catalog.retention.retained(catalog.repositories.distribution(STABLE)) == 1
    arrive(depot, Package("other", "2"), Package("other", "3"))
    assert retain() == ["1"]
    keep(depot, keep=1)
    assert retain() == ["1", "2"]


def test_an_older_package_stays_where_one_that_stays_depends_on_it(depot: Depot) -> None:
    arrive(
        depot,
        Package("lib", "1", depends="data (= 1)"),
        Package("lib", "2"),
        Package("lib", "3"),
        Package("data", "1"),
        Package("data", "2"),
        Package("tool", "1", depends="lib (= 1)"),
    )
    keep(depot, keep=1, keep_needed=1)
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert held(depot) == ["data=1", "data=2", "lib=1", "lib=3", "tool=1"]
    arrive(depot, Package("tool", "2", depends="lib"))
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert held(depot) == ["data=2", "lib=3", "tool=2"]


def test_an_older_rpm_stays_where_one_that_stays_depends_on_it(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "site", format_name="rpm")
    depot.configure('[inspection]\nskip = ["clamav", "osv", "contents", "signature", "dependencies"]')
    depot.distribute("stable", architectures=["x86_64"])
    depot.upload(
        make_rpm(tmp_path, "lib", "1"),
        make_rpm(tmp_path, "lib", "2"),
        make_rpm(tmp_path, "lib", "3"),
        make_rpm(tmp_path, "tool", requires=["lib = 2"]),
    )
    keep(depot, keep=1, keep_needed=1)
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert held(depot) == ["lib=2-1", "lib=3-1", "tool=1.0-1"]
    depot.close()


def test_without_that_setting_it_goes(depot: Depot) -> None:
    arrive(depot, Package("lib", "1"), Package("lib", "2"), Package("tool", "1", depends="lib (= 1)"))
    keep(depot, keep=1)
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert held(depot) == ["lib=2", "tool=1"]


PACKAGES = st.builds(
    Package,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["1", "1.0", "1.10", "1.9", "2~a", "2", "1:0"]),
    st.sampled_from(["amd64", "arm64"]),
    module=st.sampled_from(["", "m:s:1:c", "m:t:1:c"]),
    component=st.sampled_from(["main", "extra"]),
)


@given(batches=st.lists(st.sets(PACKAGES, max_size=12), min_size=1, max_size=4), limit=st.integers(1, 3))
@settings(max_examples=40)
def test_the_newest_are_never_dropped_and_once_is_enough(
    tmp_path_factory: pytest.TempPathFactory, empty: Depot, batches: list[set[Package]], limit: int
) -> None:
    depot = empty.copy(tmp_path_factory.mktemp("any") / "depot")
    keep(depot, keep=limit)
    catalog, key = depot.workspace.catalog, depot.workspace.format("apt").versions.key
    kept: set[Package] = set()
    for batch in batches:
        arrive(depot, *sorted(batch - kept))
        kept |= batch
        newest: set[Package] = set()
        kinds = sorted(kept, key=_kind)
        for _, group in groupby(kinds, key=_kind):
            packages = list(group)
            order = sorted({key(package.version) for package in packages}, reverse=True)[:limit]
            newest |= {package for package in packages if key(package.version) in order}
        kept = newest
        distribution = catalog.repositories.distribution(STABLE)
        _, version = retaining.retain(depot.workspace, distribution)
        assert sorted(held(depot)) == sorted(f"{package.name}={package.version}" for package in kept)
        assert retaining.retain(depot.workspace, distribution, everything=True)[1] == version
    depot.close()
    depot.workspace.close()


def _kind(package: Package) -> tuple[str, ...]:
    return package.name, package.architecture, package.component, package.module


# ----------------------------------------------------------------------------------------- versions of distributions


def ages(depot: Depot, count: int) -> None:
    """As many versions, one each day, each of which is published when it is there."""
    for number in range(1, count + 1):
        arrive(depot, Package(f"p{number}", "1"))
        depot.clock.advance(days=1)


def test_the_newest_versions_stay(depot: Depot) -> None:
    ages(depot, 6)
    keep(depot, keep_versions=2)
    result = retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert (numbers(depot), list(result.versions)) == ([0, 5, 6], [1, 2, 3, 4])
    assert held(depot, 5) == [f"p{number}=1" for number in range(1, 6)]
    with pytest.raises(NotFoundError, match="has no version 3"):
        versions.diff(depot.workspace, STABLE, 3)


def test_young_versions_stay_by_when_they_were_followed(depot: Depot) -> None:
    ages(depot, 6)
    keep(depot, keep_days=3)
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert numbers(depot) == [0, 3, 4, 5, 6]


def test_a_version_stays_that_either_limit_keeps(depot: Depot) -> None:
    ages(depot, 6)
    keep(depot, keep_versions=4, keep_days=1)
    retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert numbers(depot) == [0, 3, 4, 5, 6]


def test_what_is_in_place_what_was_before_it_and_snapshots_stay(depot: Depot, tmp_path: Path) -> None:
    for version in ("1", "2", "3", "4"):
        depot.upload(make_deb(tmp_path, version=version))
    for number in (1, 3, 2):
        depot.publish(version=number)
    snapshots.create(depot.workspace, STABLE, 1, request=SnapshotRequest("q1"))
    depot.clock.advance(days=100)
    keep(depot, keep_versions=1, keep_days=1)
    depot.upload(make_deb(tmp_path, version="5"))
    depot.clock.advance(days=5)
    result = retention.apply_retention(depot.workspace, STABLE, request=QUIET)
    assert (numbers(depot), list(result.versions)) == ([0, 1, 2, 3, 5], [4])


def test_packages_of_forgotten_versions_are_collected(depot: Depot, tmp_path: Path) -> None:
    depot.configure(grace_days=0, grace_publications=0)
    keep(depot, keep=1, keep_versions=1)
    for version in ("1", "2", "3", "4"):
        depot.upload(make_deb(tmp_path, version=version), publish=True)
        depot.clock.advance(days=2)
    upkeep.collect(depot.workspace, yes=True)
    depot.clock.advance(days=2)
    upkeep.collect(depot.workspace, yes=True)
    pool = sorted(path.name for path in (depot.tree / "pool").rglob("*.deb"))
    stored = sum(1 for _ in depot.workspace.store.files())
    assert "hello_4_amd64.deb" in pool
    assert "hello_1_amd64.deb" not in pool
    assert stored <= 3
    assert [result.faults for result in upkeep.check(depot.workspace, content=True)] == [[], []]


def test_a_distribution_that_keeps_everything_says_so(depot: Depot) -> None:
    with pytest.raises(UsageError, match="keeps everything") as caught:
        retention.apply_retention(depot.workspace, STABLE)
    assert caught.value.hint.endswith("--keep N`")
