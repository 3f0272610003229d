"""A signer whose signatures mean nothing and never change, for trees that are compared byte by byte.

What a real one writes depends on the release of GnuPG.
"""

from __future__ import annotations

import datetime as dt
import hashlib


class StampSigner:
    """Writes what was signed and when in the place of a signature."""

    name = "stamp"
    fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567"
    public_key = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nbm8ga2V5\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"

    def clearsign(self, data: bytes, *, now: dt.datetime) -> bytes:
        """The text and a stamp."""
        return b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + data + self.detach(data, now=now)

    def detach(self, data: bytes, *, now: dt.datetime) -> bytes:
        """A stamp."""
        stamp = f"{hashlib.sha256(data).hexdigest()} {now.isoformat()}"
        return f"-----BEGIN PGP SIGNATURE-----\n\n{stamp}\n-----END PGP SIGNATURE-----\n".encode()
