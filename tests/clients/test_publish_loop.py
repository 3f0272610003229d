"""Real apt, over and over, while the tree is published all the time: not one update fails, whatever is in between."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import radosgw
from support.apt_client import AptClient
from support.apt_repository import Key
from support.debs import make_deb
from support.republished import SECONDS, read_for, republished
from support.s3_buckets import new_bucket, use_credentials
from support.serving import TTL, WAYS, Serve, Serving
from support.stock import stock
from support.workspaces import Depot

pytestmark = pytest.mark.client

CLIENTS = 3


@dataclass(frozen=True)
class Site:
    """A tree, and what serves it."""

    depot: Depot
    serving: Serving
    folder: Path

    def client(self, url: str, name: str = "client") -> AptClient:
        """A client of a URL at which the tree is."""
        assert self.depot.key
        keyring = self.folder / "archive.asc"
        keyring.write_bytes(self.depot.key.armored)
        stanza = f"Types: deb\nURIs: {url}\nSuites: stable\nComponents: main\nSigned-By: {keyring}\n"
        return AptClient(self.folder / name, stanza)

    def publish_newest(self) -> int:
        """Publishes now: a client does not take a Release that is older than the one it has. Answers the version."""
        self.depot.clock.time = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.depot.publish(force=True)
        return self.depot.published_version()


@pytest.fixture
def site(tmp_path: Path, keys: Callable[[], Key]) -> Iterator[Site]:
    """Versions of some hundred packages that differ in one each; none is published."""
    depot = Depot(tmp_path / "depot", keys())
    depot.distribute(compressions=("gz", "xz", "zst"))
    depot.upload(make_deb(tmp_path))
    stock(depot, *(f"package-{number}" for number in range(300)))
    for number in range(5):
        depot.remove(f"package-{number}")
        stock(depot, f"more-{number}")
    with ExitStack() as stack:
        yield Site(depot, Serving(stack, depot.tree, tmp_path), tmp_path)
        depot.close()


@pytest.fixture
def bucket(site: Site, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket that the tree is published to, and from which everybody may read."""
    if missing := radosgw.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    use_credentials(monkeypatch, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    service = radosgw.service().url
    site.depot.configure("[storage.s3]", f'endpoint_url = "{service}"', 'acl = "public-read"')
    name = new_bucket(service)
    site.depot.publish_to(f"s3://{name}/deb")
    return f"{service}/{name}/deb/"


@pytest.mark.parametrize("serve", WAYS)
def test_apt_never_fails_while_a_folder_is_published_all_the_time(site: Site, serve: Serve) -> None:
    check_loop(site, serve(site.serving))
    site.serving.check_caches("InRelease")


def test_apt_never_fails_while_a_bucket_is_published_to_all_the_time(site: Site, bucket: str) -> None:
    check_loop(site, bucket)


def check_loop(site: Site, url: str) -> None:
    """Updates and downloads without a failure; afterwards the newest version reaches every client."""
    newest = site.publish_newest()
    clients = [site.client(url, f"client-{number}") for number in range(CLIENTS)]
    seen: list[set[str]] = [set() for _ in clients]
    with republished(site.depot.home, "example/stable", range(2, newest + 1)):
        readers = [reader(client, releases) for client, releases in zip(clients, seen, strict=True)]
        reading = read_for(SECONDS, readers, lambda: min(map(len, seen)) > 1)
    assert not reading.failures
    assert min(map(len, seen)) > 1
    # The publisher was killed wherever it was.
    site.publish_newest()
    for client in clients:
        wait_for_newest(client)


def reader(client: AptClient, releases: set[str]) -> Callable[[], object]:
    """Updates, and now and then downloads; notes which indexes it was told of."""
    turns = itertools.count()

    def read() -> None:
        client.update()
        (release,) = (client.root / "var/lib/apt/lists").glob("*_InRelease")
        releases.add(release.read_text().partition("SHA256:")[2])
        if next(turns) % 4 == 0:
            (name,) = client.download("hello")
            (client.root / name).unlink()

    return read


def wait_for_newest(client: AptClient) -> None:
    """Updates until the newest version is there, at the latest when all caches have let go of older ones."""
    end = time.monotonic() + 10 * TTL
    while True:
        client.update()
        names = client.packages().keys()
        if "more-4" in names and "package-4" not in names:
            return
        assert time.monotonic() < end, "the newest version does not reach a client"


@pytest.mark.parametrize("serve", [Serving.plain, Serving.origin])
def test_a_publication_within_the_second_of_the_one_before_reaches_a_client(site: Site, serve: Serve) -> None:
    client = site.client(serve(site.serving))
    entry = site.depot.tree / "dists/stable/InRelease"
    site.depot.publish(version=2)
    for version, gone in ((3, "package-0"), (5, "package-1"), (7, "package-2")):
        # apt asks whether it was modified since, in whole seconds: whatever comes next is not, by the clock.
        date = entry.stat().st_mtime + 2
        os.utime(entry, (date, date))
        client.update()
        assert gone in client.packages()
        site.depot.clock.advance(seconds=1)
        site.depot.publish(version=version)
        client.update()
        assert gone not in client.packages()
