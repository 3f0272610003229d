"""The scanner ``osv`` and the forms of vulnerability data that it knows; each imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from entrepot.contracts import AdvisoryHistory, AdvisoryLookup, Artifact, Changed, ScanContext
from entrepot.models import Source, Verdict

if TYPE_CHECKING:
    from entrepot.advisories import Advisory, Fact, RawAdvisory
    from entrepot.contracts import VersionKeys


class OsvScanner:
    """Compares a package with the vulnerability data that ``entrepot advisories`` loaded. Nothing is fetched.

    | status | reason | when |
    |---|---|---|
    | pass | ``no_findings`` | no advisory affects this version |
    | warn | ``findings`` | some do, and a policy weighs them; or the data is old |
    | skipped | ``skipped`` | there is no data for the package's release, or nobody knows which that is |
    | error | ``error`` | the package could not be read; with ``required`` what else were skipped |
    """

    name = "osv"
    answers = "cve_scan"
    version = "4"
    before_fetch = True
    isolated = False  # it asks the catalog, and reads no file

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: what was compared with which ecosystems, how old the data is, how many of what."""
        from entrepot_plugins.scanners.osv.scanner import scan

        return scan(context)

    def unready(self, settings: Mapping[str, Any], advisories: AdvisoryLookup, sources: Sequence[Source]) -> str:
        """That there is no data at all, and how to get some; empty where there is any."""
        if advisories.ecosystems() or any(map(advisories.tells, sources)):
            return ""
        return "No vulnerability data is loaded; `entrepot advisories add` loads some"

    def scan_many(self, packages: Sequence[tuple[Artifact, ScanContext]]) -> Sequence[Verdict]:
        """The same of many packages at once: the catalog is asked a few questions about all of them."""
        from entrepot_plugins.scanners.osv.scanner import scan_many

        return scan_many([context for _, context in packages])

    def mark(self, context: ScanContext, history: AdvisoryHistory) -> str:
        """What the data says, what sources offer, and what is too old."""
        from entrepot_plugins.scanners.osv.steady import mark

        return mark(context, history)

    def changed(self, since: str, context: ScanContext, history: AdvisoryHistory) -> Changed | None:
        """The packages that advisories say something else of, or that have findings which a source may fix now."""
        from entrepot_plugins.scanners.osv.steady import changed

        return changed(since, context, history)


class AdvisoryReader(Protocol):
    """What an ``AdvisoryFormat`` does, without its name."""

    def recognises(self, path: Path) -> bool: ...
    def advisories(self, path: Path) -> Iterator[RawAdvisory]: ...
    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory: ...
    def facts(self, path: Path) -> Iterator[Fact]: ...


class LazyAdvisoryFormat:
    """An ``AdvisoryFormat`` whose reader, ``module:class`` of this package, is imported when it is first asked."""

    def __init__(self, name: str, title: str, generation: str, reader: str) -> None:
        self.name, self.title, self.generation = name, title, generation
        self._place = reader

    @cached_property
    def _reader(self) -> AdvisoryReader:
        module, _, name = self._place.partition(":")
        reader: AdvisoryReader = getattr(importlib.import_module(f"{__name__}.{module}"), name)()
        return reader

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder is of this form."""
        return self._reader.recognises(path)

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """The records, streamed."""
        return self._reader.advisories(path)

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """What a record says."""
        return self._reader.describe(record, keys)

    def facts(self, path: Path) -> Iterator[Fact]:
        """What is known of vulnerabilities wherever they occur, streamed."""
        return self._reader.facts(path)


FORMATS = (
    LazyAdvisoryFormat("osv", "OSV schema: a ZIP archive, a folder or a JSON file", "osv-1", "osv_format:OsvReader"),
    LazyAdvisoryFormat(
        "debian-tracker", "JSON of the Debian security tracker", "debian-tracker-1", "tracker:DebianTrackerReader"
    ),
    LazyAdvisoryFormat("openvex", "OpenVEX: statements about packages, JSON", "openvex-1", "vex_format:OpenVexReader"),
    LazyAdvisoryFormat("kev", "list of known exploited vulnerabilities (KEV), JSON", "kev-1", "enrichment:KevReader"),
    LazyAdvisoryFormat("epss", "exploit prediction scores (EPSS), CSV", "epss-1", "enrichment:EpssReader"),
)
"""The forms; the third value is raised whenever a reader says something else of the same record."""
