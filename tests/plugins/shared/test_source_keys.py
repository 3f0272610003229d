"""Which keys a keyring has, and whether each can be relied on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from entrepot.errors import TrustError
from entrepot.models import SourceKey
from entrepot_plugins.shared.signatures import source_keys
from support.apt_repository import Key, key_maker
from support.corpus import corpus
from support.gnupg import gpg

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def make() -> Iterator[Callable[..., Key]]:
    with key_maker() as maker:
        yield maker


def only(keyring: bytes, now: dt.datetime = NOW) -> SourceKey:
    (key,) = source_keys(keyring, now)
    return key


@pytest.mark.parametrize(
    ("algorithm", "name", "bits"),
    [("rsa2048", "RSA", 2048), ("ed25519", "EdDSA Ed25519", 256), ("nistp384", "ECDSA P-384", 384)],
)
def test_a_key_is_told_with_user_id_algorithm_and_size(
    make: Callable[..., Key], algorithm: str, name: str, bits: int
) -> None:
    made = make(f"Good <{algorithm}@example.org>", algorithm)
    key = only(made.armored)
    assert (key.fingerprint, key.user_ids) == (made.fingerprint, (f"Good <{algorithm}@example.org>",))
    assert (key.algorithm, key.bits, key.expires) == (name, bits, None)
    assert (key.state, key.detail, key.primary) == ("good", "", "")
    assert abs(key.created - NOW) < dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("days", "state", "what"), [(0, "good", ""), (71, "expiring", "expires on "), (101, "expired", "has expired")]
)
def test_a_key_is_told_to_end_a_month_before_it_does(
    make: Callable[..., Key], days: int, state: str, what: str
) -> None:
    key = only(make(f"Ends {days} <ends@example.org>", "ed25519", "100d").public, NOW + dt.timedelta(days=days))
    assert (key.state, key.detail[: len(what)]) == (state, what)
    assert key.expires is not None


@pytest.mark.parametrize(
    ("algorithm", "what"), [("rsa1024", "is an RSA key of 1024 bits"), ("dsa2048", "is a DSA key")]
)
def test_a_weak_key_is_told(make: Callable[..., Key], algorithm: str, what: str) -> None:
    key = only(make(f"Weak <{algorithm}@example.org>", algorithm).public)
    assert (key.state, key.detail) == ("weak", what)


def test_a_revoked_key_is_told(make: Callable[..., Key]) -> None:
    revoked = make("Revoked <revoked@example.org>")
    certificate = (revoked.home / "openpgp-revocs.d" / f"{revoked.fingerprint}.rev").read_bytes()
    gpg(revoked.home, "--import", text=certificate.replace(b"\n:-----", b"\n-----"))
    assert only(revoked.public).state == "revoked"


def test_subkeys_that_sign_are_told_below_their_primary_key_and_others_are_not(make: Callable[..., Key]) -> None:
    made = make("Primary <primary@example.org>", "rsa1024")
    for algorithm, usage in (("ed25519", "sign"), ("cv25519", "encr")):
        gpg(made.home, "--passphrase", "", "--quick-add-key", made.fingerprint, algorithm, usage, "never")
    primary, subkey = source_keys(made.public, NOW)
    assert (primary.fingerprint, subkey.primary) == (made.fingerprint, made.fingerprint)
    assert (subkey.state, subkey.detail) == ("weak", "belongs to a key that is an RSA key of 1024 bits")


def test_what_is_no_keyring_is_an_error() -> None:
    with pytest.raises(TrustError, match="the keyring cannot be used"):
        source_keys(b"<html>", NOW)


@pytest.mark.corpus
def test_the_keys_of_a_real_archive_are_all_told() -> None:
    keyring = next(corpus("apt", "debian-updates").rglob("*.gpg"))
    keys = source_keys(keyring.read_bytes(), dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    assert {key.algorithm for key in keys} <= {"RSA", "EdDSA Ed25519"}
    assert all(key.user_ids for key in keys)
