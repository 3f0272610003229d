"""Compressed parts of packages, unpacked as if everybody who makes them were an enemy.

What the standard library offers trusts the sizes that an archive claims, reads whole members into memory and does not
notice that a zstd frame ends early. Here memory does not depend on the data, and whatever is wrong is a
``PackageError`` that says where.
"""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.errors import PackageError

from .compression import CutOffError, TooLargeError, UnpackError, unpack

CHUNK = 1 << 16
"""Bytes that are read from a package at a time."""


def shown(name: bytes | str) -> str:
    """A name from outside as a message may show it: on one line, without control characters, of bounded length."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:200])


class Unpacked:
    """A stream of bytes, unpacked as it is read, at most ``limit`` of them. ``compression`` is a suffix or ``""``.

    Every method raises ``PackageError`` for data that is damaged, cut short or longer than ``limit``.
    """

    def __init__(self, packed: Iterator[bytes], compression: str, *, limit: int, where: str) -> None:
        self._chunks = self._guarded(packed, compression, limit, where)
        self._buffer = b""
        self._at = 0

    @staticmethod
    def _guarded(packed: Iterator[bytes], compression: str, limit: int, where: str) -> Iterator[bytes]:
        try:
            yield from unpack(packed, compression, limit=limit)
        except TooLargeError:
            raise PackageError(f"{where} unpacks to more than {limit} bytes", limit=limit) from None
        except CutOffError:
            raise PackageError(f"{where} is cut short: its compressed data has no end") from None
        except (UnpackError, OSError) as error:
            raise PackageError(f"{where} is damaged: {error}") from error

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end."""
        while len(self._buffer) - self._at < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._buffer = self._buffer[self._at :] + chunk
            self._at = 0
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        return data

    def skip(self, size: int) -> bool:
        """Leaves ``size`` bytes out; False if there were fewer."""
        self._at += size
        while self._at > len(self._buffer):
            self._at -= len(self._buffer)
            self._buffer = next(self._chunks, b"")
            if not self._buffer:
                self._at = 0
                return False
        return True
