"""Vulnerability data for tests: records of OSV, and a workspace that they are loaded into.

::

    desk = Desk(tmp_path)
    desk.load("debian", osv("CVE-2026-1001", package("Debian:12", "hello", fixed="1.0-2")))
    verdict = desk.scan(make_deb(tmp_path))
    assert verdict.reason == "findings"
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from entrepot.catalog.lookup import CatalogLookup
from entrepot.contracts import ScanContext
from entrepot.models import Verdict
from entrepot.services import advisories
from entrepot.services.advisories import FeedResult
from entrepot.workspace import Workspace
from entrepot_plugins.apt.version import version_key
from entrepot_plugins.rpm.version import RpmVersions
from entrepot_plugins.scanners.osv import OsvScanner
from support.scans import scan_of
from support.workspaces import Clock

Record = dict[str, Any]

RPM = RpmVersions()


def osv(name: str, *affected: Record, **fields: Any) -> Record:
    """A record of the OSV schema."""
    return {"schema_version": "1.7.0", "id": name, "modified": "2026-01-01T00:00:00Z", "affected": affected, **fields}


def package(ecosystem: str, name: str, *, introduced: str = "0", fixed: str = "", **fields: Any) -> Record:
    """What a record affects: every version from ``introduced`` on, up to ``fixed`` where there is one."""
    events = [{"introduced": introduced}, *([{"fixed": fixed}] if fixed else [])]
    return affected(ecosystem, name, events, **fields)


def affected(ecosystem: str, name: str, *ranges: Sequence[Mapping[str, object]], **fields: Any) -> Record:
    """What a record affects, by the events of its ranges."""
    return {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": list(events)} for events in ranges],
        **fields,
    }


def keys(format_name: str, version: str) -> bytes:
    """The order of versions, as the workspace knows it."""
    return RPM.key(version) if format_name == "rpm" else version_key(version)


def write_zip(path: Path, records: Iterable[Record]) -> Path:
    """An archive with a file for each record."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, record in enumerate(records):
            archive.writestr(f"{number}/{record['id']}.json", json.dumps(record))
    return path


class Desk:
    """A workspace with vulnerability data, and the scanner that looks into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.folder.mkdir()
        self.clock = Clock()
        self.workspace = Workspace(folder / "home", actor="tester", clock=self.clock)
        self.workspace.create()
        self.lookup: CatalogLookup = self.workspace.catalog.lookup()

    def close(self) -> None:
        """Closes the workspace."""
        self.lookup.close()
        self.workspace.close()

    def load(self, name: str, *records: Record) -> FeedResult:
        """Adds a feed, or updates it, with these records."""
        path = write_zip(self.folder / f"{name}.zip", records)
        if any(view.feed.name == name for view in advisories.list_feeds(self.workspace)):
            return advisories.update_feed(self.workspace, name)
        return advisories.add_feed(self.workspace, name, str(path))

    def load_text(self, name: str, file_name: str, text: str, format_name: str | None = None) -> FeedResult:
        """Adds a feed of one file."""
        path = self.folder / file_name
        path.write_text(text, encoding="utf-8")
        return advisories.add_feed(self.workspace, name, str(path), format_name=format_name)

    def context(self, path: Path, settings: Mapping[str, Any] | None = None) -> ScanContext:
        """What the scanner is handed for a package of the suite ``bookworm``."""
        _, context = scan_of(path)
        return replace(context, advisories=self.lookup, settings=settings or {}, now=self.clock.time)

    def scan(self, path: Path, settings: Mapping[str, Any] | None = None) -> Verdict:
        """What the scanner says of a package of the suite ``bookworm``."""
        return scan_context(self.context(path, settings))


def scan_context(context: ScanContext) -> Verdict:
    """What the scanner says; the artifact's bytes are not looked at."""
    from entrepot.contracts import Artifact

    return OsvScanner().scan(Artifact((), ""), context)
