"""The table ``[scanners.contents]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from entrepot.models import Status
from entrepot_plugins.scanners.contents.rules import RULES
from entrepot_plugins.scanners.tables import Table

IGNORE = "ignore"
ACTIONS = {"warn": Status.WARN, "review": Status.REVIEW, "block": Status.BLOCK}


@dataclass(frozen=True, slots=True)
class ContentsSettings:
    """What each finding leads to; those that lead to nothing are left out. ``allow`` are patterns of paths."""

    actions: Mapping[str, Status]
    allow: tuple[str, ...] = ()

    def allowed(self, path: str) -> bool:
        """Whether nothing is found at this path; ``*`` stands for slashes, too."""
        return any(fnmatchcase(path, pattern) for pattern in self.allow)


def contents_settings(table: Mapping[str, Any]) -> ContentsSettings:
    """The settings of a table; ``SettingsError`` names what cannot be used."""
    reader = Table("scanners.contents", table)
    reader.refuse_others((*RULES, "allow"))
    words = {rule: reader.choice(rule, (IGNORE, *ACTIONS), "warn") for rule in RULES}
    actions = {rule: ACTIONS[word] for rule, word in words.items() if word != IGNORE}
    return ContentsSettings(actions, tuple(pattern.lstrip("/") for pattern in reader.names("allow")))
