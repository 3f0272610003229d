"""Checks the signatures in a package, against the keys of one source and nothing else; never rpm's own database.

A signature is of the header alone, which has digests of the payload, or (in packages of rpm before 4.14) of header and
payload. ``gpgv`` checks those of OpenPGP version 3 and 4, in some milliseconds; what it cannot read, version 6 with
its newer algorithms, is for rpm-rs, which in turn knows neither old algorithms nor what has expired.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import SignatureCheck
from entrepot.errors import PackageError, TrustError
from entrepot_plugins.rpm.integrity import Reading, check_headers, payload_claims
from entrepot_plugins.rpm.library import library
from entrepot_plugins.rpm.structure import Limits, Parts, read_parts
from entrepot_plugins.rpm.tags import HASHES, SigTag, Type
from entrepot_plugins.rpm.writing import Value, compose_header, padded
from entrepot_plugins.shared.digests import opened
from entrepot_plugins.shared.openpgp import dearmor, judge_detached
from entrepot_plugins.shared.packets import (
    DSA,
    RSA,
    SIGNATURE,
    Key,
    SignaturePacket,
    certificates,
    packets,
    read_signature,
)
from entrepot_plugins.shared.unpacked import shown

RSA_BITS = 2048
"""Of RSA keys with fewer, signatures are forged by those who want it."""
MOST_SIGNATURES = 16
WEAK_HASHES = frozenset({"md5", "sha1"})
_WEAK_NUMBERS = {1: "MD5", 2: "SHA-1", 3: "RIPEMD-160"}
_OF_HEADER = (SigTag.OPENPGP, SigTag.RSA, SigTag.DSA)
_OF_ALL = (SigTag.PGP, SigTag.GPG, SigTag.PGP5)
SIGNATURE_TAGS: tuple[SigTag, ...] = (*_OF_HEADER, *_OF_ALL)


@dataclass(frozen=True, slots=True)
class PackageSignature:
    """One signature of a package, and whether it is of header and payload or of the header alone."""

    packet: bytes = field(repr=False)
    info: SignaturePacket
    of_payload: bool


@dataclass(frozen=True, slots=True)
class _Keyring:
    """Keys by whatever a signature may call them, and in the form that each checker takes."""

    by_name: dict[str, Key]
    old: bytes
    """Up to version 4, for gpgv."""
    new: bytes
    """Of version 6, for rpm-rs."""

    @classmethod
    def read(cls, path: Path | None) -> _Keyring:
        if path is None:
            return cls({}, b"", b"")
        try:
            found = certificates(dearmor(path.read_bytes()))
        except (OSError, ValueError) as error:
            hint = "set another one with --keyring"
            raise TrustError(f"the keyring {path.name} cannot be used: {error}", hint=hint) from error
        keys = [key for certificate in found for key in certificate.keys]
        by_name = {key.key_id: key for key in keys} | {key.fingerprint: key for key in keys}
        old = b"".join(certificate.data for certificate in found if certificate.keys[0].version < 6)
        new = b"".join(certificate.data for certificate in found if certificate.keys[0].version >= 6)
        return cls(by_name, old, new)

    def primary(self, key: Key) -> Key:
        return self.by_name.get(key.primary, key)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one signature is worth: good, by an unknown key, of no worth because of ``flaw``, or ``wrong``."""

    signature: PackageSignature
    key: str
    good: bool = False
    flaw: str = ""
    wrong: bool = False
    """It does not fit the package, or cannot be checked though its key is known."""


def check_signature(path: Path, keyring: Path | None, limits: Limits) -> SignatureCheck:
    """What the signatures in a package are worth to whoever trusts the keys of ``keyring``.

    ``trusted``: at least one is good, by a key that is neither expired, revoked nor weak, it covers the payload, and
    none is wrong; those by unknown keys, or with a weak hash, do not matter beside it. ``TrustError`` only if the
    keyring cannot be used.
    """
    keys = _Keyring.read(keyring)
    try:
        with opened(path) as file:
            parts = read_parts(file, os.fstat(file.fileno()).st_size, shown(path.name), limits)
            signatures = list(signatures_of(parts))
            if not signatures:
                return SignatureCheck("unsigned")
            # A signature is of digests that the header claims; whether they are right is the other half of it.
            check_headers(parts)
            for _ in Reading(file, parts, whole=False).chunks():
                pass
            return _summary(parts, [_check(file, parts, signature, keys) for signature in signatures])
    except PackageError as error:
        return SignatureCheck("bad", (), error.message)


def signatures_of(parts: Parts) -> Iterator[PackageSignature]:
    """Every signature of a package once; ``PackageError`` for what is none."""
    seen: set[tuple[bool, bytes]] = set()
    for tag in SIGNATURE_TAGS:
        for data in _values(parts, tag):
            for packet, info in _packets(parts, tag, data):
                signature = PackageSignature(packet, info, tag in _OF_ALL)
                if (signature.of_payload, packet) not in seen:
                    seen.add((signature.of_payload, packet))
                    yield signature
                if len(seen) > MOST_SIGNATURES:
                    raise PackageError(f"{parts.signature.where}: has more than {MOST_SIGNATURES} signatures")


def _values(parts: Parts, tag: SigTag) -> Sequence[bytes]:
    if tag is not SigTag.OPENPGP:
        value = parts.signature.binary(tag)
        return () if value is None else (value,)
    try:
        return [base64.b64decode(text, validate=True) for text in parts.signature.strings(tag)]
    except binascii.Error as error:
        raise PackageError(f"{parts.signature.where}: {tag.name} is damaged: {error}") from error


def _packets(parts: Parts, tag: SigTag, data: bytes) -> Iterator[tuple[bytes, SignaturePacket]]:
    try:
        for kind, body, packet in packets(data):
            if kind != SIGNATURE:
                raise ValueError("it is no signature")
            yield packet, read_signature(body)
    except ValueError as error:
        raise PackageError(f"{parts.signature.where}: {tag.name} is damaged: {error}") from error


def _summary(parts: Parts, outcomes: Sequence[_Outcome]) -> SignatureCheck:
    names = tuple(dict.fromkeys(outcome.key for outcome in outcomes if outcome.key))
    good = [outcome for outcome in outcomes if outcome.good]
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    if flaws := dict.fromkeys(outcome.flaw for outcome in wrong or outcomes if outcome.flaw and (wrong or not good)):
        return SignatureCheck("bad", names, "; ".join(flaws))
    if not good:
        return SignatureCheck("untrusted", names, f"it is signed by keys that are not known: {', '.join(names)}")
    covered = any(claim.algorithm not in WEAK_HASHES for claim in payload_claims(parts.header))
    if not covered and not any(outcome.signature.of_payload for outcome in good):
        return SignatureCheck("bad", names, "its signature is of the header alone, which has no digest of the payload")
    trusted = tuple(dict.fromkeys(outcome.key for outcome in good))
    return SignatureCheck("trusted", trusted, f"it is signed by {', '.join(trusted)}")


def _check(file: BinaryIO, parts: Parts, signature: PackageSignature, keys: _Keyring) -> _Outcome:
    info = signature.info
    key = keys.by_name.get(info.issuer)
    if key is None and info.issuer:
        return _Outcome(signature, info.issuer)
    name = key.primary if key else ""
    if flaw := _flaw(info, key, keys):
        return _Outcome(signature, name, flaw=flaw)
    if info.version >= 6:
        return _check_new(parts, signature, name, keys)
    if not keys.old:
        return _Outcome(signature, name)
    return _check_old(file, parts, signature, name, keys)


def _flaw(info: SignaturePacket, key: Key | None, keys: _Keyring) -> str:
    """Why a signature is worth nothing, however well it fits: what gpgv would not say, or not of every version."""
    if info.hash_algorithm in _WEAK_NUMBERS:
        return f"its signature uses {_WEAK_NUMBERS[info.hash_algorithm]}"
    if info.hash_algorithm not in HASHES:
        return f"its signature uses the unknown hash algorithm {info.hash_algorithm}"
    for part in (key, keys.primary(key)) if key else ():
        if part.algorithm in RSA and part.bits < RSA_BITS:
            return f"key {part.fingerprint} is an RSA key of {part.bits} bits"
        if part.algorithm == DSA:
            return f"key {part.fingerprint} is a DSA key"
        if part.revoked:
            return f"key {part.fingerprint} is revoked"
        if part.expires is not None and part.expires <= time.time():
            return f"key {part.fingerprint} has expired"
    if info.expires is not None and info.expires <= time.time():
        return "its signature has expired"
    return ""


def _check_old(file: BinaryIO, parts: Parts, signature: PackageSignature, name: str, keys: _Keyring) -> _Outcome:
    if signature.of_payload:
        os.lseek(file.fileno(), parts.start, os.SEEK_SET)
        judgement = judge_detached(signature.packet, file, keys.old)
    else:
        with tempfile.TemporaryFile() as header:
            header.write(parts.header.blob)
            header.flush()
            os.lseek(header.fileno(), 0, os.SEEK_SET)
            judgement = judge_detached(signature.packet, header, keys.old)
    if judgement.fingerprint:
        return _Outcome(signature, judgement.fingerprint, good=True)
    if judgement.unknown and not judgement.flaws and not judgement.bad:
        return _Outcome(signature, name or judgement.unknown[0])
    if judgement.flaws and not judgement.bad:
        return _Outcome(signature, name, flaw="; ".join(judgement.flaws))
    what = "header and payload are" if signature.of_payload else "its header is"
    return _Outcome(signature, name, flaw=f"{what} not what was signed", wrong=True)


def _check_new(parts: Parts, signature: PackageSignature, name: str, keys: _Keyring) -> _Outcome:
    """Asks rpm-rs, with a package that has this one signature and no payload: it would read that into memory."""
    if signature.of_payload:
        return _Outcome(
            signature, name, flaw="its signature is of a kind that no package of its version has", wrong=True
        )
    rpm_rs = library("rpm_rs")
    value = Value(SigTag.OPENPGP, Type.STRING_ARRAY, [base64.b64encode(signature.packet)])
    header = padded(compose_header(SigTag.REGION, [value]))
    verifier = rpm_rs.Verifier()
    try:
        verifier.load_from_asc_bytes(_armored(keys.new))
        package = rpm_rs.Package.from_bytes(parts.front[:96] + header + parts.header.blob)
        results = package.check_signatures(verifier).signatures
    except (RuntimeError, ValueError) as error:
        return _Outcome(signature, name, flaw=f"its signature cannot be checked: {shown(str(error))}", wrong=True)
    if len(results) == 1 and results[0].is_verified():
        return _Outcome(signature, name, good=True)
    return _Outcome(signature, name, flaw="its header is not what was signed", wrong=True)


def _armored(keys: bytes) -> bytes:
    return (
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + base64.encodebytes(keys) + b"-----END PGP PUBLIC KEY BLOCK-----\n"
    )
