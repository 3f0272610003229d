"""Network installs: .treeinfo and the files it lists come with a source, are kept, and are in the published tree."""

from __future__ import annotations

import configparser
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import TransferError
from entrepot.models import SourceDraft
from support.dnf_client import DnfClient
from support.rpm_upstream import IMAGES, RpmUpstream
from support.rpms import make_rpm
from support.upstream import Upstream
from support.workspaces import Depot

pytestmark = pytest.mark.client

DIST = "el9/x86_64"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def upstream(tmp_path: Path) -> RpmUpstream:
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(make_rpm(tmp_path, "hello"), make_rpm(tmp_path, "other"))
    upstream.write_installer(IMAGES)
    return upstream


@pytest.fixture
def server(upstream: RpmUpstream) -> Iterator[Upstream]:
    with Upstream(root=upstream.root) as server:
        yield server


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    depot = Depot(tmp_path / "site", url=(tmp_path / "site/tree").as_uri(), format_name="rpm")
    depot.distribute(DIST, architectures=("x86_64",))
    yield depot
    depot.close()


def draft(url: str, name: str = "upstream") -> SourceDraft:
    return SourceDraft(name, "rpm", url, verify=False, options={"images": True})


def agreed(depot: Depot) -> dict[str, bytes]:
    """The files that the published .treeinfo lists, each checked against what it says; repomd.xml among them."""
    root = depot.tree / DIST
    text = (root / ".treeinfo").read_text()
    assert (root / "treeinfo").read_text() == text
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read_string(text)
    found = {path: (root / path).read_bytes() for path in parser["checksums"]}
    for path, data in found.items():
        assert parser["checksums"][path] == f"sha256:{sha256(data)}"
    assert found.pop("repodata/repomd.xml")
    return found


def test_the_installer_of_a_source_is_in_the_tree_with_its_packages_and_dnf_is_content(
    depot: Depot, server: Upstream, tmp_path: Path
) -> None:
    depot.follow(draft(server.url))
    depot.bring("hello", to=DIST, publish=True)
    assert agreed(depot) == IMAGES
    dnf = DnfClient(tmp_path / "client", (depot.tree / "example.repo").read_text())
    assert dnf.packages() == {"hello-0:1.0-1.noarch"}


def test_an_installer_that_did_not_change_is_fetched_once_and_written_once(
    depot: Depot, upstream: RpmUpstream, server: Upstream, tmp_path: Path
) -> None:
    depot.follow(draft(server.url))
    depot.bring("hello", to=DIST, publish=True)
    server.forget()
    upstream.add(make_rpm(tmp_path, "third"))
    upstream.write_installer(IMAGES)
    depot.clock.advance(minutes=1)
    depot.sync()
    assert not [request.path for request in server.requests if request.path.startswith("/images")]
    depot.bring("third", to=DIST)
    written = (depot.tree / DIST / "images/install.img").stat().st_mtime_ns
    depot.clock.advance(minutes=1)
    depot.publish(DIST)
    assert (depot.tree / DIST / "images/install.img").stat().st_mtime_ns == written
    assert agreed(depot) == IMAGES


def test_a_new_installer_replaces_the_old_one_and_an_older_version_brings_that_back(
    depot: Depot, upstream: RpmUpstream, server: Upstream, tmp_path: Path
) -> None:
    depot.follow(draft(server.url))
    first = depot.bring("hello", to=DIST, publish=True)
    upstream.add(make_rpm(tmp_path, "third"))
    newer = {"images/pxeboot/vmlinuz": b"a newer kernel", **{p: d for p, d in IMAGES.items() if "vmlinuz" not in p}}
    upstream.write_installer(newer)
    depot.clock.advance(minutes=1)
    depot.sync()
    depot.bring("third", to=DIST, publish=True)
    assert agreed(depot) == newer
    depot.clock.advance(days=30)
    depot.collect()
    depot.publish(DIST, first)
    assert agreed(depot) == IMAGES


def test_a_file_that_is_not_what_treeinfo_says_stops_the_sync_and_nothing_changes(
    depot: Depot, upstream: RpmUpstream, server: Upstream
) -> None:
    (upstream.root / "images/install.img").write_bytes(b"another")
    with pytest.raises(TransferError, match=r"install\.img") as refused:
        depot.follow(draft(server.url))
    assert "--no-images" in refused.value.hint
    assert not list(depot.workspace.catalog.extras.offered(None, None, None))


def test_a_source_without_an_installer_is_synced_with_a_warning(
    depot: Depot, upstream: RpmUpstream, server: Upstream
) -> None:
    (upstream.root / ".treeinfo").unlink()
    result = depot.follow(draft(server.url))
    assert "has no .treeinfo" in " ".join(result.warnings)


def test_a_tree_of_ours_is_an_upstream_with_an_installer_for_the_next(
    depot: Depot, server: Upstream, tmp_path: Path
) -> None:
    depot.follow(draft(server.url))
    depot.bring("hello", to=DIST, publish=True)
    depot.follow(draft(f"{depot.url}/{DIST}", "again"))
    depot.distribute("next/x86_64", architectures=("x86_64",))
    depot.bring("hello", to="next/x86_64", source="again", publish=True)
    assert (depot.tree / "next/x86_64/images/install.img").read_bytes() == IMAGES["images/install.img"]


def test_files_of_an_installer_are_kept_as_long_as_its_source_has_it(depot: Depot, server: Upstream) -> None:
    depot.follow(draft(server.url))
    depot.clock.advance(days=365)
    depot.collect()
    store = depot.workspace.store
    assert all(store.has(sha256(data)) for data in IMAGES.values())
    with depot.workspace.catalog.transaction():
        depot.workspace.catalog.extras.remove_source(depot.workspace.catalog.sources.get("upstream"))
    depot.collect()
    assert not any(store.has(sha256(data)) for data in IMAGES.values())
