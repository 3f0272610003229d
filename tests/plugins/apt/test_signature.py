"""What the signatures in packages of APT are worth, with real gpg keys, and with what debsigs makes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.contracts import SignatureCheck
from entrepot.errors import TrustError
from entrepot_plugins.apt.debfile import DebReader
from entrepot_plugins.apt.signature import LONGEST_SIGNATURE
from support.apt_repository import Key, key_maker
from support.corpus import corpus
from support.debs import ar_archive, ar_contents, make_deb, make_source
from support.gnupg import gpg

reader = DebReader()
PAST = ("--faked-system-time", "20250201T000000")
SHA1 = ("--digest-algo", "SHA1", "--allow-weak-digest-algos")
SHA1_TEXT = " ".join(SHA1)
Keyring = Callable[..., Path]


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


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    def write(*keys: Key) -> Path:
        path = tmp_path / "keyring.gpg"
        path.write_bytes(b"".join(key.public for key in keys))
        return path

    return write


def check(path: Path, keyring: Path | None) -> SignatureCheck:
    return reader.signature([path], keyring)


def with_member(path: Path, name: str, content: bytes) -> Path:
    path.write_bytes(ar_archive([*ar_contents(path), (name, content)]))
    return path


def payload(path: Path) -> bytes:
    """What debsigs signs."""
    return b"".join(content for name, content in ar_contents(path) if not name.startswith("_"))


def signed(path: Path, key: Key, *options: str, member: str = "_gpgorigin", armored: bool = False) -> Path:
    armor = ["--armor"] if armored else []
    command = (*options, *armor, "--local-user", key.fingerprint, "--detach-sign")
    return with_member(path, member, gpg(key.home, *command, text=payload(path)))


def listed(path: Path) -> str:
    """What dpkg-sig signs."""
    lines = [
        f"\t{hashlib.md5(content).hexdigest()} {hashlib.sha1(content).hexdigest()} {len(content)} {name}\n"
        for name, content in ar_contents(path)
        if not name.startswith("_")
    ]
    head = "Version: 4\nSigner: Builder <builder@example.org>\nDate: Tue Nov 14 22:13:20 2023\nRole: builder\nFiles: \n"
    return head + "".join(lines)


def builder_signed(path: Path, key: Key, *, text: str = "") -> Path:
    return with_member(path, "_gpgbuilder", key.clearsign((text or listed(path)).encode()))


def test_a_package_without_signatures_is_unsigned(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    found = check(make_deb(tmp_path), keyring(key))
    assert found == SignatureCheck("unsigned")
    assert not found.checked_by_clients


# --------------------------------------------------------------------------------------- detached, as of debsigs


@pytest.mark.parametrize("armored", [True, False])
@pytest.mark.parametrize("member", ["_gpgorigin", "_gpgmaint", "_gpgarchive", "_gpgbuilder"])
def test_a_package_signed_by_a_key_of_the_keyring_is_trusted(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring, member: str, armored: bool
) -> None:
    path = signed(make_deb(tmp_path), key, member=member, armored=armored)
    found = check(path, keyring(other, key))
    assert found == SignatureCheck("trusted", (key.fingerprint,), f"it is signed by {key.fingerprint}")
    assert found.made == (f"{member} by {key.fingerprint}: good",)
    reader.read([path], None)


@pytest.mark.parametrize("compression", ["xz", "zst", "bz2", ""])
def test_the_signature_is_of_the_members_as_they_are(
    tmp_path: Path, key: Key, keyring: Keyring, compression: str
) -> None:
    path = signed(make_deb(tmp_path, compression=compression), key)
    assert check(path, keyring(key)).status == "trusted"


def test_a_package_larger_than_a_pipe_is_checked(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    path = make_deb(tmp_path, files={"usr/lib/big": os.urandom(3 << 20)}, compression="")
    assert check(signed(path, key), keyring(key)).status == "trusted"


@pytest.mark.parametrize("known", [True, False], ids=["another keyring", "no keyring"])
def test_a_package_signed_by_another_key_is_untrusted(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring, known: bool
) -> None:
    path = signed(make_deb(tmp_path), key)
    found = check(path, keyring(other) if known else None)
    assert found == SignatureCheck(
        "untrusted", (key.fingerprint,), f"it is signed by keys that are not known: {key.fingerprint}"
    )
    assert found.made == (f"_gpgorigin by {key.fingerprint}: its key is not known",)


@pytest.mark.parametrize("changed", ["debian-binary", "control.tar.gz", "data.tar.gz"])
def test_a_change_of_any_member_is_bad(tmp_path: Path, key: Key, keyring: Keyring, changed: str) -> None:
    path = signed(make_deb(tmp_path), key)
    members = [(name, content + b"\n" if name == changed else content) for name, content in ar_contents(path)]
    path.write_bytes(ar_archive(members))
    assert check(path, keyring(key)) == SignatureCheck(
        "bad", (key.fingerprint,), "_gpgorigin is not a signature of what is in the package"
    )


def test_signatures_by_several_keys_are_all_told(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    path = signed(signed(make_deb(tmp_path), key), other, member="_gpgmaint")
    found = check(path, keyring(key))
    assert (found.status, found.keys) == ("trusted", (key.fingerprint,))
    assert found.made == (
        f"_gpgorigin by {key.fingerprint}: good",
        f"_gpgmaint by {other.fingerprint}: its key is not known",
    )
    assert set(check(path, keyring(key, other)).keys) == {key.fingerprint, other.fingerprint}


def test_a_wrong_signature_beside_a_good_one_is_bad(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    wrong = other.detach(b"something else")
    path = with_member(signed(make_deb(tmp_path), key), "_gpgmaint", wrong)
    assert check(path, keyring(key)).status == "trusted"
    assert check(path, keyring(key, other)).status == "bad"


def test_an_expired_key_is_bad(tmp_path: Path, make: Callable[..., Key], keyring: Keyring) -> None:
    past = ("--faked-system-time", "20250101T000000")
    expired = make("Expired <expired@example.org>", "ed25519", "2025-03-01", *past)
    found = check(signed(make_deb(tmp_path), expired, *PAST), keyring(expired))
    assert (found.status, found.detail) == ("bad", f"key {expired.fingerprint} has expired")


def test_a_revoked_key_is_bad(tmp_path: Path, make: Callable[..., Key], keyring: Keyring) -> None:
    revoked = make("Revoked <revoked@example.org>")
    path = signed(make_deb(tmp_path), revoked)
    certificate = (revoked.home / "openpgp-revocs.d" / f"{revoked.fingerprint}.rev").read_bytes()
    gpg(revoked.home, "--import", text=certificate.replace(b"\n:-----", b"\n-----"))
    found = check(path, keyring(revoked))
    assert (found.status, found.detail) == ("bad", f"key {revoked.fingerprint} is revoked")


def test_a_weak_hash_is_told_and_never_trusted(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    path = signed(make_deb(tmp_path), key, *SHA1)
    found = check(path, keyring(key))
    assert (found.status, found.detail) == ("untrusted", "_gpgorigin uses SHA-1, with which a signature proves nothing")
    assert check(signed(path, other, member="_gpgmaint"), keyring(key, other)).status == "trusted"


def test_a_weak_key_is_bad(tmp_path: Path, make: Callable[..., Key], keyring: Keyring) -> None:
    weak = make("Weak <weak@example.org>", "rsa1024")
    found = check(signed(make_deb(tmp_path), weak), keyring(weak))
    assert (found.status, found.detail) == ("bad", f"key {weak.fingerprint} is an RSA key of 1024 bits")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is damaged: it is empty"),
        (b"garbage", "is damaged: it is no OpenPGP packet"),
        (b"\x88\x05\x04\x00", "is damaged: an OpenPGP packet is cut short"),
        (b"\xb4\x01x", "is damaged: it is no signature"),
        (b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n", "is damaged: it is no armored signature"),
        (b"x" * (LONGEST_SIGNATURE + 1), f"has {LONGEST_SIGNATURE + 1} bytes, which no signature has"),
    ],
)
def test_what_is_no_signature_is_bad(tmp_path: Path, key: Key, keyring: Keyring, content: bytes, what: str) -> None:
    found = check(with_member(make_deb(tmp_path), "_gpgorigin", content), keyring(key))
    assert (found.status, found.detail) == ("bad", f"hello_1.0-1_amd64.deb: _gpgorigin {what}")


def test_very_many_signatures_are_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    path = make_deb(tmp_path)
    packet = gpg(key.home, "--local-user", key.fingerprint, "--detach-sign", text=b"x")
    found = check(with_member(path, "_gpgorigin", packet * 20), None)
    assert (found.status, found.detail) == ("bad", "hello_1.0-1_amd64.deb: has more than 16 signatures")


def test_what_is_no_package_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"<html>")
    assert check(path, keyring(key)).status == "bad"


def test_a_keyring_without_keys_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "keys.asc"
    path.write_bytes(b"<html>")
    with pytest.raises(TrustError, match=r"the keyring keys\.asc cannot be used"):
        check(make_deb(tmp_path), path)


@pytest.mark.skipif(not shutil.which("debsigs"), reason="debsigs is not installed")
@pytest.mark.parametrize(("options", "status"), [("--digest-algo SHA512", "trusted"), (SHA1_TEXT, "untrusted")])
def test_what_debsigs_signs_is_worth_what_its_hash_is(
    tmp_path: Path, key: Key, keyring: Keyring, options: str, status: str
) -> None:
    path = make_deb(tmp_path, compression="xz")
    program = tmp_path / "bin" / "gpg"
    program.parent.mkdir()
    # debsigs says --openpgp first, which takes back whatever gpg's configuration says of hashes.
    program.write_text(f'#!/bin/sh\nfirst=$1\nshift\nexec {shutil.which("gpg")} --batch "$first" {options} "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "GNUPGHOME": str(key.home), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    command = ["debsigs", "--sign=origin", f"--default-key={key.fingerprint}", str(path)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    found = check(path, keyring(key))
    assert (found.status, found.keys) == (status, (key.fingerprint,))
    reader.read([path], None)


# ------------------------------------------------------------------------------------ lists of digests, as of dpkg-sig


def test_a_list_of_weak_digests_is_never_trusted(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    found = check(builder_signed(make_deb(tmp_path), key), keyring(key))
    what = "_gpgbuilder lists only MD5 and SHA-1 digests, with which a signature proves nothing"
    assert found == SignatureCheck("untrusted", (key.fingerprint,), what)


def test_a_list_of_weak_digests_does_not_matter_beside_a_good_signature(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring
) -> None:
    path = signed(builder_signed(make_deb(tmp_path), other), key)
    assert (check(path, keyring(key, other)).status, check(path, keyring(other)).status) == ("trusted", "untrusted")


def test_a_list_by_an_unknown_key_is_untrusted(tmp_path: Path, key: Key, other: Key, keyring: Keyring) -> None:
    found = check(builder_signed(make_deb(tmp_path), key), keyring(other))
    assert found.detail == f"it is signed by keys that are not known: {key.fingerprint}"


@pytest.mark.parametrize("change", ["other content", "a member is missing", "a member too many"])
def test_a_list_that_does_not_fit_is_bad(tmp_path: Path, key: Key, keyring: Keyring, change: str) -> None:
    path = make_deb(tmp_path)
    lines = listed(path).splitlines(keepends=True)
    text = {
        "other content": "".join(lines).replace("4 debian-binary", "5 debian-binary"),
        "a member is missing": "".join(lines[:-1]),
        "a member too many": "".join([*lines, lines[-1].replace("data", "more")]),
    }[change]
    found = check(builder_signed(path, key, text=text), keyring(key))
    assert (found.status, found.detail) == ("bad", "_gpgbuilder is not a signature of what is in the package")


def test_a_changed_list_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    path = builder_signed(make_deb(tmp_path), key)
    path.write_bytes(path.read_bytes().replace(b"Role: builder", b"Role: archive"))
    assert check(path, keyring(key)).status == "bad"


# ------------------------------------------------------------------------------------------------- source packages


def sign_source(files: list[Path], key: Key, *options: str) -> list[Path]:
    files[0].write_bytes(key.clearsign(files[0].read_bytes(), *options))
    return files


def test_a_source_package_signed_by_a_key_of_the_keyring_is_trusted(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring
) -> None:
    files = sign_source(make_source(tmp_path), key)
    found = reader.signature(files, keyring(other, key))
    assert (found.status, found.made) == ("trusted", (f"the .dsc by {key.fingerprint}: good",))
    assert reader.signature(files, keyring(other)).status == "untrusted"


def test_a_source_package_without_a_signature_is_unsigned(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    assert reader.signature(make_source(tmp_path), keyring(key)) == SignatureCheck("unsigned")


def test_a_changed_dsc_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    files = sign_source(make_source(tmp_path), key)
    files[0].write_bytes(files[0].read_bytes().replace(b"Architecture: any", b"Architecture: all"))
    found = reader.signature(files, keyring(key))
    assert (found.status, found.detail) == ("bad", "the .dsc is not what was signed")


def test_a_changed_file_of_a_signed_source_package_is_bad(tmp_path: Path, key: Key, keyring: Keyring) -> None:
    files = sign_source(make_source(tmp_path), key)
    files[1].write_bytes(files[1].read_bytes() + b"\n")
    found = reader.signature(files, keyring(key))
    assert found.status == "bad"
    assert "is not the file that it names" in found.detail


@pytest.mark.parametrize("around", [b"Source: other\n\n%s", b"%s\nSource: other\n"])
def test_text_around_what_is_signed_is_bad(tmp_path: Path, key: Key, keyring: Keyring, around: bytes) -> None:
    files = sign_source(make_source(tmp_path), key)
    files[0].write_bytes(around.replace(b"%s", files[0].read_bytes()))
    assert reader.signature(files, keyring(key)).status in ("bad", "unsigned")


def test_a_source_package_with_two_signatures_needs_one_good_one(
    tmp_path: Path, key: Key, other: Key, keyring: Keyring
) -> None:
    files = make_source(tmp_path)
    both = ("--local-user", other.fingerprint)
    files[0].write_bytes(key.clearsign(files[0].read_bytes(), *both))
    for ring in (keyring(key), keyring(other), keyring(key, other)):
        found = reader.signature(files, ring)
        assert (found.status, len(found.made)) == ("trusted", 2)


@pytest.mark.corpus
def test_real_source_packages_are_signed_by_their_uploaders(key: Key, keyring: Keyring) -> None:
    folder = corpus("deb", "debian-archive", "src")
    files = [folder / name for name in ("sl_5.02-1.dsc", "sl_5.02.orig.tar.gz", "sl_5.02-1.debian.tar.xz")]
    found = reader.signature(files, keyring(key))
    assert (found.status, len(found.keys)) == ("untrusted", 1)
