"""What a download has to be: size, digests, limit, compared while the bytes arrive."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from entrepot.errors import DigestError, TransferError
from entrepot.transfer.urls import redact

ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


class Checks:
    """Counts and hashes one download. Whoever feeds it writes only what it let through.

    ``on_bytes`` gets every byte of the file once, however often parts of it are fetched again.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int | None,
        digests: Mapping[str, str],
        limit: int,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self.size = size
        self.position = 0
        self._url = redact(url)
        self._limit = limit
        self._expected = {name: digest.lower() for name, digest in digests.items()}
        unknown = sorted(set(digests) - set(ALGORITHMS))
        if unknown:
            raise TransferError(f"{self._url}: there is no way to check {', '.join(unknown)}", url=self._url)
        if size is not None and size > limit:
            raise self._too_large(size)
        self._on_bytes = on_bytes
        self._reported = 0
        self.restart()

    def restart(self) -> None:
        """Begins again at the first byte."""
        self.position = 0
        # Old repositories have nothing but MD5, which FIPS builds refuse unless told that no security rests on it.
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in self._expected}

    def announce(self, length: int) -> None:
        """Refuses a wrong length before a single byte of it is fetched."""
        if self.size is not None and length != self.size:
            raise self._wrong("size", self.size, length)
        if length > self._limit:
            raise self._too_large(length)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes; ``DigestError`` or ``TransferError`` once there are more than there may be."""
        position = self.position + len(chunk)
        if self.size is not None and position > self.size:
            raise self._wrong("size", self.size, f"{position} or more")
        if position > self._limit:
            raise self._too_large(None)
        self.position = position
        for digest in self._hashes.values():
            digest.update(chunk)
        if self._on_bytes is not None and position > self._reported:
            self._on_bytes(position - self._reported)
            self._reported = position

    def finish(self) -> None:
        """``DigestError`` unless size and every digest are right."""
        if self.size is not None and self.position != self.size:
            raise self._wrong("size", self.size, self.position)
        for name, digest in self._hashes.items():
            if digest.hexdigest() != self._expected[name]:
                raise self._wrong(name, self._expected[name], digest.hexdigest())

    def _wrong(self, what: str, expected: object, got: object) -> DigestError:
        return DigestError(
            f"{self._url}: {what} is {got}, not {expected} as expected",
            hint="the source may have changed meanwhile: read its index again",
            url=self._url,
            what=what,
            expected=expected,
            got=got,
        )

    def _too_large(self, length: int | None) -> TransferError:
        found = "more" if length is None else f"{length} bytes"
        message = f"{self._url} is too large: {found}, where {self._limit} bytes are allowed"
        return TransferError(message, url=self._url, limit=self._limit)
