"""Signs packages, without touching a byte of their headers and payloads: only the signature header is new.

What rpmsign does, through whichever signer a repository has, and with no file of rpm's.
"""

from __future__ import annotations

import base64
import datetime as dt
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import Signer
from entrepot.errors import SigningError
from entrepot_plugins.rpm.integrity import Reading, check_headers, new_hash, payload_claims
from entrepot_plugins.rpm.signature import SIGNATURE_TAGS, WEAK_HASHES, signatures_of
from entrepot_plugins.rpm.structure import LEAD, Limits, Parts, read_parts
from entrepot_plugins.rpm.tags import SigTag, Tag, Type
from entrepot_plugins.rpm.writing import Value, compose_header, padded
from entrepot_plugins.shared.digests import opened
from entrepot_plugins.shared.openpgp import binary_signature
from entrepot_plugins.shared.packets import RSA, SIGNATURE, packets, read_signature
from entrepot_plugins.shared.unpacked import shown

MOST_SIGNED = 256 << 20
"""Bytes of header and payload that a signer is handed at once, for packages that need a signature of both."""
_NUMBERS = frozenset({Type.CHAR, Type.INT8, Type.INT16, Type.INT32, Type.INT64})
_LARGEST_SIZE = 2**32 - 1
_FORMAT_6 = 6


def resign(
    path: Path, signer: Signer, out: Path, now: dt.datetime, *, keep: bool = False, limits: Limits | None = None
) -> None:
    """Writes the package at ``path`` to ``out`` with a signature by ``signer``; both may be the same file.

    The signatures that it has are dropped, or with ``keep`` kept beside the new one, as far as they are of the header.
    The signature is of the header, which is enough where that has a digest of the payload; older packages get one of
    header and payload besides. ``PackageError`` for a package that is damaged: a signature must not vouch for it;
    ``SigningError`` if the signer fails. ``out`` is whole or not there.
    """
    with opened(path) as file:
        parts = read_parts(file, os.fstat(file.fileno()).st_size, shown(path.name), limits or Limits())
        check_headers(parts)
        values = [*_kept(parts), *_signatures(file, parts, signer, now, keep=keep)]
        front = parts.front[:LEAD] + padded(compose_header(SigTag.REGION, values))
        _write(out, front, file, parts)


def _kept(parts: Parts) -> Iterator[Value]:
    """What a signature header has besides signatures: sizes and digests (right, as they were checked), IMA's."""
    header = parts.signature
    for number, entry in header.entries.items():
        if number in SIGNATURE_TAGS or number in (SigTag.RESERVED, SigTag.RESERVEDSPACE):
            continue
        if entry.type in _NUMBERS:
            yield Value(number, entry.type, header.numbers(number))
        elif entry.type is Type.BIN:
            yield Value(number, entry.type, header.binary(number) or b"")
        else:
            yield Value(number, entry.type, header.strings(number))
    if SigTag.SHA256 not in header:
        digest = new_hash("sha256", parts.header.blob).hexdigest()
        yield Value(SigTag.SHA256, Type.STRING, [digest.encode()])
    if _format(parts) < _FORMAT_6 and not {SigTag.SIZE, SigTag.LONGSIZE} & header.entries.keys():
        size = parts.size - parts.start
        large = size > _LARGEST_SIZE
        yield Value(SigTag.LONGSIZE if large else SigTag.SIZE, Type.INT64 if large else Type.INT32, [size])


def _signatures(file: BinaryIO, parts: Parts, signer: Signer, now: dt.datetime, *, keep: bool) -> Iterator[Value]:
    ours, algorithm = _detached(signer, parts.header.blob, now)
    kept = [signature.packet for signature in signatures_of(parts) if keep and not signature.of_payload]
    others = [packet for packet in kept if packet != ours]
    if others or _format(parts) >= _FORMAT_6:
        texts = [base64.b64encode(packet) for packet in (ours, *others)]
        yield Value(SigTag.OPENPGP, Type.STRING_ARRAY, texts)
    if _format(parts) >= _FORMAT_6:
        return
    yield Value(SigTag.RSA if algorithm in RSA else SigTag.DSA, Type.BIN, ours)
    if not any(claim.algorithm not in WEAK_HASHES for claim in payload_claims(parts.header)):
        size = parts.size - parts.start
        if size > MOST_SIGNED:
            raise SigningError(
                f"{parts.header.where} has no digest of the payload, and {size} bytes are too many to sign both",
                hint="have it built again with rpm 4.14 or later",
            )
        file.seek(parts.start)
        both, algorithm = _detached(signer, file.read(size), now)
        yield Value(SigTag.PGP if algorithm in RSA else SigTag.GPG, Type.BIN, both)


def _format(parts: Parts) -> int:
    """RPMFORMAT: 6, or 4 where there is none."""
    return parts.header.number(Tag.RPMFORMAT) or 4


def _detached(signer: Signer, data: bytes, now: dt.datetime) -> tuple[bytes, int]:
    """A signature as one packet, and the algorithm of its key."""
    try:
        ((kind, body, packet),) = packets(binary_signature(signer.detach(data, now=now)))
        if kind != SIGNATURE:
            raise ValueError("it is another packet")
        return packet, read_signature(body).key_algorithm
    except ValueError as error:
        raise SigningError(f"what key {signer.fingerprint} made is not one signature: {error}") from error


def _write(out: Path, front: bytes, file: BinaryIO, parts: Parts) -> None:
    with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name[:200]}-", delete=False) as target:
        try:
            target.write(front + parts.header.blob)
            for chunk in Reading(file, parts, whole=False).chunks():
                target.write(chunk)
            target.flush()
            os.fchmod(target.fileno(), 0o644)
            os.replace(target.name, out)
        except BaseException:
            os.unlink(target.name)
            raise
