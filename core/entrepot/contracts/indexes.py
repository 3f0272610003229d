"""Reading what sources offer: order of versions, indexes, configuration files of clients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from entrepot.contracts.transfer import Transfer
    from entrepot.models import (
        Available,
        Described,
        Extra,
        IndexPart,
        RemoteFile,
        Scalar,
        Sha256,
        Source,
        SourceDraft,
        SourceKey,
    )
    from entrepot.progress import Progress


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a format's sources or distributions: offered by the command line, the API and the pages alike."""

    name: str
    """With underscores: ``ignore_missing_indices``; ``--ignore-missing-indices`` on the command line."""
    help: str
    type: type = bool
    default: Scalar = False
    caution: str = ""
    """What a person has to know before it is changed on something that clients use already."""


class VersionScheme(Protocol):
    """The order of versions in a format."""

    def key(self, version: str) -> bytes:
        """Bytes whose order is the order of versions; ``ValueError`` for text that is no version."""
        ...


class Keeper(Protocol):
    """The private store, for what a source has besides indexes and packages."""

    def size(self, sha256: str) -> int | None:
        """Bytes of a file that is there already; None if it is not."""
        ...

    def add(self, path: Path, sha256: Sha256) -> None:
        """Keeps a file whose digest the caller has checked; the file stays where it is."""
        ...


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What an index reader works with. ``now`` is the clock; ``folder`` is empty, private and removed afterwards."""

    source: Source
    transfer: Transfer
    keyring: Path | None
    folder: Path
    now: dt.datetime
    progress: Progress
    force: bool = False
    """Read everything again, as if nothing had been seen before."""
    store: Keeper | None = None
    """For the files of extras; None where nothing but indexes is read."""


@dataclass(frozen=True, slots=True)
class IndexUpdate:
    """What a source says now.

    ``state`` is JSON-able data that the next read gets back as ``seen``. ``parts`` are all indexes of packages that the
    source has now, ``extra_parts`` those of other things: those that vanished from it take their rows with them.
    ``warnings`` are for a person.
    """

    state: Mapping[str, Any]
    parts: Sequence[IndexPart]
    warnings: Sequence[str] = ()
    extra_parts: Sequence[IndexPart] = ()


class IndexEntry(Protocol):
    """One package of an index as it is read; ``models.RawEntry`` is the plain one."""

    @property
    def digest(self) -> bytes:
        """16 bytes that change whenever ``raw`` does: what sync compares."""
        ...

    @property
    def raw(self) -> bytes:
        """The entry as the catalog keeps it. Asked for once, in order, and only where the digest is new."""
        ...


class IndexReader(Protocol):
    """Reads what a source offers. Nothing it hands over is unverified where the source asks for verification.

    It may have the methods of ``KeyringReader`` and ``FieldFinder``.
    """

    def check(self, source: SourceDraft) -> SourceDraft:
        """The draft with what can be filled in; ``UsageError`` for what makes no sense in this format."""
        ...

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        """Asks the source what changed; None if nothing did since ``seen``.

        ``known`` maps keys of parts to digests that the catalog holds; the content of every part that is not in it is
        fetched to ``context.folder`` and checked, so that ``entries`` afterwards needs no network.
        """
        ...

    def entries(self, context: ReadContext, part: IndexPart) -> Iterator[IndexEntry]:
        """The packages of a part that ``refresh`` fetched, streamed, in the order of the index."""
        ...

    def extras(self, context: ReadContext, part: IndexPart) -> Iterator[Extra]:
        """What an extra part that ``refresh`` fetched holds."""
        ...

    def describe(self, raw: bytes, part: IndexPart) -> Described:
        """Columns of one entry; ``IndexFormatError`` naming part and entry if it lacks what every package must have."""
        ...

    def files(self, raw: bytes, package: Available) -> Sequence[RemoteFile]:
        """The files to fetch for a package; the main one first. Paths are checked, not quoted."""
        ...

    def fields(self, raw: bytes) -> Sequence[tuple[str, str]]:
        """Every field as a person reads it, in the order it came."""
        ...

    def urls(self, source: Source, seen: Mapping[str, Any], path: str) -> Sequence[str]:
        """The URLs of a file of a source, quoted, best first: more than one where the source has mirrors.

        ``seen`` is what the last sync saw.
        """
        ...


@runtime_checkable
class KeyringReader(Protocol):
    """An index reader that can tell which keys it would verify a source with."""

    def keys(self, keyring: bytes, now: dt.datetime) -> Sequence[SourceKey]:
        """The keys that may sign, each with whether it can be relied on ``now``; ``TrustError`` for no keyring."""
        ...


@runtime_checkable
class FieldFinder(Protocol):
    """An index reader that finds one field of an entry quicker than by reading all of them."""

    def field(self, raw: bytes, name: str) -> str:
        """The value of the field of this name, whatever its case, as ``fields`` has it; empty if there is none."""
        ...


class ClientFiles(Protocol):
    """Reads what clients of a format are configured with."""

    option: str
    """Name of the option of ``source add`` that takes such files: ``from-apt``."""
    help: str

    def read(self, text: str, path: Path, options: Mapping[str, Scalar] | None = None) -> Sequence[SourceDraft]:
        """The sources that a client's file configures, disabled ones left out; ``UsageError`` naming file and line.

        ``options`` are those source options that were given with the file (values for its variables, say).
        """
        ...
