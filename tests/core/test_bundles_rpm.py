"""Bundles of RPM distributions: with what sources say besides packages, and the signatures that clamd looks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, UsageError
from entrepot.models import SourceDraft
from entrepot_plugins.rpm.raw import primary_of
from support.bundles import contents, receive, send
from support.rpm_upstream import IMAGES, RpmUpstream
from support.rpms import make_rpm
from support.workspaces import Depot

UPDATEINFO = b"""<?xml version="1.0"?>
<updates><update type="security"><id>EX-2026:1</id><title>hello</title><severity>Important</severity>
<pkglist><collection><package name="hello" version="1.0" release="2" epoch="0" arch="noarch">
<filename>hello-1.0-2.noarch.rpm</filename></package></collection></pkglist></update></updates>
"""


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Depot]:
    """Has two versions of a package, of which one comes with an advisory."""
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(make_rpm(tmp_path, "hello", "1.0", "2"), make_rpm(tmp_path, "other"))
    upstream.attach("updateinfo", UPDATEINFO)
    upstream.write()
    depot = Depot(tmp_path / "sender", format_name="rpm")
    depot.distribute("el9")
    depot.follow(SourceDraft("upstream", "rpm", upstream.root.as_uri(), verify=False))
    depot.bring("hello", "other", to="el9")
    yield depot
    depot.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Depot]:
    depot = Depot(tmp_path / "receiver", format_name="rpm")
    depot.distribute("prod")
    yield depot
    depot.close()


def repodata(depot: Depot, kind: str) -> list[Path]:
    return list((depot.tree / "prod/repodata").glob(f"*-{kind}.xml*"))


def elements(depot: Depot) -> list[bytes]:
    """What primary says of packages, without where they are."""
    rows = depot.workspace.catalog.database.query("SELECT raw FROM package_raw ORDER BY id")
    return [re.sub(rb"<location[^>]*>", b"", primary_of(row["raw"])) for row in rows]


def test_packages_come_with_the_advisories_of_their_source_and_without_those_of_others(
    sender: Depot, receiver: Depot, tmp_path: Path
) -> None:
    first = send(sender, tmp_path / "first", "example/el9", sign=False)
    assert {"rows.jsonl", "extras.jsonl"} < contents(first).keys()
    assert "extras.jsonl" not in contents(send(sender, tmp_path / "o", "example/el9", sign=False, include=["other"]))
    applied = receive(receiver, first, None, trust=True)
    assert [(r.package, r.status) for r in applied.results] == [("hello", "published"), ("other", "published")]
    assert len(repodata(receiver, "updateinfo")) == 1
    assert elements(receiver) == elements(sender), "of what upstream said only the place is another"


def test_an_installer_comes_along(receiver: Depot, tmp_path: Path) -> None:
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(make_rpm(tmp_path, "hello"))
    upstream.write_installer(IMAGES)
    sender = Depot(tmp_path / "sender", format_name="rpm")
    sender.distribute("el9")
    sender.follow(SourceDraft("upstream", "rpm", upstream.root.as_uri(), verify=False, options={"images": True}))
    sender.bring("hello", to="el9")
    receive(receiver, send(sender, tmp_path / "bundle", "example/el9", sign=False), None, trust=True)
    sender.close()
    tree = receiver.tree / "prod"
    assert {path: (tree / path).read_bytes() for path in IMAGES} == IMAGES
    assert "images/install.img = sha256:" in (tree / ".treeinfo").read_text()


def test_advisories_of_a_source_that_an_earlier_bundle_had_are_left_out(
    sender: Depot, receiver: Depot, tmp_path: Path
) -> None:
    first = send(sender, tmp_path / "first", "example/el9", sign=False)
    sender.clock.advance(days=1)
    sender.upload(make_rpm(tmp_path, "new"), to="el9")
    second = send(sender, tmp_path / "second", "example/el9", sign=False, since=first)
    assert "extras.jsonl" not in contents(second)
    with pytest.raises(NotFoundError, match="extra "):
        receive(receiver, second, None, trust=True)
    receive(receiver, first, None, trust=True)
    assert [result.package for result in receive(receiver, second, None).results] == ["new"]
    extras = receiver.workspace.catalog.extras
    distribution = receiver.workspace.catalog.repositories.distribution("example/prod")
    assert [extra.name for extra in extras.members(distribution, 2, "advisory")] == ["EX-2026:1"]


def test_signature_files_of_a_scanner_come_along_when_they_are_asked_for(
    sender: Depot, receiver: Depot, tmp_path: Path
) -> None:
    signatures = tmp_path / "signatures"
    signatures.mkdir()
    sender.configure("[scanners.clamav]", f'database = "{signatures}"')
    with pytest.raises(NotFoundError, match="clamav has no files here"):
        send(sender, tmp_path / "none", "example/el9", sign=False, scanners=["clamav"])
    (signatures / "own.ndb").write_text("Example:0:*:6578616d706c65\n")
    (signatures / "notes.txt").write_text("none of them")
    with pytest.raises(UsageError, match="no scanner 'osv' has files to carry"):
        send(sender, tmp_path / "none", "example/el9", sign=False, scanners=["osv"])
    bundle = send(sender, tmp_path / "bundle", "example/el9", sign=False, scanners=["clamav"])
    place = receiver.home / "scanner-data/clamav"
    place.mkdir(parents=True)
    (place / "old.ndb").write_text("from before")
    applied = receive(receiver, bundle, None, trust=True)
    assert applied.scanners == ["clamav"]
    assert {path.name: path.read_text() for path in place.iterdir()} == {"own.ndb": "Example:0:*:6578616d706c65\n"}
