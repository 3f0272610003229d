"""The table ``[scanners.osv]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot_plugins.scanners.osv.severity import WORDS
from entrepot_plugins.scanners.tables import Table

ACTIONS = ("allow", "review", "block")
"""What a vulnerability leads to, the mildest first."""

NEVER = "never"


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
    reader = Table("scanners.osv", table)
    reader.refuse_others(OsvSettings.__slots__)
    ecosystems = reader.table("ecosystems")
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
        ecosystem=reader.names("ecosystem"),
        ecosystems={name: ecosystems.names(name) for name in ecosystems},
        ignore=frozenset(reader.names("ignore")),
        required=reader.value("required", bool, defaults.required),
    )
    if settings.max_age_days < 0:
        raise reader.error("max_age_days", "must be at least 0")
    return settings
