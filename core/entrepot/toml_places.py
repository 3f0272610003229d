"""On which line a key of a TOML document stands, which ``tomllib`` does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.errors import SettingsError

Key = tuple[str | int, ...]
"""Names of tables and of the key, and the places of entries of arrays: ``("policies", "prod", "deny", 1)``."""

_LONGEST_ARRAY = 500
"""Lines of an array whose entries are told apart: each costs parsing it up to there."""
_LAST = ("]", '"""', "'''")
"""What the last of several lines of a statement has."""


def dotted(key: Key) -> str:
    """A key as it is written: ``policies.prod.deny[1].licence``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in key]
    return "".join(parts).removeprefix(".")


def line_of(text: str, key: Sequence[str | int]) -> int | None:
    """The line, from 1, of a key of a valid document; of the nearest table or array around it that is written down.

    None where nothing of it is written. Every statement of TOML is whole lines, and can be parsed by itself.
    """
    wanted = tuple(key)
    best, found = 0, None
    for number, place in _places(text):
        shared = _shared(place, wanted)
        # The first statement that shares the most: later ones of the same table do not stand nearer.
        if shared > best:
            best, found = shared, number
    return found


def _places(text: str) -> Iterator[tuple[int, Key]]:
    """Every key that a statement names, with its line."""
    table: Key = ()
    counts: dict[Key, int] = {}
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        end = start + 1
        while (document := _parsed(lines[start:end])) is None and end < len(lines):
            end += 1
            while end < len(lines) and not any(mark in lines[end - 1] for mark in _LAST):
                end += 1
        if document:
            is_header = lines[start].lstrip().startswith("[")
            if is_header:
                table = _header(document, counts)
                yield start + 1, table
            else:
                for key in _keys(document, lines[start:end]):
                    yield start + 1 + key[0], table + key[1]
        start = end


def _parsed(lines: Sequence[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _header(document: Any, counts: dict[Key, int]) -> Key:
    """The full place of a table's header: arrays of tables count their entries."""
    place: Key = ()
    while isinstance(document, dict | list) and document:
        if isinstance(document, list):
            counts[place] = counts.get(place, -1) + 1
            return (*place, counts[place])
        name, document = next(iter(document.items()))
        place = (*place, name)
        if isinstance(document, dict) and place in counts:
            place = (*place, counts[place])
    return place


def _keys(document: dict[str, Any], lines: Sequence[str]) -> Iterator[tuple[int, Key]]:
    """The keys of one statement, ``a.b = {c = 1}`` or ``a = [..]``, each with the number of lines before it."""
    stack: list[tuple[Key, Any]] = [((), document)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            for name, inner in value.items():
                yield 0, (*place, name)
                stack.append(((*place, name), inner))
        elif isinstance(value, list):
            yield from _entries(place, value, lines)


def _entries(place: Key, values: Sequence[Any], lines: Sequence[str]) -> Iterator[tuple[int, Key]]:
    """The entries of an array: one stands on the first line up to which the array has that many."""
    if len(lines) > _LONGEST_ARRAY:
        return
    seen = 0
    for count in range(1, len(lines) + 1):
        document: Any = _parsed([*lines[:count], "]"]) if count < len(lines) else _parsed(lines)
        for name in place:
            document = document.get(name) if isinstance(document, dict) else None
        known = len(document) if isinstance(document, list) else 0
        for index in range(seen, known):
            yield count - 1, (*place, index)
            if isinstance(values[index], dict):
                for name in values[index]:
                    yield count - 1, (*place, index, name)
        seen = max(seen, known)


def _shared(place: Key, wanted: Key) -> int:
    shared = 0
    for mine, theirs in zip(place, wanted, strict=False):
        if mine != theirs:
            break
        shared += 1
    # A longer key of another table does not contain the wanted one: ``a.b.c`` is not where ``a.b.d`` stands.
    return shared if shared == len(place) or shared == len(wanted) else 0


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file of settings, to say where in it something is wrong.

    ``find`` tells the line of a key of its text; ``beside`` is the folder of the files that it names, if not its own.
    """

    path: Path
    text: str = ""
    find: Callable[[str, Key], int | None] = line_of
    beside: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the files are that it names."""
        return self.beside or self.path.parent

    def error(self, key: Key, message: str, *, hint: str = "") -> SettingsError:
        """``entrepot.toml:7: policies.prod.deny[1].licence must be ...``; data has the path, the key and the line."""
        line = self.find(self.text, key)
        place = f"{self.path}:{line}" if line else f"{self.path}"
        data = {"path": str(self.path), "key": dotted(key), "line": line}
        return SettingsError(f"{place}: {dotted(key)} {message}", hint=hint, **data)
