"""The contract suite refuses scanners that do what none may do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from entrepot.contracts import Artifact, Format, ScanContext, Scanner
from entrepot.models import Basis, Finding, Scalar, Status, Verdict
from entrepot.testing import ScannerContract
from support.toy import ToyFormat, make_toy

pytestmark = pytest.mark.isolated

COUNTER = itertools.count()


class Good:
    """Does what it has to."""

    name = answers = "good"
    version = "1"
    isolated = False

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        status = Status.PASS if context.info else Status.BLOCK
        return Verdict(status, "looked", findings=(Finding("size", "low", "it has one"),))

    def basis(self, context: ScanContext) -> Basis | None:
        return Basis("1")


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


def contract_of(make: Callable[[], Scanner]) -> ScannerContract:
    """The suite for a scanner."""

    class Contract(ScannerContract):
        def make_scanner(self) -> Scanner:
            return make()

        def make_format(self) -> Format:
            return ToyFormat()

        def make_package(self, folder: Path) -> Sequence[Path]:
            return [make_toy(folder)]

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


@pytest.mark.parametrize("name", TESTS)
def test_a_good_scanner_passes(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(contract_of(Good), name, here, monkeypatch)


@pytest.mark.parametrize(
    ("scanner", "name"),
    [
        (Shouting, "test_it_says_what_it_is"),
        (Failing, "test_a_good_package_has_a_verdict"),
        (Trusting, "test_what_cannot_be_read_is_never_passed_and_never_the_end_of_it"),
        (Falling, "test_what_cannot_be_read_is_never_passed_and_never_the_end_of_it"),
        (Counting, "test_its_findings_are_the_same_from_scan_to_scan"),
        (Unsettled, "test_its_basis_stays_the_same_while_nothing_changes"),
        (Unserious, "test_its_verdict_is_the_same_after_it_was_sent"),
        (Littering, "test_it_writes_nothing_outside_of_its_folder"),
        (LitteringHere, "test_it_writes_nothing_outside_of_its_folder"),
        (Needing, "test_without_a_catalog_it_does_not_fail"),
    ],
)
def test_what_none_may_do_is_found(scanner: type[Good], name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, ValueError)):
        run(contract_of(scanner), name, here, monkeypatch)
