"""What plugins are told after something happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from entrepot.models import Distribution, Finding, Repository, Scalar, Source, SyncCounts, Target, Version


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The answer to an import: what the command line prints and the HTTP API returns."""

    status: str
    """``published``, ``already_published``, ``pending_review``, ``rejected``, ``failed``, or ``dry_run``."""
    package: str
    version: str
    architecture: str
    distribution: str
    sha256: str
    import_id: int | None
    repository_version: int | None
    pipeline: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    message: str = ""
    component: str = ""
    reasons: Sequence[str] = ()

    def as_json(self) -> dict[str, object]:
        """The document of the HTTP contract."""
        return {
            "status": self.status,
            "package": self.package,
            "version": self.version,
            "architecture": self.architecture,
            "distribution": self.distribution,
            "component": self.component,
            "sha256": self.sha256,
            "import_id": self.import_id,
            "repository_version": self.repository_version,
            "pipeline": dict(self.pipeline),
            "findings": [finding_json(finding) for finding in self.findings],
            "reasons": list(self.reasons),
            "message": self.message,
        }


def finding_json(finding: Finding) -> dict[str, Scalar | Mapping[str, Scalar]]:
    """A finding as JSON."""
    return {
        "id": finding.id,
        "severity": finding.severity,
        "summary": finding.summary,
        "where": finding.where,
        "data": dict(finding.data),
    }


@dataclass(frozen=True, slots=True)
class SourceSynced:
    """A sync ended well; ``counts`` is None where the source had not changed."""

    source: Source
    counts: SyncCounts | None


@dataclass(frozen=True, slots=True)
class ImportDecided:
    """A policy decided about an import."""

    result: ImportResult


@dataclass(frozen=True, slots=True)
class PackageImported:
    """A package became part of a version."""

    result: ImportResult
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class VersionCreated:
    """A distribution has a new version."""

    distribution: Distribution
    version: Version


@dataclass(frozen=True, slots=True)
class TreePublished:
    """A version is in place at one target.

    ``changed`` are the paths whose content is another than before, for caches to forget.
    """

    repository: Repository
    target: Target
    distribution: Distribution
    version: int
    written: int
    changed: Sequence[str]
