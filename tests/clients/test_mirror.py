"""Mirrored trees say to real apt and dnf what their originals say; a part says what it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.apt_client import AptClient
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.corpus import corpus, corpus_files
from support.debs import make_deb, make_source
from support.dnf_client import DnfClient
from support.program import Program
from support.rpm_upstream import RpmUpstream
from support.upstream import Upstream
from support.workspaces import keys

__all__ = ["keys"]

pytestmark = pytest.mark.client

LENIENT = """
[inspection]
skip = ["clamav", "osv"]
[policies.soft]
dependencies = { review = "publish", block = "publish" }
signature = { review = "publish", block = "publish" }
contents = { review = "publish", block = "publish" }
format = { review = "publish", block = "publish" }
"""
"""Old packages, some of them odd: what is looked at here is how they travel."""


def program_for(folder: Path, format_name: str, dist: str) -> Program:
    """The program, with a distribution that takes everything."""
    program = Program(folder / "home")
    program("init")
    (program.home / "entrepot.toml").write_text(LENIENT)
    program("repo", "create", "example", "--format", format_name, "--publish-to", folder / "tree", "--no-sign")
    program("dist", "create", dist)
    return program


def apt(folder: Path, url: str, types: str = "deb deb-src", components: str = "main contrib") -> AptClient:
    """apt before a repository that nobody signed."""
    suites = f"URIs: {url}\nSuites: stable\nComponents: {components}\nTrusted: yes\n"
    client = AptClient(folder, f"Types: {types}\n{suites}")
    client.update()
    return client


@pytest.mark.corpus
def test_apt_sees_of_a_mirror_what_it_sees_of_the_original(tmp_path: Path) -> None:
    debs = corpus_files("deb", ".deb") or pytest.skip("the collection of real packages is not here")
    upstream = AptUpstream(tmp_path / "upstream", architectures=("amd64", "arm64"))
    by_name = {path.name: path for path in debs}
    upstream.add(*by_name.values(), make_source(tmp_path, "hello"))
    upstream.add(make_deb(tmp_path, "extra"), component="contrib")
    upstream.write()
    program = program_for(tmp_path, "apt", "example/stable")
    program("dist", "set", "example/stable", "--component", "main", "--component", "contrib", "--arch", "amd64")
    with Upstream(root=upstream.root) as server:
        arguments = ("--distribution", "stable", "--arch", "amd64", "--sources", "--no-verify")
        program("source", "add", "upstream", server.url, "--format", "apt", *arguments)
        result = program.json("mirror", "upstream", "--to", "example/stable", "--sync")
        theirs = apt(tmp_path / "theirs", server.url)
    ours = apt(tmp_path / "ours", (tmp_path / "tree").as_uri())
    assert result["results"] == []
    assert ours.packages() == theirs.packages()
    assert len(ours.packages()) > 10
    names = sorted(ours.packages())
    shown = [
        sorted(line for line in client.ask("apt-cache", "show", *names).splitlines() if line[:6] != "Filena")
        for client in (ours, theirs)
    ]
    assert shown[0] == shown[1]
    assert ours.source("hello").keys() == {"hello_1.0-1.dsc", "hello_1.0.orig.tar.gz", "hello_1.0-1.debian.tar.xz"}


@pytest.fixture
def rpm_server(tmp_path: Path) -> Iterator[Upstream]:
    """The server before an upstream of real packages, with advisories, groups and modules."""
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(*corpus("rpm/pulp-fixtures/assets").glob("*.rpm"))
    for kind, name in (("updateinfo", "updateinfo.xml"), ("group", "comps.xml"), ("modules", "modules.yaml")):
        upstream.attach(kind, corpus("rpm/pulp-fixtures/assets", name).read_bytes(), name)
    upstream.write()
    with Upstream(root=upstream.root) as server:
        yield server


@pytest.mark.corpus
def test_dnf_sees_of_a_mirror_what_it_sees_of_the_original(tmp_path: Path, rpm_server: Upstream) -> None:
    program = program_for(tmp_path, "rpm", "example/all")
    program("source", "add", "upstream", rpm_server.url, "--format", "rpm", "--no-verify")
    result = program.json("mirror", "upstream", "--to", "example/all", "--sync", "--exact")
    assert result["results"] == []
    assert result["loose_ends"] == []
    upstream = f"[upstream]\nname=upstream\nbaseurl={rpm_server.url}\ngpgcheck=0\n"
    repo = (tmp_path / "tree/example.repo").read_text()
    ours, theirs = (
        DnfClient(tmp_path / name, text, release="8") for name, text in (("ours", repo), ("theirs", upstream))
    )
    assert ours.packages() == theirs.packages()
    assert ours.groups() == theirs.groups()
    assert ours.modules().splitlines()[1:] == theirs.modules().splitlines()[1:]


@pytest.mark.corpus
def test_what_belongs_to_packages_follows_a_part_and_names_what_is_left_out(
    tmp_path: Path, rpm_server: Upstream
) -> None:
    program = program_for(tmp_path, "rpm", "example/all")
    program("source", "add", "upstream", rpm_server.url, "--format", "rpm", "--no-verify")
    program("sync")
    result = program.json("mirror", "upstream", "--to", "example/all", "--where", "latest(walrus or stork or duck)")
    ends = {item["kind"]: item for item in result["loose_ends"]}
    assert "walrus" not in ends["group"]["packages"]
    assert {"bear", "cat"} <= set(ends["group"]["packages"])
    ours = DnfClient(tmp_path / "ours", (tmp_path / "tree/example.repo").read_text(), release="8")
    # walrus has two streams, each with a newest; all of duck is of one stream, which dnf does not show unasked.
    assert result["counts"]["chosen"] == result["added"] == 4
    assert {package.partition("-0:")[0] for package in ours.packages()} == {"walrus", "stork"}
    assert ours.groups()


def test_apt_installs_from_a_part_with_what_it_needs(tmp_path: Path, keys: Callable[[], Key]) -> None:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    upstream.add(
        make_deb(tmp_path, "web", depends="lib (>= 2)"),
        make_deb(tmp_path, "lib", "1.0"),
        make_deb(tmp_path, "lib", "2.0"),
        make_deb(tmp_path, "other"),
        # They exclude each other, and each of them is served.
        make_deb(tmp_path, "one", fields={"Conflicts": "two"}, depends="lib"),
        make_deb(tmp_path, "two", depends="lib"),
    )
    upstream.write()
    program = program_for(tmp_path, "apt", "example/stable")
    (tmp_path / "key.asc").write_bytes(upstream.key.armored if upstream.key else b"")
    with Upstream(root=upstream.root) as server:
        arguments = ("--distribution", "stable", "--arch", "amd64", "--keyring", tmp_path / "key.asc")
        program("source", "add", "upstream", server.url, "--format", "apt", *arguments)
        query = ("--include", "web", "--include", "one", "--include", "two", "--with-dependencies")
        program("mirror", "upstream", "--to", "example/stable", "--sync", *query)
    client = apt(tmp_path / "client", (tmp_path / "tree").as_uri(), "deb", "main")
    assert client.packages() == {"web": "1.0-1", "lib": "2.0", "one": "1.0-1", "two": "1.0-1"}
    assert client.download("web", "lib").keys() == {"web_1.0-1_amd64.deb", "lib_2.0_amd64.deb"}
