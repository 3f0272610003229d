"""The catalog as it is asked about many packages: everything once, and what can be asked together, together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from entrepot.advisories import Hit, Told
from entrepot.contracts import AdvisoryLookup
from entrepot.models import Source

Question = tuple[tuple[str, ...], str, bytes]
"""Ecosystems, the name of a package, and the key of its version."""


class Ahead:
    """Answers out of memory what was asked ahead of time; everything else is asked when it is needed."""

    def __init__(self, lookup: AdvisoryLookup) -> None:
        self.lookup = lookup
        self.known = lookup.ecosystems()
        self._tells: dict[int, bool] = {}
        self._affecting: dict[Question, Sequence[Hit]] = {}
        self._told: dict[tuple[int, str], list[Told]] = {}
        self._facts: dict[str, Mapping[str, str]] = {}

    def tells(self, source: Source) -> bool:
        """Whether a source has advisories of its own."""
        if source.id not in self._tells:
            self._tells[source.id] = self.lookup.tells(source)
        return self._tells[source.id]

    def ask(self, questions: Iterable[Question], own: Iterable[tuple[Source, str]]) -> None:
        """Asks which advisories affect packages, what sources say of their ``own``, and what is known besides."""
        groups: dict[tuple[str, ...], list[tuple[str, bytes]]] = {}
        for ecosystems, name, key in questions:
            groups.setdefault(ecosystems, []).append((name, key))
        for ecosystems, packages in groups.items():
            for (name, key), hits in self.lookup.affecting_each(ecosystems, packages).items():
                self._affecting[ecosystems, name, key] = hits
        sources: dict[int, tuple[Source, list[str]]] = {}
        for source, name in own:
            sources.setdefault(source.id, (source, []))[1].append(name)
        for source, names in sources.values():
            self._told |= {(source.id, name): [] for name in names}
            for told in self.lookup.told(source, names):
                self._told[source.id, told.package].append(told)
        self._learn({name for hits in self._affecting.values() for hit in hits for name in hit.vulnerabilities})

    def affecting(self, ecosystems: tuple[str, ...], package: str, key: bytes) -> Sequence[Hit]:
        """The advisories that affect a version of a package."""
        question = (ecosystems, package, key)
        if question not in self._affecting:
            self._affecting[question] = self.lookup.affecting(ecosystems, package, key)
        return self._affecting[question]

    def told(self, source: Source, name: str) -> Sequence[Told]:
        """What a source's own advisories say of a package; it has to be asked ahead of time."""
        return self._told[source.id, name]

    def facts(self, vulnerabilities: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What is known of vulnerabilities wherever they occur: value by kind, by vulnerability."""
        self._learn({name for name in vulnerabilities if name not in self._facts})
        return {name: self._facts[name] for name in vulnerabilities}

    def _learn(self, names: set[str]) -> None:
        if names:
            found = self.lookup.facts(names)
            self._facts |= {name: found.get(name, {}) for name in names}
