"""The forms of reports that come with Entrepôt; each imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator

from entrepot.contracts import ReportFormat, ReportKind, ReportSubject
from entrepot.hookspecs import hookimpl


class LazyReportFormat:
    """A ``ReportFormat`` that is the function ``write`` of a module of this package, imported when it is asked."""

    def __init__(self, name: str, kind: ReportKind, title: str, media_type: str, module: str = "") -> None:
        self.name, self.kind, self.title, self.media_type = name, kind, title, media_type
        self._module = module or name

    def write(self, subject: ReportSubject) -> Iterator[str]:
        """The document in pieces."""
        pieces: Iterator[str] = importlib.import_module(f"{__name__}.{self._module}").write(subject)
        return pieces


FORMATS = (
    LazyReportFormat("cyclonedx", ReportKind.SBOM, "CycloneDX 1.6, JSON", "application/vnd.cyclonedx+json"),
    LazyReportFormat("spdx", ReportKind.SBOM, "SPDX 2.3, JSON", "application/spdx+json"),
    LazyReportFormat("sarif", ReportKind.FINDINGS, "SARIF 2.1.0", "application/sarif+json"),
    LazyReportFormat("json", ReportKind.FINDINGS, "rows as JSON", "application/json", "rows_json"),
    LazyReportFormat("csv", ReportKind.FINDINGS, "rows as CSV", "text/csv", "rows_csv"),
    LazyReportFormat("openvex", ReportKind.VEX, "OpenVEX 0.2.0", "application/json"),
)


@hookimpl
def register_report_formats() -> Iterable[ReportFormat]:
    """``cyclonedx`` and ``spdx``; ``sarif``, ``json`` and ``csv``; ``openvex``."""
    return FORMATS
