"""The packages that a closure can reach, and which of them satisfy or offend whom, by dpkg's rules.

Everything that is Debian's about solving is here: virtual packages, versions, Multi-Arch, and which of several packages
apt would rather take. What is left for the solver is a question of plain logic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from entrepot.contracts import Candidate, CandidatePool, VersionScheme
from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE
from entrepot_plugins.shared.candidates import unseen

from .relations import Clause, Relation, RelationReader, Relations

ALL = "all"
BATCH = 400
"""Names in one question to the pool: few questions, and no statement with too many parameters."""
MAX_CHOICES = 100
"""Of very many packages that satisfy an alternative (every nightly build of the last years), those that would be taken
first are looked at: what libsolv needs grows with the square of their number."""
MAX_PACKAGES = 250_000
"""More than any closure of a whole distribution reaches; hostile indexes shall not eat the memory."""

_PRIORITIES = {name: rank for rank, name in enumerate(("required", "important", "standard", "optional", "extra"))}


@dataclass(slots=True, eq=False)
class Package:
    """A candidate with what its stanza says. ``architecture`` is the machine's where the candidate's is ``all``."""

    candidate: Candidate
    key: bytes
    architecture: str
    relations: Relations
    foreign: bool = False

    def __str__(self) -> str:
        name = f"{self.candidate.name}:{self.architecture}" if self.foreign else self.candidate.name
        return f"{name} (= {self.candidate.version})"

    @property
    def requirements(self) -> Iterator[Clause]:
        """Every clause that has to hold."""
        return chain(self.relations.pre_depends, self.relations.depends)

    @property
    def standing(self) -> tuple[bool, int]:
        """How much apt likes it as the provider of a virtual package: essential ones, then by priority."""
        return not self.relations.essential, _PRIORITIES.get(self.relations.priority, len(_PRIORITIES))


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that a package answers to. ``key`` is None where it is provided without a version."""

    package: Package
    key: bytes | None
    architecture: str
    own: bool

    def offends(self, relation: Relation) -> bool:
        """Whether a Conflicts or Breaks is about it: about every architecture unless it names one."""
        return self.admitted_by(relation) and relation.qualifier in ("", "any", self.architecture)

    def admitted_by(self, relation: Relation) -> bool:
        """Versions alone: what is provided without one satisfies no relation that names one (Policy 7.5)."""
        return not relation.operator or (self.key is not None and relation.admits(self.key))


@dataclass(slots=True)
class Universe:
    """Candidates by the names that they answer to. ``architectures``: the machine's own first."""

    versions: VersionScheme
    architectures: tuple[str, ...]
    recommends: bool = False
    packages: list[Package] = field(default_factory=list)
    unusable: list[IndexFormatError] = field(default_factory=list)
    """Why candidates that were reached are left out: their stanzas cannot be understood."""
    _offers: dict[str, list[Offer]] = field(default_factory=dict)
    _seen: set[tuple[bool, int]] = field(default_factory=set)

    def load(self, wanted: Iterable[Candidate], pool: CandidatePool) -> list[Package]:
        """Loads ``wanted`` and, breadth first, all that they can reach; answers the packages of ``wanted``.

        ``IndexFormatError`` if one of ``wanted`` has a stanza that cannot be understood, or if too much is reached.
        """
        reader = _remembered(pool, self.versions)
        seen: set[tuple[bool, int]] = set()
        asked: set[str] = set()
        fresh = [self._read(candidate, reader) for candidate in unseen(wanted, seen)]
        roots = list(fresh)
        while fresh:
            self.packages += fresh
            if len(self.packages) > MAX_PACKAGES:
                raise IndexFormatError(f"the dependencies of {roots[0]} reach more than {MAX_PACKAGES} packages")
            names = sorted({name for package in fresh for name in self._mentioned(package)} - asked)
            asked.update(names)
            fresh = []
            for candidate in unseen(self._ask(pool, names), seen):
                try:
                    fresh.append(self._read(candidate, reader))
                except IndexFormatError as error:
                    self.unusable.append(error)
            fresh = self.in_order(fresh)
        for package in self.in_order(self.packages):
            self._register(package)
        return roots

    def extend(self, names: Sequence[str], pool: CandidatePool) -> None:
        """Loads what is called or provides one of these names, and nothing of what that can reach."""
        for package in self.read_usable(unseen(self._ask(pool, names), self._seen), pool):
            self.packages.append(package)
            self._register(package)

    def read_wanted(self, wanted: Iterable[Candidate], pool: CandidatePool) -> list[Package]:
        """The packages of ``wanted``; ``IndexFormatError`` if one of them cannot be understood."""
        reader = _remembered(pool, self.versions)
        return [self._read(candidate, reader) for candidate in unseen(wanted, set())]

    def read_usable(self, candidates: Iterable[Candidate], pool: CandidatePool) -> Iterator[Package]:
        """Those of the packages that can be understood."""
        reader = _remembered(pool, self.versions)
        for candidate in candidates:
            with suppress(IndexFormatError):
                yield self._read(candidate, reader)

    def _ask(self, pool: CandidatePool, names: Sequence[str]) -> Iterator[Candidate]:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            for candidate in chain(pool.named(batch), pool.providing(batch)):
                if candidate.architecture == ALL or candidate.architecture in self.architectures:
                    yield candidate

    def _mentioned(self, package: Package) -> Iterator[str]:
        weak = package.relations.recommends if self.recommends else ()
        for clause in chain(package.requirements, weak):
            for relation in clause:
                yield relation.name

    def _read(self, candidate: Candidate, reader: _Reader) -> Package:
        key, relations = reader.read(candidate)
        native = self.architectures[0]
        architecture = native if candidate.architecture == ALL else candidate.architecture
        return Package(candidate, key, architecture, relations, foreign=architecture != native)

    def in_order(self, packages: Iterable[Package]) -> list[Package]:
        """By name, then the newest version, then the machine's own architecture.

        Pools answer in any order; nothing shall depend on it.
        """
        nearest = {name: rank for rank, name in enumerate(self.architectures)}
        ordered = sorted(packages, key=lambda package: (not package.candidate.present, package.candidate.id))
        ordered.sort(key=lambda package: nearest[package.architecture])
        ordered.sort(key=lambda package: package.key, reverse=True)
        ordered.sort(key=lambda package: package.candidate.name)
        return ordered

    def _register(self, package: Package) -> None:
        for name, offer in own_offers(package):
            self._offers.setdefault(name, []).append(offer)

    def satisfying(self, clause: Clause, architecture: str) -> tuple[Package, ...]:
        """Who satisfies a clause of a package of ``architecture``, the one to be taken before all others first.

        Present ones come first, as nothing has to be imported for them. Then, as in apt: the first alternative before
        the second, a package of that very name before those that provide it, the newest version before older ones.
        """
        choices: dict[Package, tuple[bool, int, bool, tuple[bool, int]]] = {}
        for position, relation in enumerate(clause):
            for offer in self._offers.get(relation.name, ()):
                package = offer.package
                if package not in choices and self.meets(relation, offer, architecture):
                    standing = (False, 0) if offer.own else package.standing
                    choices[package] = not package.candidate.present, position, not offer.own, standing
        if len(choices) <= 1:
            return tuple(choices)
        ordered = sorted(self.in_order(choices), key=choices.__getitem__)
        if len(ordered) <= MAX_CHOICES:
            return tuple(ordered)
        left = dict.fromkeys(range(len(clause)), MAX_CHOICES)
        taken = []
        for package in ordered:
            position = choices[package][1]
            left[position] -= 1
            if left[position] >= 0:
                taken.append(package)
        return tuple(taken)

    def meets(self, relation: Relation, offer: Offer, architecture: str) -> bool:
        """Whether what is offered satisfies a dependency of a package of ``architecture``."""
        return offer.admitted_by(relation) and self._fits(relation, offer, architecture)

    def _fits(self, relation: Relation, offer: Offer, architecture: str) -> bool:
        """Whether the architecture of what is offered is right for a dependency of a package of ``architecture``."""
        match relation.qualifier:
            case "":
                return offer.architecture == architecture or offer.package.relations.multi_arch == "foreign"
            case "any":
                return offer.package.relations.multi_arch == "allowed"
            case "native":
                return offer.architecture == self.architectures[0]
            case wanted:
                return offer.architecture == wanted

    def offending(self, relation: Relation, name: str) -> tuple[Package, ...]:
        """Whom a Conflicts or Breaks of a package called ``name`` is about, in order.

        It is about every architecture unless it names one. A package never conflicts with what it provides itself, nor
        do its own other versions and architectures (those exclude each other by other rules).
        """
        return tuple(
            dict.fromkeys(
                offer.package
                for offer in self._offers.get(relation.name, ())
                if offer.package.candidate.name != name and offer.offends(relation)
            )
        )

    def newest(self, name: str) -> bytes:
        """The key of the newest version of a package; empty if there is none."""
        return max((offer.package.key for offer in self._offers.get(name, ()) if offer.own), default=b"")

    def strangers(self, package: Package) -> Iterator[Package]:
        """Packages of the same name and another architecture that cannot be installed beside ``package``.

        Only packages that are ``Multi-Arch: same`` can, and only in the same version.
        """
        for offer in self._offers[package.candidate.name]:
            other = offer.package
            if offer.own and other.architecture != package.architecture:
                twins = package.relations.multi_arch == other.relations.multi_arch == "same"
                if not twins or package.key != other.key:
                    yield other


def own_offers(package: Package) -> Iterator[tuple[str, Offer]]:
    """The names that a package answers to."""
    yield package.candidate.name, Offer(package, package.key, package.architecture, own=True)
    for relation in package.relations.provides:
        architecture = package.architecture if relation.qualifier in ("", "any") else relation.qualifier
        yield relation.name, Offer(package, relation.key or None, architecture, own=False)


class _Reader:
    """Reads candidates, each once."""

    def __init__(self, versions: VersionScheme) -> None:
        self._versions = versions
        self._relations = RelationReader(versions)
        self._known: dict[tuple[bool, int], tuple[bytes, Relations]] = {}

    def read(self, candidate: Candidate) -> tuple[bytes, Relations]:
        """The key of its version and what it says; ``IndexFormatError`` if that cannot be understood."""
        identity = (candidate.present, candidate.id)
        if identity not in self._known:
            try:
                key = self._versions.key(candidate.version)
            except ValueError as error:
                raise IndexFormatError(f"{candidate}: {error}", package=str(candidate), field="Version") from error
            self._known[identity] = key, self._relations.read(candidate.raw, str(candidate))
        return self._known[identity]


def _remembered(pool: CandidatePool, versions: VersionScheme) -> _Reader:
    """The reader of the last question, where the pool keeps one."""
    reader = memory_of(pool).setdefault(_Reader, _Reader(versions))
    assert isinstance(reader, _Reader)
    return reader


def memory_of(pool: CandidatePool) -> MutableMapping[Any, Any]:
    """What the pool keeps for its solver, if it is a ``RememberingPool``; asking whether it is takes far longer."""
    memory: MutableMapping[Any, Any] = getattr(pool, "memory", {})
    return memory


def coming(pool: CandidatePool) -> Sequence[Candidate]:
    """What will be asked about, if the pool is an ``ExpectingPool`` that has not told yet."""
    tell: Callable[[], Sequence[Candidate]] = getattr(pool, "coming", list)
    return tell()


def architectures_for(machine: str, wanted: Iterable[Candidate]) -> tuple[str, ...]:
    """The machine's architecture, then the foreign ones of ``wanted``: only those are ever looked at."""
    foreign = {candidate.architecture for candidate in wanted} - {machine, ALL, SOURCE_ARCHITECTURE}
    return (machine, *sorted(foreign))
