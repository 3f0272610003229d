"""Signing what is published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


class Signer(Protocol):
    """Signs with one key. ``fingerprint`` is the key's, ``public_key`` its armored public part."""

    name: str
    fingerprint: str
    public_key: bytes

    def clearsign(self, data: bytes, *, now: dt.datetime) -> bytes:
        """The text with its signature around it (RFC 9580, 7), verified before it is handed back."""
        ...

    def detach(self, data: bytes, *, now: dt.datetime) -> bytes:
        """An armored detached signature of ``data``, verified before it is handed back."""
        ...


class SigningKey(Protocol):
    """A key that can be opened; its text tells a person which it is."""

    @property
    def fingerprint(self) -> str:
        """What ``SignerFactory.open`` takes."""
        ...


class SignerFactory(Protocol):
    """Opens signers of one kind (``gpg``)."""

    name: str

    def open(self, key: str | None, settings: Mapping[str, Any], home: Path) -> Signer:
        """The signer with key ``key`` (fingerprint, long id or address; None: the only one there is)."""
        ...

    def generate(self, user_id: str, settings: Mapping[str, Any], home: Path) -> str:
        """Makes a key and answers its fingerprint; ``SigningError`` where keys are made elsewhere."""
        ...

    def import_key(self, path: Path, settings: Mapping[str, Any], home: Path) -> str:
        """Takes a secret key from a file and answers its fingerprint."""
        ...

    def keys(self, settings: Mapping[str, Any], home: Path) -> Sequence[SigningKey]:
        """The keys that can be opened; none is not an error."""
        ...


@runtime_checkable
class SignatureVerifier(Protocol):
    """A ``SignerFactory`` that can tell as well whose a signature is."""

    def verify(self, data: bytes, signature: bytes, keyring: Path, *, name: str) -> str:
        """The fingerprint of the key of ``keyring`` that made the detached ``signature`` of ``data``.

        ``TrustError`` that calls the data ``name`` unless there is a good one by a key that can be relied on.
        """
        ...

    def claims(self, signature: bytes) -> Sequence[str]:
        """The keys that a detached signature says it is by, which proves nothing; none if it cannot be read."""
        ...
