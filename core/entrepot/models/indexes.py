"""What indexes of sources say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from entrepot.models.packages import PackageFile


class RawEntry(NamedTuple):
    """One package of an index as it came. ``digest`` (16 bytes, blake2b of ``raw``) is what sync compares."""

    digest: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One index file of a source, known by ``key`` (its path without compression), unique in the source.

    ``digest`` is what the signed root says of its content: the same digest means that no row of it can have changed.
    ``signed_by`` is the fingerprint of the key that signed the root, or None where the source is not verified.
    """

    key: str
    digest: str
    distribution: str
    component: str
    architecture: str
    kind: str
    """``binary``, ``udeb``, ``source`` ...: what kind of package it lists."""
    signed_by: str | None


class Described(NamedTuple):
    """What the catalog says of one entry of an index, in columns."""

    name: str
    version: str
    version_key: bytes
    architecture: str
    source_name: str = ""
    section: str = ""
    size: int = 0
    """Bytes of all its files together."""
    sha256: str = ""
    """Of its main file, or empty where the index has no such digest."""
    location: str = ""
    """Of its main file, relative to the source's root."""
    summary: str = ""
    provides: str = ""
    """Names it provides besides its own, separated by one space."""
    description: str = ""
    """The long text where the index has it; searched, not shown in lists."""
    source_version: str = ""
    """Of its source package, where the index has another one than its own (a rebuild, a package of its own version)."""


@dataclass(frozen=True, slots=True)
class Available:
    """One package of a synced index, as the catalog holds it."""

    id: int
    source_id: int
    source: str
    format: str
    name: str
    version: str
    version_key: bytes
    architecture: str
    kind: str
    distribution: str
    component: str
    source_name: str
    section: str
    size: int
    sha256: str
    location: str
    summary: str
    signed_by: str | None
    """Fingerprint of the key whose signature covers the index that names it; None where nothing was verified."""
    source_version: str = ""
    """Of its source package, where the index has another one than its own."""


@dataclass(frozen=True, slots=True)
class PackageRef:
    """A package that an extra is about; empty version or architecture: any."""

    name: str
    version: str = ""
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Extra:
    """What an index says besides packages: an advisory, a group, a module stream, a file that is kept as it is.

    ``kind`` and ``name`` are the format's own (``advisory``, ``group``, ``module``, ...); ``data`` is what a page shows
    of it (severity, date, CVEs ...), JSON-able. A published distribution has the extras of the sources it took packages
    from that are about a package it holds, and those that are about none in particular.
    """

    kind: str
    name: str
    title: str
    data: Mapping[str, Any]
    raw: bytes
    packages: tuple[PackageRef, ...] = ()
    files: tuple[PackageFile, ...] = ()
    """What belongs to it and is too large for ``raw``, in the private store, by its path in the source."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that an index names. ``path`` is relative to the source's root and not yet quoted for a URL.

    ``digests`` maps algorithm names of hashlib (``sha256``, ``sha512``, ``sha1``, ``md5``) to hexadecimal text.
    ``size`` is None where the index does not give it.
    """

    path: str
    name: str
    size: int | None
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """What a sync did to the catalog."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: SyncCounts) -> SyncCounts:
        return SyncCounts(
            self.added + other.added,
            self.changed + other.changed,
            self.removed + other.removed,
            self.unchanged + other.unchanged,
        )

    @property
    def total(self) -> int:
        """How many packages the source now offers."""
        return self.added + self.changed + self.unchanged
