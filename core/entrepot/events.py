"""What plugins are told after something happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from entrepot.models import (
    Distribution,
    Finding,
    ImportState,
    Outcome,
    PackageInfo,
    Repository,
    Ruling,
    Scalar,
    Source,
    Status,
    SyncCounts,
    Target,
    Version,
)


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
    rulings: Sequence[Ruling] = ()
    """What every rule of the policy made of it, the most severe first."""
    actions: Sequence[str] = ()
    """For each of ``findings``: ``allow warn review block waived``; empty where the policy said nothing of it."""

    @property
    def is_out(self) -> bool:
        """Whether it did not come in, and does not wait either."""
        return self.status in (ImportState.FAILED.value, ImportState.REJECTED.value)

    @property
    def waits(self) -> bool:
        """Whether it waits for review."""
        return self.status == ImportState.PENDING_REVIEW.value

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
            "findings": findings_json(self.findings, self.actions),
            "reasons": list(self.reasons),
            "rulings": [ruling_json(ruling) for ruling in self.rulings],
            "message": self.message,
        }


def finding_json(finding: Finding, action: str = "") -> dict[str, Scalar | Mapping[str, Scalar]]:
    """A finding as JSON, with what the policy makes of it."""
    return {
        "id": finding.id,
        "severity": finding.severity,
        "summary": finding.summary,
        "where": finding.where,
        "kind": finding.kind,
        "action": action,
        "data": dict(finding.data),
    }


def findings_json(
    findings: Sequence[Finding], actions: Sequence[str]
) -> list[dict[str, Scalar | Mapping[str, Scalar]]]:
    """Findings as JSON; ``actions`` has one for each, or none at all."""
    words = actions or [""] * len(findings)
    return [finding_json(finding, word) for finding, word in zip(findings, words, strict=True)]


def ruling_json(ruling: Ruling) -> dict[str, object]:
    """A ruling as JSON."""
    return {
        "rule": ruling.rule,
        "scanner": ruling.scanner,
        "status": ruling.status.value,
        "outcome": ruling.outcome.value,
        "word": ruling.word,
        "message": ruling.message,
        "findings": list(ruling.findings),
        "waived": list(ruling.waived),
        "covers": list(ruling.covers),
    }


def ruling_from_json(document: Mapping[str, Any]) -> Ruling:
    """A ruling as ``ruling_json`` wrote it."""
    return Ruling(
        rule=document["rule"],
        scanner=document["scanner"],
        status=Status(document["status"]),
        outcome=Outcome(document["outcome"]),
        word=document["word"],
        message=document["message"],
        findings=tuple(document["findings"]),
        waived=tuple(document["waived"]),
        covers=tuple(document["covers"]),
    )


@dataclass(frozen=True, slots=True)
class SourceSynced:
    """A sync ended well; ``counts`` is None where the source had not changed."""

    source: Source
    counts: SyncCounts | None


@dataclass(frozen=True, slots=True)
class ImportDecided:
    """A policy decided about an import."""

    result: ImportResult
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class PackageImported:
    """A package became part of a version."""

    result: ImportResult
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class PackageWorsened:
    """A package that is in would not come in any more. ``import_id`` is None where no import brought it.

    ``action`` is what followed: ``report``, ``review`` (it waits for a person, and stays in) or ``withdraw``.
    ``expired`` if that is because a waiver has expired.
    """

    distribution: Distribution
    package: PackageInfo
    import_id: int | None
    action: str
    expired: bool
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class AdvisoryMatched:
    """A scan found advisories that touch a package which is in. ``import_id`` is None where no import brought it.

    ``findings`` are those of kind ``vulnerability`` that were not known of this package here before.
    """

    distribution: Distribution
    package: PackageInfo
    import_id: int | None
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class VersionCreated:
    """A distribution has a new version."""

    distribution: Distribution
    version: Version


@dataclass(frozen=True, slots=True)
class TreePublished:
    """A version is in place at one target.

    ``changed`` are the paths whose content is another than before, or that are gone, for caches to forget.
    """

    repository: Repository
    target: Target
    distribution: Distribution
    version: int
    written: int
    changed: Sequence[str]


Event = (
    SourceSynced | ImportDecided | PackageImported | PackageWorsened | AdvisoryMatched | VersionCreated | TreePublished
)
"""Whatever can be told."""
