"""What scanners are told about one package, and what they may ask, in whichever process they run."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from entrepot.contracts import AdvisoryLookup, Artifact, Format, ScanContext, Scanner, Surroundings
from entrepot.models import Available, Distribution, PackageInfo, Source


@dataclass(frozen=True, slots=True)
class Case:
    """One package before the scanners: everything of a ``ScanContext`` that can be sent to another process."""

    artifact: Artifact
    format: str
    distribution: Distribution
    info: PackageInfo | None
    problem: str
    available: Available | None
    source: Source | None
    upstream: bytes | None
    keyring: Path | None
    now: dt.datetime


@dataclass(frozen=True)
class ScanServices:
    """What scanners have besides the case; workers inherit it.

    What asks the catalog is for scanners in the command's process only. SQLite keeps what it knows of locks on a file
    in memory, which a fork inherits: a connection that it opens to the same file believes in locks that nobody has.
    """

    formats: Mapping[str, Format]
    scanners: Mapping[str, Scanner]
    settings: Mapping[str, Mapping[str, Any]]
    """Tables of ``[scanners.NAME]``."""
    advisories: Callable[[], AdvisoryLookup] | None = None
    surroundings: Callable[[Format, Distribution], Surroundings] | None = None


class OpenServices:
    """The services of one process; without a catalog where it is a fork of the one that has it open."""

    def __init__(self, services: ScanServices, *, catalog: bool = True) -> None:
        self.scanners = services.scanners
        self._services = services
        self._catalog = catalog
        self._advisories = services.advisories() if services.advisories and catalog else None
        self._surroundings: dict[int, Surroundings] = {}
        self._lock = threading.Lock()

    def context(self, case: Case, scanner: str, folder: Path, batch: Sequence[PackageInfo] = ()) -> ScanContext:
        """What the scanner of this name is handed with the artifact."""
        return ScanContext(
            format=self._services.formats[case.format],
            distribution=case.distribution,
            info=case.info,
            problem=case.problem,
            available=case.available,
            source=case.source,
            upstream=case.upstream,
            keyring=case.keyring,
            settings=self.settings(scanner),
            folder=folder,
            now=case.now,
            advisories=self._advisories,
            batch=batch,
            surroundings=self._surroundings_of(case),
        )

    def _surroundings_of(self, case: Case) -> Surroundings | None:
        """One for each distribution."""
        make, key = self._services.surroundings, case.distribution.id
        if make is None or not self._catalog:
            return None
        with self._lock:
            if key not in self._surroundings:
                self._surroundings[key] = make(self._services.formats[case.format], case.distribution)
            return self._surroundings[key]

    def settings(self, scanner: str) -> Mapping[str, Any]:
        """The table of a scanner."""
        return self._services.settings.get(scanner, {})

    def close(self) -> None:
        """Closes what was opened. Workers do not: they end."""
        for service in (self._advisories, *self._surroundings.values()):
            close = getattr(service, "close", None)
            if close is not None:
                close()


class Others(Sequence[PackageInfo]):
    """All packages of a batch but one, without a copy of the list. ``position`` is that of the one, or -1."""

    def __init__(self, packages: Sequence[PackageInfo], position: int) -> None:
        self._packages = packages
        self._position = position

    def __len__(self) -> int:
        return len(self._packages) - (self._position >= 0)

    @overload
    def __getitem__(self, index: int) -> PackageInfo: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PackageInfo]: ...
    def __getitem__(self, index: int | slice) -> PackageInfo | Sequence[PackageInfo]:
        if isinstance(index, slice):
            return list(self)[index]
        place = range(len(self))[index]
        return self._packages[place + (0 <= self._position <= place)]

    def __iter__(self) -> Iterator[PackageInfo]:
        return (package for place, package in enumerate(self._packages) if place != self._position)
