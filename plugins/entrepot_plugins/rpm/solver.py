"""Finds what a package needs, and says in rpm's words what is in the way if it cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from entrepot.contracts import Candidate, CandidatePool, Closure, Missing
from entrepot.models import SOURCE_ARCHITECTURE
from entrepot_plugins.shared.libsolv_version import libsolv_version

from .architectures import NOARCH, installable_on
from .dependencies import Dependency, capabilities
from .libsolv import Answer, Board
from .universe import Package, Universe
from .version import RpmVersions


class RpmSolver:
    """The solver of the RPM format. It keeps nothing between two questions, unless the pool remembers for it."""

    @property
    def version(self) -> str:
        """That of libsolv."""
        return libsolv_version()

    def scope(self, architecture: str) -> Sequence[str]:
        """The architecture itself, those it is compatible with (``i686`` on ``x86_64``), and ``noarch``.

        As in dnf, a package of a lesser architecture is taken only where it is wanted or nothing else will do.
        """
        return (*installable_on(architecture), NOARCH)

    def closure(
        self, wanted: Sequence[Candidate], pool: CandidatePool, *, architecture: str, recommends: bool = False
    ) -> Closure:
        """What ``wanted`` needs, all of it together, on a machine of ``architecture`` that has nothing installed yet.

        The order is that of ``wanted``, then by name. Source packages need nothing. With ``recommends``, what is
        recommended comes in as far as that is possible, and so does what supplements something, if it was reached for
        another reason (nothing in a catalog tells what supplements what). If there is no solution, ``packages`` is
        ``wanted`` alone.

        What is present is taken before anything else. After it come packages of the module builds that ``wanted`` are
        of, then those outside of modules, then all other modules: a catalog knows of no enabled streams.

        ``IndexFormatError`` if the metadata of one of ``wanted`` cannot be understood. Any other package for which it
        cannot be is passed over, and named among the conflicts if there is no solution.
        """
        binaries = [candidate for candidate in wanted if candidate.architecture != SOURCE_ARCHITECTURE]
        architectures = installable_on(architecture)
        universe = Universe(architectures, recommends)
        roots = universe.load(binaries, pool)
        answer = Answer()
        if roots:
            board = Board(universe.packages, architectures, _precedence(roots))
            answer = board.choose(len(roots), recommends=recommends)
        chosen = [universe.packages[number].candidate for number in answer.chosen]
        chosen.sort(key=lambda found: (found.name, found.architecture, found.version, found.id))
        found = tuple(candidate for candidate in dict.fromkeys((*wanted, *chosen)) if not candidate.present)
        if answer.solved:
            unmet = (Missing(str(wish), str(universe.packages[number])) for number, wish in answer.unmet)
            return Closure(found, unmet=tuple(unmet))
        reasons = _Reasons(universe, len(roots), answer)
        return Closure(found, tuple(reasons.missing()), tuple(reasons.conflicts()))

    def excluded(
        self, wanted: Candidate, pool: CandidatePool, *, architecture: str, among: Callable[[Candidate], bool]
    ) -> Iterator[tuple[Candidate, str]]:
        """Whom its Conflicts are about; what it obsoletes it replaces. libsolv is asked about each pair."""
        said = Universe(installable_on(architecture)).read(wanted, pool).relations
        names = {*_names(said.conflicts)} - {wanted.name, *_names(said.provides), *_names(said.obsoletes)}
        if not names:
            return
        found = {candidate.name for candidate in chain(pool.named(names), pool.providing(names))} - {wanted.name}
        key = RpmVersions().key
        newest: dict[str, Candidate] = {}
        for candidate in sorted(pool.named(sorted(found)), key=lambda one: (key(one.version), one.architecture)):
            newest[candidate.name] = candidate
        for other in filter(among, map(newest.__getitem__, sorted(newest))):
            together = self.closure([wanted, other], pool, architecture=architecture)
            if together.conflicts and not together.missing:
                alone = self.closure([other], pool, architecture=architecture)
                if not alone.conflicts and not alone.missing:
                    yield other, together.conflicts[0].partition(";")[0]


def _names(dependencies: Iterable[Dependency]) -> Iterator[str]:
    for dependency in dependencies:
        for capability in capabilities(dependency):
            yield capability.name


def _precedence(roots: Collection[Package]) -> Callable[[Package], int]:
    builds = {root.module_build for root in roots} - {""}

    def precedence(package: Package) -> int:
        if package.candidate.present:
            return 3
        build = package.module_build
        return 2 if build in builds else 0 if build else 1

    return precedence


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Says why there is no solution."""

    universe: Universe
    roots: int
    answer: Answer

    def missing(self) -> Iterator[Missing]:
        for number, requirement in self.answer.unmet:
            yield Missing(str(requirement), str(self.universe.packages[number]))

    def conflicts(self) -> Iterator[str]:
        """A sentence for each clash: what is between the packages, and why they would come in."""
        for numbers, quarrel in self.answer.clashes:
            if len(numbers) > 1 and max(numbers) < self.roots:
                yield f"{quarrel}; both are wanted"
            else:
                yield "; ".join(filter(None, (quarrel, ", ".join(filter(None, map(self._why, numbers))))))
        for error in self.universe.unusable:
            yield f"passed over, as its metadata cannot be understood: {error}"

    def _why(self, number: int) -> str:
        package = self.universe.packages[number]
        if number < self.roots:
            return f"{package} is wanted"
        names = dict.fromkeys(str(self.universe.packages[cause]) for cause in self.answer.causes.get(number, ()))
        return f"{package} is needed by {' and '.join(names)}" if names else ""
