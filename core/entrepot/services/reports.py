"""Reports about a version of a distribution: bills of materials, findings, statements about vulnerabilities."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from entrepot import __version__
from entrepot.catalog.database import to_time
from entrepot.contracts import NamesPackages, ReportFormat, ReportKind, ReportSubject
from entrepot.errors import StorageError, UsageError
from entrepot.models import Distribution, ListedPackage, StandingFinding, Waiver

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

SBOM, FINDINGS, VEX = ReportKind.SBOM, ReportKind.FINDINGS, ReportKind.VEX

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:entrepot:report")
"""Under which the identifiers of documents are made from what they are about."""
SUPPRESSED = "vex"
"""The key of a verdict's evidence that tells vulnerabilities which do not count."""


@dataclass(frozen=True, slots=True)
class ReportResult:
    """A report that was written to a file."""

    kind: str
    format: str
    distribution: str
    version: int
    path: str
    size: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "kind": self.kind,
            "format": self.format,
            "distribution": self.distribution,
            "version": self.version,
            "path": self.path,
            "size": self.size,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A report that is about to be written: once, by ``text`` or ``save``."""

    format: ReportFormat
    subject: ReportSubject

    def text(self) -> Iterator[str]:
        """The document in pieces."""
        return self.format.write(self.subject)

    def save(self, path: Path) -> ReportResult:
        """Writes it to a file, which is replaced as a whole at the end."""
        digest, size = hashlib.sha256(), 0
        try:
            handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=".report-")
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}", path=str(path)) from error
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in self.text():
                    data = piece.encode("utf-8", "backslashreplace")
                    digest.update(data)
                    size += file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
        subject = self.subject
        return ReportResult(
            self.format.kind.value,
            self.format.name,
            subject.distribution.path,
            subject.version.number,
            str(path),
            size,
            digest.hexdigest(),
        )


def make_report(
    workspace: Workspace,
    kind: ReportKind,
    path: str,
    format_name: str,
    *,
    number: int | None = None,
    with_findings: bool = True,
) -> Report:
    """A report about a version of a distribution, the newest unless another is named.

    What it says of findings is what scanners said last, and what persons decided, whichever version it is about.
    """
    format_ = workspace.plugins.report_format(format_name)
    if format_.kind is not kind:
        fitting = [name for name, other in workspace.plugins.report_formats.items() if other.kind is kind]
        raise UsageError(f"{format_name} is a form of {format_.kind}, not of {kind}", hint=f"{', '.join(fitting)}")
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    versions = catalog.versions
    version = versions.latest(distribution) if number is None else versions.get(distribution, number)
    repository = catalog.repositories.get(distribution.repository)
    findings: Sequence[StandingFinding] = ()
    made_at, verdict_id = version.created_at, 0
    if with_findings:
        verdict_id, at = catalog.standing.last_verdict(distribution, version.number)
        found = catalog.standing.findings(distribution, version.number)
        waivers = _waivers(workspace, distribution, found)
        findings = _covered(found, waivers, workspace.now())
        made_at = max([made_at, *([to_time(at)] if at else []), *_decided_at(waivers, workspace.now())])
    identity = f"{repository.public_url}|{distribution.path}|{version.number}|{version.created_at.isoformat()}"
    decided = " ".join(str(item.waiver.review_id) for item in findings if item.waiver)
    named = uuid.uuid5(NAMESPACE, f"{kind}|{identity}|{verdict_id}|{made_at.isoformat()}|{decided}")
    standing = catalog.standing
    return Report(
        format_,
        ReportSubject(
            repository=repository,
            distribution=distribution,
            version=version,
            made_at=made_at.astimezone(dt.UTC),
            author=repository.origin or repository.name,
            base_url=base_url(repository.public_url),
            namespace=named.urn,
            tool_version=__version__,
            packages=partial(standing.packages, distribution, version.number),
            findings=findings,
            suppressed=standing.verdicts(distribution, version.number, evidence=SUPPRESSED) if with_findings else (),
            overcome=standing.overcome(distribution, version.number) if kind is ReportKind.VEX else (),
            purl=purls(workspace),
        ),
    )


def only_distribution(workspace: Workspace) -> str:
    """The one distribution that there is; ``UsageError`` that lists them where there are several, or none."""
    paths = [distribution.path for distribution in workspace.catalog.repositories.distributions()]
    if len(paths) != 1:
        raise UsageError(f"there are {len(paths)} distributions", hint=f"name one: {', '.join(paths) or 'none'}")
    return paths[0]


def base_url(url: str | None) -> str:
    """With a slash at its end; empty if there is none."""
    return f"{url.rstrip('/')}/" if url else ""


def purls(workspace: Workspace) -> Callable[[ListedPackage], str]:
    """What makes the package URL of a package, by its format."""
    formats: dict[str, Callable[[ListedPackage], str]] = {}

    def purl(package: ListedPackage) -> str:
        make = formats.get(package.format)
        if make is None:
            format_ = workspace.format(package.format)
            make = format_.purl if isinstance(format_, NamesPackages) else _generic
            formats[package.format] = make
        return make(package)

    return purl


def _generic(package: ListedPackage) -> str:
    name, version = quote(package.name, safe=""), quote(package.version, safe=":")
    return f"pkg:generic/{name}@{version}"


def waived(
    workspace: Workspace, distribution: Distribution, findings: Sequence[StandingFinding]
) -> Sequence[StandingFinding]:
    """The findings, each with the waiver that covers it now; of several the one that lasts longest."""
    return _covered(findings, _waivers(workspace, distribution, findings), workspace.now())


def _waivers(
    workspace: Workspace, distribution: Distribution, findings: Sequence[StandingFinding]
) -> Mapping[str, Sequence[Waiver]]:
    artifacts = {item.package.original_sha256 for item in findings}
    return workspace.catalog.reviews.waivers(distribution.id, artifacts) if artifacts else {}


def _covered(
    findings: Sequence[StandingFinding], waivers: Mapping[str, Sequence[Waiver]], now: dt.datetime
) -> Sequence[StandingFinding]:
    holding = {
        (sha256, name): waiver
        for sha256, mine in waivers.items()
        for waiver in sorted(mine, key=lambda waiver: waiver.lasts)
        if waiver.holds(now)
        for name in waiver.covers
    }
    return [
        replace(item, waiver=holding.get((item.package.original_sha256, f"{item.verdict.scanner}/{item.finding.id}")))
        for item in findings
    ]


def _decided_at(waivers: Mapping[str, Sequence[Waiver]], now: dt.datetime) -> Iterator[dt.datetime]:
    """When something about waivers changed: what a document says of their findings is as new as that."""
    for waiver in chain.from_iterable(waivers.values()):
        if waiver.given_at is not None:
            yield waiver.given_at
        if waiver.expires_at is not None and not waiver.holds(now):
            yield waiver.expires_at
