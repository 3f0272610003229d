"""What OpenPGP packets say, compared with what gpg says of the same."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot_plugins.shared.openpgp import dearmor
from entrepot_plugins.shared.packets import SIGNATURE, certificates, packets, read_signature
from support.corpus import corpus
from support.gnupg import gnupg_home, gpg, make_key

PAST = ("--faked-system-time", "20250101T000000")
PAST_SECONDS = 1735689600


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with gnupg_home() as folder:
        yield folder


def test_keys_have_the_fingerprints_and_sizes_that_gpg_says(home: Path) -> None:
    primary = make_key(home, "A <a@example.org>", "rsa2048")
    gpg(home, "--passphrase", "", "--quick-add-key", primary, "ed25519", "sign", "never")
    (certificate,) = certificates(gpg(home, "--export", primary))
    listing = gpg(home, "--with-colons", "--list-keys", primary).decode().splitlines()
    assert [key.fingerprint for key in certificate.keys] == [
        line.split(":")[9] for line in listing if line.startswith("fpr")
    ]
    assert [key.key_id for key in certificate.keys] == [
        line.split(":")[4] for line in listing if line.startswith(("pub", "sub"))
    ]
    assert [(key.algorithm, key.bits, key.primary) for key in certificate.keys] == [
        (1, 2048, primary),
        (22, 256, primary),
    ]
    assert not any(key.revoked or key.expires for key in certificate.keys)


def test_the_newest_self_signature_says_when_a_key_expires(home: Path) -> None:
    key = make_key(home, "Expires <expires@example.org>", "ed25519", "10d", *PAST)
    assert [part.expires for part in certificates(gpg(home, "--export", key))[0].keys] == [PAST_SECONDS + 10 * 86400]
    gpg(home, *PAST[:1], "20250105T000000", "--quick-set-expire", key, "0")
    assert [part.expires for part in certificates(gpg(home, "--export", key))[0].keys] == [None]


def test_a_revoked_key_is_revoked(home: Path) -> None:
    key = make_key(home, "Revoked <revoked@example.org>")
    revocation = (home / "openpgp-revocs.d" / f"{key}.rev").read_bytes()
    gpg(home, "--import", text=revocation.replace(b"\n:-----", b"\n-----"))
    assert [part.revoked for part in certificates(gpg(home, "--export", key))[0].keys] == [True]


def test_a_signature_says_who_made_it_and_how(home: Path) -> None:
    key = make_key(home, "Signer <signer@example.org>", "rsa2048", "never", *PAST)
    options = (*PAST, "--digest-algo", "SHA512", "--default-sig-expire", "3d", "--local-user", key)
    ((kind, body, packet),) = packets(gpg(home, *options, "--detach-sign", text=b"text"))
    found = read_signature(body)
    assert (kind, packet[-len(body) :]) == (SIGNATURE, body)
    assert (found.version, found.kind, found.key_algorithm, found.hash_algorithm) == (4, 0, 1, 10)
    assert (found.issuer, found.created, found.expires) == (key, PAST_SECONDS, PAST_SECONDS + 3 * 86400)


def test_a_signature_of_version_3_names_its_key_by_id() -> None:
    body = b"\x03\x05\x00" + PAST_SECONDS.to_bytes(4, "big") + bytes(range(8)) + b"\x01\x02" + b"\0\0\0\0"
    found = read_signature(body)
    assert (found.version, found.key_algorithm, found.hash_algorithm) == (3, 1, 2)
    assert (found.issuer, found.created) == ("0001020304050607", PAST_SECONDS)


@pytest.mark.parametrize(
    ("header", "length"),
    [(b"\xc2\x05", 5), (b"\xc2\xc0\x08", 200), (b"\xc2\xff\0\0\x01\0", 256), (b"\x88\x05", 5), (b"\x89\x01\0", 256)],
)
def test_lengths_of_every_kind_are_read(header: bytes, length: int) -> None:
    body = bytes(length)
    assert list(packets(header + body)) == [(SIGNATURE, body, header + body)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"text", "is no OpenPGP packet"),
        (b"\x8b", "does not say how long it is"),
        (b"\xc2\xe1x", "has its length in parts"),
        (b"\xc2\x05ab", "is cut short"),
    ],
)
def test_damaged_packets_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(packets(data))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read in (lambda: list(packets(data)), lambda: read_signature(data), lambda: certificates(data)):
        with contextlib.suppress(ValueError):
            read()


def test_what_does_not_begin_with_a_key_is_no_keyring() -> None:
    with pytest.raises(ValueError, match="does not begin with a public key"):
        certificates(b"\xc2\x00")


def test_a_key_of_an_unknown_version_does_not_spoil_the_others(home: Path) -> None:
    known = gpg(home, "--export", make_key(home, "Known <known@example.org>"))
    stranger = b"\xc6\x0c\x63" + bytes(11)
    assert len(certificates(stranger + known)) == 1


@pytest.mark.corpus
def test_keys_of_version_6_have_the_fingerprints_that_they_are_known_by() -> None:
    path = corpus("rpm", "rpm-rs", "signing_keys", "v6", "rpm-testkey-v6-ed25519.asc")
    (certificate,) = certificates(dearmor(path.read_bytes()))
    assert certificate.keys[1].fingerprint == "715619AE2365D909EB991FF97A509CD76A0BAC92F0E17C1C2525812852CEDFC5"
    assert certificate.keys[0].key_id == certificate.keys[0].fingerprint[:16]
    assert not any(key.revoked or key.expires for key in certificate.keys)
    assert hashlib.sha256(certificate.data).digest() == hashlib.sha256(dearmor(path.read_bytes())).digest()
