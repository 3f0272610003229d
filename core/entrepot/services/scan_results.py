"""What a scan came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from entrepot.errors import EntrepotError
from entrepot.events import finding_json
from entrepot.models import Distribution, Finding, Version
from entrepot.services.publishing import PublishResult


@dataclass(frozen=True, slots=True)
class ScannedPackage:
    """A package of which something is said that was not said before, or that does not pass."""

    distribution: str
    package: str
    version: str
    architecture: str
    sha256: str
    import_id: int | None
    status: str
    """``worse``: it is in and would not come in any more. ``better``: it waits, and would come in now. ``changed``:
    scanners say something else, and nothing follows. ``waits``: it waits, as before."""
    action: str
    """What was, or would be, done: ``report``, ``review`` or ``withdraw``; empty if nothing."""
    outcome: tuple[str, str]
    """Before and now: ``publish``, ``pending_review`` or ``reject``."""
    pipeline: tuple[Mapping[str, str], Mapping[str, str]]
    reasons: Sequence[str]
    findings: Sequence[tuple[str, Finding]]
    """Those that are new, each with its scanner."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "distribution": self.distribution,
            "package": self.package,
            "version": self.version,
            "architecture": self.architecture,
            "sha256": self.sha256,
            "import_id": self.import_id,
            "status": self.status,
            "action": self.action,
            "before": {"outcome": self.outcome[0], "pipeline": dict(self.pipeline[0])},
            "after": {"outcome": self.outcome[1], "pipeline": dict(self.pipeline[1])},
            "reasons": list(self.reasons),
            "new_findings": [{"scanner": scanner, **finding_json(finding)} for scanner, finding in self.findings],
        }


@dataclass(slots=True)
class DistributionScan:
    """What a scan of one distribution came to."""

    distribution: Distribution
    scanned: int = 0
    settled: int = 0
    """Those of the scanned that nobody was asked about, because nothing changed that their verdicts depend on."""
    packages: list[ScannedPackage] = field(default_factory=list)
    failures: list[tuple[str, EntrepotError]] = field(default_factory=list)
    version: Version | None = None
    publication: PublishResult | None = None
    publish_error: EntrepotError | None = None

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "distribution": self.distribution.path,
            "scanned": self.scanned,
            "settled": self.settled,
            "packages": [package.as_json() for package in self.packages],
            "failures": [{"package": label, "error": str(error), "hint": error.hint} for label, error in self.failures],
            "version": self.version.number if self.version else None,
            "publication": self.publication.as_json() if self.publication else None,
            "publish_error": str(self.publish_error) if self.publish_error else None,
        }


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan came to, by distribution."""

    distributions: Sequence[DistributionScan]
    dry_run: bool

    @property
    def worse(self) -> Sequence[ScannedPackage]:
        """What is in and would not come in any more."""
        return [package for scan in self.distributions for package in scan.packages if package.status == "worse"]

    @property
    def failed(self) -> bool:
        """Whether something could not be looked at, or not be published."""
        return any(scan.failures or scan.publish_error for scan in self.distributions)

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "dry_run": self.dry_run,
            "scanned": sum(scan.scanned for scan in self.distributions),
            "worse": len(self.worse),
            "distributions": [scan.as_json() for scan in self.distributions],
        }
