"""Compressed parts of packages, unpacked as if everybody who makes them were an enemy.

What the standard library offers trusts the sizes that an archive claims, reads whole members into memory and does not
notice that a zstd frame ends early. Here memory does not depend on the data, and whatever is wrong is a
``PackageError`` that says where.
"""

from __future__ import annotations

import bz2
import io
import itertools
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from entrepot.errors import PackageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 16
"""Bytes that are read or unpacked at a time."""

LZMA_MEMORY = 80 << 20
"""What unpacking one xz stream may take: enough for ``xz -9``, the most that dpkg-deb and rpmbuild ever write."""

ZSTD_WINDOW = 128 << 20
"""The largest zstd window: that of level 22, and what libzstd (so dpkg) accepts without being asked for more."""


def shown(name: bytes | str) -> str:
    """A name from outside as a message may show it: on one line, without control characters, of bounded length."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:200])


class _DamagedError(Exception):
    """Compressed data that is not what its compression makes."""


class _TruncatedError(Exception):
    """Compressed data that ends before its end mark."""


class _Decoder(Protocol):
    """What ``LZMADecompressor`` and ``BZ2Decompressor`` have in common."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def _unpack_gz(source: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits=31)
    for packed in source:
        data = packed
        while data:
            if decoder.eof:  # as gzip has it, members follow one another
                decoder = zlib.decompressobj(wbits=31)
            yield decoder.decompress(data, CHUNK)
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    while not decoder.eof:
        rest = decoder.decompress(decoder.unconsumed_tail, CHUNK)
        if not rest and not decoder.eof:
            raise _TruncatedError
        yield rest


def _unpack_with(new: Callable[[], _Decoder], source: Iterator[bytes]) -> Iterator[bytes]:
    decoder = new()
    for packed in source:
        data = packed
        while data or not (decoder.eof or decoder.needs_input):
            if decoder.eof:
                decoder = new()
            yield decoder.decompress(data, CHUNK)
            data = decoder.unused_data if decoder.eof else b""
    if not decoder.eof:
        raise _TruncatedError


def _unpack_zst(source: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    # The stream reader is the one interface of the library that bounds what it hands out at a time, but it takes the
    # end of its input for the end of the data. So a frame of our own follows: its content comes out at the end only
    # if every frame before it was complete.
    mark = os.urandom(16)
    feed = io.BufferedReader(_Feed(source, zstandard.ZstdCompressor().compress(mark)), CHUNK)
    reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).stream_reader(feed, read_across_frames=True)
    held = b""
    try:
        while data := reader.read(CHUNK):
            held += data
            yield held[: -len(mark)]
            held = held[-len(mark) :]
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error)) from error
    if held != mark:
        raise _TruncatedError


class _Feed(io.RawIOBase):
    """An iterator of chunks as a file, with ``last`` at its end."""

    def __init__(self, source: Iterator[bytes], last: bytes) -> None:
        self._chunks = itertools.chain(source, (last,))
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        data = self._rest or next(self._chunks, b"")
        size = min(len(data), len(view))
        view[:size], self._rest = data[:size], data[size:]
        return size


_UNPACKERS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "": lambda source: source,
    ".gz": _unpack_gz,
    ".xz": lambda source: _unpack_with(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, LZMA_MEMORY), source),
    ".lzma": lambda source: _unpack_with(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, LZMA_MEMORY), source),
    ".bz2": lambda source: _unpack_with(bz2.BZ2Decompressor, source),
    ".zst": _unpack_zst,
}


class Unpacked:
    """A stream of bytes, unpacked as it is read, at most ``limit`` of them. ``compression`` is a suffix or ``""``.

    Every method raises ``PackageError`` for data that is damaged, cut short or longer than ``limit``.
    """

    def __init__(self, packed: Iterator[bytes], compression: str, *, limit: int, where: str) -> None:
        self._chunks = self._guarded(_UNPACKERS[compression](packed), limit, where)
        self._buffer = b""
        self._at = 0

    @staticmethod
    def _guarded(chunks: Iterator[bytes], limit: int, where: str) -> Iterator[bytes]:
        total = 0
        try:
            for chunk in chunks:
                total += len(chunk)
                if total > limit:
                    raise PackageError(f"{where} unpacks to more than {limit} bytes", limit=limit)
                if chunk:
                    yield chunk
        except _TruncatedError:
            raise PackageError(f"{where} is cut short: its compressed data has no end") from None
        except (_DamagedError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:  # bz2 raises OSError
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
