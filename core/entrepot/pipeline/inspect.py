"""Inspection: a package is read and shown to the scanners. Runs in any thread and touches no catalog."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path

from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import Artifact, Format
from entrepot.errors import PackageError
from entrepot.isolation import Case
from entrepot.models import Available, Distribution, PackageInfo, Source
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
    """What came out: the files to keep, which are not those of ``case`` where they were signed anew.

    ``info`` is None where the package could not be read; some verdict then says so.
    """

    case: Case
    paths: tuple[Path, ...]
    sha256: str
    info: PackageInfo | None
    verdicts: tuple[StoredVerdict, ...]

    @property
    def problem(self) -> str:
        """Why the package could not be read; empty if it could."""
        return self.case.problem

    @property
    def inspected_sha256(self) -> str:
        """Of the main file that the verdicts are about."""
        return self.case.artifact.sha256


def read_case(subject: Subject, format_: Format, distribution: Distribution, now: dt.datetime) -> Case:
    """Reads the package. Whatever is wrong with it, the scanners are told."""
    info, problem = None, ""
    try:
        info = format_.packages.read(subject.paths, subject.upstream)
    except PackageError as error:
        problem = str(error)
    except Exception as error:
        # A file that its reader was not prepared for is one bad package, not the end of a batch.
        logger.warning("format %s failed on %s", format_.name, subject.paths[0].name, exc_info=True)
        problem = f"{subject.paths[0].name} cannot be read: {type(error).__name__}: {error}"
    return Case(
        artifact=Artifact(subject.paths, info.files[0].sha256 if info else file_sha256(subject.paths[0])),
        format=format_.name,
        distribution=distribution,
        info=info,
        problem=problem,
        available=subject.available,
        source=subject.source,
        upstream=subject.upstream,
        keyring=subject.keyring,
        now=now,
    )
