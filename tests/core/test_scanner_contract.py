"""The contract suite refuses scanners that do what none may do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

import pytest

from entrepot.contracts import AdvisoryHistory, Artifact, Changed, Format, ScanContext, Scanner
from entrepot.models import Basis, Finding, Scalar, Status, Verdict
from entrepot.testing import ScannerContract
from support.toy import ToyFormat, make_toy

pytestmark = pytest.mark.isolated

COUNTER = itertools.count()


class Plain:
    """Does what it has to, and says nothing of what that depends on."""

    name = answers = "plain"
    version = "1"
    isolated = False
    data: ClassVar[int] = 0
    """What it knows."""

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        status = Status.PASS if context.info else Status.BLOCK
        name = context.info.name if context.info else ""
        return Verdict(status, "looked", findings=(Finding("size", "low", f"{name} has one"),))


class Good(Plain):
    """Says what its verdicts depend on."""

    common_basis = True

    def basis(self, context: ScanContext) -> Basis | None:
        return Basis("1")


class Bulky(Plain):
    """Answers about many at once, and knows what changed."""

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        verdict = super().scan(artifact, context)
        return replace(verdict, message=f"by {self.data}") if context.info and context.info.name == "robot" else verdict

    def scan_many(self, packages: Sequence[tuple[Artifact, ScanContext]]) -> Sequence[Verdict]:
        return [self.scan(*package) for package in packages]

    def mark(self, context: ScanContext, history: AdvisoryHistory) -> str:
        return str(self.data)

    def changed(self, since: str, context: ScanContext, history: AdvisoryHistory) -> Changed | None:
        return Changed(["robot"], spoken=False)


class Shouting(Good):
    name = "GOOD"


class Trusting(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        return Verdict(Status.PASS, "looked")


class Falling(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        return super().scan(artifact, context) if artifact.paths[0].read_bytes()[3] else Verdict(Status.PASS, "odd")


class Failing(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        return Verdict(Status.ERROR, "broken")


class Counting(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        return Verdict(Status.WARN, "looked", findings=(Finding(f"number-{next(COUNTER)}", "low", "one more"),))


class Unsettled(Good):
    def basis(self, context: ScanContext) -> Basis | None:
        return Basis(str(next(COUNTER)))


class Unserious(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        return Verdict(Status.PASS, "looked", evidence={"parts": cast(Scalar, ["arm", "leg"])})


class Littering(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        artifact.paths[0].with_name("notes").write_text("seen")
        return super().scan(artifact, context)


class LitteringHere(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        Path("notes").write_text("seen")
        return super().scan(artifact, context)


class Needing(Good):
    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.advisories is not None
        return super().scan(artifact, context)


class Lenient(Bulky):
    def scan_many(self, packages: Sequence[tuple[Artifact, ScanContext]]) -> Sequence[Verdict]:
        return [Verdict(Status.PASS, "looked")] * len(packages)


class Disorderly(Bulky):
    def scan_many(self, packages: Sequence[tuple[Artifact, ScanContext]]) -> Sequence[Verdict]:
        return sorted(super().scan_many(packages), key=lambda verdict: verdict.findings[0].summary)


class Unasked(Bulky):
    isolated = True


class Both(Bulky, Good):
    pass


class Particular(Good):
    def basis(self, context: ScanContext) -> Basis | None:
        return Basis(context.info.name if context.info else "")


class _Depending(Good):
    """Its verdict depends on what its basis does not have."""

    def on(self, context: ScanContext) -> object:
        raise NotImplementedError

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        return Verdict(Status.WARN, "looked", f"{self.on(context)}")


class Aging(_Depending):
    def on(self, context: ScanContext) -> object:
        return context.now


class Local(_Depending):
    def on(self, context: ScanContext) -> object:
        return context.distribution.path


class Looking(_Depending):
    def on(self, context: ScanContext) -> object:
        return context.surroundings and len(list(context.surroundings.pool("any").named(["battery"])))


class Sociable(_Depending):
    def on(self, context: ScanContext) -> object:
        return len(context.batch)


class Learning(_Depending):
    def on(self, context: ScanContext) -> object:
        return self.data


class Unmarked(Bulky):
    def mark(self, context: ScanContext, history: AdvisoryHistory) -> str:
        return "always"


class Forgetful(Bulky):
    def changed(self, since: str, context: ScanContext, history: AdvisoryHistory) -> Changed | None:
        return Changed(["battery"], spoken=True)


def contract_of(make: Callable[[], Scanner]) -> ScannerContract:
    """The suite for a scanner."""

    class Contract(ScannerContract):
        def make_scanner(self) -> Scanner:
            return make()

        def make_format(self) -> Format:
            return ToyFormat()

        def make_package(self, folder: Path) -> Sequence[Path]:
            return [make_toy(folder, "robot")]

        def make_offered(self, folder: Path) -> Sequence[Sequence[Path]]:
            return [[make_toy(folder, "battery")]]

        def change_what_it_knows(self, folder: Path) -> bool:
            """Of those that know anything."""
            Plain.data += 1
            return isinstance(make(), Bulky | Learning)

    return Contract()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, so that what a scanner litters is nowhere else."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(contract: ScannerContract, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs one test of the suite as pytest would."""
    means = {"tmp_path": folder, "monkeypatch": monkeypatch}
    test = getattr(contract, name)
    wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    test(**{argument: means[argument] for argument in wanted})


TESTS = tuple(name for name in dir(ScannerContract) if name.startswith("test_"))


@pytest.mark.parametrize("scanner", [Good, Bulky])
@pytest.mark.parametrize("name", TESTS)
def test_a_good_scanner_passes(scanner: type[Plain], name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(contract_of(scanner), name, here, monkeypatch)


STANDING = "test_where_its_verdict_is_another_one_its_basis_and_its_mark_are_others"


@pytest.mark.parametrize(
    ("scanner", "name"),
    [
        (Shouting, "test_it_says_what_it_is"),
        (Failing, "test_a_good_package_has_a_verdict"),
        (Trusting, "test_what_cannot_be_read_is_never_passed_and_never_the_end_of_it"),
        (Falling, "test_what_cannot_be_read_is_never_passed_and_never_the_end_of_it"),
        (Counting, "test_it_says_the_same_from_scan_to_scan"),
        (Unsettled, "test_its_basis_and_its_mark_stay_the_same_while_nothing_changes"),
        (Unserious, "test_its_verdict_is_the_same_after_it_was_sent"),
        (Littering, "test_it_writes_nothing_outside_of_its_folder"),
        (LitteringHere, "test_it_writes_nothing_outside_of_its_folder"),
        (Needing, "test_without_a_catalog_it_does_not_fail"),
        (Lenient, "test_it_says_of_many_at_once_what_it_says_of_each"),
        (Disorderly, "test_it_says_of_many_at_once_what_it_says_of_each"),
        (Unasked, "test_it_has_what_is_asked_of_it_and_nothing_that_is_never_asked"),
        (Both, "test_it_has_what_is_asked_of_it_and_nothing_that_is_never_asked"),
        (Particular, "test_a_common_basis_is_that_of_every_package"),
        *((scanner, STANDING) for scanner in (Aging, Local, Looking, Sociable, Learning, Unmarked, Forgetful)),
    ],
)
def test_what_none_may_do_is_found(
    scanner: type[Plain], name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((AssertionError, ValueError)):
        run(contract_of(scanner), name, here, monkeypatch)
