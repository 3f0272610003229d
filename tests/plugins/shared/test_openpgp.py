"""Verifying what repositories sign, with real gpg keys of every kind of badness."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.errors import TrustError
from entrepot_plugins.shared import openpgp
from support.apt_repository import Key, key_maker
from support.corpus import corpus
from support.gnupg import gpg

TEXT = b"Origin: Test\nSuite: stable\n- dashed\n"
PAST = ("--faked-system-time", "20250201T000000")


@pytest.fixture(scope="module")
def make() -> Iterator[Callable[..., Key]]:
    with key_maker() as maker:
        yield maker


@pytest.fixture(scope="module")
def key(make: Callable[..., Key]) -> Key:
    return make("Good <good@example.org>")


@pytest.fixture(scope="module")
def other(make: Callable[..., Key]) -> Key:
    return make("Other <other@example.org>")


@pytest.fixture(scope="module")
def rsa(make: Callable[..., Key]) -> Key:
    return make("Old <old@example.org>", "rsa2048")


@pytest.fixture(scope="module")
def expired(make: Callable[..., Key]) -> Key:
    return make("Expired <expired@example.org>", "ed25519", "2025-03-01", "--faked-system-time", "20250101T000000")


@pytest.fixture(scope="module")
def revoked(make: Callable[..., Key]) -> Key:
    key = make("Revoked <revoked@example.org>")
    certificate = (key.home / "openpgp-revocs.d" / f"{key.fingerprint}.rev").read_bytes()
    key.clearsign(b"while it is still good\n")
    (key.home / "signed-before").write_bytes(key.clearsign(TEXT))
    gpg(key.home, "--import", text=certificate.replace(b"\n:-----", b"\n-----"))
    return key


@pytest.fixture
def keyring(tmp_path: Path) -> Callable[..., Path]:
    def write(*keys: Key) -> Path:
        path = tmp_path / "keyring.gpg"
        path.write_bytes(b"".join(key.public for key in keys))
        return path

    return write


Keyring = Callable[..., Path]


def test_a_clear_signed_text_comes_back_with_its_signer(key: Key, keyring: Keyring) -> None:
    found = openpgp.verify(key.clearsign(TEXT), keyring(key), name="InRelease")
    assert found.payload.splitlines() == TEXT.splitlines()
    assert found.fingerprint == key.fingerprint


def test_a_detached_signature_is_of_exactly_that_text(key: Key, keyring: Keyring) -> None:
    signature = key.detach(TEXT)
    assert openpgp.verify(TEXT, keyring(key), name="Release", signature=signature).payload == TEXT
    with pytest.raises(TrustError, match="bad signature"):
        openpgp.verify(TEXT + b"Evil: yes\n", keyring(key), name="Release", signature=signature)


def test_text_around_the_signed_part_is_not_in_the_payload(key: Key, keyring: Keyring) -> None:
    found = openpgp.verify(b"Evil: yes\n" + key.clearsign(TEXT) + b"Evil: more\n", keyring(key), name="InRelease")
    assert b"Evil" not in found.payload


def test_two_signed_texts_in_one_file_are_refused(key: Key, other: Key, keyring: Keyring) -> None:
    for both in (key.clearsign(TEXT) * 2, other.clearsign(b"Evil: yes\n") + key.clearsign(TEXT)):
        with pytest.raises(TrustError):
            openpgp.verify(both, keyring(key), name="InRelease")


def test_a_changed_text_is_refused(key: Key, keyring: Keyring) -> None:
    with pytest.raises(TrustError, match="bad signature"):
        openpgp.verify(key.clearsign(TEXT).replace(b"stable", b"stabel"), keyring(key), name="InRelease")


def test_a_key_that_is_not_in_the_keyring_is_named(key: Key, other: Key, keyring: Keyring) -> None:
    with pytest.raises(TrustError, match=f"not in the source's keyring: {other.fingerprint}"):
        openpgp.verify(other.clearsign(TEXT), keyring(key), name="InRelease")


def test_the_keys_of_the_user_are_never_used(
    key: Key, other: Key, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(other.home))
    monkeypatch.setenv("HOME", str(other.home))
    with pytest.raises(TrustError, match="not in the source's keyring"):
        openpgp.verify(other.clearsign(TEXT), keyring(key), name="InRelease")


def test_sha_1_is_refused(rsa: Key, keyring: Keyring) -> None:
    with pytest.raises(TrustError, match="uses SHA-1"):
        openpgp.verify(rsa.clearsign(TEXT, "--digest-algo", "SHA1"), keyring(rsa), name="InRelease")


def test_md5_is_refused(rsa: Key, keyring: Keyring) -> None:
    signed = rsa.clearsign(TEXT, "--digest-algo", "MD5", "--allow-weak-digest-algos")
    with pytest.raises(TrustError, match="uses MD5"):
        openpgp.verify(signed, keyring(rsa), name="InRelease")


def test_an_expired_key_is_refused_even_for_what_it_signed_before(expired: Key, keyring: Keyring) -> None:
    with pytest.raises(TrustError, match="has expired"):
        openpgp.verify(expired.clearsign(TEXT, *PAST), keyring(expired), name="InRelease")


def test_a_revoked_key_is_refused(revoked: Key, keyring: Keyring) -> None:
    signed = (revoked.home / "signed-before").read_bytes()
    with pytest.raises(TrustError, match="is revoked"):
        openpgp.verify(signed, keyring(revoked), name="InRelease")


def test_one_good_signature_among_useless_ones_is_enough(key: Key, other: Key, expired: Key, keyring: Keyring) -> None:
    signed = key.clearsign(TEXT, "--local-user", other.fingerprint)
    assert openpgp.verify(signed, keyring(key), name="InRelease").fingerprint == key.fingerprint
    detached = expired.detach(TEXT, *PAST) + b"\n" + key.detach(TEXT)
    found = openpgp.verify(TEXT, keyring(key, expired), name="Release", signature=_joined(detached))
    assert found.fingerprint == key.fingerprint


def test_a_subkey_is_reported_by_its_primary_key(make: Callable[..., Key], keyring: Keyring) -> None:
    key = make("Subkeys <subkeys@example.org>")
    gpg(key.home, "--passphrase", "", "--quick-add-key", key.fingerprint, "ed25519", "sign")
    listing = gpg(key.home, "--with-colons", "--list-keys", key.fingerprint).decode().splitlines()
    subkey = [line.split(":")[9] for line in listing if line.startswith("fpr:")][1]
    signed = gpg(key.home, "--local-user", f"{subkey}!", "--clearsign", text=TEXT)
    assert openpgp.verify(signed, keyring(key), name="InRelease").fingerprint == key.fingerprint


@pytest.mark.parametrize("text", [b"", TEXT, b"<html>", b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"])
def test_what_is_not_signed_is_refused(key: Key, keyring: Keyring, text: bytes) -> None:
    with pytest.raises(TrustError, match="InRelease is not"):
        openpgp.verify(text, keyring(key), name="InRelease")


def test_armored_keys_work_one_or_several(key: Key, other: Key, tmp_path: Path) -> None:
    path = tmp_path / "keys.asc"
    path.write_bytes(b"Some words\n" + other.armored + b"\n" + key.armored.replace(b"\n", b"\r\n"))
    assert openpgp.verify(key.clearsign(TEXT), path, name="InRelease").fingerprint == key.fingerprint
    assert openpgp.verify(other.clearsign(TEXT), path, name="InRelease").fingerprint == other.fingerprint


def test_armor_without_the_empty_line_works(key: Key) -> None:
    lines = key.armored.splitlines()
    assert openpgp.dearmor(b"\n".join(line for line in lines if line)) == key.public


@pytest.mark.parametrize(
    "bad", [b"", b"no key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!\n-----END PGP PUBLIC KEY BLOCK-----"]
)
def test_a_keyring_without_keys_is_refused(key: Key, tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "keys.gpg"
    path.write_bytes(bad)
    with pytest.raises(TrustError, match="keyring of InRelease cannot be used"):
        openpgp.verify(key.clearsign(TEXT), path, name="InRelease")


@pytest.mark.parametrize("options", [(), ("--armor",)])
def test_a_secret_key_is_refused(key: Key, options: tuple[str, ...]) -> None:
    secret = gpg(key.home, *options, "--export-secret-keys", key.fingerprint)
    with pytest.raises(ValueError, match="secret key"):
        openpgp.dearmor(secret)


def test_a_missing_gpgv_is_explained(
    key: Key, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signed, path = key.clearsign(TEXT), keyring(key)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrustError, match="gpgv is not installed"):
        openpgp.verify(signed, path, name="InRelease")


def test_the_text_can_be_taken_out_without_a_key(key: Key) -> None:
    assert openpgp.unwrap(key.clearsign(TEXT)) == TEXT
    assert openpgp.unwrap(TEXT) == TEXT


@pytest.mark.corpus
@pytest.mark.parametrize("suite", ["bookworm", "bookworm-updates"])
def test_real_releases_verify(suite: str) -> None:
    folder = corpus("apt", "debian-updates")
    signed = (folder / "dists" / suite / "InRelease").read_bytes()
    found = openpgp.verify(signed, folder / "debian-archive-keyring.gpg", name=suite)
    assert found.payload.strip() == openpgp.unwrap(signed).strip()
    assert len(found.fingerprint) == 40


def _joined(armored: bytes) -> bytes:
    """Several armored signatures as one binary file, as repositories with several keys have them."""
    gpg_path = shutil.which("gpg")
    assert gpg_path
    blocks = [
        block + b"-----END PGP SIGNATURE-----\n"
        for block in armored.split(b"-----END PGP SIGNATURE-----\n")
        if block.strip()
    ]
    return b"".join(
        subprocess.run([gpg_path, "--batch", "--dearmor"], input=block.lstrip(), capture_output=True, check=True).stdout
        for block in blocks
    )
