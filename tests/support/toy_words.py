"""The scanner of toys."""

from __future__ import annotations

from entrepot.contracts import Artifact, ScanContext
from entrepot.models import Finding, Status, Verdict


class ToyScanner:
    """Says what the word in the package tells it to say: one of the verdicts' names, or ``crash``."""

    name = "toy-words"
    answers = "words"
    version = "7"

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The last line of the file is the word."""
        word = artifact.paths[0].read_bytes().rpartition(b"\n")[2].decode("utf-8", "replace")
        if word == "crash":
            raise RuntimeError("the scanner fell over")
        status = Status(word) if word in list(Status) else Status.PASS
        finding = Finding("toy-word", "low", f"it says {word}", artifact.paths[0].name, {"length": len(word)})
        findings = () if status is Status.PASS else (finding,)
        return Verdict(status, f"said_{status}", f"it says {word}", "toy", "7.1", findings, {"word": word})
