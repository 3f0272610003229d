"""The records that travel between the layers: frozen, slotted, parsed at the border and trusted after it.

Those of which a sync or a publication makes tens of thousands are named tuples, which are made in a third of the time.

Times are timezone-aware UTC datetimes; sizes are bytes; digests are lower-case hexadecimal text unless a name ends in
``_digest`` and says ``bytes``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, NewType

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""

Scalar = str | int | bool | None

SOURCE_ARCHITECTURE = "source"
"""The architecture under which every format lists its source packages (``hello:source``)."""


# ---------------------------------------------------------------------------------------------------- sources


@dataclass(frozen=True, slots=True)
class Connection:
    """How a source is reached. Files are paths on this machine; user name, password and headers are in ``Secrets``."""

    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    concurrency: int = 8
    rate_limit: int = 0
    """Bytes per second over all connections to this source; 0 is unlimited."""
    retries: int = 4
    timeout: float = 30.0
    """Seconds without a single byte, not the length of a download."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must never be shown: kept in a file of the workspace that only its owner may read, never in a table."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str | None = field(default=None, repr=False)
    """The proxy's whole URL, where it has a user name and a password; ``Connection.proxy`` is the same without them."""


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """A source as somebody asks for it, before it is in the catalog."""

    name: str
    format: str
    url: str
    distributions: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    verify: bool = True
    keyring: bytes | None = field(default=None, repr=False)
    """Public keys, binary or ASCII-armored, several allowed."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Options of the format, by the names that its ``source_options`` declare."""
    connection: Connection = field(default_factory=Connection)
    secrets: Secrets = field(default_factory=Secrets)


@dataclass(frozen=True, slots=True)
class Source:
    """An external repository that we read. ``keyring`` is the name of the file that holds its keys in the workspace."""

    id: int
    name: str
    format: str
    url: str
    distributions: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    verify: bool
    keyring: str | None
    options: Mapping[str, Scalar]
    connection: Connection
    created_at: dt.datetime

    def flag(self, name: str) -> bool:
        """A format option that is on or off; off when it was never set."""
        return bool(self.options.get(name, False))


# ---------------------------------------------------------------------------------------------------- indexes


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


# ---------------------------------------------------------------------------------------------------- packages


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


# ---------------------------------------------------------------------------------------------------- inspection


class Status(StrEnum):
    """What a scanner says. ``error`` means that nothing is known; it is never a pass."""

    PASS = "pass"
    WARN = "warn"
    REVIEW = "review"
    BLOCK = "block"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a scanner found, with an id that stays the same from scan to scan (``CVE-2026-1``, ``setuid``)."""

    id: str
    severity: str
    summary: str
    where: str = ""
    data: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one scanner says of one artifact.

    ``reason`` is a short code (``signed_trusted``, ``infected``), ``message`` a sentence; ``evidence`` is data that
    allows a person to check it later.
    """

    status: Status
    reason: str
    message: str = ""
    tool: str = ""
    tool_version: str = ""
    findings: tuple[Finding, ...] = ()
    evidence: Mapping[str, Scalar] = field(default_factory=dict)


class Outcome(StrEnum):
    """What a policy decides about an import."""

    PUBLISH = "publish"
    REVIEW = "pending_review"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy's decision with the rules that led to it, most severe first."""

    outcome: Outcome
    policy: str
    reasons: tuple[str, ...]


class ImportState(StrEnum):
    """Where an import stands. The last five are ends, though a review moves ``pending_review`` on."""

    FETCHING = "fetching"
    INSPECTING = "inspecting"
    PUBLISHED = "published"
    ALREADY_PUBLISHED = "already_published"
    PENDING_REVIEW = "pending_review"
    REJECTED = "rejected"
    FAILED = "failed"


# ---------------------------------------------------------------------------------------------------- publishing


@dataclass(frozen=True, slots=True)
class Target:
    """One place that a repository is published to."""

    id: int
    url: str


@dataclass(frozen=True, slots=True)
class Repository:
    """One published tree: format, where it goes, where clients find it, who signs (None: not signed)."""

    id: int
    name: str
    format: str
    targets: tuple[Target, ...]
    public_url: str
    signer: str | None
    sign_with: str | None
    origin: str
    label: str
    options: Mapping[str, Scalar]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Distribution:
    """A suite of an APT repository, one repodata root of an RPM repository."""

    id: int
    repository_id: int
    repository: str
    format: str
    name: str
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    """Empty: whatever its packages have."""
    policy: str
    compressions: tuple[str, ...]
    keep: int
    options: Mapping[str, Scalar]
    created_at: dt.datetime

    @property
    def path(self) -> str:
        """``repository/distribution``, as a person names it."""
        return f"{self.repository}/{self.name}"


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable, numbered set of packages of one distribution; version 0 is empty."""

    distribution_id: int
    number: int
    created_at: dt.datetime
    message: str
    added: int
    removed: int
    packages: int


class Phase(IntEnum):
    """In which order the files of a tree are written: a client that looks in between sees a whole repository."""

    PAYLOAD = 0
    IMMUTABLE = 1
    """Indexes under a name that no other content will ever have: by-hash, hashed repodata."""
    INDEX = 2
    """Indexes under their plain names, and what helps a person to set a client up."""
    SIGNATURE = 3
    """Release, Release.gpg, repomd.xml.asc."""
    ENTRY = 4
    """What a client reads first: InRelease, repomd.xml."""
