"""What was read out of package files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from entrepot.models.basics import Sha256


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package, as it is kept and published."""

    name: str
    size: int
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """What was read out of a package's own files.

    ``raw`` is what a published index says of it, without its place in the tree: the format's own text, with the
    digests of the files as they were received. ``files[0]`` is the main file.
    """

    format: str
    kind: str
    name: str
    version: str
    version_key: bytes
    architecture: str
    source_name: str
    summary: str
    section: str
    raw: bytes
    files: tuple[PackageFile, ...]
    provides: str = ""
    """Names it provides besides its own, separated by one space."""
    source_version: str = ""
    """Of the source package, where the format has such a thing and it is known."""
    module: str = ""
    """``name:stream`` and more of the module that it was built for, where the format has modules."""
    original_sha256: str = ""
    """Of its main file as it came, if it was signed anew here."""


@dataclass(frozen=True, slots=True)
class PublishedEntry:
    """One package of a version at its place: what a tree builder turns into text of an index."""

    raw: bytes
    location: str
    """Folder of its files, relative to the tree's root."""
    files: tuple[PackageFile, ...]


class EntryRef(NamedTuple):
    """A package of a version, without its text. ``digest`` (16 bytes) covers raw text, place and files."""

    entry_id: int
    digest: bytes
