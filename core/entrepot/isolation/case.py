"""What scanners are told about one package, and what they may ask, in whichever process they run."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from entrepot.contracts import AdvisoryLookup, Artifact, Format, ScanContext, Scanner, Surroundings
from entrepot.isolation.clerk import Clerk
from entrepot.isolation.line import Line, RemoteAdvisories, RemoteOffers
from entrepot.isolation.offers import Offers
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


@dataclass(frozen=True, slots=True)
class Together:
    """Packages that were read together: those that come in as far as is known, and those that are held back."""

    packages: Sequence[PackageInfo]
    held: Sequence[PackageInfo] = ()


NOBODY = Together(())


@dataclass(frozen=True)
class ScanServices:
    """What scanners have besides the case; workers inherit it, and ask the command for what is in the catalog."""

    formats: Mapping[str, Format]
    scanners: Mapping[str, Scanner]
    settings: Mapping[str, Mapping[str, Any]]
    """Tables of ``[scanners.NAME]``."""
    advisories: Callable[[], AdvisoryLookup] | None = None
    offers: Callable[[Distribution], Offers] | None = None
    surroundings: Callable[[Format, Distribution, Offers], Surroundings] | None = None
    """Made in every process, of what it has as ``offers``."""


class OpenServices:
    """The services of one process; over a ``line`` to the command where it is a worker."""

    def __init__(self, services: ScanServices, line: Line | None = None) -> None:
        self.scanners = services.scanners
        self._services = services
        self._line = line
        self._advisories: AdvisoryLookup | None = None
        if services.advisories:
            self._advisories = RemoteAdvisories(line) if line else services.advisories()
        self._offers: dict[int, Offers] = {}
        self._surroundings: dict[int, Surroundings] = {}
        self._lock = threading.Lock()

    def clerk(self, case: Case) -> Clerk:
        """Answers what a worker asks that has this case."""
        with self._lock:
            return Clerk(case.source, self._offers_of(case), self._advisories)

    def context(
        self, case: Case, scanner: str, folder: Path, together: Together = NOBODY, position: int = -1
    ) -> ScanContext:
        """What the scanner of this name is handed with the artifact, which has this place among those that come in."""
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
            batch=Others(together.packages, position),
            held=together.held,
            surroundings=self._surroundings_of(case),
        )

    def _surroundings_of(self, case: Case) -> Surroundings | None:
        """One for each distribution."""
        make, key = self._services.surroundings, case.distribution.id
        with self._lock:
            offers = self._offers_of(case)
            if make is None or offers is None:
                return None
            if key not in self._surroundings:
                self._surroundings[key] = make(self._services.formats[case.format], case.distribution, offers)
            return self._surroundings[key]

    def _offers_of(self, case: Case) -> Offers | None:
        make, key = self._services.offers, case.distribution.id
        if make and key not in self._offers:
            self._offers[key] = RemoteOffers(self._line) if self._line else make(case.distribution)
        return self._offers.get(key)

    def settings(self, scanner: str) -> Mapping[str, Any]:
        """The table of a scanner."""
        return self._services.settings.get(scanner, {})

    def close(self) -> None:
        """Closes what was opened. Workers do not: they end."""
        for service in (self._advisories, *self._offers.values()):
            close = getattr(service, "close", None)
            if close is not None:
                close()


class Others(Sequence[PackageInfo]):
    """All packages of a batch but one, without a copy of the list. ``position`` is that of the one, or -1."""

    def __init__(self, packages: Sequence[PackageInfo], position: int) -> None:
        self._packages = packages
        self._position = position

    @property
    def everyone(self) -> Sequence[PackageInfo]:
        """The whole batch, with the one: the same object for each of its packages in one process."""
        return self._packages

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
