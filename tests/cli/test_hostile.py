"""Hostile packages on the command line: each is refused by name, the rest comes in, and nothing is left lying about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import hostile_debs, hostile_rpms
from support.debs import make_deb
from support.program import Program
from support.rpms import make_rpm

SETTINGS = """
[unpacking]
unpacked = 1
members = 50
[scanners.clamav]
config = "/nonexistent/clamd.conf"
clamscan = "/nonexistent/clamscan"
"""
DEBS = (
    "bomb in gz",
    "bomb in xz",
    "bomb in zst",
    "zstd window of 512 MiB",
    "a size that lies",
    "tar: a size of 7 EiB",
    "tar: too many members",
    "tar: a name that climbs",
    "tar: an absolute name",
    "tar: a hard link to an absolute name",
    "tar: a file through a symbolic link",
)
RPMS = (
    "a bomb in gzip",
    "a bomb in xz",
    "a bomb in zstd",
    "a window of 512 MiB",
    "a size that lies",
    "a large size that lies",
    "a file of 4 GiB",
    "too many files",
    "a name that leads out",
    "a stranger",
)
FORMATS = {"deb": ("apt", "amd64"), "rpm": ("rpm", "x86_64")}
WANTED = {"deb": DEBS, "rpm": RPMS}
GALLERY = {
    (kind, name): (content, message)
    for kind, gallery in (("deb", hostile_debs.GALLERY), ("rpm", hostile_rpms.GALLERY))
    for name, content, message in gallery
    if name in WANTED[kind]
}
"""What each holds, and what is to be said of it."""


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.isolated
@pytest.mark.parametrize("kind", WANTED)
def test_a_hostile_package_is_refused_by_name_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    program, (format_name, machine) = Program(tmp_path / "home"), FORMATS[kind]
    program("init")
    (program.home / "entrepot.toml").write_text(SETTINGS)
    program("repo", "create", "shop", "--format", format_name, "--publish-to", tmp_path / "tree", "--no-sign")
    program("dist", "create", "shop/stable", "--arch", machine)
    folder = tmp_path / "came"
    folder.mkdir()
    paths = {name: folder / f"evil-{number}.{kind}" for number, name in enumerate(WANTED[kind])}
    for name, path in paths.items():
        path.write_bytes(GALLERY[kind, name][0])
    good = make_deb(folder, "good") if kind == "deb" else make_rpm(folder, "good", arch=machine)
    before = files(tmp_path)
    document = program.json("upload", *paths.values(), good, "--to", "shop/stable", "--no-publish", code=3)
    results = {result["package"]: result for result in document["results"]}
    assert results.pop("good")["status"] == "published"
    assert results.keys() == {path.name for path in paths.values()}
    for name, path in paths.items():
        result = results[path.name]
        assert (result["status"], result["pipeline"]["format"]) == ("rejected", "unreadable"), name
        assert result["message"].startswith(f"format: block leads to reject: {path.name}: "), name
        assert re.search(GALLERY[kind, name][1], result["message"]), name
        assert result["message"].isprintable(), name
    # All that came to be is the private store's; the catalog was there.
    fresh = {path.relative_to(program.home).parts[0] for path in files(tmp_path) - before}
    assert fresh <= {"store", "catalog.db-wal", "catalog.db-shm"}
    assert [row["name"] for row in program.json("version", "show", "shop/stable")] == ["good"]
