"""Repositories, distributions, versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from entrepot.models.basics import Scalar


@dataclass(frozen=True, slots=True)
class Target:
    """One place that a repository is published to."""

    id: int
    url: str


@dataclass(frozen=True, slots=True)
class Repository:
    """One published tree: format, where it goes, where clients find it, who signs (None: not signed)."""

    id: int
    name: str
    format: str
    targets: tuple[Target, ...]
    public_url: str
    signer: str | None
    sign_with: str | None
    origin: str
    label: str
    options: Mapping[str, Scalar]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Distribution:
    """A suite of an APT repository, one repodata root of an RPM repository."""

    id: int
    repository_id: int
    repository: str
    format: str
    name: str
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    """Empty: whatever its packages have."""
    policy: str
    compressions: tuple[str, ...]
    keep: int
    """How many versions of each package stay, the newest ones; 0: all."""
    options: Mapping[str, Scalar]
    created_at: dt.datetime
    base_sources: tuple[str, ...] = ()
    """Names of the sources whose packages its clients have anyway: the operating system that it is made for."""
    keep_needed: bool = False
    """Whether an older package stays where something that stays depends on it."""
    keep_versions: int = 0
    keep_days: int = 0
    """How many versions of the distribution stay, and for how many days after the next one was made; 0: no limit of
    this kind. With both, a version stays that either would keep."""

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing is ever too much."""
        return not (self.keep or self.keep_versions or self.keep_days)

    @property
    def verbatim(self) -> bool:
        """Whether it publishes an upstream's own indexes as they came: an option that formats declare."""
        return bool(self.options.get("verbatim"))

    @property
    def path(self) -> str:
        """``repository/distribution``, as a person names it."""
        return f"{self.repository}/{self.name}"


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable, numbered set of packages of one distribution; version 0 is empty."""

    distribution_id: int
    number: int
    created_at: dt.datetime
    message: str
    added: int
    removed: int
    packages: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version that stays reachable under ``snapshots/<name>/`` until it is removed."""

    id: int
    distribution_id: int
    distribution: str
    name: str
    version: int
    created_at: dt.datetime


class Phase(IntEnum):
    """In which order the files of a tree are written: a client that looks in between sees a whole repository."""

    PAYLOAD = 0
    IMMUTABLE = 1
    """Indexes under a name that no other content will ever have: by-hash, hashed repodata."""
    INDEX = 2
    """Indexes under their plain names, and what helps a person to set a client up."""
    SIGNATURE = 3
    """Release, Release.gpg, repomd.xml.asc."""
    ENTRY = 4
    """What a client reads first: InRelease, repomd.xml."""
