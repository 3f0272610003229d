"""The table ``[scanners.dependencies]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entrepot.errors import SettingsError
from entrepot.models import Status

ACTIONS = ("warn", "review", "block")


@dataclass(frozen=True, slots=True)
class DependencySettings:
    """What is asked for, with what holds where nothing is said."""

    missing: str = ""
    """What a requirement leads to that nothing satisfies; empty: ``review`` with base sources, ``warn`` without."""
    conflict: str = "review"
    """What it leads to that packages exclude each other which are needed together."""
    excludes: str = "warn"
    """What it leads to that it excludes a package which the distribution has."""
    recommends: bool = False
    """Whether recommendations that nothing satisfies are told."""

    def missing_status(self, *, based: bool) -> Status:
        """``based``: the distribution has base sources."""
        return Status(self.missing or ("review" if based else "warn"))


def dependency_settings(table: Mapping[str, Any]) -> DependencySettings:
    """The settings of a table; ``SettingsError`` names what cannot be used."""
    known = DependencySettings.__slots__
    for key, value in table.items():
        if key not in known:
            raise _error(key, f"is not known; known are {', '.join(sorted(known))}")
        if key == "recommends":
            if type(value) is not bool:
                raise _error(key, f"must be bool, not {type(value).__name__}")
        elif value not in ACTIONS:
            raise _error(key, f"must be one of {', '.join(ACTIONS)}")
    return DependencySettings(**table)


def _error(key: str, message: str) -> SettingsError:
    return SettingsError(f"scanners.dependencies.{key} {message}", key=f"scanners.dependencies.{key}")
