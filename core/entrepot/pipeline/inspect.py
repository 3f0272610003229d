"""Inspection: what every scanner says of the files of one package. Runs in any thread and touches no catalog."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from entrepot.catalog.database import to_json
from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import AdvisoryLookup, Artifact, Format, ScanContext, Scanner, Surroundings
from entrepot.errors import PackageError
from entrepot.models import Available, Distribution, PackageInfo, Source, Status, Verdict
from entrepot.store import file_sha256

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is inspected: files on this machine, and what is known about where they come from."""

    paths: tuple[Path, ...]
    available: Available | None = None
    source: Source | None = None
    upstream: bytes | None = None
    keyring: Path | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What came out. ``info`` is None where the package could not be read; some verdict then says so."""

    paths: tuple[Path, ...]
    sha256: str
    info: PackageInfo | None
    problem: str
    verdicts: tuple[StoredVerdict, ...]
    subject: Subject | None = None


def inspect(
    subject: Subject,
    format_: Format,
    scanners: Mapping[str, Scanner],
    settings: Mapping[str, Mapping[str, Any]],
    distribution: Distribution,
    folder: Path,
    now: dt.datetime,
    advisories: AdvisoryLookup | None = None,
) -> Inspection:
    """Reads the package and asks every scanner about it, in the order of their names."""
    info, problem = None, ""
    try:
        info = format_.packages.read(subject.paths, subject.upstream)
    except PackageError as error:
        problem = str(error)
    except Exception as error:
        # A file that its reader was not prepared for is one bad package, not the end of a batch.
        logger.warning("format %s failed on %s", format_.name, subject.paths[0].name, exc_info=True)
        problem = f"{subject.paths[0].name} cannot be read: {type(error).__name__}: {error}"
    artifact = Artifact(subject.paths, info.files[0].sha256 if info else file_sha256(subject.paths[0]))
    verdicts = []
    for name in sorted(name for name, scanner in scanners.items() if stage(scanner) != "batch"):
        context = ScanContext(
            format=format_,
            distribution=distribution,
            info=info,
            problem=problem,
            available=subject.available,
            source=subject.source,
            upstream=subject.upstream,
            keyring=subject.keyring,
            settings=settings.get(name, {}),
            folder=folder,
            now=now,
            advisories=advisories,
        )
        scanner = scanners[name]
        verdicts.append(StoredVerdict(name, scanner.version, scanner.answers, _ask(scanner, artifact, context)))
    return Inspection(subject.paths, artifact.sha256, info, problem, tuple(verdicts), subject)


def stage(scanner: Scanner) -> str:
    """When a scanner is asked: ``package`` or ``batch``."""
    return str(getattr(scanner, "stage", "package"))


def inspect_batch(
    inspections: Sequence[Inspection],
    format_: Format,
    scanners: Mapping[str, Scanner],
    settings: Mapping[str, Mapping[str, Any]],
    distribution: Distribution,
    folder: Path,
    now: dt.datetime,
    advisories: AdvisoryLookup | None = None,
    surroundings: Surroundings | None = None,
) -> Sequence[Inspection]:
    """Asks the scanners that have to know what else came in, about every package."""
    asked = sorted(name for name, scanner in scanners.items() if stage(scanner) == "batch")
    results = []
    for inspection in inspections:
        subject = inspection.subject
        batch = [other.info for other in inspections if other.info and other is not inspection]
        verdicts = list(inspection.verdicts)
        for name in asked if subject else ():
            assert subject
            context = ScanContext(
                format=format_,
                distribution=distribution,
                info=inspection.info,
                problem=inspection.problem,
                available=subject.available,
                source=subject.source,
                upstream=subject.upstream,
                keyring=subject.keyring,
                settings=settings.get(name, {}),
                folder=folder,
                now=now,
                advisories=advisories,
                batch=batch,
                surroundings=surroundings,
            )
            artifact = Artifact(inspection.paths, inspection.sha256)
            scanner = scanners[name]
            verdicts.append(StoredVerdict(name, scanner.version, scanner.answers, _ask(scanner, artifact, context)))
        results.append(replace(inspection, verdicts=tuple(sorted(verdicts, key=lambda stored: stored.scanner))))
    return results


def _ask(scanner: Scanner, artifact: Artifact, context: ScanContext) -> Verdict:
    try:
        verdict = scanner.scan(artifact, context)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"it answered {type(verdict).__name__}, not a verdict")
        if verdict.status is Status.ABSENT:
            raise TypeError("it answered, and says that it is absent")
        to_json([dict(verdict.evidence), *(dict(finding.data) for finding in verdict.findings)])
        return verdict
    except Exception as error:  # whatever a scanner does, its silence must not look like a pass
        logger.warning("scanner %s failed on %s", scanner.name, artifact.paths[0].name, exc_info=True)
        return Verdict(Status.ERROR, "scanner_failed", f"{type(error).__name__}: {error}", tool=scanner.name)
