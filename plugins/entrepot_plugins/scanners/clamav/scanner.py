"""Shows a package and everything inside it to ClamAV, which itself unpacks neither .deb nor .rpm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrepot.contracts import Artifact, ScanContext
from entrepot.errors import PackageError
from entrepot.models import Basis, ContentKind, Finding, Scalar, Status, Verdict
from entrepot_plugins.scanners.clamav.discovery import NotSetUpError, find_engine, signature_files
from entrepot_plugins.scanners.clamav.engine import MOST_FOUND, ClamavError, Engine, Found, Piece, Tally, Version
from entrepot_plugins.scanners.clamav.settings import ClamavSettings, clamav_settings
from entrepot_plugins.shared.unpacked import CHUNK, shown

NOT_SCANNED = "not-scanned"
OLD_SIGNATURES = "signatures-old"
_OF_OVERSIZE = {
    "review": (Status.REVIEW, "skipped"),
    "warn": (Status.WARN, "skipped"),
    "error": (Status.ERROR, "error"),
}


@dataclass(slots=True)
class _Outcome:
    """What came out of looking; ``outer`` names the package's own files."""

    outer: frozenset[str]
    infected: list[Found] = field(default_factory=list)
    limited: list[Found] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def add(self, found: Found) -> None:
        """Keeps what was found. Whether there is more than a page of it, a hostile package decides."""
        kept = self.infected if found.signature else self.limited
        if len(kept) < MOST_FOUND:
            kept.append(found)


def unready(settings: Mapping[str, Any]) -> str:
    """Why there is nobody to ask; empty if there is somebody."""
    try:
        find_engine(clamav_settings(settings), Path())
    except (NotSetUpError, ClamavError) as error:
        return str(error)
    return ""


def databases(settings: Mapping[str, Any]) -> Sequence[Path]:
    """The files with signatures."""
    return signature_files(clamav_settings(settings))


def basis(context: ScanContext) -> Basis | None:
    """Versions of engine and signatures, and whether these are old by now.

    A database without a number may change at any time: then nothing holds.
    """
    settings = clamav_settings(context.settings)
    try:
        version = find_engine(settings, context.folder).version()
    except NotSetUpError as error:
        return Basis(inputs=str(error))
    except ClamavError:
        return None
    if not version.number:
        return None
    old = _is_old(version, settings, context.now)
    return Basis(version.engine, version.database, OLD_SIGNATURES if old else "")


def scan(artifact: Artifact, context: ScanContext) -> Verdict:
    """The verdict; see ``ClamavScanner``."""
    settings = clamav_settings(context.settings)
    try:
        engine = find_engine(settings, context.folder)
    except NotSetUpError as error:
        return Verdict(Status.SKIPPED, "skipped", str(error))
    except ClamavError as error:
        return Verdict(Status.ERROR, "error", f"ClamAV: {error}")
    outcome = _Outcome(frozenset(shown(path.name) for path in artifact.paths))
    version = Version("")
    problem = ""
    try:
        version = engine.version()
        for found in engine.look(_pieces(artifact, context, settings, outcome), outcome.tally):
            outcome.add(found)
            if len(outcome.infected) >= MOST_FOUND:
                break
    except ClamavError as error:
        problem = f"{engine.tool} at {engine.reached}: {error}"
    except PackageError as error:
        problem = f"not everything inside could be unpacked: {error}"
    return _verdict(outcome, engine, version, settings, context.now, problem)


def _pieces(artifact: Artifact, context: ScanContext, settings: ClamavSettings, outcome: _Outcome) -> Iterator[Piece]:
    """The files as they came, then what is inside; what is too large is told and left out."""
    limit = settings.max_file_size
    for path in artifact.paths:
        size = path.stat().st_size
        if size > limit:
            outcome.add(_oversized(shown(path.name), limit))
        else:
            yield Piece(shown(path.name), size, _chunks(path))
    for content, chunks in context.format.packages.contents(artifact.paths):
        if content.kind is not ContentKind.FILE:
            continue
        where = shown(f"{content.part}: {content.path}" if content.part != "payload" else f"/{content.path}")
        if content.size > limit:
            outcome.add(_oversized(where, limit))
        else:
            yield Piece(where, content.size, chunks)


def _oversized(where: str, limit: int) -> Found:
    return Found(where, limit=f"larger than {limit} bytes (max_file_mb)")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data


# ------------------------------------------------------------------------------------------------------- the verdict


def _verdict(
    outcome: _Outcome, engine: Engine, version: Version, settings: ClamavSettings, now: dt.datetime, problem: str
) -> Verdict:
    findings = [*map(_infected, _distinct(outcome.infected))]
    findings += [_limited(found, outcome.outer) for found in _distinct(outcome.limited)]
    old = _is_old(version, settings, now)
    if old:
        findings.append(_old(version, settings))
    status, reason, message = _ending(outcome, settings, findings, old, problem)
    tally = outcome.tally
    evidence: dict[str, Scalar] = {
        "engine": engine.tool,
        "reached": engine.reached,
        "files": tally.files,
        "bytes": tally.bytes,
        "requests": tally.requests,
        "signatures_days": _age(version, now),
    }
    return Verdict(
        status, reason, message, engine.tool, version.engine, tuple(findings[:MOST_FOUND]), evidence, version.database
    )


def _ending(
    outcome: _Outcome, settings: ClamavSettings, findings: Sequence[Finding], old: bool, problem: str
) -> tuple[Status, str, str]:
    """Status, word and sentence. What was found counts even if the rest could not be looked at."""
    if outcome.infected:
        names = list(dict.fromkeys(found.signature for found in outcome.infected))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return Status.BLOCK, "infected", f"{outcome.infected[0].where}: {', '.join(names[:3])}{more}"
    if problem:
        return Status.ERROR, "error", problem
    if outcome.limited:
        inside = [found for found in outcome.limited if found.where not in outcome.outer]
        status, reason = _OF_OVERSIZE[settings.oversize if inside else "warn"]
        first = (inside or outcome.limited)[0]
        return status, reason, f"{len(outcome.limited)} not looked at: {first.where}: {first.limit}"
    if old:
        return Status.WARN, "clean", findings[-1].summary
    return Status.PASS, "clean", f"nothing was found in {outcome.tally.files} files"


def _distinct(found: Sequence[Found]) -> list[Found]:
    return list(dict.fromkeys(found))


def _infected(found: Found) -> Finding:
    summary = f"{found.where} is {found.signature}"
    return Finding(found.signature, "critical", summary, where=found.where, kind="infected")


def _limited(found: Found, outer: frozenset[str]) -> Finding:
    severity = "low" if found.where in outer else "medium"
    summary = f"{found.where} was not looked at: {found.limit}"
    return Finding(NOT_SCANNED, severity, summary, where=found.where, data={"limit": found.limit})


def _age(version: Version, now: dt.datetime) -> int | None:
    """Days since the signatures were made; None if nobody knows."""
    return max((now - version.date).days, 0) if version.date else None


def _is_old(version: Version, settings: ClamavSettings, now: dt.datetime) -> bool:
    age = _age(version, now)
    return age is not None and 0 < settings.max_age_days < age


def _old(version: Version, settings: ClamavSettings) -> Finding:
    # By their date, not by their age: this has to be true tomorrow, too.
    limit, made = settings.max_age_days, f"{version.date:%Y-%m-%d}"
    summary = f"its signatures are of {made}, more than {limit} days old: run freshclam"
    return Finding(OLD_SIGNATURES, "low", summary, data={"made": made, "max_age_days": limit})
