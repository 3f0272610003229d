"""The upstream that tests are made with: real clients take it for what it says it is, and so do we."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.apt_client import AptClient
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source
from support.upstream import Upstream
from support.workspaces import Depot

pytestmark = pytest.mark.client


@pytest.fixture
def upstream(tmp_path: Path, keys: Callable[[], Key]) -> AptUpstream:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    upstream.add(make_deb(tmp_path, "hello"), make_source(tmp_path, "hello"))
    upstream.add(make_deb(tmp_path, "extra"), component="contrib")
    upstream.add(make_deb(tmp_path, "tomorrow"), distribution="testing")
    upstream.add(make_deb(tmp_path, "loose"), make_source(tmp_path, "loose"), distribution="flat/")
    upstream.write()
    return upstream


@pytest.fixture
def server(upstream: AptUpstream) -> Iterator[Upstream]:
    with Upstream(root=upstream.root) as server:
        yield server


@pytest.fixture
def depot(tmp_path: Path, keys: Callable[[], Key]) -> Iterator[Depot]:
    depot = Depot(tmp_path / "depot", keys(), url=(tmp_path / "depot/tree").as_uri())
    depot.distribute(components=("main", "contrib"), architectures=("amd64", "source"))
    yield depot
    depot.close()


def client(folder: Path, upstream: AptUpstream, url: str, suites: str, components: str) -> AptClient:
    assert upstream.key
    (folder / "upstream.asc").write_bytes(upstream.key.armored)
    stanza = f"Types: deb deb-src\nURIs: {url}\nSuites: {suites}\nSigned-By: {folder}/upstream.asc\n"
    return AptClient(folder / "client", stanza + (f"Components: {components}\n" if components else ""))


@pytest.mark.parametrize(
    ("suites", "components", "packages", "source"),
    [("stable", "main contrib", {"hello", "extra"}, "hello"), ("flat/", "", {"loose"}, "loose")],
)
def test_apt_and_a_workspace_see_the_same_packages(
    tmp_path: Path,
    upstream: AptUpstream,
    server: Upstream,
    depot: Depot,
    suites: str,
    components: str,
    packages: set[str],
    source: str,
) -> None:
    apt = client(tmp_path, upstream, server.url, suites, components)
    apt.update()
    assert set(apt.packages()) == packages
    files = apt.source(source)
    assert len(files) == 3
    depot.follow(upstream.draft(server.url, distributions=(suites,)))
    depot.bring(*packages, f"{source}:source", publish=True)
    ours = AptClient(tmp_path / "ours", (depot.tree / "example.sources").read_text())
    ours.update()
    assert set(ours.packages()) == packages
    assert ours.source(source) == files


def test_a_new_version_upstream_reaches_a_client(
    tmp_path: Path, upstream: AptUpstream, server: Upstream, depot: Depot
) -> None:
    depot.follow(upstream.draft(server.url))
    depot.bring("hello", publish=True)
    ours = AptClient(tmp_path / "ours", (depot.tree / "example.sources").read_text())
    ours.update()
    assert ours.packages() == {"hello": "1.0-1"}
    upstream.remove("hello")
    upstream.add(make_deb(tmp_path, "hello", "2.0-1"))
    upstream.write()
    counts = depot.sync().counts
    assert counts
    assert (counts.changed, counts.removed) == (1, 1)
    depot.bring("hello", publish=True)
    ours.update()
    assert ours.packages() == {"hello": "2.0-1"}
    assert len(ours.download("hello", "hello=1.0-1")) == 2


def test_a_package_that_upstream_has_dropped_meanwhile_says_so(
    upstream: AptUpstream, server: Upstream, depot: Depot
) -> None:
    depot.follow(upstream.draft(server.url))
    upstream.remove("extra", only_files=True)
    with pytest.raises(AssertionError, match=r"upstream dropped extra 1.0-1 .*entrepot sync upstream"):
        depot.bring("extra")
