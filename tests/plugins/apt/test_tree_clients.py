"""The real apt-get reads our trees, signed by the real gpg, set up by the files that the trees themselves hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.contracts import Signer, TreeTools
from entrepot.models import Distribution, Target
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot_plugins.apt.debfile import DebReader
from entrepot_plugins.apt.tree import AptTree
from entrepot_plugins.signers.gpg import GpgSignerFactory
from support.apt_client import AptClient
from support.debs import make_deb, make_source
from support.gnupg import gnupg_home, make_key
from support.upstream import Fault, Upstream
from support.views import NOW, MemoryView, a_distribution, a_repository, write_tree

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def signer() -> Iterator[Signer]:
    with gnupg_home() as home:
        make_key(home, "archive@example.org", "rsa3072")
        yield GpgSignerFactory().open(None, {"home": str(home)}, home)


class Site:
    """A folder that becomes a published tree."""

    def __init__(self, folder: Path, signer: Signer | None, url: str = "") -> None:
        self.folder = folder / "site"
        self.signer = signer
        self.repository = a_repository(public_url=url, targets=(Target(1, self.folder.as_uri()),))
        self._work = folder

    def publish(self, distribution: Distribution, members: Sequence[tuple[str, Sequence[Path]]]) -> None:
        """Publishes package files, each given with its component and, for a source, what belongs to it."""
        tree = AptTree()
        placed = []
        for component, files in members:
            info = DebReader().read(files, None)
            location = tree.location(info, distribution, component)
            placed.append((component, info, location))
            for file in files:
                path = self.folder / location / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read_bytes())
        version = MemoryView(self.repository, distribution, placed)
        render = IndexRenderer(PieceCache(self._work / "cache"), version.load, salt="apt 1")
        tools = TreeTools(render, self.signer, NOW)
        write_tree(self.folder, tree.build(version, tools))
        write_tree(self.folder, tree.front(self.repository, [distribution], tools))

    def client(self, architecture: str = "amd64") -> AptClient:
        """An updated client, with nothing but what the tree itself offers to set one up."""
        sources = (self.folder / "example.sources").read_text()
        client = AptClient(self._work / architecture, sources, architecture)
        client.ask("apt-get", "update")
        return client


def candidates(client: AptClient) -> set[str]:
    return set(client.ask("apt-cache", "pkgnames").split())


@pytest.mark.parametrize("compression", ["gz", "xz", "zst"])
def test_apt_updates_and_downloads_from_a_signed_tree(tmp_path: Path, signer: Signer, compression: str) -> None:
    data = make_deb(tmp_path, "hello-data", "1:2.0~rc1+b-1", "all")
    members = [make_deb(tmp_path, "hello", "1:2.0~rc1+b-1", depends="hello-data"), data]
    with Upstream(root=tmp_path / "site") as server:
        site = Site(tmp_path, signer, server.url)
        site.publish(a_distribution(compressions=(compression,)), [("main", [deb]) for deb in members])
        client = site.client()
        client.ask("apt-get", "install", "--download-only", "--yes", "hello")
    downloaded = {path.read_bytes() for path in (client.root / "var/cache/apt/archives").glob("*.deb")}
    assert downloaded == {deb.read_bytes() for deb in members}


def test_apt_downloads_sources(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    files = make_source(tmp_path, "hello", "2.10-3")
    site.publish(a_distribution(architectures=("amd64", "source")), [("main", files)])
    client = site.client()
    client.ask("apt-get", "source", "--download-only", "hello")
    assert all((client.root / file.name).read_bytes() == file.read_bytes() for file in files)


def test_a_distribution_of_packages_for_all_architectures_serves_any_client(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(), [("main", [make_deb(tmp_path, "data", arch="all")])])
    assert candidates(site.client("amd64")) == candidates(site.client("riscv64")) == {"data"}


@pytest.mark.parametrize("architectures", [(), ("amd64",)])
def test_an_empty_distribution_can_be_updated_from(
    tmp_path: Path, signer: Signer, architectures: tuple[str, ...]
) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(architectures=architectures, components=("main", "contrib")), [])
    assert candidates(site.client()) == set()


@pytest.mark.parametrize(
    ("distribution", "component"),
    [("stable/updates", "updates/main"), ("stable/updates", "main"), ("a/b/c", "main"), ("stable", "updates/main")],
)
def test_apt_finds_distributions_and_components_with_slashes(
    tmp_path: Path, signer: Signer, distribution: str, component: str
) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(distribution, components=(component,)), [(component, [make_deb(tmp_path)])])
    assert candidates(site.client()) == {"hello"}


@pytest.mark.parametrize("status", [404, 403])
def test_an_unsigned_tree_works_whatever_the_server_says_of_missing_files(tmp_path: Path, status: int) -> None:
    with Upstream(root=tmp_path / "site") as server:
        server.fail("/dists/stable/InRelease", Fault(status=status))
        server.fail("/dists/stable/Release.gpg", Fault(status=status))
        site = Site(tmp_path, None, server.url)
        site.publish(a_distribution(), [("main", [make_deb(tmp_path)])])
        assert candidates(site.client()) == {"hello"}


def test_apt_asks_only_for_what_is_there_and_by_hash(tmp_path: Path, signer: Signer) -> None:
    with Upstream(root=tmp_path / "site") as server:
        site = Site(tmp_path, signer, server.url)
        site.publish(a_distribution(), [("main", [make_deb(tmp_path)])])
        site.client()
        paths = [request.path for request in server.requests]
    assert server.count(status=404) == 0
    assert paths[0] == "/dists/stable/InRelease"
    assert len(paths) == 2
    assert re.fullmatch(r"/dists/stable/main/binary-amd64/by-hash/SHA256/[0-9a-f]{64}", paths[1])


def test_a_client_that_read_the_old_release_still_finds_its_indexes(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    first = make_deb(tmp_path, "first")
    site.publish(a_distribution(), [("main", [first])])
    entry = (site.folder / "dists/stable/InRelease").read_bytes()
    site.publish(a_distribution(), [("main", [first]), ("main", [make_deb(tmp_path, "second")])])
    (site.folder / "dists/stable/InRelease").write_bytes(entry)
    assert candidates(site.client()) == {"first"}


def test_a_tree_that_was_changed_is_refused(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(), [("main", [make_deb(tmp_path)])])
    release = site.folder / "dists/stable/InRelease"
    release.write_bytes(release.read_bytes().replace(b"Suite: stable", b"Suite: steble"))
    client = AptClient(tmp_path / "client", (site.folder / "example.sources").read_text())
    result = client.run("apt-get", "update")
    assert result.returncode != 0
    assert "invalid" in result.stderr or "BADSIG" in result.stderr


def test_release_and_its_signature_serve_a_client_without_inrelease(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(), [("main", [make_deb(tmp_path)])])
    (site.folder / "dists/stable/InRelease").unlink()
    assert candidates(site.client()) == {"hello"}


def test_a_distribution_that_is_not_automatic_is_pinned_low(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(options={"not_automatic": True}), [("main", [make_deb(tmp_path)])])
    assert re.search(r"^ +1 file:", site.client().ask("apt-cache", "policy"), re.MULTILINE)


def test_a_validity_of_days_is_something_that_apt_reads(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish(a_distribution(options={"valid_days": 7}), [("main", [make_deb(tmp_path)])])
    client = AptClient(tmp_path / "client", (site.folder / "example.sources").read_text())
    result = client.run("apt-get", "update")  # the clock of these trees stands in the past
    assert "is expired" in result.stderr
