"""Verbatim distributions of RPM: an upstream's own repodata, its signature and its installer, with all packages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dnf_client import DnfClient
from support.gnupg import gnupg_home, make_key
from support.program import Program
from support.rpm_upstream import RpmUpstream
from support.rpms import Key, make_rpm
from support.upstream import Upstream

pytestmark = pytest.mark.client

SETTINGS = """
[inspection]
skip = ["clamav", "osv", "contents", "signature", "dependencies"]
"""
DIST = "apps/el9/x86_64"


def write(upstream: RpmUpstream) -> None:
    """Repodata anew, with an installer of one file."""
    upstream.write()
    (upstream.root / "images").mkdir(exist_ok=True)
    (upstream.root / "images/install.img").write_bytes(b"stage 2")
    digest = hashlib.sha256(b"stage 2").hexdigest()
    (upstream.root / ".treeinfo").write_text(
        f"[checksums]\nimages/install.img = sha256:{digest}\n\n[general]\nfamily = Example\nversion = 9\n"
        "arch = x86_64\n\n[stage2]\nmainimage = images/install.img\n"
    )


def repodata(root: Path) -> dict[str, bytes]:
    """What clients read, and the installer."""
    found = {f"repodata/{path.name}": path.read_bytes() for path in (root / "repodata").iterdir()}
    return found | {name: (root / name).read_bytes() for name in (".treeinfo", "images/install.img")}


@pytest.fixture
def key() -> Iterator[Key]:
    with gnupg_home() as home:
        yield Key(home, make_key(home, "Upstream <upstream@example.org>", "rsa3072"))


def test_dnf_follows_upstream_by_its_own_signature(tmp_path: Path, key: Key) -> None:
    upstream = RpmUpstream(tmp_path / "upstream", key)
    upstream.add(make_rpm(tmp_path, "hello"), make_rpm(tmp_path, "other"))
    upstream.attach("updateinfo", b"<updates/>")
    upstream.attach("primary_db", b"whatever it is", "primary.sqlite")
    write(upstream)
    (tmp_path / "key.asc").write_bytes(upstream.public_key)
    tree = tmp_path / "tree"
    program = Program(tmp_path / "home")
    program("init")
    (program.home / "entrepot.toml").write_text(SETTINGS)
    places = ("--publish-to", tree, "--public-url", tree.as_uri())
    program("repo", "create", "apps", "--format", "rpm", *places, "--no-sign")
    program("dist", "create", DIST)
    with Upstream(root=upstream.root) as server:
        trusted = ("--keyring", tmp_path / "key.asc", "--repo-gpgcheck", "--verbatim", "--images")
        program("source", "add", "upstream", server.url, "--format", "rpm", *trusted)
        mirror = ("mirror", "upstream", "--to", DIST, "--sync")
        program(*mirror)
        place = tree / "el9/x86_64"
        assert (place / "Packages/h/hello-1.0-1.noarch.rpm").exists()
        program("dist", "set", DIST, "--verbatim")
        assert "no index of an upstream" in program("publish", DIST, code=1).stderr
        program(*mirror)
        assert (place / "Packages/hello-1.0-1.noarch.rpm").exists()
        assert repodata(upstream.root).items() <= repodata(place).items()
        repo = (tree / "apps.repo").read_text()
        assert "repo_gpgcheck=1" in repo
        client = DnfClient(tmp_path / "client", repo)
        assert client.packages() == {"hello-0:1.0-1.noarch", "other-0:1.0-1.noarch"}
        assert client.download("hello").keys() == {"hello-1.0-1.noarch.rpm"}

        server.forget()
        assert "stays as it is" in program(*mirror).stderr
        assert [request.path for request in server.requests] == ["/repodata/repomd.xml"]

        (upstream.root / "Packages/other-1.0-1.noarch.rpm").unlink()
        upstream.add(make_rpm(tmp_path, "hello", "2.0"))
        write(upstream)
        before = repodata(place)
        program(*mirror)
        assert repodata(upstream.root).items() <= repodata(place).items()
        assert before.keys() <= repodata(place).keys()
        assert client.packages() == {"hello-0:1.0-1.noarch", "hello-0:2.0-1.noarch"}
    program("check", "--content")
    assert "is verbatim" in program("snapshot", "create", DIST, code=2).stderr
    program("version", "rollback", DIST, "2")
    assert client.packages() == {"hello-0:1.0-1.noarch", "other-0:1.0-1.noarch"}
