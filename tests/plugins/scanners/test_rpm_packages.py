"""What the scanners that know no format say of RPM packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.models import Status
from entrepot_plugins.rpm.format import RpmFormat
from entrepot_plugins.scanners.package_format import PackageFormatScanner
from entrepot_plugins.scanners.signature import SignatureScanner
from support.gnupg import gnupg_home, gpg, make_key
from support.rpms import Key, make_rpm
from support.scans import scan_of

RPM = RpmFormat()
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with gnupg_home() as home:
        yield Key(home, make_key(home, "Builder <builder@example.org>"))


@pytest.fixture
def keyring(tmp_path: Path, key: Key) -> Path:
    path = tmp_path / "keys.gpg"
    path.write_bytes(gpg(key.home, "--export", key.fingerprint))
    return path


def test_a_package_signed_by_a_key_of_its_source_is_trusted_whatever_the_index_is(
    tmp_path: Path, key: Key, keyring: Path
) -> None:
    path = make_rpm(tmp_path, sign_with=key)
    artifact, context = scan_of(path, verify=False, keyring=keyring, package_format=RPM)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.PASS, "signed_trusted")
    assert verdict.evidence == {
        "signature": "trusted",
        "keys": key.fingerprint,
        "signature_1": f"header by {key.fingerprint}: good",
        "came_by": "source",
        "source": "debian",
        "index": "bookworm/main/1.noarch",
    }


def test_a_package_signed_by_another_key_is_a_warning(tmp_path: Path, key: Key) -> None:
    artifact, context = scan_of(make_rpm(tmp_path, sign_with=key), signed_by=FINGERPRINT, package_format=RPM)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.WARN, "signed_untrusted")
    assert key.fingerprint in verdict.message


@pytest.mark.parametrize(("signed_by", "reason"), [(FINGERPRINT, "signed_trusted"), (None, "unsigned_pass")])
def test_a_package_without_a_signature_is_worth_what_its_index_is(
    tmp_path: Path, signed_by: str | None, reason: str
) -> None:
    artifact, context = scan_of(make_rpm(tmp_path), signed_by=signed_by, package_format=RPM)
    assert SignatureScanner().scan(artifact, context).reason == reason


def test_a_changed_package_is_blocked_by_both(tmp_path: Path, key: Key, keyring: Path) -> None:
    path = make_rpm(tmp_path, sign_with=key)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    artifact, context = scan_of(path, uploaded=True, keyring=keyring, package_format=RPM)
    verdict = SignatureScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "bad_signature")
    verdict = PackageFormatScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "unreadable")
    assert "payload is damaged" in verdict.message


def test_a_package_that_is_none_is_blocked_by_both(tmp_path: Path) -> None:
    path = tmp_path / "hello-1.0-1.noarch.rpm"
    path.write_bytes(b"<html>")
    artifact, context = scan_of(path, package_format=RPM)
    assert SignatureScanner().scan(artifact, context).status is Status.BLOCK
    assert PackageFormatScanner().scan(artifact, context).status is Status.BLOCK


def test_a_package_that_agrees_with_its_index_is_valid_and_another_is_not(tmp_path: Path) -> None:
    path = make_rpm(tmp_path, epoch=2)
    upstream = RPM.packages.read([path], None).raw
    artifact, context = scan_of(path, upstream=upstream, package_format=RPM)
    verdict = PackageFormatScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.PASS, "valid")
    assert verdict.evidence["version"] == "2:1.0-1"
    artifact, context = scan_of(path, upstream=upstream.replace(b'epoch="2"', b'epoch="0"'), package_format=RPM)
    verdict = PackageFormatScanner().scan(artifact, context)
    assert (verdict.status, verdict.message) == (
        Status.BLOCK,
        "version is 1.0-1 in the index and 2:1.0-1 in the package",
    )
