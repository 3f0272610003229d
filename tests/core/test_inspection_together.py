"""Scanners that ask what else comes in are told of what does, and asked again where that turns out to be less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from entrepot.contracts import Artifact, ScanContext, Scanner
from entrepot.hookspecs import hookimpl
from entrepot.models import Status, Verdict
from support.toy import make_toy
from support.toybox import ToyBox


class Dominoes:
    """Each stands while the one before it does: ``tile3`` needs ``tile2``; ``tile0`` needs none."""

    name = answers = "dominoes"
    version = "1"
    stage = "batch"
    isolated = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.info
        self.asked.append((context.info.name, len(context.batch), len(context.held)))
        name = context.info.name
        before = int(name[-1]) - 1
        stands = before < 0 or f"{name[:-1]}{before}" in {info.name for info in context.batch}
        return Verdict(Status.PASS if stands else Status.REVIEW, "stands" if stands else "falls")

    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        return [self]


@pytest.fixture
def dominoes() -> Dominoes:
    return Dominoes()


@pytest.fixture
def box(tmp_path: Path, dominoes: Dominoes) -> Iterator[ToyBox]:
    settings = '[policies.soft]\ndeny = [{ package = "tile0", outcome = "pending_review" }]\n[policies.soft.dominoes]\n'
    box = ToyBox(tmp_path, settings=settings, plugins=[("dominoes", dominoes)])
    yield box
    box.workspace.close()


def upload(box: ToyBox, *names: str) -> dict[str, tuple[str, str]]:
    results = box.upload(*(make_toy(box.folder, name) for name in names)).results
    return {result.package: (result.status, result.pipeline["dominoes"]) for result in results}


def test_what_is_held_whatever_they_say_is_left_out_from_the_first(box: ToyBox, dominoes: Dominoes) -> None:
    assert upload(box, "tile0", "tile9") == {
        "tile0": ("pending_review", "stands"),
        "tile9": ("pending_review", "falls"),
    }
    assert sorted(dominoes.asked[:2]) == [("tile0", 1, 1), ("tile9", 0, 1)]


def test_they_are_asked_until_everything_that_they_were_told_of_comes_in(box: ToyBox, dominoes: Dominoes) -> None:
    assert upload(box, "tile0", "tile1", "tile2", "tile3") == {
        "tile0": ("pending_review", "stands"),
        "tile1": ("pending_review", "falls"),
        "tile2": ("pending_review", "falls"),
        "tile3": ("pending_review", "falls"),
    }
    told = [(batch, held) for name, batch, held in dominoes.asked if name == "tile3"]
    assert told == [(2, 1), (1, 2), (0, 3), (0, 4)]


def test_where_everything_comes_in_they_are_asked_once(box: ToyBox, dominoes: Dominoes) -> None:
    assert set(upload(box, "row0", "row1", "row2").values()) == {("published", "stands")}
    assert sorted(dominoes.asked) == [("row0", 2, 0), ("row1", 2, 0), ("row2", 2, 0)]
