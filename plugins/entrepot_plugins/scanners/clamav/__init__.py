"""The scanner ``clamav``; what does the work is imported when it is first asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from entrepot.contracts import AdvisoryLookup, Artifact, ScanContext
from entrepot.models import Basis, Source, Verdict


class ClamavScanner:
    """Has ClamAV look at the package's files and at everything inside them.

    | status | reason | when |
    |---|---|---|
    | pass | ``clean`` | everything was looked at, nothing was found |
    | warn | ``clean`` | the same, by signatures that are older than ``max_age_days`` |
    | warn | ``skipped`` | the package's file as a whole is too large, all that is inside was looked at |
    | review | ``skipped`` | something inside was not looked at: too large, or a limit of ClamAV; see ``oversize`` |
    | block | ``infected`` | a signature matched |
    | skipped | ``skipped`` | there is no ClamAV here, or one that nobody set up |
    | error | ``error`` | there is one, and it did not answer as it should; or the package cannot be unpacked |
    """

    name = "clamav"
    asks_catalog = False
    answers = "antivirus"
    version = "2"
    common_basis = True

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: the engine, how it was reached, bytes and files that it saw, age of its signatures."""
        from entrepot_plugins.scanners.clamav.scanner import scan

        return scan(artifact, context)

    def unready(self, settings: Mapping[str, Any], advisories: AdvisoryLookup, sources: Sequence[Source]) -> str:
        """Why there is no ClamAV to ask, and how to get one; empty where there is one, whether or not it answers."""
        from entrepot_plugins.scanners.clamav.scanner import unready

        return unready(settings)

    def basis(self, context: ScanContext) -> Basis | None:
        """Versions of engine and signatures, or that nobody set one up; None where they are not known."""
        from entrepot_plugins.scanners.clamav.scanner import basis

        return basis(context)

    def databases(self, settings: Mapping[str, Any]) -> Sequence[Path]:
        """The files with signatures: those of ``database``, or of the folder that clamd's configuration names."""
        from entrepot_plugins.scanners.clamav.scanner import databases

        return databases(settings)
