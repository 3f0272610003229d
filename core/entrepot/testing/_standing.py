"""What a scanner says of its own verdicts has to be true: what they depend on, and what it says of many at once.

Nobody notices a scanner that is wrong about this: what it said once is said again when it does not hold any more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from entrepot.contracts import (
    AdvisoryHistory,
    Artifact,
    BulkScanner,
    Changed,
    DemandingScanner,
    KeepsDatabases,
    ReusableScanner,
    SteadyScanner,
    is_isolated,
)
from entrepot.isolation import Case, Together
from entrepot.isolation.messages import decode, encode
from entrepot.isolation.worker import checked_basis, checked_verdict
from entrepot.models import Basis, Finding, PackageInfo, Status, Verdict
from entrepot.testing._means import NoAdvisories, ScannerMeans

LATER = dt.timedelta(days=3650)
Words = tuple[Status, str, str, tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class _Said:
    """A verdict with what the scanner says it stands on. Nobody has said anything where it has no basis, or no mark."""

    case: Case
    verdict: Verdict
    basis: Basis | None = None
    mark: str | None = None

    @property
    def words(self) -> Words:
        """What is told again if it is taken for the same."""
        return words(self.verdict)


def words(verdict: Verdict) -> Words:
    """What is compared from one scan to the next."""
    return verdict.status, verdict.reason, verdict.message, verdict.findings


class StandingContract(ScannerMeans):
    """The tests of this part of the contract."""

    def test_it_has_what_is_asked_of_it_and_nothing_that_is_never_asked(self) -> None:
        scanner = self.make_scanner()
        for protocol, names in (
            (ReusableScanner, ("basis",)),
            (BulkScanner, ("scan_many",)),
            (SteadyScanner, ("mark", "changed")),
        ):
            for name in names:
                assert isinstance(scanner, protocol) == hasattr(scanner, name), f"nobody asks for its {name}"
        if isinstance(scanner, BulkScanner | SteadyScanner):
            assert not is_isolated(scanner), "from another process it is not asked about many packages, or for a mark"
        if isinstance(scanner, BulkScanner):
            assert not isinstance(scanner, ReusableScanner), "one that has a basis is not asked about many packages"
        if getattr(scanner, "common_basis", False):
            assert isinstance(scanner, ReusableScanner), "it has no basis that could be the same for all packages"

    def test_it_tells_what_it_lacks_and_what_it_compares_with(self) -> None:
        scanner = self.make_scanner()
        if isinstance(scanner, DemandingScanner):
            assert isinstance(scanner.unready(self.settings, NoAdvisories(), ()), str)
        if isinstance(scanner, KeepsDatabases):
            paths = list(scanner.databases(self.settings))
            assert all(path.is_file() for path in paths)
            assert len({path.name for path in paths}) == len(paths), "two databases have the same name"

    # ---------------------------------------------------------------------------------------------- many at once

    def test_it_says_of_many_at_once_what_it_says_of_each(self, tmp_path: Path) -> None:
        scanner = self.make_scanner()
        if not isinstance(scanner, BulkScanner):
            return
        with self._services(tmp_path, scanner) as services:
            folder = _scratch(tmp_path)
            packages = [
                (_absent(case), services.context(case, scanner.name, folder)) for case in self._various(tmp_path)
            ]
            each = [checked_verdict(scanner.scan(*package)) for package in packages]
            for places in (range(len(packages)), range(len(packages))[::-1], [0]):
                told = scanner.scan_many([packages[place] for place in places])
                assert [checked_verdict(verdict) for verdict in told] == [each[place] for place in places]

    # -------------------------------------------------------------------------------------- what verdicts stand on

    def test_its_basis_and_its_mark_stay_the_same_while_nothing_changes(self, tmp_path: Path) -> None:
        one, two = [self._say(tmp_path, self._case(tmp_path)) for _ in range(2)]
        assert one.basis == two.basis
        assert one.mark == two.mark
        assert decode(encode(one.basis), "basis") == one.basis

    def test_a_common_basis_is_that_of_every_package(self, tmp_path: Path) -> None:
        if getattr(self.make_scanner(), "common_basis", False):
            assert len({self._say(tmp_path, case).basis for case in self._various(tmp_path)}) == 1

    def test_where_its_verdict_is_another_one_its_basis_and_its_mark_are_others(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        elsewhere = replace(case, distribution=replace(case.distribution, id=2, name="testing"))
        before, alone = self._say(tmp_path, case), self._say(tmp_path, case, offered=False)
        beside = self._say(tmp_path, case, offered=False, beside=self._offered(tmp_path))
        self._check(before, self._say(tmp_path, replace(case, now=case.now + LATER)), "ten years later", tmp_path)
        self._check(before, alone, "where the distribution is empty", tmp_path)
        self._check_basis(before, self._say(tmp_path, elsewhere), "in another distribution")
        self._check_basis(alone, beside, "beside what comes in with it")
        if self.change_what_it_knows(tmp_path):
            after = self._say(tmp_path, case)
            assert after.words != before.words, "change_what_it_knows changed nothing that it says of the package"
            self._check(before, after, "knowing something else", tmp_path)

    # ------------------------------------------------------------------------------------------------------- means

    def _various(self, folder: Path) -> Sequence[Case]:
        """The package, others, the same under another name and with another version, and the first once more."""
        case = self._case(folder)
        info = case.info
        assert info is not None
        described = [replace(info, name=f"{info.name}-other", source_name=f"{info.name}-other")]
        with suppress(ValueError):
            described.append(replace(info, version="0", version_key=self.make_format().versions.key("0")))
        return [case, *self._other_cases(folder), *(replace(case, info=other) for other in described), case]

    def _say(self, folder: Path, case: Case, *, offered: bool = True, beside: Sequence[PackageInfo] = ()) -> _Said:
        """What a new scanner says of a package: first what its verdict will stand on, then the verdict."""
        scanner = self.make_scanner()
        with self._services(folder, scanner, offered=offered) as services:
            context = services.context(case, scanner.name, _scratch(folder), Together(beside))
            basis = checked_basis(scanner.basis(context)) if isinstance(scanner, ReusableScanner) else None
            mark = None
            if isinstance(scanner, SteadyScanner):
                with self._history(folder) as history:
                    mark = scanner.mark(context, history)
                assert isinstance(mark, str)
            return _Said(case, checked_verdict(scanner.scan(case.artifact, context)), basis, mark)

    def _check(self, before: _Said, after: _Said, when: str, folder: Path) -> None:
        """That what was said before is not taken for what is said after."""
        self._check_basis(before, after, when)
        if before.mark is None or after.mark is None or before.words == after.words:
            return
        assert before.mark != after.mark, f"{when} it says something else of the package, and its mark is the same"
        scanner = self.make_scanner()
        assert isinstance(scanner, SteadyScanner)
        with self._services(folder, scanner) as services, self._history(folder) as history:
            context = services.context(after.case, scanner.name, _scratch(folder))
            changed = scanner.changed(before.mark, context, history)
        if changed is not None:
            assert isinstance(changed, Changed)
            info = after.case.info
            assert info is not None
            named = {info.name, info.source_name} & set(changed.names)
            spoken = changed.spoken and before.verdict.status is not Status.PASS
            assert named or spoken, f"{when} it says something else of a package that it does not name as changed"

    def _check_basis(self, before: _Said, after: _Said, when: str) -> None:
        if Status.ERROR in (before.verdict.status, after.verdict.status):
            return  # is never used again
        if before.basis is not None and before.words != after.words:
            assert before.basis != after.basis, f"{when} it says something else of the package on the same basis"

    @contextmanager
    def _history(self, folder: Path) -> Iterator[AdvisoryHistory]:
        advisories = self.make_advisories(folder) or NoAdvisories()
        assert isinstance(advisories, AdvisoryHistory), "make_advisories has to answer an AdvisoryHistory"
        try:
            yield advisories
        finally:
            getattr(advisories, "close", lambda: None)()


def _scratch(folder: Path) -> Path:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return scratch


def _absent(case: Case) -> Artifact:
    """With names of files that are not there, as in a scan."""
    folder = case.artifact.paths[0].parent / "absent"
    return replace(case.artifact, paths=tuple(folder / path.name for path in case.artifact.paths))
