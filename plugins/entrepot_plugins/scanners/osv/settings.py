"""The table ``[scanners.osv]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot_plugins.scanners.tables import Table

THRESHOLDS = frozenset({"block", "review", "unknown", "unfixed", "kev", "epss", "ignore"})
"""Keys that somebody may look for here."""


@dataclass(frozen=True, slots=True)
class OsvSettings:
    """What is asked for, with what holds where nothing is said."""

    severity: str = "cvss"
    """Whose word counts first where both have one: ``cvss`` or ``vendor``."""
    max_age_days: int = 14
    """Data that was not updated for longer is told as a finding; 0: never."""
    ecosystem: tuple[str, ...] = ()
    """The ecosystem of every package for which ``ecosystems`` names none; ``*`` stands for anything."""
    ecosystems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name of a distribution (``repository/name`` or ``name``), a source or one of its suites."""
    required: bool = False
    """Whether a package that cannot be compared with anything is an error instead of skipped."""


def osv_settings(table: Mapping[str, Any]) -> OsvSettings:
    """The settings of a table; ``SettingsError`` names what cannot be used."""
    reader = Table("scanners.osv", table)
    for name in sorted(THRESHOLDS.intersection(table)):
        raise reader.error(name, "is a key of [policies.NAME.vulnerabilities]")
    reader.refuse_others(OsvSettings.__slots__)
    ecosystems = reader.table("ecosystems")
    defaults = OsvSettings()
    settings = OsvSettings(
        severity=reader.choice("severity", ("cvss", "vendor"), defaults.severity),
        max_age_days=reader.value("max_age_days", int, defaults.max_age_days),
        ecosystem=reader.names("ecosystem"),
        ecosystems={name: ecosystems.names(name) for name in ecosystems},
        required=reader.value("required", bool, defaults.required),
    )
    if settings.max_age_days < 0:
        raise reader.error("max_age_days", "must be at least 0")
    return settings
