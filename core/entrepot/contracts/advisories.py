"""Offline vulnerability data: reading it, and asking it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from entrepot.advisories import Advisory, AdvisoryState, Fact, Hit, RawAdvisory, Told
    from entrepot.models import Available, Source


class VersionKeys(Protocol):
    """The order of versions of every format."""

    def __call__(self, format_name: str, version: str) -> bytes:
        """The key of a version; ``ValueError`` for text that is none, ``NotFoundError`` for an unknown format."""
        ...


class AdvisoryFormat(Protocol):
    """A form in which vulnerability data comes: OSV, a vendor's tracker, a list of what is exploited.

    What it reads is hostile: ``IndexFormatError`` names file and record, memory does not grow with their number. A
    form has advisories or facts; the other of the two methods yields nothing.
    """

    name: str
    title: str
    generation: str
    """Another one whenever ``describe`` says something else of the same record, so that all are read again."""

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder of this machine is of this form, by its first bytes and its name."""
        ...

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """The records of a file or folder, streamed."""
        ...

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """What a record says; asked only for those whose digest is new."""
        ...

    def facts(self, path: Path) -> Iterator[Fact]:
        """What the file knows of vulnerabilities, streamed."""
        ...


class AdvisoryLookup(Protocol):
    """What a scanner may ask the catalog. From any thread; every answer is of the catalog as it is at that moment."""

    def ecosystems(self) -> Mapping[str, dt.datetime]:
        """Every ecosystem of which there is data, and when the oldest of its feeds was last read."""
        ...

    def affecting(self, ecosystems: Collection[str], package: str, key: bytes) -> Sequence[Hit]:
        """The advisories that affect a version of a package."""
        ...

    def affecting_each(
        self, ecosystems: Collection[str], packages: Collection[tuple[str, bytes]]
    ) -> Mapping[tuple[str, bytes], Sequence[Hit]]:
        """The same of several, each a name with the key of a version: one question for all of them."""
        ...

    def facts(self, vulnerabilities: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What is known of vulnerabilities wherever they occur: value by kind, by vulnerability."""
        ...

    def told(self, source: Source, packages: Collection[str]) -> Sequence[Told]:
        """The advisories of a source's own about packages of these names."""
        ...

    def tells(self, source: Source) -> bool:
        """Whether a source has advisories of its own."""
        ...

    def modules(self, source: Source, name: str, version: str) -> Sequence[str]:
        """The modules of a source (``name:stream``) that a package is of."""
        ...

    def offers(self, format_name: str, name: str, architecture: str, above: bytes) -> Sequence[Available]:
        """What synced sources offer of a package, newer than ``above``; the newest first."""
        ...


@runtime_checkable
class AdvisoryHistory(AdvisoryLookup, Protocol):
    """What a scanner may ask besides that runs in the command's own process."""

    def state(self) -> AdvisoryState:
        """What there is at this moment: the same state, the same answers about every package."""
        ...

    def changed(self, since: int) -> Collection[str]:
        """The names of packages of which advisories say something else than at the change of this number."""
        ...
