"""Small pools of APT packages, written down in a line each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import count

from entrepot.contracts import Candidate

_numbers = count(1)


def package(line: str) -> Candidate:
    """A candidate from a line: ``NAME[:ARCHITECTURE]=VERSION [present] [/ Field: value]...``."""
    head, *fields = line.split(" / ")
    identity, _, flag = head.partition(" ")
    name_and_architecture, _, version = identity.partition("=")
    name, _, architecture = name_and_architecture.partition(":")
    architecture = architecture or "amd64"
    text = "\n".join((f"Package: {name}", f"Version: {version}", f"Architecture: {architecture}", *fields))
    return Candidate(next(_numbers), name, version, architecture, text.encode(), present=flag == "present")


class Shelf:
    """A pool that remembers for which names it was asked."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates = tuple(candidates)
        self.asked: list[tuple[str, ...]] = []

    def named(self, names: Collection[str]) -> Iterator[Candidate]:
        """As ``CandidatePool.named``."""
        self.asked.append(tuple(names))
        return (candidate for candidate in self.candidates if candidate.name in names)

    def providing(self, names: Collection[str]) -> Iterator[Candidate]:
        """As ``CandidatePool.providing``."""
        return (candidate for candidate in self.candidates if provided(candidate).intersection(names))

    def everything(self) -> Iterator[Candidate]:
        """As ``CandidatePool.everything``."""
        return iter(self.candidates)

    def find(self, text: str) -> Candidate:
        """The one candidate that is called ``NAME``, ``NAME=VERSION`` or ``NAME:ARCHITECTURE``."""
        found = [candidate for candidate in self.candidates if text in (candidate.name, *labels(candidate))]
        assert len(found) == 1, f"{text} is not one candidate: {found}"
        return found[0]


def provided(candidate: Candidate) -> set[str]:
    """Names that a candidate's stanza provides."""
    lines = candidate.raw.decode().splitlines()
    values = [line.partition(":")[2] for line in lines if line.startswith("Provides:")]
    return {part.split()[0].partition(":")[0] for value in values for part in value.split(",") if part.strip()}


def labels(candidate: Candidate) -> tuple[str, str]:
    """``NAME=VERSION`` and ``NAME:ARCHITECTURE``."""
    return f"{candidate.name}={candidate.version}", f"{candidate.name}:{candidate.architecture}"
