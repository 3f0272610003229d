"""One table of a policy's settings, which knows where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entrepot.errors import SettingsError
from entrepot.toml_places import Key, SettingsFile

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kMGT]?i?B)")
_UNITS = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
    "kiB": 1024,
}


@dataclass(frozen=True, slots=True)
class Table:
    """Values with the key under which they stand. Each method answers one value, or the default."""

    file: SettingsFile
    key: Key
    values: Mapping[str, Any]

    def error(self, name: str | int | None, message: str) -> SettingsError:
        """A mistake in the value of this name; in the table itself if there is none."""
        return self.file.error(self.key if name is None else (*self.key, name), message)

    def table(self, name: str) -> Table:
        """A table in it; an empty one if it is not there."""
        found = self.values.get(name, {})
        if not isinstance(found, dict):
            raise self.error(name, "must be a table")
        return Table(self.file, (*self.key, name), found)

    def entries(self, name: str) -> Sequence[tuple[int, Any]]:
        """The entries of an array with their places."""
        found = self.values.get(name, [])
        if not isinstance(found, list):
            raise self.error(name, f"must be an array, not {_kind(found)}")
        return list(enumerate(found))

    def text(self, name: str, default: str) -> str:
        """Text."""
        found = self.values.get(name, default)
        if not isinstance(found, str):
            raise self.error(name, f"must be a text, not {_kind(found)}")
        return found

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        found = self.values.get(name, default)
        if not isinstance(found, bool):
            raise self.error(name, f"must be true or false, not {_kind(found)}")
        return found

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of several words."""
        found = self.values.get(name, default)
        if not isinstance(found, str) or found not in allowed:
            raise self.error(name, f"must be one of {', '.join(allowed)}")
        return found

    def number(self, name: str, most: int, default: float | None) -> float | None:
        """A number from 0 to ``most``; ``never`` for none."""
        found = self.values.get(name, default)
        if found is None or found == "never":
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= most:
            raise self.error(name, f"must be a number from 0 to {most}, or never")
        return float(found)

    def size(self, name: str, default: int | None) -> int | None:
        """Bytes, as a number or as text with a unit; None for ``never`` too large."""
        found = self.values.get(name, default)
        if found is None or found == "never":
            return None
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
        written = _SIZE.fullmatch(found) if isinstance(found, str) else None
        if written is None or written[2] not in _UNITS:
            raise self.error(name, 'must be a number of bytes, a text like "500 MB" or "2 GiB", or never')
        return int(float(written[1]) * _UNITS[written[2]])

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Raises for the first name that is not known."""
        for name in self.values:
            if name not in known:
                raise self.error(name, f"is not known; known are {', '.join(sorted(known))}")


def _kind(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "an array"}
    return kinds.get(type(value), "a table" if isinstance(value, dict) else "a moment")
