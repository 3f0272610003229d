"""What a reader says is inside a package, all of it in memory: for packages of tests."""

from __future__ import annotations

from pathlib import Path

from entrepot.contracts import PackageReader
from entrepot.models import Content


def listing(reader: PackageReader, *files: Path) -> dict[str, tuple[Content, bytes]]:
    """Every member by ``part/path`` with its content, whose size is checked."""
    found: dict[str, tuple[Content, bytes]] = {}
    for content, chunks in reader.contents(files):
        text = b"".join(chunks)
        assert len(text) == content.size, content
        found[f"{content.part}/{content.path}"] = content, text
    return found


def entry(path: str) -> str:
    """A path without ``.`` and needless slashes."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))
