"""Where a package comes from, as the scanner tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.models import Status
from entrepot_plugins.scanners.provenance import ProvenanceScanner
from support.debs import make_deb
from support.scans import scan_of

FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def test_a_package_of_a_signed_index_is_trusted(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT)
    verdict = ProvenanceScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.PASS, "signed_trusted")
    assert verdict.evidence == {
        "came_by": "source",
        "source": "debian",
        "index": "bookworm/main/amd64",
        "fingerprint": FINGERPRINT,
    }


@pytest.mark.parametrize(
    ("verify", "message"),
    [
        (False, "it came from debian: its indexes are not verified"),
        (True, "it came from debian: no signature covers the index that names it"),
    ],
)
def test_a_package_of_an_index_that_nobody_verified_is_a_warning(tmp_path: Path, verify: bool, message: str) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=None, verify=verify)
    verdict = ProvenanceScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason, verdict.message) == (Status.WARN, "unsigned_pass", message)
    assert "fingerprint" not in verdict.evidence


def test_an_uploaded_package_is_a_warning(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), uploaded=True)
    verdict = ProvenanceScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.WARN, "unsigned_pass")
    assert verdict.evidence == {"came_by": "upload"}


@pytest.mark.parametrize("readable", [True, False])
def test_another_file_than_the_signed_index_names_is_blocked(tmp_path: Path, readable: bool) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT)
    assert context.available is not None
    context = replace(context, available=replace(context.available, sha256="0" * 64))
    verdict = ProvenanceScanner().scan(artifact, context if readable else replace(context, info=None))
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "not_as_signed")
    assert [finding.id for finding in verdict.findings] == ["sha256"]


def test_an_index_without_sha256_is_as_good_as_its_signature(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT)
    assert context.available is not None
    context = replace(context, available=replace(context.available, sha256=""))
    assert ProvenanceScanner().scan(artifact, context).reason == "signed_trusted"
