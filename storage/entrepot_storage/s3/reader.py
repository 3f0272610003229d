"""An object as a stream that goes on where it was when the connection is lost."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, IncompleteReadError

from entrepot.errors import StorageError
from entrepot_storage.s3.errors import BROKEN_STREAM

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FRUITLESS = 5
"""How many connections in a row may be lost before one gave a byte."""


class Answer(Protocol):
    """The body of an answer."""

    def read(self, amt: int | None = None) -> bytes: ...
    def close(self) -> None: ...


class ObjectStream(io.RawIOBase):
    """``size`` bytes from ``begin``. ``reopen(position)`` asks for the rest of the same object, or raises."""

    def __init__(
        self,
        answer: Answer,
        begin: int,
        size: int,
        reopen: Callable[[int], Answer],
        lost: Callable[[Exception], StorageError],
    ) -> None:
        self._answer = answer
        self._at = begin
        self._end = begin + size
        self._reopen = reopen
        self._lost = lost
        self._fruitless = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._end - self._at)
        if not wanted:
            return 0
        chunk = self._next(wanted)
        view[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def _next(self, wanted: int) -> bytes:
        while True:
            try:
                chunk = self._answer.read(wanted)
                if not chunk:
                    raise IncompleteReadError(actual_bytes=0, expected_bytes=wanted)
            except BROKEN_STREAM as error:
                self._fruitless += 1
                if self._fruitless > _FRUITLESS:
                    raise self._lost(error) from error
                self._answer.close()
                self._answer = self._reopen(self._at)
                continue
            except BotoCoreError as error:
                raise self._lost(error) from error
            self._fruitless = 0
            return chunk

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()
