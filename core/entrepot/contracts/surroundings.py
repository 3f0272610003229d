"""What a package meets on the machines that it is made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from entrepot.contracts.solving import Candidate, CandidatePool
    from entrepot.models import PackageInfo


class Surroundings(Protocol):
    """What clients of a distribution can install: its newest version, its base sources, and what comes in beside it.

    It may be asked from any thread, and answers for the moment of the first question.
    """

    def state(self, batch: Sequence[PackageInfo] = ()) -> str:
        """A digest of all that the pools are made of: the same digest, the same pools."""
        ...

    def unsynced(self) -> Sequence[str]:
        """Names of base sources of which nothing is known yet."""
        ...

    def machines(self, info: PackageInfo) -> Sequence[str]:
        """The architectures of the machines that a package is for; none if nothing tells which there are.

        Those of the distribution, else those of its base sources and of the packages that there are already.
        """
        ...

    def candidate(self, info: PackageInfo) -> Candidate:
        """A package that comes in, for a solver: the same for the same package."""
        ...

    def pool(self, machine: str, batch: Sequence[PackageInfo] = ()) -> CandidatePool:
        """Everything that a machine can install. Nothing in it counts as present: nothing is installed yet."""
        ...

    def of_base(self, candidate: Candidate) -> bool:
        """Whether a candidate of a pool is from a base source; told by its number, without asking which it is."""
        ...

    def origin(self, candidate: Candidate) -> str:
        """Where a candidate of a pool is from: the name of a base source, ``distribution`` or ``batch``."""
        ...
