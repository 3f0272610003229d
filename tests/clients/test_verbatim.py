"""A verbatim distribution is an upstream's own indexes, byte for byte, with all that they name, or nothing new."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot_plugins.shared.openpgp import unwrap
from support.apt_client import AptClient
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source, make_udeb
from support.program import Program
from support.upstream import Fault, Upstream
from support.workspaces import keys

__all__ = ["keys"]

pytestmark = pytest.mark.client

SETTINGS = """
[inspection]
skip = ["clamav", "osv", "contents", "signature", "dependencies"]
[policies.careful]
deny = [{ package = "forbidden", outcome = "pending_review" }]
"""
DIST = "example/stable"
KERNEL = b"a kernel"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Site:
    """An upstream that is served, and a verbatim distribution of it."""

    folder: Path
    upstream: AptUpstream
    server: Upstream
    program: Program

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def mirror(self, code: int = 0) -> str:
        """Syncs and mirrors; what a person reads."""
        self.server.forget()
        result = self.program("mirror", "upstream", "--to", DIST, "--sync", code=code)
        return result.stdout + result.stderr

    def client(self, name: str, sources: str | None = None) -> AptClient:
        """apt, set up with the file that the tree offers."""
        return AptClient(self.folder / name, sources or (self.tree / "example.sources").read_text())

    def files(self, suite: str = "stable") -> dict[str, bytes]:
        """What is below ``dists``."""
        folder = self.tree / "dists" / suite
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def site(tmp_path: Path, keys: Callable[[], Key]) -> Iterator[Site]:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    upstream.add(make_deb(tmp_path, "hello"), make_source(tmp_path, "hello"), make_udeb(tmp_path, "hello-udeb"))
    upstream.add(make_deb(tmp_path, "extra"), component="contrib")
    upstream.further = {
        "main/i18n/Translation-en": b"Package: hello\nDescription-md5: 0\nDescription-en: hello\n",
        "main/i18n/Translation-de": b"Package: hello\nDescription-md5: 0\nDescription-de: hallo\n",
        "main/Contents-amd64": b"usr/bin/hello main/hello\n",
        "main/Contents-arm64": b"usr/bin/hello main/hello\n",
        "main/dep11/Components-amd64.yml": b"---\nFile: DEP-11\n",
        "main/cnf/Commands-amd64": b"suite: stable\n",
        "main/installer-amd64/current/images/SHA256SUMS": f"{sha256(KERNEL)}  ./netboot/linux\n".encode(),
    }
    kernel = upstream.root / "dists/stable/main/installer-amd64/current/images/netboot/linux"
    kernel.parent.mkdir(parents=True)
    kernel.write_bytes(KERNEL)
    suite = upstream.suite()
    suite.plain = ["main/installer-amd64/current/images/SHA256SUMS"]
    suite.listed, suite.served = ("", ".gz", ".xz"), (".gz", ".xz")
    upstream.write()
    (tmp_path / "key.asc").write_bytes(upstream.key.armored if upstream.key else b"")
    program = Program(tmp_path / "home")
    program("init")
    (program.home / "entrepot.toml").write_text(SETTINGS)
    url = (tmp_path / "tree").as_uri()
    places = ("--publish-to", tmp_path / "tree", "--public-url", url)
    program("repo", "create", "example", "--format", "apt", *places, "--no-sign")
    components = ("--component", "main", "--component", "contrib")
    program(
        "dist", "create", DIST, *components, "--arch", "amd64", "--arch", "source", "--policy", "careful", "--verbatim"
    )
    with Upstream(root=upstream.root) as server:
        taken = ("--distribution", "stable", "--arch", "amd64", "--sources", "--udebs")
        trusted = ("--keyring", tmp_path / "key.asc", "--verbatim", "--verbatim-with", "all")
        program("source", "add", "upstream", server.url, "--format", "apt", *taken, *trusted)
        yield Site(tmp_path, upstream, server, program)


def test_apt_follows_upstream_by_its_own_signature(site: Site, tmp_path: Path) -> None:
    site.mirror()
    theirs = site.upstream.root / "dists/stable"
    ours = {name: data for name, data in site.files().items() if "/by-hash/" not in name}
    assert ours == {name: (theirs / name).read_bytes() for name in ours}
    assert ours.keys() >= {
        "InRelease",
        "main/binary-amd64/Packages.xz",
        "main/source/Sources.gz",
        "main/debian-installer/binary-amd64/Packages.gz",
        "main/i18n/Translation-de.xz",
        "main/Contents-amd64.gz",
        "main/dep11/Components-amd64.yml.gz",
        "main/cnf/Commands-amd64.xz",
        "main/installer-amd64/current/images/netboot/linux",
    }
    assert "main/Contents-arm64.gz" not in ours
    client = site.client("client")
    client.update()
    assert client.packages() == {"hello": "1.0-1", "extra": "1.0-1"}
    assert client.source("hello").keys() == {"hello_1.0-1.dsc", "hello_1.0.orig.tar.gz", "hello_1.0-1.debian.tar.xz"}

    assert "stays as it is" in site.mirror()
    assert [request.path for request in site.server.requests] == ["/dists/stable/InRelease"]

    site.upstream.remove("extra")
    site.upstream.add(make_deb(tmp_path, "hello", "2.0-1"))
    site.upstream.write()
    before = site.files()
    assert "1 packages came, 1 went" in site.mirror()
    client.update()
    assert client.packages() == {"hello": "2.0-1"}
    assert before.keys() <= site.files().keys(), "superseded files stay for the time of grace"
    site.program("check", "--content")

    site.program("snapshot", "create", DIST, "1", "--name", "first")
    first = (site.tree / "example.sources").read_text().replace("Suites: stable", "Suites: stable/first")
    snapshot = site.client("snapshot", first)
    snapshot.update()
    assert snapshot.packages() == {"hello": "1.0-1", "extra": "1.0-1"}
    site.program("version", "rollback", DIST, "1")
    back = site.client("back")
    back.update()
    assert back.packages() == {"hello": "1.0-1", "extra": "1.0-1"}


def test_a_detached_signature_is_published_if_it_is_good_and_left_out_if_not(site: Site) -> None:
    theirs = site.upstream.root / "dists/stable"
    release = unwrap((theirs / "InRelease").read_bytes())
    assert site.upstream.key
    (theirs / "Release").write_bytes(release)
    (theirs / "Release.gpg").write_bytes(site.upstream.key.detach(b"what it was last month"))
    assert "it is left out, as clients read InRelease" in site.mirror()
    assert not {"Release", "Release.gpg"} & site.files().keys()
    (theirs / "Release.gpg").write_bytes(site.upstream.key.detach(release))
    site.program("sync", "upstream", "--force")
    site.mirror()
    assert site.files()["Release"] == release
    assert site.files()["Release.gpg"] == (theirs / "Release.gpg").read_bytes()


def test_a_package_that_may_not_come_in_keeps_all_of_the_index_out(site: Site, tmp_path: Path) -> None:
    site.mirror()
    before = site.files()
    site.upstream.add(make_deb(tmp_path, "forbidden"), make_deb(tmp_path, "fine"))
    site.upstream.write()
    told = site.mirror(code=3)
    assert "forbidden:amd64=1.0-1" in told
    assert "fine" not in told.partition("forbidden")[2]
    assert site.files() == before
    assert [row["number"] for row in site.program.json("version", "list", DIST)] == [1, 0]
    site.server.forget()
    assert "forbidden:amd64=1.0-1" in site.mirror(code=3)
    assert not [request for request in site.server.requests if "/pool/" in request.path], "it is here already"
    (row,) = site.program.json("review", "list")
    site.program("review", "approve", str(row["id"]), "--justification", "looked at")
    assert site.files()["InRelease"] == before["InRelease"]
    site.mirror()
    client = site.client("client")
    client.update()
    assert {"forbidden", "fine"} <= client.packages().keys()


def test_what_upstream_cannot_give_keeps_all_of_the_index_out_until_it_can(site: Site, tmp_path: Path) -> None:
    site.server.fail("/pool/main/h/hello/hello_1.0-1_amd64.deb", Fault(status=503))
    assert "hello:amd64=1.0-1" in site.mirror(code=3)
    assert site.files() == {}
    site.server.heal()
    site.mirror()
    fetched = [request.path.rpartition("/")[2] for request in site.server.requests if "/pool/" in request.path]
    assert fetched == ["hello_1.0-1_amd64.deb"]


def test_nothing_but_its_upstream_changes_a_verbatim_distribution(site: Site, tmp_path: Path) -> None:
    site.mirror()
    site.program("dist", "create", "example/other", "--policy", "careful")
    for command in (
        ("upload", make_deb(tmp_path, "mine"), "--to", DIST),
        ("import", "upstream", "hello", "--to", DIST),
        ("mirror", "upstream", "--to", DIST, "--include", "hello"),
        ("version", "remove-package", DIST, "hello"),
        ("version", "merge", "example/other", "--to", DIST),
        ("version", "promote", "example/other", "--to", DIST),
    ):
        assert f"{DIST} is verbatim" in site.program(*command, code=2).stderr
    site.program("dist", "set", DIST, "--keep", "1", code=2)
    site.program("dist", "set", DIST, "--origin", "us", code=2)


def test_an_index_is_not_published_without_what_a_scan_takes_out(site: Site) -> None:
    site.mirror()
    before = site.files()
    withdraw = SETTINGS.replace("forbidden", "extra") + 'on_change = "withdraw"\n'
    (site.program.home / "entrepot.toml").write_text(withdraw)
    told = site.program("scan", DIST, code=4)
    assert "lacks what its upstream's index names: extra 1.0-1" in told.stderr
    assert "extra 1.0-1" in site.program("publish", DIST, code=1).stderr
    assert site.files() == before


def test_an_index_goes_from_one_stage_to_the_next_with_its_packages(site: Site, tmp_path: Path) -> None:
    site.mirror()
    url = (tmp_path / "prod").as_uri()
    places = ("--publish-to", tmp_path / "prod", "--public-url", url)
    site.program("repo", "create", "prod", "--format", "apt", *places, "--no-sign")
    site.program("dist", "create", "prod/stable", "--component", "main", "--component", "contrib", "--verbatim")
    site.program("version", "promote", DIST, "--to", "prod/stable")
    client = site.client("client", (tmp_path / "prod/prod.sources").read_text())
    client.update()
    assert client.packages() == {"hello": "1.0-1", "extra": "1.0-1"}
    assert (tmp_path / "prod/dists/stable/InRelease").read_bytes() == site.files()["InRelease"]
    site.program("dist", "create", "prod/testing", "--verbatim")
    site.program("version", "promote", DIST, "--to", "prod/testing", code=2)
