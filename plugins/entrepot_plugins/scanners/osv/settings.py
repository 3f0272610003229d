"""The table ``[scanners.osv]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from entrepot.errors import SettingsError
from entrepot_plugins.scanners.osv.severity import WORDS

ACTIONS = ("allow", "review", "block")
"""What a vulnerability leads to, the mildest first."""

NEVER = "never"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OsvSettings:
    """What is asked for, with what holds where nothing is said."""

    block: str = "critical"
    """The severity from which on a vulnerability blocks; ``never``."""
    review: str = "high"
    """The severity from which on it is held for review; ``never``."""
    unknown: str = "review"
    """What one without any severity leads to, where a fixed version exists; without one it is allowed."""
    unfixed: str = "review"
    """The most that one leads to of which no fixed version exists."""
    kev: str = "review"
    """The least that one leads to which is known to be exploited."""
    epss: float | None = None
    """The probability of being exploited, 0 to 1, from which on one is held for review at least."""
    severity: str = "cvss"
    """Whose word counts first where both have one: ``cvss`` or ``vendor``."""
    max_age_days: int = 14
    """Data that was not updated for longer is told as a finding; 0: never."""
    ecosystem: tuple[str, ...] = ()
    """The ecosystem of every package for which ``ecosystems`` names none; ``*`` stands for anything."""
    ecosystems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name of a distribution (``repository/name`` or ``name``), a source or one of its suites."""
    ignore: frozenset[str] = frozenset()
    """Vulnerabilities that are always allowed."""
    required: bool = False
    """Whether a package that cannot be compared with anything is an error instead of skipped."""


def osv_settings(table: Mapping[str, Any]) -> OsvSettings:
    """The settings of a table; ``SettingsError`` names what cannot be used."""
    reader = _Reader(table)
    defaults = OsvSettings()
    settings = OsvSettings(
        block=reader.choice("block", (*WORDS, NEVER), defaults.block),
        review=reader.choice("review", (*WORDS, NEVER), defaults.review),
        unknown=reader.choice("unknown", ACTIONS, defaults.unknown),
        unfixed=reader.choice("unfixed", ACTIONS, defaults.unfixed),
        kev=reader.choice("kev", ACTIONS, defaults.kev),
        epss=reader.share("epss"),
        severity=reader.choice("severity", ("cvss", "vendor"), defaults.severity),
        max_age_days=reader.value("max_age_days", int, defaults.max_age_days),
        ecosystem=reader.names("ecosystem", table.get("ecosystem", [])),
        ecosystems={
            name: reader.names(f"ecosystems.{name}", value)
            for name, value in reader.value("ecosystems", dict, {}).items()
        },
        ignore=frozenset(reader.names("ignore", table.get("ignore", []))),
        required=reader.value("required", bool, defaults.required),
    )
    if settings.max_age_days < 0:
        raise _error("max_age_days", "must be at least 0")
    if unknown := set(table) - set(OsvSettings.__slots__):
        raise _error(sorted(unknown)[0], f"is not known; known are {', '.join(sorted(OsvSettings.__slots__))}")
    return settings


class _Reader:
    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table

    def value(self, key: str, kind: type[T], default: T) -> T:
        found = self._table.get(key, default)
        if type(found) is not kind:
            raise _error(key, f"must be {kind.__name__}, not {type(found).__name__}")
        return found

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        found = self.value(key, str, default)
        if found not in allowed:
            raise _error(key, f"must be one of {', '.join(allowed)}")
        return found

    def share(self, key: str) -> float | None:
        found = self._table.get(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= 1:
            raise _error(key, "must be a number from 0 to 1")
        return float(found)

    def names(self, key: str, value: object) -> tuple[str, ...]:
        """One text, or several."""
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            raise _error(key, "must be a text or an array of texts")
        return tuple(texts)


def _error(key: str, message: str) -> SettingsError:
    return SettingsError(f"scanners.osv.{key} {message}", key=f"scanners.osv.{key}")
