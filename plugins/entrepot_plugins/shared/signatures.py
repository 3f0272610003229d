"""What the signatures in a package come to, whatever its format, and which keys a keyring has."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from entrepot.contracts import SignatureCheck
from entrepot.errors import TrustError
from entrepot.models import SourceKey
from entrepot_plugins.shared.openpgp import WEAK_HASHES, Judgement, binary_signature, dearmor
from entrepot_plugins.shared.packets import (
    DSA,
    RSA,
    SIGNATURE,
    Certificate,
    Key,
    SignaturePacket,
    certificates,
    packets,
    read_signature,
)

MOST_SIGNATURES = 16
RSA_BITS = 2048
"""Of RSA keys with fewer, signatures are forged by those who want it."""
SOON = dt.timedelta(days=30)
"""Before a key expires, for its users to get the next one."""
WEAK_NUMBERS = {int(number): name for number, name in WEAK_HASHES.items()}
_STRONG = frozenset({8, 9, 10, 11, 12, 14})
"""Hash algorithms of RFC 9580, 9.5: SHA-2 and SHA-3."""
_NAMES = {16: "Elgamal", 17: "DSA", 18: "ECDH", 19: "ECDSA", 22: "EdDSA", 25: "X25519", 26: "X448", 27: "Ed25519"}
_NAMES |= dict.fromkeys(RSA, "RSA") | {28: "Ed448", 30: "ML-DSA-65+Ed25519", 31: "ML-DSA-87+Ed448"}


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by whatever a signature may call them, and in the form that each checker takes."""

    by_name: dict[str, Key]
    old: bytes
    """Up to version 4, for gpgv."""
    new: bytes
    """Of version 6, for rpm-rs."""

    @classmethod
    def read(cls, path: Path | None) -> Keyring:
        """The keys of a file; ``TrustError`` if it cannot be used."""
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

    def flaw(self, info: SignaturePacket) -> str:
        """Why a signature is worth nothing, however well it fits: what gpgv would not say, or not of every version."""
        if info.hash_algorithm in WEAK_NUMBERS:
            return f"its signature uses {WEAK_NUMBERS[info.hash_algorithm]}"
        if info.hash_algorithm not in _STRONG:
            return f"its signature uses the unknown hash algorithm {info.hash_algorithm}"
        key = self.by_name.get(info.issuer)
        for part in (key, self.by_name.get(key.primary, key)) if key else ():
            _, what = trouble(part, dt.datetime.fromtimestamp(time.time(), dt.UTC))
            if what:
                return f"key {part.fingerprint} {what}"
        if info.expires is not None and info.expires <= time.time():
            return "its signature has expired"
        return ""


def trouble(key: Key, now: dt.datetime) -> tuple[str, str]:
    """Why nothing that a key signs is worth anything: ``weak``, ``revoked`` or ``expired``, and the rest of a sentence.

    Both are empty for a key that can be relied on.
    """
    if key.algorithm in RSA and key.bits < RSA_BITS:
        return "weak", f"is an RSA key of {key.bits} bits"
    if key.algorithm == DSA:
        return "weak", "is a DSA key"
    if key.revoked:
        return "revoked", "is revoked"
    if key.expires is not None and key.expires <= now.timestamp():
        return "expired", "has expired"
    return "", ""


def issuers(armored: bytes) -> list[str]:
    """The keys that a detached signature says it is by, which proves nothing; none where it cannot be read."""
    try:
        found = [read_signature(body) for kind, body, _ in packets(binary_signature(armored)) if kind == SIGNATURE]
    except (ValueError, IndexError):
        return []
    return [signature.issuer for signature in found if signature.issuer]


def source_keys(keyring: bytes, now: dt.datetime) -> list[SourceKey]:
    """The keys of a keyring that may sign, primary keys before their subkeys; ``TrustError`` if it cannot be used.

    A primary key is told even where only its subkeys sign, since they are worth nothing without it.
    """
    try:
        found = certificates(dearmor(keyring))
    except ValueError as error:
        raise TrustError(f"the keyring cannot be used: {error}", hint="set another one with --keyring") from error
    return [
        _source_key(certificate, key, now)
        for certificate in found
        for key in certificate.keys
        if key.signs or key is certificate.keys[0]
    ]


def _source_key(certificate: Certificate, key: Key, now: dt.datetime) -> SourceKey:
    primary = certificate.keys[0]
    ends = [part.expires for part in (key, primary) if part.expires is not None]
    expires = dt.datetime.fromtimestamp(min(ends), dt.UTC) if ends else None
    state, what = trouble(primary, now)
    if state and key is not primary:
        what = f"belongs to a key that {what}"
    if not state:
        state, what = trouble(key, now)
    if not state and expires is not None and expires <= now + SOON:
        state, what = "expiring", f"expires on {expires:%Y-%m-%d}"
    return SourceKey(
        fingerprint=key.fingerprint,
        user_ids=certificate.user_ids,
        algorithm=" ".join(filter(None, (_NAMES.get(key.algorithm, f"algorithm {key.algorithm}"), key.curve))),
        bits=key.bits,
        created=dt.datetime.fromtimestamp(key.created, dt.UTC),
        expires=expires,
        state=state or "good",
        detail=what,
        primary="" if key is primary else primary.fingerprint,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one signature is worth: good, weak, of no worth because of ``flaw``, or (none of these) by an unknown key.

    ``what`` is what it is of, or where it is: ``header``, ``_gpgorigin``. ``key`` is a fingerprint or a key id.
    """

    what: str
    key: str
    good: bool = False
    flaw: str = ""
    wrong: bool = False
    """It does not fit the package, or cannot be checked though its key is known."""
    weak: str = ""
    """It fits, but proves nothing, as this sentence says; that is how its kind is, and no sign of anything wrong."""
    covers: bool = True
    """It is of everything that is installed."""

    def __str__(self) -> str:
        worth = "good" if self.good else self.flaw or self.weak or "its key is not known"
        return f"{self.what} by {self.key or 'nobody says whom'}: {worth}"


def judged(outcome: Outcome, judgement: Judgement, unlike: str) -> Outcome:
    """What gpgv said of one signature; ``unlike`` is what is wrong if the signature does not fit."""
    if judgement.fingerprint:
        return replace(outcome, key=judgement.fingerprint, good=True)
    if judgement.unknown and not judgement.flaws and not judgement.bad:
        return replace(outcome, key=outcome.key or judgement.unknown[0])
    if judgement.flaws and not judgement.bad:
        return replace(outcome, flaw="; ".join(judgement.flaws))
    return replace(outcome, flaw=unlike, wrong=True)


def come_to(outcomes: Sequence[Outcome], *, checked_by_clients: bool = True) -> SignatureCheck:
    """What all signatures of a package come to.

    At least one has to be good, and none wrong. Those by unknown keys, or of no worth, do not matter beside a good one.
    """
    made = tuple(map(str, outcomes))
    names = tuple(dict.fromkeys(outcome.key for outcome in outcomes if outcome.key))
    good = [outcome for outcome in outcomes if outcome.good]
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    if not outcomes:
        return SignatureCheck("unsigned", checked_by_clients=checked_by_clients)
    if flaws := dict.fromkeys(outcome.flaw for outcome in wrong or outcomes if outcome.flaw and (wrong or not good)):
        return SignatureCheck("bad", names, "; ".join(flaws), made, checked_by_clients)
    if good:
        trusted = tuple(dict.fromkeys(outcome.key for outcome in good))
        return SignatureCheck("trusted", trusted, f"it is signed by {', '.join(trusted)}", made, checked_by_clients)
    unknown = dict.fromkeys(outcome.key or "nobody says which" for outcome in outcomes if not outcome.weak)
    sentences = [f"it is signed by keys that are not known: {', '.join(unknown)}"] if unknown else []
    sentences += dict.fromkeys(outcome.weak for outcome in outcomes if outcome.weak)
    return SignatureCheck("untrusted", names, "; ".join(sentences), made, checked_by_clients)
