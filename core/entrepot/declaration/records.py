"""What a declaration says, once it is read: every value of the right kind, nothing compared with a workspace yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot.models import SourceDraft
from entrepot.toml_places import SettingsFile

SETTINGS = ("policies", "schedule")
"""Tables of ``entrepot.toml`` that stand at the top of a declaration, too; its other keys are below ``settings``."""


@dataclass(frozen=True, slots=True)
class DeclaredSource:
    """A source. ``keeps_secrets``: nothing is said of them, so those that a workspace has stay."""

    draft: SourceDraft
    keeps_secrets: bool


@dataclass(frozen=True, slots=True)
class DeclaredDistribution:
    """A distribution. ``policy`` is empty where it is the default one."""

    repository: str
    name: str
    policy: str
    options: Mapping[str, Any]
    values: Mapping[str, Any]
    """Lists and numbers, by the names of the catalog's columns."""

    @property
    def path(self) -> str:
        """``repository/distribution``."""
        return f"{self.repository}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeclaredRepository:
    """A repository; ``sign_with`` None is the key it has, or the only one there is."""

    name: str
    format: str
    publish_to: tuple[str, ...]
    public_url: str
    sign: bool
    sign_with: str | None
    origin: str
    label: str
    distributions: Mapping[str, DeclaredDistribution] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declaration:
    """All of it. ``settings`` are tables and keys of ``entrepot.toml`` as they are written there."""

    file: SettingsFile
    sources: Mapping[str, DeclaredSource] = field(default_factory=dict)
    repositories: Mapping[str, DeclaredRepository] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    says: frozenset[str] = frozenset()
    """The tables that are there at all, be they empty. Of others nothing is said, so nothing is removed."""
