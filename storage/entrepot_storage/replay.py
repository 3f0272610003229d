"""A body that can be written more than once, although it can be read only once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Self

from entrepot.contracts import Body
from entrepot.errors import StorageError
from entrepot_storage.base import CHUNK, Chunks, read_chunks

_IN_MEMORY = 4 * 1024 * 1024
"""Bytes of a body that are kept in memory; a larger one goes to a temporary file."""


class Replay:
    """Keeps what was read of a body, as it is read, for as long as the ``with`` block lasts.

    Bytes and paths are handed on as they are. ``broken`` is true when the body itself raised: it cannot go on, and
    what it gave so far must not be taken for all of it.
    """

    def __init__(self, key: str, body: Body) -> None:
        self.broken = False
        self._key = key
        self._body = body
        self._source = iter(Chunks(key, body))
        self._kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()

    def body(self) -> Body:
        """The whole body, from its start; the one handed out before is of no use then."""
        if isinstance(self._body, bytes | os.PathLike):
            return self._body
        return self._replayed()

    def same_as(self, stream: BinaryIO) -> bool:
        """Whether an open file holds just what the body holds."""
        ours, theirs = hashlib.sha256(), hashlib.sha256()
        for chunk in Chunks(self._key, self.body()):
            ours.update(chunk)
        for chunk in read_chunks(stream):
            theirs.update(chunk)
        return ours.digest() == theirs.digest()

    def _replayed(self) -> Iterator[bytes]:
        offset = 0
        while offset < self._size:
            self._kept.seek(offset)
            chunk = self._kept.read(CHUNK)
            offset += len(chunk)
            yield chunk
        while (fresh := self._next()) is not None:
            yield fresh

    def _next(self) -> bytes | None:
        # Taken as broken until it is kept: whatever is raised here, the body has lost a piece.
        self.broken = True
        chunk = next(self._source, None)
        if chunk is not None:
            try:
                self._kept.seek(self._size)
                self._kept.write(chunk)
            except OSError as error:
                raise StorageError(
                    f"{self._key}: cannot be kept for another try in {tempfile.gettempdir()}: {error.strerror}",
                    hint="free some space there, or set TMPDIR",
                    key=self._key,
                ) from error
            self._size += len(chunk)
        self.broken = False
        return chunk
