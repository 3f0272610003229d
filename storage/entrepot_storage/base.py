"""What every storage needs: which keys are allowed, how a body is read, how bytes get from one storage to another."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from entrepot.errors import NotFoundError, PreconditionError, StorageError, StorageKeyError, UsageError

if TYPE_CHECKING:
    from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage

CHUNK = 256 * 1024
"""Bytes that are read at a time, so what one write holds in memory."""

MAX_KEY = 1024
"""Bytes of a key in UTF-8: what S3 allows."""

MAX_SEGMENT = 255
"""Bytes between two slashes: what file systems allow."""

RESERVED = ".tmp"
"""The first segment that no key may have: a backend's own place for what is not finished yet."""

# C0, DEL and C1 controls, line and paragraph separators, backslash, and surrogates, which UTF-8 cannot express.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\\\\\ud800-\udfff]")
_NO_SEGMENT = frozenset(("", ".", ".."))


def check_key(key: str) -> str:
    """The key as it came, if it is one: a relative POSIX path in Unicode, the same rule for every backend.

    ``StorageKeyError`` for a key that is empty, absolute or over-long, that has an empty, ``.`` or ``..`` segment, a
    backslash, a control character or a lone surrogate, or that starts with ``.tmp/``.
    """
    fault = _fault(key)
    if fault:
        shown = key if len(key) <= 120 else f"{key[:120]}..."
        raise StorageKeyError(f"{shown!a} cannot be a storage key: it {fault}", key=ascii(shown))
    return key


def is_key(text: str) -> bool:
    """Whether ``check_key`` admits this."""
    return not _fault(text)


def _fault(key: str) -> str:
    if not key:
        return "is empty"
    if key[0] == "/":
        return "is absolute"
    if _FORBIDDEN.search(key):
        return "has a control character, a backslash or a broken character"
    segments = key.split("/")
    if not _NO_SEGMENT.isdisjoint(segments):
        return "has an empty, '.' or '..' segment"
    if segments[0] == RESERVED:
        return f"starts with the reserved folder {RESERVED!r}"
    # Four bytes are the most that a character takes, so a short key needs no encoding to be measured.
    if len(key) * 4 > MAX_SEGMENT:
        if len(key.encode()) > MAX_KEY:
            return f"is longer than {MAX_KEY} bytes"
        if any(len(segment.encode()) > MAX_SEGMENT for segment in segments):
            return f"has a segment longer than {MAX_SEGMENT} bytes"
    return ""


def check_offset(offset: int) -> int:
    """The offset, if something can be read from there; past the end is allowed and gives nothing."""
    if offset < 0:
        raise UsageError(f"an object cannot be read from offset {offset}", offset=offset)
    return offset


def check_conditions(if_absent: bool, if_match: str | None) -> None:
    """``UsageError`` for two conditions that cannot both hold."""
    if if_absent and if_match is not None:
        raise UsageError("an object cannot be written both if it is absent and if it has an etag")


def check_precondition(key: str, etag: str | None, *, if_absent: bool, if_match: str | None) -> None:
    """``PreconditionError`` unless the object, of which ``etag`` is None if there is none, is as the writer expects."""
    if if_absent and etag is not None:
        raise PreconditionError(f"{key}: there is already an object of this key", key=key)
    if if_match is not None and etag != if_match:
        now = "changed since it was read" if etag is not None else "is gone"
        raise PreconditionError(f"{key}: the object {now}", key=key, expected=if_match, found=etag)


def no_object(key: str, where: str) -> NotFoundError:
    """The error of reading what is not there."""
    return NotFoundError(f"{key}: there is no such object in {where}", key=key, storage=where)


class Chunks:
    """A body as chunks, read once, with its ``size`` so far.

    Where a digest is expected (``meta.sha256``), a body of another content ends in a ``StorageError`` after the last
    chunk, so that a backend that puts in place only what ended well never stores it. Without one, nothing is hashed.
    What the body itself raises goes through unchanged.
    """

    def __init__(self, key: str, body: Body, meta: ObjectMeta | None = None) -> None:
        self.key = key
        self.size = 0
        self.sha256 = meta.sha256 if meta else None
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        digest = hashlib.sha256() if self.sha256 is not None else None
        for chunk in _pieces(self.key, self._body):
            self.size += len(chunk)
            if digest is not None:
                digest.update(chunk)
            yield chunk
        if digest is not None and digest.hexdigest() != self.sha256:
            found = digest.hexdigest()
            raise StorageError(
                f"{self.key}: what was to be stored has sha256 {found}, not {self.sha256}",
                key=self.key,
                expected=self.sha256,
                found=found,
            )


def _pieces(key: str, body: Body) -> Iterator[bytes]:
    if isinstance(body, bytes):
        if body:
            yield body
    elif isinstance(body, os.PathLike):
        yield from _file_pieces(key, body)
    elif isinstance(body, io.RawIOBase | io.BufferedIOBase):
        # A file is an iterable of lines, and a binary one may be a single line of any length.
        yield from read_chunks(body)
    else:
        yield from body


def _file_pieces(key: str, path: os.PathLike[str]) -> Iterator[bytes]:
    with open_body(key, path) as file:
        yield from read_chunks(file)


@contextmanager
def open_body(key: str, path: os.PathLike[str]) -> Iterator[io.FileIO]:
    """A file that is to be stored, unbuffered; ``StorageError`` that names key and file if it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            yield file
    except OSError as error:
        raise StorageError(
            f"{key}: the file {os.fspath(path)} that was to be stored cannot be read: {error.strerror}",
            key=key,
            path=os.fspath(path),
        ) from error


class Readable(Protocol):
    """An open binary file, as far as it is read here."""

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes; nothing at the end."""
        ...


def read_chunks(stream: Readable) -> Iterator[bytes]:
    """The rest of an open file in pieces of bounded size."""
    while chunk := stream.read(CHUNK):
        yield chunk


def copy_by_stream(origin: Storage, origin_key: str, target: Storage, key: str, meta: ObjectMeta | None) -> ObjectInfo:
    """Copies an object through this process, in bounded memory: what is left where no shorter way exists."""
    with origin.read(origin_key) as stream:
        return target.write(key, read_chunks(stream), meta=meta)


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: a backend says so with ``StorageError(..., transient=True)``."""
    return isinstance(error, StorageError) and error.data.get("transient") is True


class Wrapper:
    """Base of storages that stand before another: ``unwrap`` sees through them."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.properties = inner.properties


def unwrap(storage: Storage) -> Storage:
    """The backend behind any wrappers, so that a copy finds the short way between two of the same kind."""
    while isinstance(storage, Wrapper):
        storage = storage.inner
    return storage
