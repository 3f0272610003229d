"""What a binary package says of others: Depends, Conflicts, Provides and their like (Debian Policy, chapter 7).

Read straight from the raw stanza, without taking the rest of it apart: a solver looks at thousands of stanzas, and most
of their clauses (``libc6 (>= 2.34)``) have been seen before, so that each clause is parsed once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from entrepot.contracts import VersionScheme
from entrepot.errors import IndexFormatError

from .stanzas import Stanza, needle

_LISTS = ("Pre-Depends", "Depends", "Recommends", "Conflicts", "Breaks", "Provides", "Replaces")
_NEEDLES = {name: needle(name) for name in (*_LISTS, "Multi-Arch", "Priority", "Essential")}

# More liberal than Policy about names (other vendors use capitals and underscores), strict about everything else. White
# space is single by the time this is matched, so that no text can make it slow.
_RELATION = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9.+_~-]*)"
    r"(?::([a-z0-9][a-z0-9-]*))?"
    r"(?: ?\( ?(<<|<=|>=|>>|<|>|=) ?([!-'*-;?-~][!-'*-~]*) ?\))?"
)
_LEGACY = {"<": "<=", ">": ">="}  # Policy 7.1: deprecated, and meaning "or equal"
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Relation:
    """One package that a clause names: ``libfoo:any (>= 2)``.

    ``operator`` is ``<<``, ``<=``, ``=``, ``>=``, ``>>`` or empty, and ``key`` the version's key in the order of the
    format; both are empty together. ``qualifier`` is ``any``, ``native``, an architecture, or empty.
    """

    name: str
    qualifier: str = ""
    operator: str = ""
    version: str = ""
    key: bytes = b""

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name

    def admits(self, key: bytes) -> bool:
        """Whether a version with this key satisfies the clause; every version does where it names none."""
        match self.operator:
            case "":
                return True
            case "=":
                return key == self.key
            case ">=":
                return key >= self.key
            case "<=":
                return key <= self.key
            case ">>":
                return key > self.key
            case _:
                return key < self.key


Clause = tuple[Relation, ...]
"""Alternatives, the preferred one first: ``default-mta | mail-transport-agent``. Never empty."""


def clause_text(clause: Clause) -> str:
    """The clause in Debian's words."""
    return " | ".join(map(str, clause))


@dataclass(frozen=True, slots=True)
class Relations:
    """What one stanza says of other packages. Lists are in the order of the field.

    ``multi_arch`` is ``no``, ``same``, ``foreign`` or ``allowed``; ``priority`` is in lower case, empty if it has none.
    """

    pre_depends: tuple[Clause, ...] = ()
    depends: tuple[Clause, ...] = ()
    recommends: tuple[Clause, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    breaks: tuple[Relation, ...] = ()
    provides: tuple[Relation, ...] = ()
    replaces: tuple[Relation, ...] = ()
    multi_arch: str = "no"
    priority: str = ""
    essential: bool = False


class RelationReader:
    """Reads relations; keeps every clause it has parsed, so it should live no longer than the work it is made for."""

    def __init__(self, versions: VersionScheme) -> None:
        self._versions = versions
        self._clauses: dict[str, Clause] = {}

    def read(self, raw: bytes, package: str) -> Relations:
        """The relations of a binary package's stanza.

        ``IndexFormatError`` names ``package`` and the field for a clause that is none, alternatives where Policy allows
        none, and restrictions (``[amd64]``, ``<!nocheck>``) that only source packages may have. As in apt, a
        Provides with another operator than ``=`` provides nothing.
        """
        stanza = Stanza(raw)

        def word(field: str) -> str:
            return stanza.value(_NEEDLES[field]).decode("utf-8", "replace")

        def clauses(field: str) -> tuple[Clause, ...]:
            try:
                return self.parse(word(field))
            except ValueError as error:
                message = f"{package}: field {field} is malformed: {error}"
                raise IndexFormatError(message, package=package, field=field) from error

        def relations(field: str) -> tuple[Relation, ...]:
            found = clauses(field)
            for clause in found:
                if len(clause) > 1:
                    message = f"{package}: field {field} is malformed: it may not have alternatives"
                    raise IndexFormatError(message, package=package, field=field)
            return tuple(clause[0] for clause in found)

        multi_arch = word("Multi-Arch").lower()
        return Relations(
            pre_depends=clauses("Pre-Depends"),
            depends=clauses("Depends"),
            recommends=clauses("Recommends"),
            conflicts=relations("Conflicts"),
            breaks=relations("Breaks"),
            provides=tuple(relation for relation in relations("Provides") if relation.operator in ("", "=")),
            replaces=relations("Replaces"),
            multi_arch=multi_arch if multi_arch in ("same", "foreign", "allowed") else "no",
            priority=word("Priority").lower(),
            essential=word("Essential").lower() == "yes",
        )

    def parse(self, text: str) -> tuple[Clause, ...]:
        """The clauses of a field's value, empty ones between commas left out; ``ValueError`` for anything else."""
        clauses = []
        for part in text.split(","):
            words = " ".join(part.split())
            if words:
                clauses.append(self._clauses.get(words) or self._clause(words))
        return tuple(clauses)

    def _clause(self, words: str) -> Clause:
        clause = tuple(self._relation(alternative.strip()) for alternative in words.split("|"))
        self._clauses[words] = clause
        return clause

    def _relation(self, text: str) -> Relation:
        match = _RELATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{_shown(text)} is no relation to a package")
        name, qualifier, operator, version = match.groups("")
        try:
            key = self._versions.key(version) if operator else b""
        except ValueError as error:
            raise ValueError(f"{_shown(text)}: {error}") from error
        return Relation(name, qualifier, _LEGACY.get(operator, operator), version, key)


def _shown(text: str) -> str:
    """Hostile text as part of a message: escaped, so that it does nothing to a terminal, and not too long."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
