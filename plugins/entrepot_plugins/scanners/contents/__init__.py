"""The scanner ``contents``: what is unusual in what a package installs and in the scripts that it brings."""

from __future__ import annotations

from entrepot.contracts import Artifact, ScanContext
from entrepot.models import Basis, Verdict


class ContentsScanner:
    """Looks at every member of a package, and at the scripts that a package manager runs.

    | status | reason | when |
    |---|---|---|
    | pass | ``usual`` | nothing was found, or nothing that the settings ask for |
    | warn, review, block | ``unusual`` | something was found; the worst of what the settings make of each finding |
    | error | ``error`` | the package cannot be read |
    """

    name = "contents"
    asks_catalog = False
    answers = "contents"
    version = "1"
    common_basis = True

    def basis(self, context: ScanContext) -> Basis:
        """The rules: nothing but the package and the settings matters besides."""
        from entrepot_plugins.scanners.contents.rules import RULES_VERSION

        return Basis(tool_version=RULES_VERSION)

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: how much was looked at, and how often what was found."""
        from entrepot_plugins.scanners.contents.scanner import scan

        return scan(artifact, context)
