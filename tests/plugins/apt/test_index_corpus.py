"""Reading real repositories."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.apt_repository import Reader
from support.corpus import corpus
from support.upstream import Upstream

pytestmark = pytest.mark.corpus


@pytest.fixture
def pulp(tmp_path: Path) -> Iterator[Reader]:
    with Upstream(root=corpus("apt", "pulp_deb", "functional", "data")) as up:
        yield Reader(up, tmp_path, path="/debian")


def test_debians_updates_are_read_and_verified(tmp_path: Path) -> None:
    folder = corpus("apt", "debian-updates")
    with Upstream(root=folder) as up:
        reader = Reader(up, tmp_path, ("bookworm-updates",), ("main",), ("amd64", "arm64"), options={"sources": True})
        reader.keyring = (folder / "debian-archive-keyring.gpg").read_bytes()
        reader.now = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
        update = reader.read()
        assert update is not None
        assert [part.key.removeprefix("dists/bookworm-updates/main/") for part in update.parts] == [
            "binary-amd64/Packages",
            "binary-arm64/Packages",
            "source/Sources",
        ]
        assert all(len(part.signed_by or "") == 40 for part in update.parts)
        assert all(rows for rows in reader.rows.values())
        assert reader.read() is None


def test_of_debians_bookworm_the_installers_packages_are_read(tmp_path: Path) -> None:
    with Upstream(root=corpus("apt", "debian-updates")) as up:
        options = {"udebs": True, "ignore_missing_indices": True}
        reader = Reader(up, tmp_path, ("bookworm",), ("main",), ("amd64",), options=options)
        update = reader.read()
        assert update is not None
        assert [(part.kind, part.component) for part in update.parts] == [("udeb", "main")]
        assert any("binary-amd64/Packages" in warning for warning in update.warnings)
        assert len(next(iter(reader.rows.values()))) > 300


@pytest.mark.parametrize(
    ("distribution", "options", "expected"),
    [
        ("nosuite", {}, {"asgard/binary-ppc64/Packages": 3}),
        (
            "ragnarok",
            {"udebs": True, "sources": True},
            {
                "asgard/binary-armeb/Packages": 0,
                "asgard/binary-ppc64/Packages": 3,
                "jotunheimr/binary-armeb/Packages": 1,
                "jotunheimr/binary-ppc64/Packages": 0,
                "asgard/debian-installer/binary-armeb/Packages": 0,
                "asgard/debian-installer/binary-ppc64/Packages": 1,
                "asgard/source/Sources": 1,
                "jotunheimr/source/Sources": 1,
            },
        ),
    ],
)
def test_small_suites_are_read_whole(
    pulp: Reader, distribution: str, options: dict[str, bool], expected: dict[str, int]
) -> None:
    pulp.distributions, pulp.options = (distribution,), options
    pulp.read()
    assert {key.removeprefix(f"dists/{distribution}/"): len(rows) for key, rows in pulp.rows.items()} == expected


@pytest.mark.parametrize(("name", "path"), [("./", "/debian-flat"), ("nest/fjalar/", "/debian-flat")])
def test_flat_repositories_are_read(pulp: Reader, name: str, path: str) -> None:
    flat = replace(pulp, distributions=(name,), path=path)
    flat.read()
    assert [row.name for rows in flat.rows.values() for row in rows] == ["frigg", "odin", "thor"]


def test_an_updated_suite_is_read_again(pulp: Reader) -> None:
    pulp.distributions = ("nosuite",)
    pulp.read()
    before = dict(pulp.known)
    pulp.path = "/debian-update"
    assert pulp.read() is not None
    assert pulp.known != before


def test_every_file_of_a_real_index_can_be_asked_for(tmp_path: Path) -> None:
    with Upstream(root=corpus("apt", "debian-updates")) as up:
        reader = Reader(up, tmp_path, ("bookworm-updates",), ("main",), ("amd64",), options={"sources": True})
        reader.read()
    rows = [row for found in reader.rows.values() for row in found]
    assert all(row.location.startswith("pool/") and row.size and len(row.sha256) == 64 for row in rows)
