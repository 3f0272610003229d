"""What OpenPGP packets say of themselves (RFC 9580): who signed with what, and which keys a keyring has.

This only reads. Whether a signature is good is for those to say who do cryptography; but which of them to ask, and
whether a key is long enough, has to be known before, and neither ``gpgv`` nor a library tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

SIGNATURE, PUBLIC_KEY, USER_ID, PUBLIC_SUBKEY = 2, 6, 13, 14
RSA = frozenset({1, 2, 3})
DSA = 17
_CREATED, _SIGNATURE_EXPIRES, _KEY_EXPIRES, _ISSUER, _KEY_FLAGS, _ISSUER_FINGERPRINT = 2, 3, 9, 16, 27, 33
_MAY_SIGN = 0x02
_NEVER_SIGN = frozenset({16, 18, 25, 26})
"""Algorithms that only encrypt (9.1)."""
_ON_CURVES = frozenset({18, 19, 22})
_CURVES = {
    "2b06010401da470f01": ("Ed25519", 256),
    "2a8648ce3d030107": ("P-256", 256),
    "2b81040022": ("P-384", 384),
    "2b81040023": ("P-521", 521),
    "2b8104000a": ("secp256k1", 256),
    "2b2403030208010107": ("brainpoolP256r1", 256),
    "2b240303020801010b": ("brainpoolP384r1", 384),
    "2b240303020801010d": ("brainpoolP512r1", 512),
}
"""Object identifiers of curves (9.2), with what people call them and their bits."""
MOST_USER_IDS = 100
_KEY_REVOCATION, _SUBKEY_REVOCATION = 0x20, 0x28
_SELF_SIGNATURES = frozenset({0x10, 0x11, 0x12, 0x13, 0x18, 0x1F})


@dataclass(frozen=True, slots=True)
class SignaturePacket:
    """A signature. Algorithms are numbers of RFC 9580, 9; ``issuer`` is a fingerprint, a key id, or empty.

    Times are seconds since 1970; ``expires`` and ``key_expires`` are None for what never does.
    """

    version: int
    kind: int
    key_algorithm: int
    hash_algorithm: int
    issuer: str
    created: int
    expires: int | None
    key_expires: int | None
    """Seconds after its creation at which the key that this signature binds expires."""
    flags: int | None = None
    """What the key that this signature binds is for (5.2.3.29); None where it does not say."""


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key or a subkey; ``bits`` is 0 where the algorithm implies them. Fingerprints are in upper case."""

    version: int
    algorithm: int
    bits: int
    created: int
    fingerprint: str
    primary: str
    """Fingerprint of the primary key."""
    revoked: bool = False
    expires: int | None = None
    signs: bool = True
    curve: str = ""

    @property
    def key_id(self) -> str:
        """The eight bytes by which older signatures name a key."""
        return self.fingerprint[:16] if self.version >= 6 else self.fingerprint[-16:]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A primary key with what belongs to it. ``data`` is its packets as they were."""

    keys: tuple[Key, ...]
    data: bytes
    user_ids: tuple[str, ...] = ()
    """As whoever made the key wrote them."""


def packets(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The packets of a binary message or keyring: type, body, and the packet as a whole; ``ValueError`` if damaged."""
    at = 0
    while at < len(data):
        first = data[at]
        if not first & 0x80:
            raise ValueError("it is no OpenPGP packet")
        if first & 0x40:
            kind, (length, header) = first & 0x3F, _new_length(data, at + 1)
        else:
            kind, width = (first >> 2) & 0x0F, {0: 1, 1: 2, 2: 4}.get(first & 3, 0)
            if not width:
                raise ValueError("an OpenPGP packet does not say how long it is")
            length, header = int.from_bytes(data[at + 1 : at + 1 + width], "big"), width
        begin = at + 1 + header
        end = begin + length
        if end > len(data):
            raise ValueError("an OpenPGP packet is cut short")
        yield kind, data[begin:end], data[at:end]
        at = end


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """Length of a body, and how many bytes say it (4.2.1)."""
    first = data[at] if at < len(data) else 0
    if first < 192:
        return first, 1
    if first < 224:
        return ((first - 192) << 8) + (data[at + 1] if at + 1 < len(data) else 0) + 192, 2
    if first < 255:
        raise ValueError("an OpenPGP packet has its length in parts")
    return int.from_bytes(data[at + 1 : at + 5], "big"), 5


def read_signature(body: bytes) -> SignaturePacket:
    """A signature packet's body (5.2); ``ValueError`` if it is damaged or of an unknown version."""
    version = body[0] if body else 0
    if version == 3 and len(body) >= 19:
        created = int.from_bytes(body[3:7], "big")
        return SignaturePacket(3, body[2], body[15], body[16], body[7:15].hex().upper(), created, None, None)
    if version not in (4, 6) or len(body) < 6:
        raise ValueError(f"a signature packet is of version {version}, or cut short")
    width = 4 if version == 6 else 2
    hashed, at = _area(body, 4, width)
    unhashed, _ = _area(body, at, width)
    # What is hashed counts; of the rest only who signed, as a hint by which to find the key.
    found = dict(_subpackets(hashed))
    who = dict(_subpackets(unhashed)) | found
    issuer = who[_ISSUER_FINGERPRINT][1:] if _ISSUER_FINGERPRINT in who else who.get(_ISSUER, b"")
    created = _number(found, _CREATED)
    lifetime = _number(found, _SIGNATURE_EXPIRES)
    return SignaturePacket(
        version=version,
        kind=body[1],
        key_algorithm=body[2],
        hash_algorithm=body[3],
        issuer=issuer.hex().upper(),
        created=created,
        expires=created + lifetime if lifetime else None,
        key_expires=_number(found, _KEY_EXPIRES) or None,
        flags=found[_KEY_FLAGS][0] if found.get(_KEY_FLAGS) else None,
    )


def _number(found: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(found.get(kind, b""), "big")


def _area(body: bytes, at: int, width: int) -> tuple[bytes, int]:
    end = at + width + int.from_bytes(body[at : at + width], "big")
    if end > len(body):
        raise ValueError("a signature packet is cut short")
    return body[at + width : end], end


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(area):
        first = area[at]
        if first < 192:
            length, header = first, 1
        elif first < 255:
            length, header = ((first - 192) << 8) + (area[at + 1] if at + 1 < len(area) else 0) + 192, 2
        else:
            length, header = int.from_bytes(area[at + 1 : at + 5], "big"), 5
        body = area[at + header : at + header + length]
        if not body or len(body) < length:
            raise ValueError("a signature packet is damaged")
        yield body[0] & 0x7F, body[1:]
        at += header + length


def certificates(data: bytes) -> list[Certificate]:
    """The keys of a binary keyring, with whether their own signatures revoke them or let them expire.

    Those signatures are not verified: whoever trusts a keyring trusts what is in it, and here they only take away.
    Keys of other versions than 4 and 6 are left out.
    ``ValueError`` if it is damaged.
    """
    found: list[tuple[list[Key], list[bytes], list[str]]] = []
    bound = 0
    """When the self-signature was made that says until when the last key is valid: a newer one replaces it."""
    for kind, body, packet in packets(data):
        if kind == PUBLIC_KEY:
            found.append(([], [], []))
        if not found:
            raise ValueError("it does not begin with a public key")
        keys, parts, users = found[-1]
        parts.append(packet)
        if kind == USER_ID and len(users) < MOST_USER_IDS:
            users.append(body.decode("utf-8", "replace"))
        if kind in (PUBLIC_KEY, PUBLIC_SUBKEY) and (key := _key(body, keys[0].primary if keys else "")):
            keys.append(key)
            bound = 0
        elif kind == SIGNATURE and keys and (signature := _signature(body)):
            if signature.kind in (_KEY_REVOCATION, _SUBKEY_REVOCATION):
                keys[-1] = replace(keys[-1], revoked=True)
            elif signature.kind in _SELF_SIGNATURES and signature.created >= bound and _own(signature, keys[0]):
                bound = signature.created
                lifetime = signature.key_expires
                expires = keys[-1].created + lifetime if lifetime else None
                keys[-1] = replace(keys[-1], expires=expires, signs=_signs(keys[-1].algorithm, signature.flags))
    return [Certificate(tuple(keys), b"".join(parts), tuple(users)) for keys, parts, users in found if keys]


def _signs(algorithm: int, flags: int | None) -> bool:
    return algorithm not in _NEVER_SIGN and (flags is None or bool(flags & _MAY_SIGN))


def _signature(body: bytes) -> SignaturePacket | None:
    """A signature on a key; None for one that nobody can use, which does not make the keyring unusable."""
    try:
        return read_signature(body)
    except ValueError:
        return None


def _own(signature: SignaturePacket, primary: Key) -> bool:
    return signature.issuer in (primary.fingerprint, primary.key_id)


def _key(body: bytes, primary: str) -> Key | None:
    """A key of version 4 or 6; None for others, with which nobody verifies any more, or not yet."""
    version = body[0] if body else 0
    if version not in (4, 6) or not 12 <= len(body) < 1 << 16:
        return None
    algorithm, material = body[5], 10 if version == 6 else 6
    if version == 6:
        fingerprint = hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    else:
        prefix = b"\x99" + len(body).to_bytes(2, "big")
        fingerprint = hashlib.sha1(prefix + body, usedforsecurity=False).hexdigest().upper()
    curve, bits = "", 0
    if algorithm in (*RSA, DSA):
        bits = int.from_bytes(body[material : material + 2], "big")
    elif algorithm in _ON_CURVES:
        identifier = body[material + 1 : material + 1 + body[material]].hex()
        curve, bits = _CURVES.get(identifier, ("", 0))
    created = int.from_bytes(body[1:5], "big")
    signs = _signs(algorithm, None)
    return Key(version, algorithm, bits, created, fingerprint, primary or fingerprint, signs=signs, curve=curve)
