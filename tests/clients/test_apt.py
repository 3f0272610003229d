"""The whole way with real clients: an upstream is synced, packages are imported and published, apt takes them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.apt_client import AptClient
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source, make_udeb
from support.tree_checker import GpgvSignatures, packages_in
from support.upstream import Fault, Upstream
from support.workspaces import Depot

pytestmark = pytest.mark.client

COMPRESSIONS = {"stable": ("gz",), "testing": ("xz",), "unstable": ("zst",), "updates/stable": ("gz", "xz", "zst")}
"""Of the distributions of the site, all of which have the same packages."""
HELLO = {
    "main:hello:amd64=1:2.10-3",
    "main:hello:arm64=1:2.10-3",
    "main:hello-data:all=1:2.10-3",
    "main:hello:source=1:2.10-3",
    "main:di-hello:amd64=1.0",
    "contrib:extra:amd64=1.0-1",
}


@dataclass(frozen=True)
class Site:
    """A published tree with a server before it, and the files that it was made from, by name."""

    depot: Depot
    server: Upstream
    files: dict[str, bytes]

    def sources(self, distribution: str) -> str:
        """The published ``.sources``, with the stanza of one distribution as its comment asks for."""
        head, *stanzas = re.split(r"(?m)^(?=Types:)", (self.depot.tree / "example.sources").read_text())
        return head + next(stanza for stanza in stanzas if f"\nSuites: {distribution}\n" in stanza)

    def client(self, folder: Path, distribution: str = "stable", architecture: str = "amd64") -> AptClient:
        """A client that has not updated yet."""
        return AptClient(folder / "client", self.sources(distribution), architecture)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, keys: Callable[[], Key]) -> AptUpstream:
    """Where the packages come from."""
    folder = tmp_path_factory.mktemp("upstream")
    upstream = AptUpstream(folder / "root", keys(), architectures=("amd64", "arm64"))
    upstream.add(
        make_deb(folder, "hello", "1:2.10-3", depends="hello-data (= 1:2.10-3)", compression="xz"),
        make_deb(folder, "hello", "1:2.10-3", "arm64", depends="hello-data", compression="zst"),
        make_deb(folder, "hello-data", "1:2.10-3", "all"),
        make_source(folder, "hello", "1:2.10-3"),
        make_udeb(folder, "di-hello"),
    )
    upstream.add(make_deb(folder, "extra", depends="hello"), component="contrib")
    upstream.write()
    return upstream


@pytest.fixture(scope="module")
def site(upstream: AptUpstream, tmp_path_factory: pytest.TempPathFactory, keys: Callable[[], Key]) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with Upstream(root=upstream.root) as origin, Upstream(root=folder / "tree") as server:
        depot = Depot(folder, keys(), url=server.url)
        depot.follow(upstream.draft(origin.url))
        for name, compressions in COMPRESSIONS.items():
            depot.distribute(
                name,
                components=("main", "contrib"),
                architectures=("amd64", "arm64", "source"),
                compressions=compressions,
            )
            depot.bring("extra", "hello", "hello:source", "di-hello", to=name, dependencies=True, publish=True)
        files = {path.name: path.read_bytes() for path in upstream.root.glob("pool/**/*") if path.is_file()}
        yield Site(depot, server, files)
        depot.close()


def expected(site: Site, *names: str) -> dict[str, bytes]:
    """What apt keeps in its archives: it writes an epoch into file names, where a pool has none."""
    return {name.replace("_2.10", "_1%3a2.10"): site.files[name] for name in names}


@pytest.mark.parametrize("distribution", COMPRESSIONS)
def test_apt_installs_a_package_with_what_it_needs(site: Site, tmp_path: Path, distribution: str) -> None:
    client = site.client(tmp_path, distribution)
    client.update()
    assert client.packages() == {"hello": "1:2.10-3", "hello-data": "1:2.10-3", "extra": "1.0-1"}
    assert client.install_download_only("extra") == expected(
        site, "extra_1.0-1_amd64.deb", "hello_2.10-3_amd64.deb", "hello-data_2.10-3_all.deb"
    )


@pytest.mark.parametrize("distribution", COMPRESSIONS)
def test_a_tree_is_read_from_a_disk_too(site: Site, tmp_path: Path, distribution: str) -> None:
    here = site.sources(distribution).replace(site.server.url, site.depot.tree.as_uri())
    client = AptClient(tmp_path / "client", here)
    client.update()
    assert client.download("hello") == expected(site, "hello_2.10-3_amd64.deb")


def test_each_architecture_gets_its_own_packages_and_those_for_all(site: Site, tmp_path: Path) -> None:
    client = site.client(tmp_path, architecture="arm64")
    client.update()
    assert client.install_download_only("hello") == expected(
        site, "hello_2.10-3_arm64.deb", "hello-data_2.10-3_all.deb"
    )


def test_apt_asks_for_nothing_that_is_missing_and_for_indexes_by_hash_only(site: Site, tmp_path: Path) -> None:
    site.server.forget()
    site.client(tmp_path).update()
    release, *indexes = (request.path for request in site.server.requests)
    assert release == "/dists/stable/InRelease"
    folders = ("main/binary-amd64", "main/source", "contrib/binary-amd64")
    assert sorted(path.rpartition("/")[0] for path in indexes) == sorted(
        f"/dists/stable/{folder}/by-hash/SHA256" for folder in folders
    )
    assert site.server.count(status=404) == 0


def test_a_second_update_costs_one_request(site: Site, tmp_path: Path) -> None:
    client = site.client(tmp_path)
    client.update()
    site.server.forget()
    client.update()
    assert [(request.path, request.status) for request in site.server.requests] == [("/dists/stable/InRelease", 304)]


def test_apt_fetches_and_unpacks_a_source_package(site: Site, tmp_path: Path) -> None:
    client = site.client(tmp_path)
    client.update()
    arrived = client.source("hello", unpack=True)
    assert arrived == {
        name: site.files[name] for name in ("hello_2.10-3.dsc", "hello_2.10.orig.tar.gz", "hello_2.10-3.debian.tar.xz")
    }
    assert (client.root / "hello-2.10/debian/changelog").read_text().startswith("hello (1:2.10-3)")


@pytest.mark.parametrize("distribution", COMPRESSIONS)
def test_every_index_and_every_file_of_the_tree_is_what_a_signature_says(
    site: Site, tmp_path: Path, distribution: str
) -> None:
    keyring = tmp_path / "keyring.gpg"
    published = (site.depot.tree / "example.asc").read_bytes()
    subprocess.run(["gpg", "--dearmor", "--output", keyring], input=published, check=True, capture_output=True)
    assert packages_in(site.depot.tree, distribution, GpgvSignatures(keyring)) == HELLO


def test_distributions_share_one_pool_in_which_each_file_is_what_upstream_had(site: Site) -> None:
    pool = {path.name: path.read_bytes() for path in site.depot.tree.glob("pool/**/*") if path.is_file()}
    assert pool == site.files


def test_dpkg_deb_accepts_every_package_of_the_pool(site: Site) -> None:
    packages = sorted(site.depot.tree.glob("pool/**/*deb"))
    assert len(packages) == 5
    for package in packages:
        name, version, architecture = _dpkg_deb("--field", package, "Package", "Version", "Architecture").splitlines()
        assert name == f"Package: {package.name.partition('_')[0]}"
        assert version.endswith(package.name.split("_")[1])
        assert architecture.endswith(package.stem.rpartition("_")[2])
        assert "./usr/share/" in _dpkg_deb("--contents", package)


def _dpkg_deb(action: str, package: Path, *arguments: str) -> str:
    return subprocess.run(["dpkg-deb", action, package, *arguments], check=True, capture_output=True, text=True).stdout


# ------------------------------------------------------------------------------------------ trees that change


@pytest.fixture
def growing(tmp_path: Path, keys: Callable[[], Key]) -> Iterator[Site]:
    """A tree that has one package so far."""
    with Upstream(root=tmp_path / "site/tree") as server:
        depot = Depot(tmp_path / "site", keys(), url=server.url)
        depot.distribute()
        depot.upload(make_deb(tmp_path, "first"), publish=True)
        yield Site(depot, server, {})
        depot.close()


def test_a_package_is_there_as_soon_as_it_is_published(growing: Site, tmp_path: Path) -> None:
    client = growing.client(tmp_path)
    client.update()
    growing.depot.upload(make_deb(tmp_path, "second"))
    client.update()
    assert set(client.packages()) == {"first"}
    growing.depot.clock.advance(minutes=1)
    growing.depot.publish()
    client.update()
    assert set(client.packages()) == {"first", "second"}


def test_an_older_version_is_published_again(growing: Site, tmp_path: Path) -> None:
    growing.depot.upload(make_deb(tmp_path, "second"), publish=True)
    client = growing.client(tmp_path)
    client.update()
    assert set(client.packages()) == {"first", "second"}
    growing.depot.clock.advance(minutes=1)
    growing.depot.publish(version=1)
    client.update()
    assert set(client.packages()) == {"first"}


def test_who_has_read_an_old_release_still_finds_its_indexes_and_packages(growing: Site, tmp_path: Path) -> None:
    client = growing.client(tmp_path)
    entry = "/dists/stable/InRelease"
    growing.server.fail(entry, Fault(content=(growing.depot.tree / entry.lstrip("/")).read_bytes()))
    for name in ("second", "third"):
        growing.depot.clock.advance(minutes=1)
        growing.depot.upload(make_deb(tmp_path, name), publish=True)
    client.update()
    assert set(client.packages()) == {"first"}
    assert len(client.install_download_only("first")) == 1


def test_apt_refuses_a_package_that_was_changed_in_the_pool(growing: Site, tmp_path: Path) -> None:
    client = growing.client(tmp_path)
    client.update()
    package = growing.depot.tree / "pool/main/f/first/first_1.0-1_amd64.deb"
    data = bytearray(package.read_bytes())
    data[-1] ^= 1
    package.unlink()
    package.write_bytes(data)
    result = client.run("apt-get", "install", "--download-only", "--yes", "first")
    assert result.returncode != 0
    assert "Hash Sum mismatch" in result.stderr


# ------------------------------------------------------------------------------------------ other repositories


def test_a_repository_that_is_not_signed_is_taken_by_who_trusts_it(tmp_path: Path) -> None:
    with Upstream(root=tmp_path / "site/tree") as server:
        depot = Depot(tmp_path / "site", url=server.url)
        depot.distribute()
        depot.upload(make_deb(tmp_path, "hello"), publish=True)
        depot.close()
        site = Site(depot, server, {})
        client = site.client(tmp_path)
        client.update()
        assert set(client.packages()) == {"hello"}
        assert len(client.install_download_only("hello")) == 1
        doubtful = AptClient(tmp_path / "doubtful", site.sources("stable").replace("Trusted: yes\n", ""))
        assert "is not signed" in doubtful.run("apt-get", "update").stderr


@pytest.mark.parametrize("architecture", ["amd64", "riscv64"])
def test_a_repository_of_packages_for_all_architectures_serves_any_client(
    tmp_path: Path, keys: Callable[[], Key], architecture: str
) -> None:
    depot = Depot(tmp_path / "site", keys(), url=(tmp_path / "site/tree").as_uri())
    depot.distribute()
    depot.upload(make_deb(tmp_path, "data", arch="all"), publish=True)
    depot.close()
    client = AptClient(tmp_path / "client", (depot.tree / "example.sources").read_text(), architecture)
    client.update()
    assert set(client.packages()) == {"data"}
