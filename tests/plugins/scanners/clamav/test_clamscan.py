"""The program clamscan, where no clamd runs."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.models import Status, Verdict
from entrepot_plugins.scanners.clamav import ClamavScanner
from support.clamd import MARKER, SIGNATURE, write_signature
from support.debs import make_deb
from support.scans import scan_of

pytestmark = pytest.mark.client


@pytest.fixture(autouse=True)
def clamscan_is_here() -> None:
    """Nothing can be tried without it."""
    if not shutil.which("clamscan"):
        pytest.skip("clamscan is not installed")


def scan(path: Path, **settings: Any) -> Verdict:
    artifact, context = scan_of(path, uploaded=True)
    return ClamavScanner().scan(artifact, replace(context, settings=settings))


def test_it_finds_the_marker_and_names_the_file(tmp_path: Path) -> None:
    database = write_signature(tmp_path / "database")
    path = make_deb(tmp_path, files={"usr/bin/evil": MARKER, "a": b"text", "empty": b""}, compression="zst")
    before = sorted(tmp_path.iterdir())
    verdict = scan(path, engine="clamscan", database=str(database))
    assert (verdict.status, verdict.reason, verdict.tool) == (Status.BLOCK, "infected", "clamscan")
    assert [(finding.id, finding.where) for finding in verdict.findings] == [(SIGNATURE, "/usr/bin/evil")]
    assert sorted(tmp_path.iterdir()) == before


def test_a_clean_package_is_clean(tmp_path: Path) -> None:
    database = write_signature(tmp_path / "database")
    verdict = scan(make_deb(tmp_path), engine="clamscan", database=str(database))
    assert (verdict.status, verdict.reason, verdict.evidence["files"]) == (Status.PASS, "clean", 3)


def test_it_is_taken_where_there_are_signatures_and_no_clamd(tmp_path: Path) -> None:
    database = write_signature(tmp_path / "database")
    config = tmp_path / "clamd.conf"
    config.write_text(f"DatabaseDirectory {database}\nLocalSocket {tmp_path}/none\n")
    verdict = scan(make_deb(tmp_path, files={"a": MARKER}), config=str(config))
    assert (verdict.reason, verdict.tool) == ("infected", "clamscan")


def test_what_exceeds_a_limit_is_held_for_review(tmp_path: Path) -> None:
    database = write_signature(tmp_path / "database")
    path = make_deb(tmp_path, files={"bomb.gz": gzip.compress(bytes(9 << 20))})
    verdict = scan(path, engine="clamscan", database=str(database), max_file_mb=1)
    assert (verdict.status, verdict.findings[0].id) == (Status.REVIEW, "not-scanned")


def test_without_signatures_it_is_an_error_if_it_was_asked_for(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    verdict = scan(make_deb(tmp_path), engine="clamscan", database=str(empty))
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
