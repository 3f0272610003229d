"""Asks whether a package is what its format and the index say that it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from entrepot.models import Finding, Status, Verdict

if TYPE_CHECKING:
    from entrepot.contracts import Artifact, ScanContext


class PackageFormatScanner:
    """Reports what the format's reader made of the package.

    | status | reason | when |
    |---|---|---|
    | pass | ``valid`` | it was read from end to end, and agrees with the index |
    | block | ``unreadable`` | it is damaged, hostile or no package of the format |
    | block | ``disagrees`` | its own data and the index's contradict each other, one finding for each contradiction |
    """

    name = "format"
    answers = "format"
    version = "2"
    isolated = False
    arrival = True

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: what the package says that it is."""
        where = artifact.paths[0].name
        info = context.info
        if info is None:
            problem = context.problem or "the package could not be read"
            finding = Finding("unreadable", "critical", problem, where=where)
            return Verdict(Status.BLOCK, "unreadable", problem, findings=(finding,))
        evidence = {
            "format": info.format,
            "kind": info.kind,
            "name": info.name,
            "version": info.version,
            "architecture": info.architecture,
        }
        if context.upstream is None:
            return Verdict(Status.PASS, "valid", "it is whole", evidence=evidence)
        sentences = context.format.packages.disagreements(info, context.upstream)
        if sentences:
            findings = tuple(
                Finding(_id(sentence), "high", sentence, where=where, kind="disagrees") for sentence in sentences
            )
            return Verdict(Status.BLOCK, "disagrees", "; ".join(sentences), findings=findings, evidence=evidence)
        return Verdict(Status.PASS, "valid", "it is whole, and what the index says of it", evidence=evidence)


def _id(sentence: str) -> str:
    """The same for the same contradiction, in whatever order the reader finds them."""
    return f"disagrees-{hashlib.sha256(sentence.encode()).hexdigest()[:12]}"
