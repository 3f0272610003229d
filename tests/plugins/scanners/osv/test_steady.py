"""Of which packages the scanner may say something else than it said."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.contracts import Changed, ScanContext
from entrepot_plugins.scanners.osv import OsvScanner
from support.advisories import Desk, osv, package
from support.debs import make_deb
from support.scans import scan_of


@pytest.fixture
def context(tmp_path: Path, desk: Desk) -> ScanContext:
    desk.load("debian", osv("CVE-2026-1", package("Debian:12", "hello")))
    return replace(scan_of(make_deb(tmp_path), uploaded=True)[1], now=desk.clock())


def test_it_knows_the_packages_that_changed_advisories_are_about(desk: Desk, context: ScanContext) -> None:
    scanner = OsvScanner()
    mark = scanner.mark(context, desk.lookup)
    assert scanner.changed(mark, context, desk.lookup) == Changed(set(), spoken=False)
    desk.load("more", osv("CVE-2026-2", package("Debian:12", "curl")))
    assert scanner.changed(mark, context, desk.lookup) == Changed({"curl"}, spoken=False)


def test_a_release_of_which_there_was_no_data_and_old_data_concern_everything(desk: Desk, context: ScanContext) -> None:
    scanner = OsvScanner()
    mark = scanner.mark(context, desk.lookup)
    assert scanner.mark(replace(context, now=context.now + dt.timedelta(days=14)), desk.lookup) == mark
    old = replace(context, now=context.now + dt.timedelta(days=15))
    assert scanner.changed(mark, old, desk.lookup) is None
    desk.load("more", osv("CVE-2026-2", package("Debian:13", "curl")))
    assert scanner.changed(mark, context, desk.lookup) is None


def test_where_sources_offer_something_else_findings_are_looked_at_again(desk: Desk, context: ScanContext) -> None:
    scanner = OsvScanner()
    catalog = desk.workspace.catalog.database
    catalog.table("sources").insert({"id": 1, "name": "up", "format": "apt", "url": "file:///up", "verify": 0})
    catalog.table("source_indexes").insert(
        {"id": 1, "source_id": 1, "key": "main", "distribution": "s", "digest": "one"}
    )
    mark = scanner.mark(context, desk.lookup)
    based = replace(context, distribution=replace(context.distribution, base_sources=("up",)))
    assert scanner.changed(mark, based, desk.lookup) == Changed(set(), spoken=True)
    catalog.table("source_indexes").update(1, {"digest": "two"})
    assert scanner.changed(mark, context, desk.lookup) == Changed(set(), spoken=True)
    # A source with advisories of its own may say something else of any package.
    catalog.table("extras").insert({"id": 1, "kind": "advisory", "name": "A-1", "digest": b"1"})
    catalog.table("source_extras").insert({"index_id": 1, "extra_id": 1})
    telling = scanner.mark(context, desk.lookup)
    assert scanner.changed(telling, context, desk.lookup) == Changed(set(), spoken=False)
    catalog.table("source_indexes").update(1, {"digest": "three"})
    assert scanner.changed(telling, context, desk.lookup) is None
    catalog.table("source_indexes").update(1, {"distribution": "another"})
    assert scanner.changed(mark, context, desk.lookup) is None
