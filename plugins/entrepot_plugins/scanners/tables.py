"""Reads the table of a scanner in ``entrepot.toml``; whatever cannot be used is named by its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from entrepot.errors import SettingsError

T = TypeVar("T")


class Table:
    """A table of the settings; ``name`` is its full name: ``scanners.osv``. ``SettingsError`` from every method."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self._values = values

    def value(self, key: str, kind: type[T], default: T) -> T:
        """A value of exactly this type."""
        found = self._values.get(key, default)
        if type(found) is not kind:
            raise self.error(key, f"must be {kind.__name__}, not {type(found).__name__}")
        return found

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """One of several words."""
        found = self.value(key, str, default)
        if found not in allowed:
            raise self.error(key, f"must be one of {', '.join(allowed)}")
        return found

    def share(self, key: str) -> float | None:
        """A number from 0 to 1, or None."""
        found = self._values.get(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= 1:
            raise self.error(key, "must be a number from 0 to 1")
        return float(found)

    def names(self, key: str) -> tuple[str, ...]:
        """One text, or several."""
        value = self._values.get(key, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            raise self.error(key, "must be a text or an array of texts")
        return tuple(texts)

    def table(self, key: str) -> Table:
        """A table in this one."""
        return Table(f"{self.name}.{key}", self.value(key, dict, {}))

    def __iter__(self) -> Iterator[str]:
        """Its keys."""
        return iter(self._values)

    def refuse_others(self, known: Sequence[str]) -> None:
        """Every key that is not ``known`` is a mistake."""
        if unknown := set(self._values) - set(known):
            raise self.error(sorted(unknown)[0], f"is not known; known are {', '.join(sorted(known))}")

    def error(self, key: str, message: str) -> SettingsError:
        """What is wrong with a key."""
        return SettingsError(f"{self.name}.{key} {message}", key=f"{self.name}.{key}")
