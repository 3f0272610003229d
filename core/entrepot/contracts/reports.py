"""Reports: what is told about a version of a distribution, and the forms in which it is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from entrepot.models import (
        Distribution,
        ListedPackage,
        Overcome,
        Repository,
        StandingFinding,
        StandingVerdict,
        Version,
    )


class ReportKind(StrEnum):
    """What a report is about; each kind is a command."""

    SBOM = "sbom"
    """Which packages a version has."""
    FINDINGS = "findings"
    """What scanners found in them."""
    VEX = "vex"
    """Which known vulnerabilities concern them, and what persons decided about those."""


@dataclass(frozen=True, slots=True)
class ReportSubject:
    """What a report is about. The same catalog gives the same subject, and so the same report."""

    repository: Repository
    distribution: Distribution
    version: Version
    made_at: dt.datetime
    """When the version was made, or when the newest verdict about it was given if that is later."""
    author: str
    """Who publishes: the repository's origin, or its name."""
    base_url: str
    """Where clients find the tree, with a slash at its end; empty if that is not known."""
    namespace: str
    """A URI that no other workspace, distribution or state of it has: what identifiers of a document start with."""
    tool_version: str
    packages: Callable[[], Iterable[ListedPackage]]
    """The packages in index order, read anew from the catalog at each call."""
    findings: Sequence[StandingFinding]
    """What stands, by package, scanner and id; empty where none were asked for."""
    suppressed: Sequence[tuple[ListedPackage, StandingVerdict]]
    """The verdicts whose evidence tells vulnerabilities that do not count."""
    overcome: Sequence[Overcome]
    purl: Callable[[ListedPackage], str]
    """The package URL of a package, as its format says."""


class ReportFormat(Protocol):
    """A form of reports. What it writes depends on the subject alone; what packages say in it is hostile."""

    name: str
    kind: ReportKind
    title: str
    media_type: str

    def write(self, subject: ReportSubject) -> Iterator[str]:
        """The document in pieces; memory does not grow with the number of packages."""
        ...


@runtime_checkable
class NamesPackages(Protocol):
    """A ``Format`` whose packages have package URLs of a type of their own; those of others are ``pkg:generic``."""

    def purl(self, package: ListedPackage) -> str:
        """The package URL (https://github.com/package-url/purl-spec) of a package."""
        ...
