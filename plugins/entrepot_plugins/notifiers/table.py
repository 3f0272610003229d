"""Reading the table of a notifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from entrepot.errors import SettingsError

T = TypeVar("T")


@dataclass(slots=True)
class Table:
    """Takes values out of ``[notify.NAME]``; every mistake is a ``SettingsError`` that names the key."""

    name: str
    values: Mapping[str, Any]
    _known: set[str] = field(default_factory=set)

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """A value; without a default it has to be there."""
        self._known.add(key)
        found = self.values.get(key, default)
        if type(found) is not kind or found == "":
            raise self.error(key, f"must be {kind.__name__}" + (", and is missing" if found is None else ""))
        return found

    def raw(self, key: str) -> Any:
        """A value of any kind; None where there is none."""
        self._known.add(key)
        return self.values.get(key)

    def done(self) -> None:
        """Refuses what nobody asked for."""
        for key in self.values:
            if key not in self._known:
                raise self.error(key, f"is not known; known are {', '.join(sorted(self._known))}")

    def where(self, key: str) -> str:
        """The full name of a key."""
        return f"notify.{self.name}.{key}"

    def error(self, key: str, message: str) -> SettingsError:
        return SettingsError(f"{self.where(key)} {message}", key=self.where(key))
