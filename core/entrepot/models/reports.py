"""What reports are made of: the packages of a version, and what is known of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

from entrepot.models.inspection import Finding, Status, Waiver


class ListedPackage(NamedTuple):
    """One package of a version with where it came from. A report names tens of thousands."""

    package_id: int
    format: str
    kind: str
    name: str
    version: str
    architecture: str
    source_name: str
    """Of its source package; empty where the format or the package has none."""
    source_version: str
    module: str
    summary: str
    licence: str
    maintainer: str
    size: int
    sha256: str
    """Of its main file as it is published."""
    original_sha256: str
    """Of its main file as it came."""
    component: str
    path: str
    """Of its main file, relative to the tree's root."""
    origin: str
    """The source that it was imported from; empty for an uploaded file."""
    upstream: str
    """The distribution of that source (``bookworm``); empty where there is none."""


@dataclass(frozen=True, slots=True)
class StandingVerdict:
    """What a scanner said last of a package in a distribution."""

    scanner: str
    answers: str
    status: Status
    reason: str
    message: str
    evidence: dict[str, object]
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class StandingFinding:
    """A finding of a verdict that stands. ``waiver`` is the one that covers it and has not expired."""

    package: ListedPackage
    verdict: StandingVerdict
    finding: Finding
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class Overcome:
    """A vulnerability that an earlier package of this name had in a distribution, and the one there now has not."""

    package: ListedPackage
    vulnerability: str
    before: str
    """The version that had it."""
