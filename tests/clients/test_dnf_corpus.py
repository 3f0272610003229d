"""Real packages and repositories go the whole way: dnf and createrepo_c read what is published of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.corpus import corpus, corpus_files
from support.dnf_client import DnfClient
from support.program import Program
from support.rpm_upstream import RpmUpstream
from support.rpm_views import packages_of
from support.upstream import Upstream

pytestmark = [pytest.mark.client, pytest.mark.corpus]

DIST = "example/all"
VOLATILE = {"location_href", "time_file", "files", "changelogs"}
"""What depends on where a file is; and lists, of which createrepo_c keeps its own order and number."""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    program = Program(tmp_path / "home")
    program("init")
    # Old packages with advisories about them: what is looked at here is how they travel.
    lenient = '[policies.soft.vulnerabilities]\nblock = "never"\nreview = "never"\nunknown = "allow"\n'
    (program.home / "entrepot.toml").write_text(lenient)
    program("repo", "create", "example", "--format", "rpm", "--publish-to", tmp_path / "tree", "--no-sign")
    program("dist", "create", DIST, "--arch", "x86_64")
    return program


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Upstream]:
    """The server before an upstream, made of real packages and what belongs to them."""
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(*corpus("rpm/pulp-fixtures/assets").glob("*.rpm"))
    for kind, name in (("updateinfo", "updateinfo.xml"), ("group", "comps.xml"), ("modules", "modules.yaml")):
        upstream.attach(kind, corpus("rpm/pulp-fixtures/assets", name).read_bytes(), name)
    upstream.write()
    with Upstream(root=upstream.root) as server:
        yield server


def test_createrepo_c_says_the_same_of_real_packages_before_and_after(tmp_path: Path, program: Program) -> None:
    files = corpus_files("rpm", ".rpm") or pytest.skip("the collection of real packages is not here")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    by_name = {path.name: path for path in files if "signed" not in str(path)}  # those are others, signed
    for name, path in by_name.items():
        shutil.copy2(path, theirs / name)
    subprocess.run(["createrepo_c", "--quiet", "--no-database", theirs], check=True)
    expected = packages_of(theirs)
    program("upload", *by_name.values(), "--to", DIST)
    found = packages_of(tmp_path / "tree/all")
    assert found.keys() == expected.keys()
    for pkgid, package in found.items():
        differing = {name for name, value in package.items() if value != expected[pkgid][name]} - VOLATILE
        assert not differing, package["location_href"]
    assert len(DnfClient(tmp_path / "client", (tmp_path / "tree/example.repo").read_text()).packages()) > 10


def test_a_real_repository_with_advisories_groups_and_modules_goes_the_whole_way(
    tmp_path: Path, program: Program, server: Upstream
) -> None:
    program("source", "add", "upstream", server.url, "--format", "rpm", "--no-verify")
    program("sync", "upstream")
    found = program.json("search", "", "--source", "upstream", "--all-versions", "--limit", "500")
    program("import", "upstream", *{f"{item['name']}={item['version']}" for item in found}, "--to", DIST)
    repo = (tmp_path / "tree/example.repo").read_text()
    upstream = f"[upstream]\nname=upstream\nbaseurl={server.url}\ngpgcheck=0\n"
    ours, theirs = (
        DnfClient(tmp_path / name, text, release="8") for name, text in (("ours", repo), ("theirs", upstream))
    )
    for client in (ours, theirs):
        client.install("duck", "walrus", "stork")
    assert ours.installed() == theirs.installed()
    assert ours.groups() == theirs.groups()
    assert ours.advisories() == theirs.advisories()
    assert ours.modules().splitlines()[1:] == theirs.modules().splitlines()[1:]
