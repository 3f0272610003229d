"""What every scanner and every notifier has to do, as tests that its author runs against it (with pytest)::

    from entrepot.testing import ScannerContract

    class TestLicences(ScannerContract):
        settings = {"refused": ["SSPL-1.0"]}

        def make_scanner(self):
            return LicenceScanner()

        def make_format(self):
            return AptFormat()

        def make_package(self, folder):
            return [build_package(folder)]

To see what an assertion compared, put ``pytest.register_assert_rewrite("entrepot.testing")`` into ``conftest.py``
first.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import pickle
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import (
    AdvisoryLookup,
    Candidate,
    Format,
    Notice,
    NotifierFactory,
    ReusableScanner,
    Scanner,
    is_isolated,
)
from entrepot.errors import EntrepotError, SettingsError
from entrepot.isolation import Case, Moment, OpenServices, ScanServices
from entrepot.isolation.messages import STATUSES, decode, encode
from entrepot.isolation.worker import checked_basis, checked_verdict
from entrepot.models import Basis, Distribution, PackageInfo, Status, Verdict
from entrepot.notifying import EVENTS
from entrepot.pipeline.handed import Companions
from entrepot.pipeline.inspect import Subject, read_case
from entrepot.pipeline.panel import ALONE, BATCH, Panel, open_panel
from entrepot.pipeline.surroundings import DistributionSurroundings
from entrepot.settings import InspectionSettings, Limits

__all__ = ["NotifierContract", "ScannerContract"]

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FAILURES = frozenset(("scanner_failed", "timed_out", "crashed", "out_of_memory", "flooded", "bad_answer"))
"""Reasons that are given for a scanner that gave no verdict."""


def _flipped(seed: int) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        chance, damaged = random.Random(seed), bytearray(data)  # noqa: S311 - the same damage every time
        for _ in range(16):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        return bytes(damaged)

    return damage


HOSTILE: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one byte": lambda data: data[:1],
    "cut in the middle": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "only its head": lambda data: data[:64],
    "head and zeros": lambda data: data[:256] + bytes(1 << 16),
    "head and noise": lambda data: data[:256] + random.Random(1).randbytes(1 << 16),  # noqa: S311
    "zeros": lambda _: bytes(1 << 20),
    "text": lambda _: b"\xff\xfe<html>not a package\x1b[2J</html>" * 1000,
    "with something behind it": lambda data: data + data,
    **{f"damaged {seed}": _flipped(seed) for seed in range(12)},
}
"""What may lie under the name of a package: made of a good one."""


class ScannerContract(ABC):
    """Inherit, name the class ``Test...``, and say how to make the scanner and a package that it inspects."""

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

    def make_advisories(self, folder: Path) -> AdvisoryLookup | None:
        """What the scanner finds in ``ScanContext.advisories``."""
        return None

    def make_offered(self, folder: Path) -> Sequence[Sequence[Path]]:
        """Puts packages into a folder that the distribution has: what there is in ``ScanContext.surroundings``."""
        return ()

    # -------------------------------------------------------------------------------------------------- what it is

    def test_it_says_what_it_is(self) -> None:
        scanner = self.make_scanner()
        for text in (scanner.name, scanner.answers, scanner.version):
            assert isinstance(text, str)
            assert text.strip() == text != ""
            assert text.isprintable()
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", scanner.name), "a key of entrepot.toml"
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", scanner.answers), "a key of results"
        assert getattr(scanner, "stage", ALONE) in (ALONE, BATCH)
        assert isinstance(getattr(scanner, "isolated", True), bool)

    # ------------------------------------------------------------------------------------------------ what it says

    def test_a_good_package_has_a_verdict(self, tmp_path: Path) -> None:
        verdict = self._scan(tmp_path)
        assert verdict.status in STATUSES
        assert verdict.status is not Status.ERROR, verdict.message
        assert re.fullmatch(r"[a-z][a-z0-9_]*", verdict.reason), "a short code, not a sentence"

    def test_its_verdict_is_the_same_after_it_was_sent(self, tmp_path: Path) -> None:
        verdict = self._scan(tmp_path)
        assert decode(encode(verdict), "scan") == verdict

    def test_its_findings_are_the_same_from_scan_to_scan(self, tmp_path: Path) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir()
        second.mkdir()
        found = [[finding.id for finding in self._scan(folder).findings] for folder in (first, second)]
        assert found[0] == found[1]
        assert all(found[0])

    def test_its_basis_stays_the_same_while_nothing_changes(self, tmp_path: Path) -> None:
        scanner = self.make_scanner()
        if not isinstance(scanner, ReusableScanner):
            assert not hasattr(scanner, "basis"), "it has a basis that nobody can ask for"
            return
        case = self._case(tmp_path)
        bases: list[Basis | None] = []
        for name in ("one", "two"):
            with self._services(tmp_path, self.make_scanner()) as services:
                asked = services.scanners[scanner.name]
                assert isinstance(asked, ReusableScanner)
                folder = tmp_path / name
                folder.mkdir()
                bases.append(checked_basis(asked.basis(services.context(case, scanner.name, folder))))
        assert bases[0] == bases[1]
        assert decode(encode(bases[0]), "basis") == bases[0]

    # ------------------------------------------------------------------------------------------------ what it does

    def test_it_writes_nothing_outside_of_its_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        case = self._case(tmp_path)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        before = _content(case.artifact.paths[0].parent)
        self._scan(tmp_path, case)
        assert _content(case.artifact.paths[0].parent) == before
        assert list(elsewhere.iterdir()) == []

    def test_what_it_is_told_can_be_sent(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        assert pickle.loads(pickle.dumps(case)) == case  # noqa: S301 - our own

    def test_it_says_the_same_in_the_pipeline(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        with self._panel(tmp_path) as panel:
            stored = _ask(panel, case, tmp_path)
        assert stored.verdict.reason not in FAILURES, stored.verdict.message
        if not is_isolated(self.make_scanner()):
            assert stored.verdict == self._scan(tmp_path, case)

    def test_without_a_catalog_it_does_not_fail(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        services = ScanServices({case.format: self.make_format()}, {"it": self.make_scanner()}, {"it": self.settings})
        folder = tmp_path / "alone"
        folder.mkdir()
        scanner = services.scanners["it"]
        checked_verdict(scanner.scan(case.artifact, OpenServices(services).context(case, "it", folder)))

    def test_what_cannot_be_read_is_never_passed_and_never_the_end_of_it(self, tmp_path: Path) -> None:
        good = self._case(tmp_path).artifact.paths[0]
        with self._panel(tmp_path) as panel:
            for number, (what, damage) in enumerate(HOSTILE.items()):
                folder = tmp_path / f"hostile-{number}"
                folder.mkdir()
                path = folder / good.name
                path.write_bytes(damage(good.read_bytes()))
                format_ = self.make_format()
                case = read_case(Subject((path,)), format_, _distribution(format_.name), NOW)
                verdict = _ask(panel, case, tmp_path).verdict
                assert verdict.reason not in FAILURES, f"{what}: {verdict.message}"
                if case.info is None:
                    assert verdict.status is not Status.PASS, what

    # ------------------------------------------------------------------------------------------------------- means

    def _case(self, folder: Path) -> Case:
        place = folder / "package"
        place.mkdir(exist_ok=True)
        paths = tuple(self.make_package(place))
        format_ = self.make_format()
        case = read_case(Subject(paths), format_, _distribution(format_.name), NOW)
        assert case.info is not None, f"the format cannot read the package: {case.problem}"
        return case

    @contextmanager
    def _services(self, folder: Path, scanner: Scanner) -> Iterator[OpenServices]:
        services = OpenServices(self._make_services(folder, scanner))
        try:
            yield services
        finally:
            services.close()

    def _make_services(self, folder: Path, scanner: Scanner) -> ScanServices:
        format_, advisories = self.make_format(), self.make_advisories(folder)
        place = folder / "offered"
        place.mkdir(exist_ok=True)
        offered = [format_.packages.read(tuple(paths), None) for paths in self.make_offered(place)]
        return ScanServices(
            formats={format_.name: format_},
            scanners={scanner.name: scanner},
            settings={scanner.name: self.settings},
            advisories=(lambda: advisories) if advisories else None,
            offers=lambda _: _Offered(offered),
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


class _Offered:
    """``isolation.Offers`` of a distribution that has these packages, and no base sources."""

    def __init__(self, packages: Sequence[PackageInfo]) -> None:
        self._packages = [
            (Candidate(-2 * number - 1, info.name, info.version, info.architecture, info.raw), info.provides.split())
            for number, info in enumerate(packages)
        ]

    def moment(self) -> Moment:
        """Its first version."""
        return Moment(1, frozenset(candidate.architecture for candidate, _ in self._packages), ())

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


def _ask(panel: Panel, case: Case, folder: Path) -> StoredVerdict:
    (stored,) = panel.ask(case, ALONE) or panel.ask(case, BATCH, Companions([], folder))
    return stored


def _content(folder: Path) -> Mapping[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _distribution(format_name: str) -> Distribution:
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


class NotifierContract(ABC):
    """Tests of one kind of notifier: ``make_factory``, its ``settings``, and what its receiver has taken."""

    secrets: ClassVar[Sequence[str]] = ()
    """What is in the settings, or what they refer to, and may be in no message."""

    @abstractmethod
    def make_factory(self) -> NotifierFactory: ...

    @abstractmethod
    def settings(self, folder: Path) -> Mapping[str, Any]:
        """The table of a notifier whose receiver is there."""

    @abstractmethod
    def broken(self, folder: Path) -> Mapping[str, Any]:
        """That of one whose receiver takes nothing."""

    @abstractmethod
    def received(self, folder: Path) -> Sequence[str]:
        """What the receiver of ``settings`` has of the notices that it took: for each one its id, or what it led to."""

    def notices(self, count: int) -> Sequence[Notice]:
        """Notices that the kind makes something of."""
        event = next(iter(sorted(self.make_factory().hears)), "version_created")
        found = []
        for number in range(1, count + 1):
            data = {"distribution": "shop/window", "target": "file:///srv", "changed": [f"a/{number}"]}
            head = {"id": f"evt_{number:032x}", "type": event, "timestamp": "2026-01-01T00:00:00Z", "version": 1}
            found.append(Notice(f"evt_{number:032x}", event, {**head, "actor": "somebody", "data": data}))
        return found

    def test_it_says_what_it_is(self) -> None:
        factory = self.make_factory()
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", factory.kind)
        assert {*factory.hears} <= {*EVENTS}

    def test_it_tells_one_notice_and_as_many_as_it_takes(self, tmp_path: Path) -> None:
        with self.make_factory().open("one", self.settings(tmp_path), tmp_path) as notifier:
            first, *others = self.notices(4)
            assert notifier.together >= 1
            notifier.deliver([first], 10.0)
            for start in range(0, len(others), notifier.together):
                notifier.deliver(others[start : start + notifier.together], 10.0)
        assert len(set(self.received(tmp_path))) == 4

    def test_it_can_tell_the_same_twice(self, tmp_path: Path) -> None:
        for _ in range(2):
            with self.make_factory().open("one", self.settings(tmp_path), tmp_path) as notifier:
                notifier.deliver(self.notices(1), 10.0)
        assert len(set(self.received(tmp_path))) == 1

    def test_it_says_so_where_nobody_takes_it_and_quotes_no_secret(self, tmp_path: Path) -> None:
        with pytest.raises(EntrepotError) as caught:  # noqa: SIM117 - it may fail when it is opened, too
            with self.make_factory().open("one", self.broken(tmp_path), tmp_path) as notifier:
                notifier.deliver(self.notices(1), 5.0)
        said = f"{caught.value} {caught.value.hint} {caught.value.data}"
        assert not [secret for secret in self.secrets if secret in said]

    def test_a_setting_that_it_does_not_know_is_refused_by_name(self, tmp_path: Path) -> None:
        settings = {**self.settings(tmp_path), "colour": "green"}
        opened = self.make_factory().open("one", settings, tmp_path)
        with pytest.raises(SettingsError, match=r"notify\.one\.colour"):
            opened.__enter__()
