"""Checks the signatures in packages of APT, against the keys of one source and nothing else.

Clients look at none of them: an index vouches for its packages. Some who publish packages sign them all the same:

- debsigs, and what does as it does: members ``_gpgorigin``, ``_gpgmaint`` ... of a .deb, each a detached signature of
  the other members' contents one after another (debsig-verify(1));
- dpkg-sig: members ``_gpgbuilder`` ..., each a clear-signed list of the other members with their MD5 and SHA-1, which
  proves nothing any more, however good the signature is;
- who uploads a source package: its .dsc is clear-signed, and has the SHA256 of its files.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import SignatureCheck
from entrepot.errors import PackageError
from entrepot_plugins.apt import dsc
from entrepot_plugins.apt.archive import ArMember, ar_members, member_bytes
from entrepot_plugins.shared.digests import opened
from entrepot_plugins.shared.openpgp import (
    Judgement,
    armored_signature,
    binary_signature,
    judge_chunks,
    judge_clearsigned,
)
from entrepot_plugins.shared.packets import SIGNATURE, SignaturePacket, packets, read_signature
from entrepot_plugins.shared.signatures import MOST_SIGNATURES, WEAK_NUMBERS, Keyring, Outcome, come_to, judged
from entrepot_plugins.shared.unpacked import shown

LONGEST_SIGNATURE = 64 << 10
"""Bytes of a member that is a signature; one of RSA with 16,384 bits has some 2,100."""
_PREFIX = "_gpg"
_CLEARSIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_ARMORED = b"-----BEGIN PGP SIGNATURE-----"
_LISTED = re.compile(r"\s*([0-9a-f]{32})\s+([0-9a-f]{40})\s+([0-9]{1,18})\s+(\S+)\s*")
_PROVES_NOTHING = "with which a signature proves nothing"


@dataclass(frozen=True, slots=True)
class _Signature:
    """One signature packet and where it stands."""

    what: str
    packet: bytes
    info: SignaturePacket


def check_signature(files: Sequence[Path], keyring: Path | None) -> SignatureCheck:
    """What the signatures in a package are worth to whoever trusts the keys of ``keyring``.

    ``bad`` for one that does not fit, or by a key of the keyring that is expired, revoked or weak; ``untrusted`` for
    those by unknown keys, with weak hashes, and of dpkg-sig. ``TrustError`` only if the keyring cannot be used.
    """
    keys = Keyring.read(keyring)
    try:
        outcomes = _source(files, keys) if files[0].suffix == ".dsc" else _binary(files[0], keys)
    except PackageError as error:
        return SignatureCheck("bad", (), error.message, checked_by_clients=False)
    return come_to(outcomes, checked_by_clients=False)


def _binary(path: Path, keys: Keyring) -> list[Outcome]:
    where = shown(path.name)
    with opened(path) as file:
        members = ar_members(file, os.fstat(file.fileno()).st_size, where)
        signed = [member for member in members if not member.name.startswith("_")]
        outcomes: list[Outcome] = []
        for member in members:
            if not member.name.startswith(_PREFIX):
                continue
            if member.size > LONGEST_SIGNATURE:
                raise PackageError(f"{where}: {member.name} has {member.size} bytes, which no signature has")
            content = b"".join(member_bytes(file, member))
            if content.lstrip().startswith(_CLEARSIGNED):
                outcomes += _of_digests(file, where, member.name, content, signed, keys)
            else:
                outcomes += _of_contents(file, where, member.name, content, signed, keys)
            if len(outcomes) > MOST_SIGNATURES:
                raise PackageError(f"{where}: has more than {MOST_SIGNATURES} signatures")
        return outcomes


def _of_contents(
    file: BinaryIO, where: str, name: str, content: bytes, signed: Sequence[ArMember], keys: Keyring
) -> Iterator[Outcome]:
    """debsigs: a detached signature of the contents of the other members."""
    for signature in _signatures(where, name, content):

        def judge(packet: bytes) -> Judgement:
            chunks = chain.from_iterable(member_bytes(file, member) for member in signed)
            return judge_chunks(packet, chunks, keys.old)

        yield _outcome(signature, keys, judge, f"{name} is not a signature of what is in the package")


def _of_digests(
    file: BinaryIO, where: str, name: str, content: bytes, signed: Sequence[ArMember], keys: Keyring
) -> Iterator[Outcome]:
    """dpkg-sig: a signed list of the other members with their digests."""
    unlike = f"{name} is not a signature of what is in the package"
    for signature in _signatures(where, name, content):
        texts: list[bytes] = []

        def judge(packet: bytes, texts: list[bytes] = texts) -> Judgement:
            judgement, text = judge_clearsigned(_with_one(content, packet), keys.old)
            texts.append(text)
            return judgement

        outcome = _outcome(signature, keys, judge, unlike)
        if not outcome.good:
            yield outcome
        elif _lists(file, texts[0], signed):
            yield replace(outcome, good=False, weak=f"{name} lists only MD5 and SHA-1 digests, {_PROVES_NOTHING}")
        else:
            yield replace(outcome, good=False, flaw=unlike, wrong=True)


def _lists(file: BinaryIO, text: bytes, signed: Sequence[ArMember]) -> bool:
    """Whether a list of dpkg-sig has every member once, each as it is."""
    found = [_LISTED.fullmatch(line) for line in text.decode("utf-8", "replace").partition("\nFiles:")[2].split("\n")]
    listed = sorted((match[4], match[3], match[1], match[2]) for match in found if match)
    return listed == sorted(_digests(file, member) for member in signed)


def _digests(file: BinaryIO, member: ArMember) -> tuple[str, str, str, str]:
    md5, sha1 = hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)
    for chunk in member_bytes(file, member):
        md5.update(chunk)
        sha1.update(chunk)
    return member.name, str(member.size), md5.hexdigest(), sha1.hexdigest()


def _source(files: Sequence[Path], keys: Keyring) -> list[Outcome]:
    where = shown(files[0].name)
    with opened(files[0]) as file:
        content = file.read(dsc.LONGEST_DSC + 1)
    if not content.lstrip().startswith(_CLEARSIGNED):
        return []
    # What is signed has digests of the other files; whether they are right is the other half of it.
    dsc.read_source(files, None)
    text = dsc.signed_text(content, where)
    signatures = list(_signatures(where, "the .dsc", content))
    if len(signatures) > MOST_SIGNATURES:
        raise PackageError(f"{where}: has more than {MOST_SIGNATURES} signatures")

    def judge(packet: bytes) -> Judgement:
        judgement, signed = judge_clearsigned(_with_one(content, packet), keys.old)
        judgement.bad |= bool(judgement.fingerprint) and _lines(signed) != _lines(text)
        return judgement

    return [_outcome(signature, keys, judge, "the .dsc is not what was signed") for signature in signatures]


def _lines(text: bytes) -> list[bytes]:
    return [line.rstrip(b" \t\r") for line in text.strip().split(b"\n")]


def _with_one(content: bytes, packet: bytes) -> bytes:
    """A clear-signed text with only one of its signatures."""
    return content[: content.index(_ARMORED)] + armored_signature(packet)


def _signatures(where: str, name: str, content: bytes) -> Iterator[_Signature]:
    try:
        data = binary_signature(content) if b"-----BEGIN PGP" in content[:LONGEST_SIGNATURE] else content
        found = list(packets(data))
        if not found:
            raise ValueError("it is empty")
        for kind, body, packet in found:
            if kind != SIGNATURE:
                raise ValueError("it is no signature")
            yield _Signature(name, packet, read_signature(body))
    except ValueError as error:
        raise PackageError(f"{where}: {name} is damaged: {error}") from error


def _outcome(signature: _Signature, keys: Keyring, judge: Callable[[bytes], Judgement], unlike: str) -> Outcome:
    info = signature.info
    key = keys.by_name.get(info.issuer)
    outcome = Outcome(signature.what, key.primary if key else info.issuer)
    if not keys.by_name or (key is None and info.issuer):
        return outcome
    if info.hash_algorithm in WEAK_NUMBERS:
        # What debsigs makes unless it is told otherwise: no sign of anything wrong, and not worth verifying.
        return replace(outcome, weak=f"{signature.what} uses {WEAK_NUMBERS[info.hash_algorithm]}, {_PROVES_NOTHING}")
    if flaw := keys.flaw(info):
        return replace(outcome, flaw=flaw)
    if info.version >= 6:
        return replace(outcome, flaw=f"{signature.what} is of a version that cannot be checked here")
    return judged(outcome, judge(signature.packet), unlike)
