"""A body cut into what single requests carry, in bounded memory.

Small bodies, and what comes as an iterable, are carried as bytes; what is in a file stays there. Every piece comes
with its MD5, which services check on arrival (``Content-MD5``). A piece is handed out when it is known whether it is
the last one, so a body that turns out to be wrong at its end (``Chunks``) fails before its only piece is sent.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

INLINE = 1 << 20
"""Bytes that every writer may hold without asking; for more it needs one of the storage's slots."""


class Slots:
    """Bounds how many large pieces are in memory. Who waits for a slot holds none, so all of them come free."""

    def __init__(self, count: int) -> None:
        self._slots = threading.BoundedSemaphore(count)

    def acquire(self) -> None:
        """Waits for a slot."""
        self._slots.acquire()

    def release(self) -> None:
        """Gives a slot back."""
        self._slots.release()


@dataclass(slots=True)
class Piece:
    """What one request carries. ``done`` has to be called when it was sent, or will not be."""

    body: bytes | bytearray | FileSlice = field(repr=False)
    size: int
    md5: str
    last: bool
    _slots: Slots | None = None

    def arguments(self) -> dict[str, Any]:
        """The arguments of a request that carries it."""
        return {"Body": self.body, "ContentLength": self.size, "ContentMD5": self.md5}

    def done(self) -> None:
        """Lets go of the memory."""
        self.body = b""
        if self._slots is not None:
            slots, self._slots = self._slots, None
            slots.release()


def cut_chunks(chunks: Iterable[bytes], size: int, slots: Slots) -> Iterator[Piece]:
    """Pieces of ``size`` bytes in memory; at least one, which may be empty."""
    buffer = bytearray()
    held: Slots | None = None
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                if len(buffer) == size:
                    piece = Piece(buffer, size, _md5(buffer), last=False, _slots=held)
                    buffer, held = bytearray(), None
                    yield piece
                fresh = view[: size - len(buffer)]
                if held is None and len(buffer) + len(fresh) > INLINE:
                    slots.acquire()
                    held = slots
                buffer += fresh
                view = view[len(fresh) :]
        piece = Piece(buffer, len(buffer), _md5(buffer), last=True, _slots=held)
        held = None
        yield piece
    finally:
        if held is not None:
            held.release()


def cut_bytes(data: bytes, size: int) -> Iterator[Piece]:
    """Pieces of what is in memory anyway."""
    for begin in range(0, max(len(data), 1), size):
        part = data[begin : begin + size]
        yield Piece(part, len(part), _md5(part), last=begin + size >= len(data))


def cut_file(file: BinaryIO, chunks: Iterable[bytes], size: int) -> Iterator[Piece]:
    """Pieces of a file whose content is ``chunks`` (read here once, for the digests): a small one in memory."""
    begin, length, digest = 0, 0, hashlib.md5(usedforsecurity=False)
    inline: bytearray | None = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            if length == size:
                yield Piece(FileSlice(file, begin, length), length, _text(digest.digest()), last=False)
                begin, length, digest, inline = begin + length, 0, hashlib.md5(usedforsecurity=False), None
            fresh = view[: size - length]
            digest.update(fresh)
            length += len(fresh)
            if inline is not None:
                inline = _extended(inline, fresh)
            view = view[len(fresh) :]
    body = inline if inline is not None else FileSlice(file, begin, length)
    yield Piece(body, length, _text(digest.digest()), last=True)


class FileSlice(io.RawIOBase):
    """A part of an open file, to be read apart from other parts of it at the same time."""

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file = file
        self._begin = begin
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        read = os.preadv(self._file.fileno(), [view], self._begin + self._at) if view else 0
        self._at += read
        return read


def _extended(inline: bytearray, fresh: memoryview) -> bytearray | None:
    if len(inline) + len(fresh) > INLINE:
        return None
    inline += fresh
    return inline


def _md5(data: bytes | bytearray) -> str:
    return _text(hashlib.md5(data, usedforsecurity=False).digest())


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
