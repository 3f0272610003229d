"""OpenPGP keys as a signer sees them: which one is meant, and whether clients would take its signature."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entrepot.errors import SigningError

# RFC 9580, 9.1, and draft-koch for 22.
_RSA = frozenset({1, 3})
_DSA = 17
_ALGORITHMS = {1: "RSA", 3: "RSA", 16: "Elgamal", 17: "DSA", 18: "ECDH", 19: "ECDSA", 20: "Elgamal", 22: "EdDSA"}
_RSA_MIN_BITS = 2048
_V3_FINGERPRINT = 32
_SECRET_IS_ELSEWHERE = "#"


@dataclass(frozen=True, slots=True)
class KeyPart:
    """The primary key or a subkey. ``expires`` is None for one that never does."""

    fingerprint: str
    algorithm: int
    bits: int
    created: dt.datetime
    expires: dt.datetime | None
    revoked: bool
    disabled: bool
    signs: bool
    has_secret: bool

    def trouble(self, now: dt.datetime, valid_for: dt.timedelta) -> str:
        """Why clients refuse what this key signs, or will before ``valid_for`` has passed; empty if they do not."""
        name = _ALGORITHMS.get(self.algorithm, f"algorithm {self.algorithm}")
        if len(self.fingerprint) == _V3_FINGERPRINT:
            return "is of version 3, which nothing accepts any more"
        if self.revoked:
            return "is revoked"
        if self.disabled:
            return "is disabled"
        if self.expires is not None and self.expires <= now:
            return f"expired on {self.expires:%Y-%m-%d}"
        if self.expires is not None and self.expires < now + valid_for:
            return f"expires on {self.expires:%Y-%m-%d}, in less than {valid_for.days} days"
        if self.algorithm == _DSA:
            return "is a DSA key, which clients refuse"
        if self.algorithm in _RSA and self.bits < _RSA_MIN_BITS:
            return f"is a {name} key of {self.bits} bits; clients want {_RSA_MIN_BITS}"
        return ""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key of a keyring of which there is a secret part, with its subkeys."""

    primary: KeyPart
    subkeys: tuple[KeyPart, ...]
    user_ids: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Of the primary key: 40 upper-case hexadecimal digits."""
        return self.primary.fingerprint

    def __str__(self) -> str:
        return f"{self.fingerprint} {' / '.join(self.user_ids)}"

    def is_meant_by(self, text: str) -> bool:
        """Whether ``text`` is its fingerprint, a long id, a whole user id or the address in one."""
        digits = re.sub(r"^0x|\s", "", text, flags=re.IGNORECASE).upper()
        if re.fullmatch(r"[0-9A-F]{16,}", digits):
            return any(part.fingerprint.endswith(digits) for part in (self.primary, *self.subkeys))
        wanted = text.strip().casefold()
        return any(wanted in {user.casefold(), _address(user), f"<{_address(user)}>"} for user in self.user_ids)

    def signing_part(self, now: dt.datetime, valid_for: dt.timedelta) -> KeyPart:
        """The part that signs: the newest subkey that can, or the primary key.

        ``SigningError`` if clients would refuse the signature, or soon will.
        """
        able = [part for part in (self.primary, *self.subkeys) if part.signs and part.has_secret]
        if not able:
            raise SigningError(
                f"key {self} cannot sign: the secret part of no signing key is here", key=self.fingerprint
            )
        parts = sorted(able, key=lambda part: (part is not self.primary, part.created), reverse=True)
        sound = [part for part in parts if not part.trouble(now, valid_for)]
        part = (sound or parts)[0]
        # A subkey is worth nothing without its primary key, whose algorithm binds it and hence counts, too.
        for checked in (self.primary, part):
            if trouble := checked.trouble(now, valid_for):
                raise SigningError(
                    f"key {self} must not sign: {_which(checked, self.primary)} {trouble}",
                    hint="sign with another key, or make this one valid for longer and hand it out again",
                    key=self.fingerprint,
                )
        return part


def _which(part: KeyPart, primary: KeyPart) -> str:
    return "it" if part is primary else f"its subkey {part.fingerprint}"


def _address(user_id: str) -> str:
    match = re.search(r"<([^<>]*)>\s*$", user_id)
    return (match[1] if match else user_id).strip().casefold()


def parse_keys(listing: Sequence[Mapping[str, Any]]) -> list[SecretKey]:
    """Keys out of what python-gnupg lists, which are the fields of gpg's ``--with-colons`` (its doc/DETAILS)."""
    keys = []
    for entry in listing:
        subkeys = tuple(_part(info) for info in entry.get("subkey_info", {}).values())
        keys.append(SecretKey(_part(entry), subkeys, tuple(entry["uids"])))
    return keys


def _part(fields: Mapping[str, Any]) -> KeyPart:
    capabilities = str(fields["cap"])
    return KeyPart(
        fingerprint=str(fields["fingerprint"]),
        algorithm=int(fields["algo"]),
        bits=int(fields["length"]),
        created=dt.datetime.fromtimestamp(int(fields["date"]), dt.UTC),
        expires=dt.datetime.fromtimestamp(int(fields["expires"]), dt.UTC) if fields["expires"] else None,
        revoked=fields["trust"] == "r",
        disabled="D" in capabilities,
        signs="s" in capabilities,
        has_secret=fields["token"] != _SECRET_IS_ELSEWHERE,
    )


def choose(keys: Sequence[SecretKey], wanted: str | None, where: str) -> SecretKey:
    """The key that ``wanted`` names, or the only one; ``SigningError`` that lists them if that is not one."""
    found = [key for key in keys if wanted is None or key.is_meant_by(wanted)]
    if len(found) == 1:
        return found[0]
    listed = "; ".join(map(str, found or keys))
    if not keys:
        raise SigningError(
            f"there is no secret key in {where}",
            hint="let entrepot init make one, or import yours into that GnuPG home",
        )
    if not found:
        raise SigningError(f"there is no secret key {wanted!r} in {where}", hint=f"there are: {listed}", key=wanted)
    what = f"{wanted!r} names several keys" if wanted else "there are several secret keys"
    raise SigningError(f"{what} in {where}", hint=f"sign with one of: {listed}", key=wanted)
