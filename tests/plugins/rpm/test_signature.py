"""What the signatures in packages are worth, with real gpg keys of every kind of badness."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.contracts import SignatureCheck
from entrepot.errors import TrustError
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.tags import SigTag, Type
from entrepot_plugins.rpm.writing import Value
from entrepot_plugins.shared.openpgp import dearmor
from entrepot_plugins.shared.packets import PUBLIC_KEY, packets
from support.apt_repository import Key, key_maker
from support.corpus import corpus
from support.gnupg import gpg
from support.hostile_rpms import PLAIN, whole
from support.rpms import Key as SigningKey
from support.rpms import make_rpm, make_srpm, openpgp_value, parts_of, texts, with_signature

reader = RpmReader()
PAST = ("--faked-system-time", "20250201T000000")


@pytest.fixture(scope="module")
def make() -> Iterator[Callable[..., Key]]:
    with key_maker() as maker:
        yield maker


@pytest.fixture(scope="module")
def key(make: Callable[..., Key]) -> Key:
    return make("Good <good@example.org>", "rsa2048")


@pytest.fixture(scope="module")
def other(make: Callable[..., Key]) -> Key:
    return make("Other <other@example.org>")


@pytest.fixture(scope="module")
def revoked(make: Callable[..., Key]) -> Key:
    return make("Revoked <revoked@example.org>")


@pytest.fixture
def keyring(tmp_path: Path) -> Callable[..., Path]:
    def write(*keys: Key) -> Path:
        path = tmp_path / "keyring.gpg"
        path.write_bytes(b"".join(key.public for key in keys))
        return path

    return write


Keyring = Callable[..., Path]


def by(key: Key, *options: str) -> SigningKey:
    return SigningKey(key.home, key.fingerprint, options)


def check(path: Path, keyring: Path | None) -> SignatureCheck:
    return reader.signature([path], keyring)


def changed(path: Path, at: int) -> Path:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return path


def signed(data: bytes, *keys: SigningKey) -> bytes:
    """A package with header signatures as rpm 6 keeps them."""
    blob = parts_of(data).header.blob
    packets = [gpg(key.home, *key.options, "--local-user", key.fingerprint, "--detach-sign", text=blob) for key in keys]
    return with_signature(data, openpgp_value(*packets))


def written(folder: Path, data: bytes) -> Path:
    path = folder / "x.rpm"
    path.write_bytes(data)
    return path


def test_a_package_signed_by_a_key_of_the_keyring_is_trusted(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    for path in (make_rpm(tmp_path, sign_with=by(key)), make_srpm(tmp_path, sign_with=by(key))):
        found = check(path, keyring(key))
        assert found == SignatureCheck("trusted", (key.fingerprint,), f"it is signed by {key.fingerprint}")


def test_algorithms_other_than_rsa_are_checked_as_well(tmp_path: Path, other: Key, keyring: Keyring) -> None:
    assert check(make_rpm(tmp_path, sign_with=by(other)), keyring(other)).status == "trusted"


def test_an_old_package_is_signed_as_a_whole(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    path = make_rpm(tmp_path, sign_with=by(key), old=True)
    assert check(path, keyring(key)).status == "trusted"


@pytest.mark.parametrize("armored", [True, False])
def test_a_keyring_may_hold_several_keys_armored_or_not(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring, armored: bool
) -> None:
    path = keyring(other, key)
    if armored:
        path.write_bytes(other.armored + key.armored)
    assert check(make_rpm(tmp_path, sign_with=by(key)), path).keys == (key.fingerprint,)


def test_a_package_signed_by_another_key_is_untrusted(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    path = make_rpm(tmp_path, sign_with=by(key))
    detail = f"it is signed by keys that are not known: {key.fingerprint}"
    expected = SignatureCheck("untrusted", (key.fingerprint,), detail)
    assert check(path, keyring(other)) == check(path, None) == expected


def test_a_package_without_a_signature_is_unsigned(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    assert check(make_rpm(tmp_path), keyring(key)) == SignatureCheck("unsigned")


def test_a_subkey_is_reported_by_its_primary_key(tmp_path: Path, make: Callable[..., Key], keyring: Keyring) -> None:
    primary = make("Parent <parent@example.org>")
    gpg(primary.home, "--passphrase", "", "--quick-add-key", primary.fingerprint, "ed25519", "sign", "never")
    found = check(make_rpm(tmp_path, sign_with=by(primary)), keyring(primary))
    assert (found.status, found.keys) == ("trusted", (primary.fingerprint,))


# ------------------------------------------------------------------------------------------- bad


@pytest.mark.parametrize("of_header", [True, False])
def test_a_changed_package_is_bad(tmp_path: Path, key: Key, keyring: Keyring, of_header: bool) -> None:
    path = make_rpm(tmp_path, sign_with=by(key))
    data = path.read_bytes()
    changed(path, data.index(b"hello for tests") if of_header else len(data) - 5)
    assert check(path, keyring(key)).status == "bad"


def test_a_changed_header_whose_digests_were_put_right_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    signature = parts_of(make_rpm(tmp_path, sign_with=by(key)).read_bytes()).signature.binary(SigTag.RSA)
    assert signature
    path = written(tmp_path, whole(signature=[Value(SigTag.RSA, Type.BIN, signature)]))
    assert check(path, keyring(key)) == SignatureCheck("bad", (key.fingerprint,), "its header is not what was signed")


def test_a_changed_payload_of_an_old_package_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    path = make_rpm(tmp_path, sign_with=by(key), old=True)
    data = path.read_bytes()
    path.write_bytes(with_signature(changed(path, len(data) - 5).read_bytes(), Value(SigTag.MD5, Type.BIN, b"")))
    assert check(path, keyring(key)) == SignatureCheck(
        "bad", (key.fingerprint,), "header and payload are not what was signed"
    )


def test_a_signature_that_does_not_cover_the_payload_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    path = make_rpm(tmp_path, sign_with=by(key), old=True)
    path.write_bytes(with_signature(path.read_bytes(), Value(SigTag.PGP, Type.BIN, b"")))
    assert check(path, keyring(key)) == SignatureCheck(
        "bad", (key.fingerprint,), "its signature is of the header alone, which has no digest of the payload"
    )


def test_an_expired_key_is_bad(tmp_path: Path, make: Callable[..., Key], keyring: Keyring) -> None:
    past = ("--faked-system-time", "20250101T000000")
    expired = make("Expired <expired@example.org>", "ed25519", "2025-03-01", *past)
    found = check(make_rpm(tmp_path, sign_with=by(expired, *PAST)), keyring(expired))
    assert (found.status, found.detail) == ("bad", f"key {expired.fingerprint} has expired")


def test_a_revoked_key_is_bad(tmp_path: Path, revoked: Key, keyring: Keyring) -> None:
    path = make_rpm(tmp_path, sign_with=by(revoked))
    certificate = (revoked.home / "openpgp-revocs.d" / f"{revoked.fingerprint}.rev").read_bytes()
    gpg(revoked.home, "--import", text=certificate.replace(b"\n:-----", b"\n-----"))
    found = check(path, keyring(revoked))
    assert (found.status, found.detail) == ("bad", f"key {revoked.fingerprint} is revoked")


def test_an_expired_signature_is_bad(tmp_path: Path, make: Callable[..., Key], keyring: Keyring) -> None:
    signer = make("Brief <brief@example.org>", "ed25519", "never", "--faked-system-time", "20250101T000000")
    path = make_rpm(tmp_path, sign_with=by(signer, *PAST, "--default-sig-expire", "7d"))
    assert check(path, keyring(signer)) == SignatureCheck("bad", (signer.fingerprint,), "its signature has expired")


@pytest.mark.parametrize(("algorithm", "name"), [("SHA1", "SHA-1"), ("MD5", "MD5"), ("RIPEMD160", "RIPEMD-160")])
def test_a_weak_hash_is_bad(tmp_path: Path, key: Key, keyring: Keyring, algorithm: str, name: str) -> None:
    path = make_rpm(tmp_path, sign_with=by(key, "--digest-algo", algorithm, "--allow-weak-digest-algos"))
    found = check(path, keyring(key))
    assert (found.status, found.detail) == ("bad", f"its signature uses {name}")


@pytest.mark.parametrize(("algorithm", "what"), [("rsa1024", "an RSA key of 1024 bits"), ("dsa2048", "a DSA key")])
def test_a_weak_key_is_bad(
    tmp_path: Path, make: Callable[..., Key], keyring: Keyring, algorithm: str, what: str
) -> None:
    weak = make(f"Weak <{algorithm}@example.org>", algorithm)
    found = check(make_rpm(tmp_path, sign_with=by(weak)), keyring(weak))
    assert (found.status, found.detail) == ("bad", f"key {weak.fingerprint} is {what}")


@pytest.mark.parametrize(
    "value",
    [
        Value(SigTag.RSA, Type.BIN, b"garbage"),
        Value(SigTag.RSA, Type.BIN, b"\x88\x05\x04\x00"),
        Value(SigTag.RSA, Type.INT32, [1]),
        Value(SigTag.RSA, Type.BIN, b"\xb4\x01x"),
        texts(SigTag.OPENPGP, "!", kind=Type.STRING_ARRAY),
        texts(SigTag.OPENPGP, base64.b64encode(b"\x88\x02\x07\x00"), kind=Type.STRING_ARRAY),
    ],
)
def test_what_is_no_signature_is_bad(tmp_path: Path, key: Key, keyring: Keyring, value: Value) -> None:
    assert check(written(tmp_path, whole(signature=[value])), keyring(key)).status == "bad"


def test_very_many_signatures_are_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    packet = parts_of(make_rpm(tmp_path, sign_with=by(key)).read_bytes()).signature.binary(SigTag.RSA)
    assert packet
    many = [packet[:-1] + bytes([number]) for number in range(20)]
    found = check(written(tmp_path, whole(signature=[openpgp_value(*many)])), keyring(key))
    assert (found.status, found.detail) == ("bad", "x.rpm: signature header: has more than 16 signatures")


def test_what_is_no_package_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    found = check(written(tmp_path, b"<html>"), keyring(key))
    assert (found.status, found.keys) == ("bad", ())


@pytest.mark.parametrize("content", [b"", b"<html>", b"-----BEGIN PGP PRIVATE KEY BLOCK-----"])
def test_a_keyring_without_keys_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.asc"
    path.write_bytes(content)
    with pytest.raises(TrustError, match=r"the keyring keys\.asc cannot be used"):
        check(make_rpm(tmp_path), path)


# ------------------------------------------------------------------------------------------- several


def test_a_signature_by_an_unknown_key_does_not_matter_beside_a_good_one(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring
) -> None:
    found = check(written(tmp_path, signed(PLAIN, by(key), by(other))), keyring(key))
    assert (found.status, found.keys) == ("trusted", (key.fingerprint,))


def test_two_signatures_of_known_keys_are_both_named(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    found = check(written(tmp_path, signed(PLAIN, by(key), by(other))), keyring(key, other))
    assert (found.status, set(found.keys)) == ("trusted", {key.fingerprint, other.fingerprint})


def test_a_weak_signature_does_not_matter_beside_a_good_one(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring
) -> None:
    weak = by(other, "--digest-algo", "SHA1", "--allow-weak-digest-algos")
    found = check(written(tmp_path, signed(PLAIN, by(key), weak)), keyring(key, other))
    assert (found.status, found.keys) == ("trusted", (key.fingerprint,))


def test_a_wrong_signature_beside_a_good_one_is_bad(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    wrong = parts_of(make_rpm(tmp_path, sign_with=by(other)).read_bytes()).signature.binary(SigTag.DSA)
    assert wrong
    path = written(tmp_path, with_signature(signed(PLAIN, by(key)), Value(SigTag.DSA, Type.BIN, wrong)))
    assert check(path, keyring(key)).status == "trusted"
    found = check(path, keyring(key, other))
    assert (found.status, found.detail) == ("bad", "its header is not what was signed")


# ------------------------------------------------------------------------------------------- real packages


def key_file(version: str) -> Path:
    return corpus("rpm", "rpm-rs", "signing_keys", version, f"rpm-testkey-{version}-keyring.asc")


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "keys"),
    [("with-rsa4096", 1), ("with-ed25519", 1), ("with-ima", 2)],
)
def test_real_packages_of_version_4_are_trusted_by_their_keys(name: str, keys: int) -> None:
    path = corpus("rpm", "rpm-rs", "RPMS", "v4", "signed", f"rpm-basic-{name}-2.3.4-5.el9.noarch.rpm")
    found = check(path, key_file("v4"))
    assert (found.status, len(found.keys)) == ("trusted", keys)
    assert check(path, key_file("v6")).status == "untrusted"


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "keys"),
    [("with-rsa4k", 1), ("with-ed25519", 1), ("with-mldsa65-ed25519", 1), ("multiple-signatures", 2)],
)
def test_real_packages_of_version_6_are_trusted_by_their_keys(name: str, keys: int) -> None:
    path = corpus("rpm", "rpm-rs", "RPMS", "v6", "signed", f"rpm-basic-{name}-2.3.4-5.el9.noarch.rpm")
    found = check(path, key_file("v6"))
    assert (found.status, len(found.keys)) == ("trusted", keys)
    assert check(path, key_file("v4")).status == "untrusted"


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["with-rsa4k", "with-ed25519", "with-mldsa65-ed25519"])
def test_a_signature_of_version_6_is_not_good_for_another_header(tmp_path: Path, name: str) -> None:
    source = corpus("rpm", "rpm-rs", "RPMS", "v6", "signed", f"rpm-basic-{name}-2.3.4-5.el9.noarch.rpm")
    values = parts_of(source.read_bytes()).signature.strings(SigTag.OPENPGP)
    path = written(tmp_path, whole(signature=[Value(SigTag.OPENPGP, Type.STRING_ARRAY, values)]))
    found = check(path, key_file("v6"))
    assert (found.status, found.detail) == ("bad", "its header is not what was signed")


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("signature", "what"),
    [
        (b"\x06\x20\x1b\x0a\0\0\0\0", "is revoked"),
        (b"\x06\x1f\x1b\x0a\0\0\0\x0c" + b"\x05\x02\xff\xff\xff\xff" + b"\x05\x09\0\0\0\1", "has expired"),
    ],
    ids=["revoked", "expired"],
)
def test_a_key_of_version_6_that_is_not_valid_any_more_is_bad(tmp_path: Path, signature: bytes, what: str) -> None:
    ((kind, body, first), *rest) = packets(dearmor(key_file("v6").with_name("rpm-testkey-v6-rsa4k.asc").read_bytes()))
    assert kind == PUBLIC_KEY
    # Its issuer, in what is not hashed: nobody verifies a keyring's own signatures, which can only take away.
    issuer = b"\x21\x06" + hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).digest()
    unhashed = bytes([len(issuer)]) + issuer
    full = signature + len(unhashed).to_bytes(4, "big") + unhashed
    keys = tmp_path / "keys.gpg"
    keys.write_bytes(first + bytes([0xC2, len(full)]) + full + b"".join(packet for _, _, packet in rest))
    path = corpus("rpm", "rpm-rs", "RPMS", "v6", "signed", "rpm-basic-with-rsa4k-2.3.4-5.el9.noarch.rpm")
    found = check(path, keys)
    assert found.status == "bad"
    assert re.fullmatch(f"key [0-9A-F]{{64}} {what}", found.detail)


@pytest.mark.corpus
def test_real_packages_without_a_signature_are_unsigned() -> None:
    path = corpus("rpm", "pulp-fixtures", "assets", "bear-4.1-1.noarch.rpm")
    assert check(path, key_file("v4")) == SignatureCheck("unsigned")
