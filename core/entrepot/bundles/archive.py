"""The archive: members of a known order, each a plain file; the same content is the same bytes.

It is a tar archive (POSIX.1-1988, "ustar"; sizes of 8 GiB and more as GNU writes them) that any tar unpacks. It is not
read with ``tarfile``, which believes what extended headers say of lengths, links and names: here every header has to be
the very block that is written for this member, and whatever else tar knows is refused.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Protocol

from entrepot.errors import BundleError

BLOCK = 512
RECORD = 20 * BLOCK
CHUNK = 1 << 20
_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_NAME, _SIZE, _MOMENT = slice(0, 100), slice(124, 136), slice(136, 148)
_OCTAL = 8 << 30
"""From this size on a number is in base 256."""


class Sink(Protocol):
    """Where an archive goes."""

    def write(self, data: bytes, /) -> object: ...


class Stream(Protocol):
    """Where an archive comes from; fewer bytes than asked for are its end."""

    def read(self, size: int, /) -> bytes: ...


class ArchiveWriter:
    """Writes members one after another, all of them as of one moment."""

    def __init__(self, sink: Sink, moment: dt.datetime) -> None:
        self._sink = sink
        self._moment = int(moment.timestamp())
        self._written = 0

    def add(self, name: str, size: int, chunks: Iterable[bytes], sha256: str = "") -> None:
        """Adds a file; ``BundleError`` where its content is not of this size, or not of this digest if one is given."""
        self._write(header(name, size, self._moment))
        left, state = size, hashlib.sha256()
        for chunk in chunks:
            left -= len(chunk)
            state.update(chunk)
            self._write(chunk)
        if left or (sha256 and state.hexdigest() != sha256):
            raise BundleError(f"{name} changed while it was read", hint="make the bundle again", member=name)
        self._write(bytes(-size % BLOCK))

    def close(self) -> None:
        """Writes the end."""
        self._write(bytes(2 * BLOCK))
        self._write(bytes(-self._written % RECORD))

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._written += len(data)


class ArchiveReader:
    """Reads members in the order in which they have to come; ``BundleError`` for anything else. ``name`` is its own."""

    def __init__(self, stream: Stream, name: str) -> None:
        self._stream = stream
        self._name = name
        self._read = 0
        self._moment: int | None = None

    def whole(self, name: str, limit: int) -> bytes:
        """A member of at most ``limit`` bytes, whatever its digest."""
        size = self._header(name)
        if size > limit:
            raise self._bad(f"{name} has {size} bytes, and at most {limit} are read", name)
        return b"".join(self._content(name, size))

    def member(self, name: str, size: int, sha256: str) -> Iterator[bytes]:
        """A member in chunks; that it has this size is known before the first, that it has this digest after the last.

        To be read to its end before the next one.
        """
        found = self._header(name)
        if found != size:
            raise self._bad(f"{name} has {found} bytes instead of {size}", name)
        state = hashlib.sha256()
        for chunk in self._content(name, size):
            state.update(chunk)
            yield chunk
        if state.hexdigest() != sha256:
            raise self._bad(f"{name} is damaged: its sha256 is {state.hexdigest()}", name)

    def end(self) -> None:
        """Nothing but the archive's own end may follow."""
        if any(self._block("its end")) or any(self._block("its end")):
            raise self._bad("something follows that its manifest does not name")
        padding = -self._read % RECORD
        rest = self._take(RECORD + 1)
        if any(rest) or len(rest) != padding:
            raise self._bad("it does not end where it should")

    def _header(self, expected: str) -> int:
        block = self._block(expected)
        if not any(block):
            raise self._bad(f"it ends where {expected} should be", expected)
        name = block[_NAME].rstrip(b"\0").decode("utf-8", "replace")
        if name != expected:
            raise self._bad(f"it has {name!a} where {expected} should be", expected)
        try:
            size, moment = _number(block[_SIZE]), _number(block[_MOMENT])
            as_written = header(expected, size, moment if self._moment is None else self._moment)
        except (ValueError, struct.error) as error:
            raise self._bad(f"the header of {expected} is damaged: {error}", expected) from error
        if block != as_written:
            raise self._bad(f"the header of {expected} is not that of a plain file as it is written here", expected)
        self._moment = moment
        return size

    def _content(self, name: str, size: int) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self._take(min(left, CHUNK))
            if not chunk:
                raise self._cut(name)
            left -= len(chunk)
            yield chunk
        if padding := -size % BLOCK:
            block = self._take(padding)
            if len(block) != padding:
                raise self._cut(name)
            if any(block):
                raise self._bad(f"something stands between {name} and what follows it", name)

    def _block(self, expected: str) -> bytes:
        block = self._take(BLOCK)
        if len(block) != BLOCK:
            raise self._cut(expected)
        return block

    def _take(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except OSError as error:  # what a scratched disc answers
            raise self._bad(f"it cannot be read: {error.strerror}", hint="copy it again") from error
        self._read += len(data)
        return data

    def _cut(self, expected: str) -> BundleError:
        return self._bad(f"it is cut off at {expected}", expected, "copy it again, or all of its pieces")

    def _bad(self, what: str, member: str = "", hint: str = "") -> BundleError:
        return BundleError(f"{self._name}: {what}", hint=hint or "it has to be made or carried again", member=member)


def header(name: str, size: int, moment: int) -> bytes:
    """The block in front of a member."""
    encoded = name.encode()
    assert len(encoded) <= 100, "a name that does not fit into one header"

    def packed(checksum: bytes) -> bytes:
        fields = (encoded, b"0000644", b"0000000", b"0000000", _digits(size), _digits(moment), checksum, b"0")
        return _HEADER.pack(*fields, b"", b"ustar\x0000", b"", b"", b"0000000", b"0000000", b"")

    return packed(b"%06o\0 " % sum(packed(b" " * 8)))


def _digits(number: int) -> bytes:
    return b"%011o" % number if number < _OCTAL else b"\x80" + number.to_bytes(11, "big")


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    number = int(field.rstrip(b"\0").decode("ascii"), 8)
    if number < 0:
        # A negative number of bytes would be read as all that there are.
        raise ValueError(f"it has the number {number}")
    return number
