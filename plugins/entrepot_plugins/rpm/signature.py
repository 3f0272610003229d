"""Checks the signatures in a package, against the keys of one source and nothing else; never rpm's own database.

A signature is of the header alone, which has digests of the payload, or (in packages of rpm before 4.14) of header and
payload. ``gpgv`` checks those of OpenPGP version 3 and 4, in some milliseconds; what it cannot read, version 6 with
its newer algorithms, is for rpm-rs, which in turn knows neither old algorithms nor what has expired.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import SignatureCheck
from entrepot.errors import PackageError
from entrepot_plugins.rpm.integrity import Reading, check_headers, payload_claims
from entrepot_plugins.rpm.library import library
from entrepot_plugins.rpm.structure import Limits, Parts, read_parts
from entrepot_plugins.rpm.tags import SigTag, Type
from entrepot_plugins.rpm.writing import Value, compose_header, padded
from entrepot_plugins.shared.digests import opened
from entrepot_plugins.shared.openpgp import judge_chunks, judge_detached
from entrepot_plugins.shared.packets import SIGNATURE, SignaturePacket, packets, read_signature
from entrepot_plugins.shared.signatures import MOST_SIGNATURES, Keyring, Outcome, come_to, judged
from entrepot_plugins.shared.unpacked import shown

WEAK_HASHES = frozenset({"md5", "sha1"})
_OF_HEADER = (SigTag.OPENPGP, SigTag.RSA, SigTag.DSA)
_OF_ALL = (SigTag.PGP, SigTag.GPG, SigTag.PGP5)
SIGNATURE_TAGS: tuple[SigTag, ...] = (*_OF_HEADER, *_OF_ALL)


@dataclass(frozen=True, slots=True)
class PackageSignature:
    """One signature of a package, and whether it is of header and payload or of the header alone."""

    packet: bytes = field(repr=False)
    info: SignaturePacket
    of_payload: bool


def check_signature(path: Path, keyring: Path | None, limits: Limits) -> SignatureCheck:
    """What the signatures in a package are worth to whoever trusts the keys of ``keyring``.

    ``trusted``: at least one is good, by a key that is neither expired, revoked nor weak, it covers the payload, and
    none is wrong; those by unknown keys, or with a weak hash, do not matter beside it. ``TrustError`` only if the
    keyring cannot be used.
    """
    keys = Keyring.read(keyring)
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


def _summary(parts: Parts, outcomes: Sequence[Outcome]) -> SignatureCheck:
    found = come_to(outcomes)
    covered = any(claim.algorithm not in WEAK_HASHES for claim in payload_claims(parts.header))
    if found.status != "trusted" or covered or any(outcome.good and outcome.covers for outcome in outcomes):
        return found
    detail = "its signature is of the header alone, which has no digest of the payload"
    return SignatureCheck("bad", found.keys, detail, found.made)


def _check(file: BinaryIO, parts: Parts, signature: PackageSignature, keys: Keyring) -> Outcome:
    info = signature.info
    key = keys.by_name.get(info.issuer)
    outcome = Outcome(
        "header and payload" if signature.of_payload else "header",
        key.primary if key else info.issuer,
        covers=signature.of_payload,
    )
    if key is None and info.issuer:
        return outcome
    if flaw := keys.flaw(info):
        return replace(outcome, flaw=flaw)
    if info.version >= 6:
        return _check_new(parts, signature, outcome, keys)
    if not keys.old:
        return outcome
    return _check_old(file, parts, signature, outcome, keys)


def _check_old(file: BinaryIO, parts: Parts, signature: PackageSignature, outcome: Outcome, keys: Keyring) -> Outcome:
    if signature.of_payload:
        os.lseek(file.fileno(), parts.start, os.SEEK_SET)
        judgement = judge_detached(signature.packet, file, keys.old)
    else:
        judgement = judge_chunks(signature.packet, [parts.header.blob], keys.old)
    what = "header and payload are" if signature.of_payload else "its header is"
    return judged(outcome, judgement, f"{what} not what was signed")


def _check_new(parts: Parts, signature: PackageSignature, outcome: Outcome, keys: Keyring) -> Outcome:
    """Asks rpm-rs, with a package that has this one signature and no payload: it would read that into memory."""
    if signature.of_payload:
        return replace(outcome, flaw="its signature is of a kind that no package of its version has", wrong=True)
    rpm_rs = library("rpm_rs")
    value = Value(SigTag.OPENPGP, Type.STRING_ARRAY, [base64.b64encode(signature.packet)])
    header = padded(compose_header(SigTag.REGION, [value]))
    verifier = rpm_rs.Verifier()
    try:
        verifier.load_from_asc_bytes(_armored(keys.new))
        package = rpm_rs.Package.from_bytes(parts.front[:96] + header + parts.header.blob)
        results = package.check_signatures(verifier).signatures
    except (RuntimeError, ValueError) as error:
        return replace(outcome, flaw=f"its signature cannot be checked: {shown(str(error))}", wrong=True)
    if len(results) == 1 and results[0].is_verified():
        return replace(outcome, good=True)
    return replace(outcome, flaw="its header is not what was signed", wrong=True)


def _armored(keys: bytes) -> bytes:
    return (
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + base64.encodebytes(keys) + b"-----END PGP PUBLIC KEY BLOCK-----\n"
    )
