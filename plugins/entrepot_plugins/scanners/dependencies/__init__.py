"""The scanner ``dependencies``; what it needs is imported when it is first used."""

from __future__ import annotations

from entrepot.contracts import Artifact, ScanContext
from entrepot.models import Basis, Verdict


class DependenciesScanner:
    """Asks whether a package could be installed from the distribution, its base sources and what comes in with it.

    | status | reason | when |
    |---|---|---|
    | pass | ``satisfied`` | it can, on every machine that it is for |
    | review | ``missing`` | it cannot: something that it needs is nowhere; only ``warn`` if there are no base sources |
    | review | ``conflict`` | it cannot: what it needs excludes each other |
    | warn | ``satisfied`` | it can, but excludes a package that the distribution has, so that no machine has both |
    | warn | ``satisfied`` | it can, but something that it recommends is nowhere (with ``recommends``) |
    | skipped | ``skipped`` | it is a source package, or nothing tells which machines there are |
    | error | ``error`` | it could not be read, its metadata not understood, or a base source was never synced |
    """

    name = "dependencies"
    answers = "dependencies"
    version = "3"
    stage = "batch"
    reads_files = False
    common_basis = True

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: for which machines, how many packages it would bring, and from where."""
        from entrepot_plugins.scanners.dependencies.scanner import scan

        return scan(context)

    def basis(self, context: ScanContext) -> Basis | None:
        """The solver, and all that it would look at."""
        from entrepot_plugins.scanners.dependencies.scanner import basis

        return basis(context)
