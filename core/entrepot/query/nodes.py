"""What a query is made of."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

TEXT_FIELDS = (
    "name",
    "architecture",
    "section",
    "component",
    "distribution",
    "kind",
    "source-package",
    "provides",
    "summary",
    "priority",
)
FIELDS = (*TEXT_FIELDS, "version", "size")
ALIASES = {"arch": "architecture", "group": "section", "source": "source-package", "suite": "distribution"}
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
RAW = "field:"
"""What the name of a field of the index begins with that is none of ``FIELDS``: ``field:Multi-Arch``."""

GLOB = re.compile(r"[*?\[]")
WORD = r"""(?:\[[^\[\]\s"']*\]|[^\s()|,&!<>="'])+"""
"""What needs no quotation marks."""
RESERVED = frozenset(("and", "or", "not"))


@dataclass(frozen=True, slots=True)
class Match:
    """A comparison of one field. ``literal``: the value is no glob, whatever is in it.

    ``column`` is where it stands in the text, from 1 on; it is no part of what is meant.
    """

    field: str
    operator: str
    value: str
    literal: bool = False
    column: int = dataclasses.field(default=1, compare=False)

    @property
    def is_glob(self) -> bool:
        """Whether the value stands for several."""
        return not self.literal and GLOB.search(self.value) is not None

    def __str__(self) -> str:
        value = _quoted(self.value) if self.literal or not re.fullmatch(WORD, self.value) else self.value
        return f"{self.field} {self.operator} {value}"


@dataclass(frozen=True, slots=True)
class All:
    """What every part means; everything if there is none."""

    parts: tuple[Query, ...] = ()

    def __str__(self) -> str:
        return " and ".join(map(_nested, self.parts)) if self.parts else str(EVERYTHING)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What at least one part means; nothing if there is none."""

    parts: tuple[Query, ...] = ()

    def __str__(self) -> str:
        return " or ".join(map(_nested, self.parts)) if self.parts else f"not {EVERYTHING}"


@dataclass(frozen=True, slots=True)
class Not:
    """Everything else."""

    part: Query

    def __str__(self) -> str:
        return f"not {_nested(self.part)}"


@dataclass(frozen=True, slots=True)
class Newest:
    """Of what is meant, the newest ``count`` versions of each package, by architecture; module streams apart."""

    part: Query
    count: int = 1

    def __str__(self) -> str:
        return f"latest({self.part}, {self.count})"


@dataclass(frozen=True, slots=True)
class WithDependencies:
    """What is meant and what it needs, and with ``recommends`` what it recommends as well."""

    part: Query
    recommends: bool = False

    def __str__(self) -> str:
        return f"with-{'recommends' if self.recommends else 'dependencies'}({self.part})"


Query = Match | All | AnyOf | Not | Newest | WithDependencies

EVERYTHING = Match("name", "=", "*")


def _nested(part: Query) -> str:
    return f"({part})" if isinstance(part, All | AnyOf) else str(part)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
