"""Packages are signed without a change of what they are, so that rpm and our own reader take them."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.contracts import Signer
from entrepot.errors import PackageError, SigningError
from entrepot_plugins.rpm import resign as module
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.resign import resign
from entrepot_plugins.rpm.tags import SigTag, Tag, Type
from entrepot_plugins.rpm.writing import Value
from entrepot_plugins.signers.gpg import GpgSignerFactory
from support.corpus import corpus, corpus_files
from support.gnupg import gnupg_home, make_key
from support.hostile_rpms import whole
from support.rpms import Key, assemble, cpio_archive, make_rpm, make_srpm, parts_of, texts, values_of
from support.signers import StampSigner

reader = RpmReader()
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
needs_rpm = pytest.mark.skipif(not shutil.which("rpmkeys"), reason="rpm is not installed")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with gnupg_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def rsa(home: Path) -> Signer:
    return opened(home, make_key(home, "RSA <rsa@example.org>", "rsa2048"))


@pytest.fixture(scope="module")
def eddsa(home: Path) -> Signer:
    return opened(home, make_key(home, "EdDSA <eddsa@example.org>"))


@pytest.fixture(params=["rsa", "eddsa"])
def signer(request: pytest.FixtureRequest, rsa: Signer, eddsa: Signer) -> Signer:
    return {"rsa": rsa, "eddsa": eddsa}[request.param]


def opened(home: Path, key: str) -> Signer:
    return GpgSignerFactory().open(key, {"home": str(home)}, home)


def keyring(folder: Path, *signers: Signer) -> Path:
    path = folder / "keys.asc"
    path.write_bytes(b"".join(signer.public_key for signer in signers))
    return path


def rpm_checks(folder: Path, package: Path, keys: Path) -> str:
    """What rpm says of a package, with a database of its own that has ``keys``."""
    base = ["rpmkeys", "--dbpath", str(folder / "db")]
    subprocess.run([*base, "--import", str(keys)], check=True, capture_output=True)
    done = subprocess.run([*base, "-Kv", str(package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.client
@needs_rpm
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_rpm_takes_a_signed_package(tmp_path: Path, signer: Signer, old: bool, compression: str) -> None:
    package = make_rpm(tmp_path, compression=compression, old=old)
    out = tmp_path / "signed.rpm"
    resign(package, signer, out, NOW)
    said = rpm_checks(tmp_path, out, keyring(tmp_path, signer))
    assert "NOKEY" not in said
    assert said.count("Signature, key ID") == (2 if old else 1)


def test_the_reader_takes_a_signed_package(tmp_path: Path, signer: Signer) -> None:
    for package in (make_rpm(tmp_path), make_srpm(tmp_path), make_rpm(tmp_path, "older", old=True)):
        before = reader.read([package], None)
        resign(package, signer, package, NOW)
        found = reader.signature([package], keyring(tmp_path, signer))
        assert (found.status, found.keys) == ("trusted", (signer.fingerprint,))
        after = reader.read([package], None)
        assert (after.version, after.provides, after.files[0].name) == (
            before.version,
            before.provides,
            before.files[0].name,
        )


def test_header_and_payload_are_not_touched(tmp_path: Path, rsa: Signer) -> None:
    package = make_rpm(tmp_path)
    before = package.read_bytes()
    resign(package, rsa, package, NOW)
    after = package.read_bytes()
    assert before[parts_of(before).start :] == after[parts_of(after).start :]
    assert after[:96] == before[:96]


def test_the_same_package_at_the_same_time_gives_the_same_bytes(tmp_path: Path, rsa: Signer) -> None:
    package = make_rpm(tmp_path)
    for name in ("one.rpm", "two.rpm"):
        resign(package, rsa, tmp_path / name, NOW)
    assert (tmp_path / "one.rpm").read_bytes() == (tmp_path / "two.rpm").read_bytes()


def test_other_signatures_are_dropped(tmp_path: Path, rsa: Signer, eddsa: Signer, home: Path) -> None:
    for old in (False, True):
        package = make_rpm(tmp_path, sign_with=Key(home, eddsa.fingerprint), old=old)
        resign(package, rsa, package, NOW)
        found = reader.signature([package], keyring(tmp_path, rsa, eddsa))
        assert (found.status, found.keys) == ("trusted", (rsa.fingerprint,))


@pytest.mark.client
@needs_rpm
def test_other_signatures_are_kept_when_asked_for(tmp_path: Path, rsa: Signer, eddsa: Signer, home: Path) -> None:
    package = make_rpm(tmp_path, sign_with=Key(home, eddsa.fingerprint))
    resign(package, rsa, package, NOW, keep=True)
    found = reader.signature([package], keyring(tmp_path, rsa, eddsa))
    assert (found.status, set(found.keys)) == ("trusted", {rsa.fingerprint, eddsa.fingerprint})
    assert "RSA/SHA512" in rpm_checks(tmp_path, package, keyring(tmp_path, rsa))
    again = package.read_bytes()
    resign(package, rsa, package, NOW, keep=True)
    assert package.read_bytes() == again


def test_what_else_a_signature_header_has_is_kept_but_for_reserved_space(tmp_path: Path, rsa: Signer) -> None:
    extra = [
        Value(SigTag.FILESIGNATURES, Type.STRING_ARRAY, [b"0302"]),
        Value(SigTag.FILESIGNATURELENGTH, Type.INT32, [2]),
        Value(SigTag.RESERVEDSPACE, Type.BIN, bytes(4000)),
    ]
    package = tmp_path / "x.rpm"
    package.write_bytes(whole(signature=extra))
    resign(package, rsa, package, NOW)
    header = parts_of(package.read_bytes()).signature
    assert header.strings(SigTag.FILESIGNATURES) == [b"0302"]
    assert header.numbers(SigTag.FILESIGNATURELENGTH) == (2,)
    assert SigTag.RESERVEDSPACE not in header


def test_sizes_and_digests_that_are_not_there_are_added(tmp_path: Path, rsa: Signer) -> None:
    package = tmp_path / "x.rpm"
    missing = [Value(tag, Type.BIN, b"") for tag in (SigTag.SIZE, SigTag.SHA1, SigTag.SHA256, SigTag.MD5)]
    package.write_bytes(whole(signature=missing))
    resign(package, rsa, package, NOW)
    parts = parts_of(package.read_bytes())
    assert parts.signature.numbers(SigTag.SIZE) == (parts.size - parts.start,)
    assert len(parts.signature.text(SigTag.SHA256)) == 64


def test_a_package_of_version_6_has_its_signatures_where_rpm_6_looks(tmp_path: Path, rsa: Signer) -> None:
    package = tmp_path / "x.rpm"
    values = [*values_of("six"), texts(Tag.SOURCERPM, "six-1.0-1.src.rpm"), Value(Tag.RPMFORMAT, Type.INT32, [6])]
    package.write_bytes(assemble(values, cpio_archive([])))
    resign(package, rsa, package, NOW)
    assert SigTag.RSA not in parts_of(package.read_bytes()).signature
    assert reader.signature([package], keyring(tmp_path, rsa)).status == "trusted"


def test_a_damaged_package_is_not_signed(tmp_path: Path, rsa: Signer) -> None:
    package = make_rpm(tmp_path)
    data = bytearray(package.read_bytes())
    data[-5] ^= 1
    package.write_bytes(data)
    with pytest.raises(PackageError, match="payload is damaged"):
        resign(package, rsa, tmp_path / "out.rpm", NOW)
    assert [path.name for path in tmp_path.iterdir()] == [package.name]


def test_a_signer_that_makes_no_signature_is_told(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"what key 0123.* made is not one signature"):
        resign(make_rpm(tmp_path), StampSigner(), tmp_path / "out.rpm", NOW)
    assert not (tmp_path / "out.rpm").exists()


def test_an_old_package_that_is_too_large_to_sign_is_told(
    tmp_path: Path, rsa: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SIGNED", 100)
    with pytest.raises(SigningError, match="bytes are too many to sign both"):
        resign(make_rpm(tmp_path, old=True), rsa, tmp_path / "out.rpm", NOW)


@pytest.mark.client
@pytest.mark.corpus
@needs_rpm
def test_real_packages_are_signed_and_rpm_takes_them(tmp_path: Path, rsa: Signer) -> None:
    corpus("rpm")
    keys = keyring(tmp_path, rsa)
    signed = []
    for number, path in enumerate(corpus_files("rpm", ".rpm")[::3]):
        out = tmp_path / f"{number}.rpm"
        resign(path, rsa, out, NOW)
        found = reader.signature([out], keys)
        assert (path.name, found.status) == (path.name, "trusted")
        if Tag.RPMFORMAT not in parts_of(out.read_bytes()).header:
            signed.append(str(out))
    base = ["rpmkeys", "--dbpath", str(tmp_path / "db")]
    subprocess.run([*base, "--import", str(keys)], check=True, capture_output=True)
    done = subprocess.run([*base, "-K", *signed], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("digests signatures OK") == len(signed)
