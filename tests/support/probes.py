"""A scanner whose answers a test sets: findings of vulnerabilities, by name of the package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from entrepot.contracts import Artifact, ScanContext, Scanner
from entrepot.hookspecs import hookimpl
from entrepot.models import VULNERABILITY, Finding, Scalar, Status, Verdict


@dataclass
class Probe:
    """Says of ``robot`` what ``known["robot"]`` has: (id, severity), or (id, severity, aliases)."""

    known: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    name: str = "probe"
    answers: str = "cve_scan"
    version: str = "1"
    isolated: bool = False
    before_fetch: bool = False

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """Vulnerabilities as they are known now."""
        assert context.info
        if self.broken:
            raise RuntimeError("it fell over")
        self.asked.append(f"{context.info.name}={context.info.version}")
        findings = [self._finding(*told) for told in self.known.get(context.info.name, [])]
        status = Status.WARN if findings else Status.PASS
        return Verdict(status, "findings" if findings else "no_findings", "", "probe", findings=tuple(findings))

    def _finding(self, name: str, severity: str, aliases: str = "") -> Finding:
        data: dict[str, Scalar] = {"fixed": "99", "aliases": aliases}
        return Finding(name, severity, "a hole", data=data, kind=VULNERABILITY)

    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        """Itself: it is its own plugin."""
        return [self]
