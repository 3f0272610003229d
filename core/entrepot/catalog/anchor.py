"""The key that the end of the audit log is anchored with: a file outside the catalog, for its owner only."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

KEY_BYTES = 32


class AnchorKey:
    """A secret of ``KEY_BYTES`` bytes. Who can change the catalog but not read this file cannot move the anchor."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether there is a key."""
        return self.path.exists()

    def make(self) -> None:
        """Makes a key where there is none; on the disk before anything is anchored with it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, entries: int) -> None:
        """Makes a new key; a file that is there is kept beside it, under a name that says until which entry it was."""
        if self.path.exists():
            self.path.rename(self.path.with_name(f"{self.path.name}.until-{entries}"))
        self.make()

    def seal(self, entries: int, digest: str) -> str | None:
        """The seal on a log of so many entries that ends with this digest; None if the key is gone or cut short."""
        try:
            key = self.path.read_bytes()
        except OSError:
            return None
        if len(key) != KEY_BYTES:
            return None
        return hmac.new(key, f"{entries} {digest}".encode(), hashlib.sha256).hexdigest()
