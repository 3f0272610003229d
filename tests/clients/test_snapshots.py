"""Real apt and dnf on trees of promoted and rolled-back versions, and on snapshots, which stay what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from entrepot.progress import silent
from entrepot.services import publishing, snapshots, upkeep, versions
from entrepot.services.snapshots import SnapshotRequest
from support import radosgw
from support.apt_client import AptClient
from support.apt_repository import Key
from support.debs import make_deb, make_source
from support.dnf_client import DnfClient
from support.rpms import make_rpm
from support.s3_buckets import new_bucket, use_credentials
from support.serving import Serving
from support.workspaces import Depot

pytestmark = pytest.mark.client


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def apt_depot(tmp_path: Path, keys: Callable[[], Key]) -> Iterator[Depot]:
    """Two distributions; ``stable`` has two versions of a package, one after the other."""
    depot = Depot(tmp_path / "depot", keys())
    for name in ("stable", "prod"):
        depot.distribute(name, architectures=("amd64", "source"))
    depot.upload(make_deb(tmp_path), *make_source(tmp_path))
    depot.publish()
    yield depot
    depot.close()


@pytest.fixture
def rpm_depot(tmp_path: Path) -> Iterator[Depot]:
    depot = Depot(tmp_path / "depot", format_name="rpm")
    for name in ("el9/x86_64", "prod/x86_64"):
        depot.distribute(name)
    depot.upload(make_rpm(tmp_path, "hello", "1.0"), to="el9/x86_64")
    depot.publish("el9/x86_64")
    yield depot
    depot.close()


def move_on(depot: Depot, newer: Path, name: str) -> None:
    """What was in place becomes a snapshot, and makes room for something newer."""
    snapshots.create(depot.workspace, f"example/{name}", request=SnapshotRequest("20260301T120000Z"))
    depot.clock.advance(days=1)
    depot.upload(newer, to=name)
    versions.remove_packages(depot.workspace, f"example/{name}", ["hello=1.0-1"])
    depot.clock.advance(days=40)
    depot.configure(grace_days=1, grace_publications=0)
    depot.publish(name, force=True)
    upkeep.collect(depot.workspace, yes=True)


def test_apt_finds_a_snapshot_under_both_its_addresses_when_the_package_has_left(
    apt_depot: Depot, tmp_path: Path, stack: ExitStack
) -> None:
    move_on(apt_depot, make_deb(tmp_path, version="2.0-1"), "stable")
    assert apt_depot.key
    keyring = tmp_path / "archive.asc"
    keyring.write_bytes(apt_depot.key.armored)
    root = Serving(stack, apt_depot.tree, tmp_path).origin()
    line = f"Components: main\nSigned-By: {keyring}\n"

    def client(name: str, uri: str, suite: str) -> AptClient:
        return AptClient(tmp_path / name, f"Types: deb deb-src\nURIs: {uri}\nSuites: {suite}\n{line}")

    now = client("now", root, "stable")
    assert now.update()
    assert now.packages() == {"hello": "2.0-1"}
    (release,) = (now.root / "var/lib/apt/lists").glob("*_InRelease")
    assert f"Snapshots: {apt_depot.url}snapshots/@SNAPSHOTID@/\n" in release.read_text()
    places = [
        (f"{root}snapshots/20260301T120000Z/", "stable"),
        (f"file://{apt_depot.tree}/snapshots/20260301T120000Z/", "stable"),
        (root, "stable/20260301T120000Z"),
    ]
    for number, place in enumerate(places):
        then = client(f"then{number}", *place)
        then.update()
        assert then.packages() == {"hello": "1.0-1"}
        assert list(then.download("hello")) == ["hello_1.0-1_amd64.deb"]
        assert then.source("hello")


def test_apt_follows_a_promotion_and_a_rollback(apt_depot: Depot, tmp_path: Path, stack: ExitStack) -> None:
    apt_depot.upload(make_deb(tmp_path, version="2.0-1"), publish=True)
    assert apt_depot.key
    keyring = tmp_path / "archive.asc"
    keyring.write_bytes(apt_depot.key.armored)
    root = Serving(stack, apt_depot.tree, tmp_path).origin()
    sources = f"Types: deb\nURIs: {root}\nSuites: prod\nComponents: main\nSigned-By: {keyring}\n"
    client = AptClient(tmp_path / "client", sources)
    for change, expected in (
        (lambda: versions.promote(apt_depot.workspace, "example/stable", "example/prod", 1), "1.0-1"),
        (lambda: versions.promote(apt_depot.workspace, "example/stable", "example/prod"), "2.0-1"),
        (lambda: versions.rollback(apt_depot.workspace, "example/prod", 1), "1.0-1"),
        (lambda: apt_depot.publish("prod", 2), "2.0-1"),
    ):
        apt_depot.clock.advance(minutes=5)
        change()
        client.update()
        assert client.packages() == {"hello": expected}
        (name,) = client.download("hello")
        assert name == f"hello_{expected}_amd64.deb"
        (client.root / name).unlink()


def test_dnf_finds_a_snapshot_when_the_package_has_left(rpm_depot: Depot, tmp_path: Path, stack: ExitStack) -> None:
    move_on(rpm_depot, make_rpm(tmp_path, "hello", "2.0"), "el9/x86_64")
    root = Serving(stack, rpm_depot.tree, tmp_path).origin()
    snapshot = "snapshots/20260301T120000Z/el9/x86_64/"
    for number, (url, version) in enumerate(
        [
            (f"{root}el9/x86_64/", "2.0"),
            (f"{root}{snapshot}", "1.0"),
            (f"file://{rpm_depot.tree}/{snapshot}", "1.0"),
        ]
    ):
        client = DnfClient(tmp_path / f"client{number}", f"[t]\nname=t\nbaseurl={url}\ngpgcheck=0\n")
        assert client.packages() == {f"hello-0:{version}-1.noarch"}
        assert client.install("hello") == {f"hello-{version}-1.noarch"}


def test_dnf_follows_a_promotion_and_a_rollback(rpm_depot: Depot, tmp_path: Path, stack: ExitStack) -> None:
    rpm_depot.upload(make_rpm(tmp_path, "hello", "2.0"), to="el9/x86_64", publish=True)
    root = Serving(stack, rpm_depot.tree, tmp_path).origin()
    client = DnfClient(tmp_path / "client", f"[t]\nname=t\nbaseurl={root}prod/x86_64/\ngpgcheck=0\n")
    both = {"hello-0:1.0-1.noarch", "hello-0:2.0-1.noarch"}
    changes: list[tuple[Callable[[], object], set[str]]] = [
        (lambda: versions.promote(rpm_depot.workspace, "example/el9/x86_64", "example/prod/x86_64"), both),
        (lambda: versions.promote(rpm_depot.workspace, "example/el9/x86_64", "example/prod/x86_64", 1), {min(both)}),
        (lambda: versions.rollback(rpm_depot.workspace, "example/prod/x86_64", 1), both),
    ]
    for change, expected in changes:
        rpm_depot.clock.advance(minutes=5)
        change()
        assert client.packages() == expected
    assert list(client.download("hello")) == ["hello-2.0-1.noarch.rpm"]


def test_several_distributions_are_in_one_snapshot(apt_depot: Depot, tmp_path: Path, stack: ExitStack) -> None:
    versions.promote(apt_depot.workspace, "example/stable", "example/prod")
    request = publishing.PublishRequest()
    wanted = SnapshotRequest("q1")
    snapshots.publish_with_snapshots(apt_depot.workspace, ["example"], silent, request, wanted)
    root = Serving(stack, apt_depot.tree, tmp_path).origin()
    sources = f"Types: deb\nURIs: {root}snapshots/q1/\nSuites: stable prod\nComponents: main\nTrusted: yes\n"
    client = AptClient(tmp_path / "client", sources)
    client.run("apt-get", "update")
    assert len(list((client.root / "var/lib/apt/lists").glob("*_Packages*"))) == 2


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Callable[[Depot], str]:
    """Has a repository published to a bucket instead, and answers its URL."""
    if missing := radosgw.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    use_credentials(monkeypatch, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)

    def publish_to(depot: Depot) -> str:
        service = radosgw.service().url
        depot.configure("[storage.s3]", f'endpoint_url = "{service}"', 'acl = "public-read"')
        name = new_bucket(service)
        depot.publish_to(f"s3://{name}/tree")
        return f"{service}/{name}/tree/"

    return publish_to


def test_apt_finds_a_snapshot_in_a_bucket_as_a_suite(
    apt_depot: Depot, tmp_path: Path, bucket: Callable[[Depot], str]
) -> None:
    url = bucket(apt_depot)
    snapshots.create(apt_depot.workspace, "example/stable", request=SnapshotRequest("q1"))
    sources = f"Types: deb\nURIs: {url}\nSuites: stable/q1\nComponents: main\nTrusted: yes\n"
    client = AptClient(tmp_path / "client", sources)
    client.run("apt-get", "update")
    assert list(client.download("hello")) == ["hello_1.0-1_amd64.deb"]


def test_dnf_finds_a_snapshot_in_a_bucket(rpm_depot: Depot, tmp_path: Path, bucket: Callable[[Depot], str]) -> None:
    url = bucket(rpm_depot)
    snapshots.create(rpm_depot.workspace, "example/el9/x86_64", request=SnapshotRequest("q1"))
    client = DnfClient(tmp_path / "client", f"[t]\nname=t\nbaseurl={url}snapshots/q1/el9/x86_64/\ngpgcheck=0\n")
    assert list(client.download("hello")) == ["hello-1.0-1.noarch.rpm"]
