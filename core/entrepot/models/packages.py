"""What was read out of package files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
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
    licence: str = ""
    """An SPDX expression or the package's own words; empty where it does not say."""
    maintainer: str = ""
    """``Name <address>``, or a vendor's name."""
    file_list: bytes | None = field(default=None, repr=False, compare=False)
    """Paths of the files that it installs, one a line, compressed by zlib; None where its index has them in ``raw``, or
    has no use for them."""

    @property
    def came_as(self) -> str:
        """The sha256 of its main file as it came, whoever has signed it since."""
        return self.original_sha256 or self.files[0].sha256


@dataclass(frozen=True, slots=True)
class UnpackingLimits:
    """What a package may cost to read: all that is inside of it, and how much that may be for the size of its file."""

    unpacked: int = 16 << 30
    """Bytes."""
    members: int = 1_000_000
    ratio: int = 250
    """How many times larger than its file what is inside may be."""

    def bytes_for(self, packed: int) -> int:
        """How many bytes so many may unpack to. 256 MiB are always allowed: small files hold much that is alike."""
        return min(self.unpacked, max(256 << 20, self.ratio * packed))

    def members_for(self, packed: int) -> int:
        """How many members so many bytes may hold: 20,000 always, beyond that each takes sixteen at least.

        Names alone take more in what people make; of members that are made to be many, one takes one to three bytes.
        """
        return min(self.members, max(20_000, packed // 16))


class ContentKind(StrEnum):
    """What a member of a package is."""

    FILE = "file"
    FOLDER = "folder"
    SYMBOLIC_LINK = "symbolic_link"
    HARD_LINK = "hard_link"
    CHARACTER_DEVICE = "character_device"
    BLOCK_DEVICE = "block_device"
    FIFO = "fifo"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Content:
    """One member of a package, hostile like the rest of it.

    ``part`` is ``payload`` (what is installed; ``path`` is relative to the root, without ``./``), ``script`` (what a
    package manager runs: ``postinst``, ``%pre``), ``control`` (other members that only package managers read) or
    ``source`` (a file of a source package; behind its archive's name and a slash if it is in one). The root itself is
    ``.``. ``path`` and ``target`` have bytes that are not UTF-8 as surrogates, and may have control characters.
    """

    part: str
    path: str
    kind: ContentKind
    size: int
    """Bytes of content that the package has for it: of hard links one has all."""
    mode: int
    """Permission bits with set-id and sticky bits, as in ``stat``; no file type."""
    target: str = ""
    """Where a link points to, as it stands."""
    owner: str = ""
    group: str = ""
    capabilities: str = ""
    """What it may do without being root, as ``cap_from_text(3)`` reads it; only formats that carry them say so."""


@dataclass(frozen=True, slots=True)
class PublishedEntry:
    """One package of a version at its place: what a tree builder turns into text of an index."""

    raw: bytes
    location: str
    """Folder of its files, relative to the tree's root."""
    files: tuple[PackageFile, ...]
    file_list: bytes = field(default=b"", repr=False)
    """Paths of the files that it installs, one a line; only where they were asked for."""


class EntryRef(NamedTuple):
    """A package of a version, without its text. ``digest`` (16 bytes) covers raw text, place and files."""

    entry_id: int
    digest: bytes
