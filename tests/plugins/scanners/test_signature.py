"""Where a package comes from, as the scanner tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import ReusableScanner
from entrepot.errors import SettingsError
from entrepot.models import Status
from entrepot_plugins.scanners.signature import SignatureScanner
from support.apt_repository import Key, key_maker
from support.debs import ar_archive, ar_contents, make_deb
from support.scans import scan_of

FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def test_a_package_of_a_signed_index_is_trusted(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.PASS, "signed_trusted")
    assert verdict.evidence == {
        "signature": "unsigned",
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
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason, verdict.message) == (Status.WARN, "unsigned_pass", message)
    assert "fingerprint" not in verdict.evidence


def test_an_uploaded_package_is_a_warning(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), uploaded=True)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.WARN, "unsigned_pass")
    assert verdict.evidence == {"signature": "unsigned", "came_by": "upload"}


@pytest.mark.parametrize("readable", [True, False])
def test_another_file_than_the_signed_index_names_is_blocked(tmp_path: Path, readable: bool) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT)
    assert context.available is not None
    context = replace(context, available=replace(context.available, sha256="0" * 64))
    verdict = SignatureScanner().scan(artifact, context if readable else replace(context, info=None))
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "bad_signature")
    assert [finding.id for finding in verdict.findings] == ["sha256"]


def test_an_index_without_sha256_is_as_good_as_its_signature(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT)
    assert context.available is not None
    context = replace(context, available=replace(context.available, sha256=""))
    assert SignatureScanner().scan(artifact, context).reason == "signed_trusted"


# ----------------------------------------------------------------------------------------- signatures of its own


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with key_maker() as make:
        yield make("Builder <builder@example.org>")


@pytest.fixture
def keyring(tmp_path: Path, key: Key) -> Path:
    path = tmp_path / "keys.gpg"
    path.write_bytes(key.public)
    return path


def signed(path: Path, key: Key, text: bytes | None = None) -> Path:
    """A package with a signature of ``text`` in it, or of the package."""
    members = ar_contents(path)
    signature = key.detach(b"".join(content for _, content in members) if text is None else text)
    path.write_bytes(ar_archive([*members, ("_gpgorigin", signature)]))
    return path


def test_an_uploaded_package_signed_by_a_known_key_is_trusted(tmp_path: Path, key: Key, keyring: Path) -> None:
    artifact, context = scan_of(signed(make_deb(tmp_path), key), uploaded=True, keyring=keyring)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.PASS, "signed_trusted")
    assert verdict.evidence["signature_1"] == f"_gpgorigin by {key.fingerprint}: good"


@pytest.mark.parametrize(
    ("signed_by", "reason"), [(FINGERPRINT, "signed_trusted"), (None, "signed_untrusted")], ids=["signed", "unsigned"]
)
def test_a_signature_by_an_unknown_key_matters_only_where_no_index_vouches_for_the_package(
    tmp_path: Path, key: Key, signed_by: str | None, reason: str
) -> None:
    artifact, context = scan_of(signed(make_deb(tmp_path), key), signed_by=signed_by)
    verdict = SignatureScanner().scan(artifact, context)
    assert verdict.reason == reason
    assert verdict.evidence["signature_1"] == f"_gpgorigin by {key.fingerprint}: its key is not known"


def test_a_bad_signature_is_blocked_whatever_the_index_is(tmp_path: Path, key: Key, keyring: Path) -> None:
    path = signed(make_deb(tmp_path), key, b"something else")
    artifact, context = scan_of(path, signed_by=FINGERPRINT, keyring=keyring)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "bad_signature")
    assert [finding.id for finding in verdict.findings] == ["bad-signature"]


def test_a_keyring_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    keyring = tmp_path / "keys.gpg"
    keyring.write_bytes(b"<html>")
    artifact, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT, keyring=keyring)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
    assert "keys.gpg cannot be used" in verdict.message


# ------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [
        ({}, Status.WARN, "unsigned_pass"),
        ({"unsigned": "warn"}, Status.WARN, "unsigned_pass"),
        ({"unsigned": "review"}, Status.REVIEW, "unsigned_blocked"),
        ({"unsigned": "block"}, Status.BLOCK, "unsigned_blocked"),
        ({"sources": {"debian": {"unsigned": "block"}}}, Status.BLOCK, "unsigned_blocked"),
        ({"unsigned": "block", "sources": {"debian": {"unsigned": "warn"}}}, Status.WARN, "unsigned_pass"),
        ({"unsigned": "block", "sources": {"debian": {"untrusted": "warn"}}}, Status.BLOCK, "unsigned_blocked"),
        ({"sources": {"other": {"unsigned": "block"}}}, Status.WARN, "unsigned_pass"),
    ],
)
def test_settings_say_what_an_unsigned_package_leads_to(
    tmp_path: Path, settings: dict[str, Any], status: Status, reason: str
) -> None:
    artifact, context = scan_of(make_deb(tmp_path), verify=False)
    verdict = SignatureScanner().scan(artifact, replace(context, settings=settings))
    assert (verdict.status, verdict.reason) == (status, reason)


@pytest.mark.parametrize(
    ("word", "status"), [("warn", Status.WARN), ("review", Status.REVIEW), ("block", Status.BLOCK)]
)
def test_settings_say_what_an_unknown_key_leads_to(tmp_path: Path, key: Key, word: str, status: Status) -> None:
    artifact, context = scan_of(signed(make_deb(tmp_path), key), verify=False)
    verdict = SignatureScanner().scan(artifact, replace(context, settings={"untrusted": word}))
    assert (verdict.status, verdict.reason) == (status, "signed_untrusted")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unsigned": "allow"}, "scanners.signature.unsigned must be one of warn, review, block"),
        ({"untrusted": True}, "scanners.signature.untrusted must be str, not bool"),
        ({"unsinged": "warn"}, "scanners.signature.unsinged is not known; known are sources, unsigned, untrusted"),
        ({"sources": "debian"}, "scanners.signature.sources must be dict, not str"),
        ({"sources": {"other": {"unsigned": "no"}}}, "scanners.signature.sources.other.unsigned must be one of"),
        ({"sources": {"other": {"x": 1}}}, "scanners.signature.sources.other.x is not known"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    artifact, context = scan_of(make_deb(tmp_path))
    with pytest.raises(SettingsError) as raised:
        SignatureScanner().scan(artifact, replace(context, settings=settings))
    assert raised.value.message.startswith(message)


# --------------------------------------------------------------------------------------------------------- basis


def test_a_verdict_holds_until_keys_index_or_day_change(tmp_path: Path, keyring: Path) -> None:
    scanner = SignatureScanner()
    assert isinstance(scanner, ReusableScanner)
    _, context = scan_of(make_deb(tmp_path), signed_by=FINGERPRINT, keyring=keyring)
    assert context.available
    basis = scanner.basis(context)
    assert basis == scanner.basis(context)
    others = [
        replace(context, keyring=None),
        replace(context, available=None),
        replace(context, available=replace(context.available, signed_by=None)),
        replace(context, now=context.now.replace(year=2027)),
    ]
    assert len({basis, *map(scanner.basis, others)}) == 5


def test_there_is_no_basis_without_the_keyring(tmp_path: Path, keyring: Path) -> None:
    _, context = scan_of(make_deb(tmp_path), keyring=keyring)
    keyring.unlink()
    assert SignatureScanner().basis(context) is None
