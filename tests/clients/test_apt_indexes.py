"""Indexes that a distribution has if it is told to: apt-file finds files by Contents, apt reads Translation-en."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.services import repositories
from support.apt_client import AptClient
from support.debs import make_deb
from support.upstream import Upstream
from support.workspaces import Depot

pytestmark = pytest.mark.client

APT_FILE = Path("/etc/apt/apt.conf.d/50apt-file.conf")
"""What makes apt fetch Contents; comes with apt-file."""
LONG = "says hello\n A very long\n .\n description"


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """A distribution with both indexes and three packages; not signed, which the indexes have nothing to do with."""
    depot = Depot(tmp_path / "site", url=(tmp_path / "site/tree").as_uri())
    depot.distribute(architectures=("amd64", "arm64"), options={"contents": True, "translations": True})
    fields = {"Section": "devel", "Description": LONG}
    for architecture in ("amd64", "arm64"):
        make_deb(tmp_path, "hello", arch=architecture, files={"usr/bin/hello": b"#!"}, fields=fields)
    make_deb(tmp_path, "data", arch="all", files={"usr/share/a b/data": b""}, fields=fields)
    depot.upload(*sorted(tmp_path.glob("*.deb")), publish=True)
    yield depot
    depot.close()


def client(depot: Depot, folder: Path, *, apt_file: bool = False, languages: str = "en") -> AptClient:
    client = AptClient(folder / "client", (depot.tree / "example.sources").read_text())
    configuration = folder / "client/apt.conf"
    text = configuration.read_text().replace('Languages "none"', f'Languages "{languages}"')
    configuration.write_text(text)
    if apt_file:
        if not shutil.which("apt-file"):
            pytest.skip("apt-file is not installed")
        shutil.copy(APT_FILE, folder / "client/etc/apt/apt.conf.d")
    client.update()
    return client


def lines(depot: Depot, architecture: str) -> list[str]:
    data = (depot.tree / f"dists/stable/main/Contents-{architecture}.gz").read_bytes()
    return gzip.decompress(data).decode().splitlines()


def test_apt_file_finds_files_of_its_architecture_and_those_for_all(depot: Depot, tmp_path: Path) -> None:
    apt = client(depot, tmp_path, apt_file=True)
    assert apt.ask("apt-file", "search", "/usr/bin/hello") == "hello: /usr/bin/hello\n"
    assert apt.ask("apt-file", "search", "share/a b") == "data: /usr/share/a b/data\n"
    assert apt.ask("apt-file", "list", "hello") == "hello: /usr/bin/hello\n"


def test_a_client_with_apt_file_finds_everything_that_the_release_names(depot: Depot, tmp_path: Path) -> None:
    with Upstream(root=depot.tree) as server:
        repositories.set_repository(depot.workspace, "example", {"public_url": server.url})
        depot.publish(force=True)
        client(depot, tmp_path, apt_file=True)
        answers = {request.path: request.status for request in server.requests}
    unsigned = {"/dists/stable/InRelease", "/dists/stable/Release.gpg"}
    assert {path for path, status in answers.items() if status == 404} == unsigned
    # Packages, Translation-en, and Contents of amd64 and of all: no index of packages for all.
    assert len(set(answers) - unsigned - {"/dists/stable/Release"}) == 4
    assert sum("/main/by-hash/" in path for path in answers) == 2


def test_apt_shows_the_long_description_in_the_language_of_its_user_or_the_short_one(
    depot: Depot, tmp_path: Path
) -> None:
    assert "\n A very long\n .\n description\n" in client(depot, tmp_path).ask("apt-cache", "show", "hello")
    short = client(depot, tmp_path / "other", languages="none").ask("apt-cache", "show", "hello")
    assert "says hello" in short
    assert "A very long" not in short


def test_files_of_packages_that_were_there_before_are_read_once_out_of_the_store(depot: Depot) -> None:
    database = depot.workspace.catalog.database
    with depot.workspace.catalog.transaction():
        database.execute("DELETE FROM package_file_lists")
    shutil.rmtree(depot.home / "cache")
    depot.clock.advance(minutes=1)
    depot.publish(force=True)
    assert lines(depot, "all") == ["usr/share/a b/data devel/data"]
    assert database.execute("SELECT count(*) FROM package_file_lists").fetchone() == (3,)


def test_contents_follow_versions_forward_and_back(depot: Depot, tmp_path: Path) -> None:
    depot.clock.advance(minutes=1)
    depot.upload(make_deb(tmp_path, "more", files={"usr/bin/more": b"#!"}, fields={"Section": "text"}), publish=True)
    assert lines(depot, "amd64") == ["usr/bin/hello devel/hello", "usr/bin/more text/more"]
    depot.clock.advance(minutes=1)
    depot.publish(version=1)
    assert lines(depot, "amd64") == ["usr/bin/hello devel/hello"]
    assert lines(depot, "arm64") == ["usr/bin/hello devel/hello"]


def test_indexes_that_are_not_wanted_any_more_are_superseded(depot: Depot, tmp_path: Path) -> None:
    wanted = {"contents": False, "translations": False}
    repositories.set_distribution(depot.workspace, "example/stable", {"options": wanted})
    depot.clock.advance(minutes=1)
    depot.publish()
    assert not [path for path in depot.needed_files() if "Contents" in path or "i18n" in path]
    assert "A very long" in client(depot, tmp_path, languages="none").ask("apt-cache", "show", "hello")
