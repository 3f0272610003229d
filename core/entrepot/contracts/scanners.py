"""Inspecting artifacts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from entrepot.contracts.advisories import AdvisoryLookup
from entrepot.contracts.formats import Format
from entrepot.models import Available, Distribution, PackageInfo, Source, Verdict


@dataclass(frozen=True, slots=True)
class Artifact:
    """The files of one package, on this machine, the main one first; read-only, in quarantine."""

    paths: tuple[Path, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What a scanner knows besides the files.

    ``info`` is None when the package could not be read; ``problem`` then says why. ``available`` and ``upstream`` are
    None for an uploaded file.
    """

    format: Format
    distribution: Distribution
    info: PackageInfo | None
    problem: str
    available: Available | None
    source: Source | None
    upstream: bytes | None
    keyring: Path | None
    """Keys of the source, or of whoever may bring files in."""
    settings: Mapping[str, Any]
    folder: Path
    now: dt.datetime
    advisories: AdvisoryLookup | None = None
    """The offline vulnerability data; None where there is no catalog to ask."""


class Scanner(Protocol):
    """Inspects an artifact. It says what it saw; what follows from that is the policy's business."""

    name: str
    answers: str
    """The key under which an import's result reports it: ``gpg``, ``antivirus``; its own name for a third party's."""
    version: str
    """Part of what makes a verdict reusable: a verdict of another version of the scanner is asked for again."""

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict; an exception is recorded as ``error`` under the scanner's name."""
        ...
