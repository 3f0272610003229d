"""The packages that a closure can reach, loaded breadth first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from xml.sax.saxutils import escape

from entrepot.contracts import Candidate, CandidatePool, RememberingPool
from entrepot.errors import IndexFormatError
from entrepot_plugins.shared.candidates import unseen

from .architectures import NOARCH
from .dependencies import helpful
from .raw import unpack
from .relations import RelationReader, Relations

BATCH = 400
"""Names in one question to the pool: few questions, and no statement with too many parameters."""
MAX_PACKAGES = 100_000
"""More than any closure reaches; hostile indexes shall not eat the memory."""

_IN_PRIMARY = re.compile(r"^/etc/|bin/|^/usr/lib/sendmail$")
"""Paths that createrepo writes to primary.xml, whence the catalog can find them."""
_MODULE_BUILD = re.compile(r"\.(module[+_].*\+[0-9a-f]+)")


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """A candidate with what it says of others."""

    candidate: Candidate
    relations: Relations
    paths: set[str] = field(default_factory=set)
    """Those of its files that some package of the universe asks for."""

    def __str__(self) -> str:
        return f"{self.candidate.name}-{self.candidate.version}.{self.candidate.architecture}"

    @property
    def module_build(self) -> str:
        """What all packages of one build of a module stream have in their release alone; empty outside of modules.

        The tools that build modules write it there (``1.module_el8.3.0+2165+af250afe``); nothing else in an index of
        packages tells that one belongs to a module.
        """
        match = _MODULE_BUILD.search(self.candidate.version)
        return match[1] if match else ""


@dataclass(slots=True)
class Universe:
    """Packages for a machine that can install ``architectures``, of which the first is its own, and ``noarch``.

    With ``recommends``, those that are recommended are reached, too.

    A path that primary.xml does not have is looked for in the file lists of the packages that are reached otherwise. If
    none of them has it, every file list is read once: nothing else in a catalog knows who has it. Distributions forbid
    their packages to ask for such paths, so that this is rare.
    """

    architectures: tuple[str, ...]
    recommends: bool = False
    packages: list[Package] = field(default_factory=list)
    unusable: list[IndexFormatError] = field(default_factory=list)
    """Why candidates that were reached are left out: their metadata cannot be understood."""

    def load(self, wanted: Iterable[Candidate], pool: CandidatePool) -> list[Package]:
        """Loads ``wanted`` and, breadth first, all that they can reach; answers the packages of ``wanted``.

        ``IndexFormatError`` if one of ``wanted`` cannot be understood, or if too much is reached.
        """
        reader = _remembered(pool)
        seen: set[tuple[bool, int]] = set()
        asked: set[str] = set()
        sought: set[str] = set()
        roots = fresh = [self._read(candidate, reader) for candidate in unseen(wanted, seen)]
        while fresh:
            self.packages += fresh
            if len(self.packages) > MAX_PACKAGES:
                raise IndexFormatError(f"the dependencies of {roots[0]} reach more than {MAX_PACKAGES} packages")
            names = sorted({name for package in fresh for name in self._mentioned(package)} - asked)
            asked.update(names)
            fresh = self._read_all(sorted(unseen(self._ask(pool, names), seen), key=_order), reader)
            if not fresh:
                fresh = self._read_all(sorted(unseen(self._owners(pool, reader, sought), seen), key=_order), reader)
        self._find_paths(reader)
        return list(roots)

    def read(self, candidate: Candidate, pool: CandidatePool) -> Package:
        """A package by itself; ``IndexFormatError`` if it cannot be understood."""
        return self._read(candidate, _remembered(pool))

    def _ask(self, pool: CandidatePool, names: Sequence[str]) -> Iterator[Candidate]:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            for candidate in chain(pool.named(batch), pool.providing(batch)):
                if candidate.architecture == NOARCH or candidate.architecture in self.architectures:
                    yield candidate

    def _owners(self, pool: CandidatePool, reader: _Reader, sought: set[str]) -> Iterator[Candidate]:
        """Those that have a path which is asked for, is not in primary.xml, and which nobody has who was reached."""
        paths = {path for package in self.packages for path in package.relations.paths()} - sought
        missing = {path for path in paths if not _IN_PRIMARY.search(path)}
        for package in self.packages if missing else ():
            missing -= self._listed(package, missing, reader)
        sought |= missing
        known = reader.owners
        if unknown := sorted(missing - known.keys()):
            # As text first: reading a list exactly costs twenty times as much, and is done for those that are taken.
            needles = [(path, escape(path).encode()) for path in unknown]
            found: dict[str, list[Candidate]] = {path: [] for path in unknown}
            for candidate in pool.everything():
                listed = unpack(candidate.raw).filelists
                for path, needle in needles:
                    if needle in listed:
                        found[path].append(candidate)
            known |= found
        for candidate in chain.from_iterable(known[path] for path in sorted(missing)):
            if candidate.architecture == NOARCH or candidate.architecture in self.architectures:
                yield candidate

    def _mentioned(self, package: Package) -> Iterator[str]:
        if package.candidate.architecture not in (self.architectures[0], NOARCH):
            yield package.candidate.name  # clients install it beside its twin of the machine's own, if there is one
        said = package.relations
        for dependency in chain(said.requires, said.recommends if self.recommends else ()):
            for capability in helpful(dependency):
                yield capability.name

    def _read(self, candidate: Candidate, reader: _Reader) -> Package:
        return Package(candidate, reader.read(candidate))

    def _read_all(self, candidates: Iterable[Candidate], reader: _Reader) -> list[Package]:
        packages = []
        for candidate in candidates:
            try:
                packages.append(self._read(candidate, reader))
            except IndexFormatError as error:
                self.unusable.append(error)
        return packages

    def _find_paths(self, reader: _Reader) -> None:
        asked = {path for package in self.packages for path in package.relations.paths()}
        elsewhere = {path for path in asked if not _IN_PRIMARY.search(path)}
        for package in self.packages:
            package.paths.update(asked & package.relations.files)
            if elsewhere:
                package.paths.update(self._listed(package, elsewhere, reader))

    def _listed(self, package: Package, paths: set[str], reader: _Reader) -> set[str]:
        """Those of ``paths`` that the file list of a package has."""
        try:
            return set(reader.relations.listed(package.candidate.raw, paths, str(package.candidate)))
        except IndexFormatError as error:
            self.unusable.append(error)
            return set()


class _Reader:
    """Reads candidates, each once."""

    def __init__(self) -> None:
        self.relations = RelationReader()
        self.owners: dict[str, list[Candidate]] = {}
        """Who may have a path that only file lists have; every list was read for it."""
        self._known: dict[tuple[bool, int], Relations] = {}

    def read(self, candidate: Candidate) -> Relations:
        """What it says; ``IndexFormatError`` if that cannot be understood."""
        identity = (candidate.present, candidate.id)
        if identity not in self._known:
            self._known[identity] = self.relations.read(candidate.raw, str(candidate))
        return self._known[identity]


def _remembered(pool: CandidatePool) -> _Reader:
    """The reader of the last question, where the pool keeps one."""
    if not isinstance(pool, RememberingPool):
        return _Reader()
    reader = pool.memory.get(_Reader)
    if not isinstance(reader, _Reader):
        reader = pool.memory[_Reader] = _Reader()
    return reader


def _order(candidate: Candidate) -> tuple[str, str, str, bool, int]:
    """Pools answer in any order; nothing shall depend on it."""
    return candidate.name, candidate.architecture, candidate.version, not candidate.present, candidate.id
