"""What the contract of scanners works with: packages, what is known of them, and the ways to ask a scanner."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from entrepot.advisories import AdvisoryState, Hit, Told
from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import AdvisoryLookup, Candidate, Format, Scanner
from entrepot.isolation import Case, Moment, OpenServices, ScanServices
from entrepot.isolation.worker import checked_verdict
from entrepot.models import Available, Distribution, PackageInfo, Source, Verdict
from entrepot.pipeline.handed import Companions
from entrepot.pipeline.inspect import Subject, read_case
from entrepot.pipeline.panel import ALONE, BATCH, Panel, open_panel
from entrepot.pipeline.surroundings import DistributionSurroundings
from entrepot.settings import InspectionSettings, Limits

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class ScannerMeans(ABC):
    """What the author of a scanner says, and what is made of it."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """The table ``[scanners.NAME]``."""
    limits: ClassVar[Limits] = Limits(timeout=60, memory=1024)
    """Within which every file, however hostile, has to be inspected."""

    @abstractmethod
    def make_scanner(self) -> Scanner:
        """A new one."""

    @abstractmethod
    def make_format(self) -> Format:
        """The format of the package."""

    @abstractmethod
    def make_package(self, folder: Path) -> Sequence[Path]:
        """Puts a package into a folder that is there and empty, and answers its files, the main one first."""

    def make_others(self, folder: Path) -> Sequence[Sequence[Path]]:
        """Puts packages into a folder that it says something else about than about the first: the files of each."""
        return ()

    def make_advisories(self, folder: Path) -> AdvisoryLookup | None:
        """What the scanner finds in ``ScanContext.advisories``; an ``AdvisoryHistory`` for one that has a ``mark``."""
        return None

    def make_offered(self, folder: Path) -> Sequence[Sequence[Path]]:
        """Puts packages into a folder that the distribution has: what there is in ``ScanContext.surroundings``."""
        return ()

    def change_what_it_knows(self, folder: Path) -> bool:
        """Changes the data or the tool by which it judges so that it says something else of the package.

        Answers whether it did. ``folder`` is that of ``make_advisories``.
        """
        return False

    # ------------------------------------------------------------------------------------------------------- means

    def _case(self, folder: Path) -> Case:
        place = folder / "package"
        place.mkdir(exist_ok=True)
        return self._read(self.make_package(place))

    def _other_cases(self, folder: Path) -> Sequence[Case]:
        """Of the other packages, and of those that the distribution has."""
        found: list[Sequence[Path]] = []
        for name, make in (("others", self.make_others), ("offered", self.make_offered)):
            place = folder / name
            place.mkdir(exist_ok=True)
            found += make(place)
        return [self._read(paths) for paths in found]

    def _read(self, paths: Sequence[Path]) -> Case:
        format_ = self.make_format()
        case = read_case(Subject(tuple(paths)), format_, a_distribution(format_.name), NOW)
        assert case.info is not None, f"the format cannot read the package: {case.problem}"
        return case

    def _offered(self, folder: Path) -> Sequence[PackageInfo]:
        place = folder / "offered"
        place.mkdir(exist_ok=True)
        format_ = self.make_format()
        return [format_.packages.read(tuple(paths), None) for paths in self.make_offered(place)]

    @contextmanager
    def _services(self, folder: Path, scanner: Scanner, *, offered: bool = True) -> Iterator[OpenServices]:
        services = OpenServices(self._make_services(folder, scanner, offered=offered))
        try:
            yield services
        finally:
            services.close()

    def _make_services(self, folder: Path, scanner: Scanner, *, offered: bool = True) -> ScanServices:
        format_, advisories = self.make_format(), self.make_advisories(folder)
        packages = self._offered(folder) if offered else []
        return ScanServices(
            formats={format_.name: format_},
            scanners={scanner.name: scanner},
            settings={scanner.name: self.settings},
            advisories=(lambda: advisories) if advisories else None,
            offers=lambda _: OfferedPackages(packages),
            surroundings=DistributionSurroundings,
        )

    def _scan(self, folder: Path, case: Case | None = None) -> Verdict:
        """What a new scanner says, in this process."""
        case = case or self._case(folder)
        scanner = self.make_scanner()
        scratch = folder / "scratch"
        scratch.mkdir(exist_ok=True)
        with self._services(folder, scanner) as services:
            return checked_verdict(scanner.scan(case.artifact, services.context(case, scanner.name, scratch)))

    @contextmanager
    def _panel(self, folder: Path) -> Iterator[Panel]:
        services = self._make_services(folder, self.make_scanner())
        scratch = folder / "panel"
        scratch.mkdir()
        with open_panel(services, InspectionSettings(self.limits), scratch, None, 1) as panel:
            yield panel


class OfferedPackages:
    """``isolation.Offers`` of a distribution that has these packages, and no base sources."""

    def __init__(self, packages: Sequence[PackageInfo]) -> None:
        self._packages = [
            (Candidate(-2 * number - 1, info.name, info.version, info.architecture, info.raw), info.provides.split())
            for number, info in enumerate(packages)
        ]

    def moment(self) -> Moment:
        """Its first version; that of one without packages is the empty one."""
        architectures = frozenset(candidate.architecture for candidate, _ in self._packages)
        return Moment(1 if self._packages else 0, architectures, ())

    def named(self, names: Collection[str], architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package of one of these names."""
        return [candidate for candidate in self.everything(architectures) if candidate.name in names]

    def providing(
        self, names: Collection[str], architectures: Collection[str]
    ) -> Iterable[tuple[str, Iterable[Candidate]]]:
        """Each of the names with the packages that provide it."""
        for name in names:
            yield (
                name,
                [one for one, provided in self._packages if name in provided and one.architecture in architectures],
            )

    def everything(self, architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package."""
        return [candidate for candidate, _ in self._packages if candidate.architecture in architectures]

    def sources(self, numbers: Collection[int]) -> Mapping[int, str]:
        """None: nothing is of a base source."""
        return {}

    def close(self) -> None:
        """There is nothing to close."""


class NoAdvisories:
    """``contracts.AdvisoryHistory`` of a catalog without vulnerability data."""

    def ecosystems(self) -> Mapping[str, dt.datetime]:
        """None."""
        return {}

    def affecting(self, ecosystems: Collection[str], package: str, key: bytes) -> Sequence[Hit]:
        """None."""
        return ()

    def affecting_each(
        self, ecosystems: Collection[str], packages: Collection[tuple[str, bytes]]
    ) -> Mapping[tuple[str, bytes], Sequence[Hit]]:
        """None of any."""
        return dict.fromkeys(packages, ())

    def facts(self, vulnerabilities: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """None of any."""
        return {name: {} for name in vulnerabilities}

    def told(self, source: Source, packages: Collection[str]) -> Sequence[Told]:
        """None."""
        return ()

    def tells(self, source: Source) -> bool:
        """It does not."""
        return False

    def modules(self, source: Source, name: str, version: str) -> Sequence[str]:
        """None."""
        return ()

    def offers(self, format_name: str, name: str, architecture: str, above: bytes) -> Sequence[Available]:
        """None."""
        return ()

    def state(self) -> AdvisoryState:
        """That of the beginning."""
        return AdvisoryState(0, "", "", telling=False)

    def changed(self, since: int) -> Collection[str]:
        """None."""
        return ()


def ask(panel: Panel, case: Case, folder: Path) -> StoredVerdict:
    """What the only scanner of a panel says of a package that comes in alone."""
    (stored,) = panel.ask(case, ALONE) or panel.ask(case, BATCH, Companions([], folder))
    return stored


def a_distribution(format_name: str) -> Distribution:
    """One that is in no catalog."""
    return Distribution(
        id=1,
        repository_id=1,
        repository="internal",
        format=format_name,
        name="stable",
        components=("main",),
        architectures=(),
        policy="soft",
        compressions=("gz",),
        keep=3,
        options={},
        created_at=NOW,
    )
