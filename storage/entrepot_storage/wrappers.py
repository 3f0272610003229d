"""Storages that stand before another one: to try again, to only pretend, to count, and to fail on purpose.

Each passes the ``properties`` of the inner storage on. ``copy`` hands the origin on as it is, and backends look behind
its wrappers, so a copy within one storage stays one request however it is wrapped.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage
from entrepot.errors import StorageError
from entrepot_storage.base import (
    CHUNK,
    Chunks,
    Wrapper,
    check_conditions,
    check_key,
    check_precondition,
    no_object,
    unwrap,
)
from entrepot_storage.retrying import RetryingStorage

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "CountingStorage",
    "Counts",
    "DryRunStorage",
    "FaultyStorage",
    "Operation",
    "RetryingStorage",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """What would have been done: ``write``, ``copy`` or ``delete``; ``size`` in bytes, 0 for a delete."""

    kind: str
    key: str
    size: int


class DryRunStorage(Wrapper):
    """Reads what is there and changes nothing; ``operations`` is what would have been done, in order.

    Conditions are checked against what would be there by now, and bodies are read, so that a dry run fails where the
    real one would. ``read``, ``stat`` and ``list`` show what really is there.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._operations: list[Operation] = []
        self._pending: dict[str, ObjectInfo | None] = {}

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What would have been done so far."""
        with self._lock:
            return tuple(self._operations)

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object that is really there."""
        return self.inner.read(key, offset=offset)

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Reads the body, checks the condition and notes the write."""
        check_key(key)
        check_conditions(if_absent, if_match)
        chunks = Chunks(key, body, meta)
        for _ in chunks:
            pass
        there = self._there(key) if if_absent or if_match is not None else None
        with self._lock:
            there = self._pending.get(key, there)
            check_precondition(key, there.etag if there else None, if_absent=if_absent, if_match=if_match)
            return self._note("write", key, chunks.size, chunks.sha256)

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object that is really there."""
        return self.inner.stat(key)

    def delete(self, key: str) -> None:
        """Notes the delete, if there is something to delete."""
        there = self._there(check_key(key))
        with self._lock:
            if self._pending.get(key, there) is not None:
                self._operations.append(Operation("delete", key, 0))
                self._pending[key] = None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects that are really there."""
        return self.inner.list(prefix)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Notes the copy; what this dry run would have written can be copied, too."""
        check_key(key)
        there = origin._there(origin_key) if isinstance(origin, DryRunStorage) else unwrap(origin).stat(origin_key)
        if there is None:
            raise no_object(origin_key, origin.properties.scheme)
        with self._lock:
            return self._note("copy", key, there.size, meta.sha256 if meta else there.sha256)

    def close(self) -> None:
        """Closes the inner storage."""
        self.inner.close()

    def _there(self, key: str) -> ObjectInfo | None:
        with self._lock:
            if key in self._pending:
                return self._pending[key]
        return self.inner.stat(key)

    def _note(self, kind: str, key: str, size: int, sha256: str | None) -> ObjectInfo:
        self._operations.append(Operation(kind, key, size))
        info = ObjectInfo(key, size, f"dry-run-{len(self._operations)}", dt.datetime.now(dt.UTC), sha256)
        self._pending[key] = info
        return info


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a storage was asked for what; bytes are those that were read, written and copied."""

    reads: int = 0
    writes: int = 0
    copies: int = 0
    stats: int = 0
    lists: int = 0
    deletes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    bytes_copied: int = 0

    def __sub__(self, earlier: Counts) -> Counts:
        ours, theirs = dataclasses.astuple(self), dataclasses.astuple(earlier)
        return Counts(*(now - before for now, before in zip(ours, theirs, strict=True)))


class CountingStorage(Wrapper):
    """Counts what is asked of the inner storage, for reports and tests; ``counts`` is the state of this moment.

    A request counts when it is made, whether it succeeds or not; bytes count when they have been moved. Outside of
    a ``RetryingStorage`` it counts what was wanted, inside of one what it took.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        """What was counted so far; subtract an earlier state to get what happened since."""
        return self._counts

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object; its bytes count as they are read."""
        self._add(reads=1)
        stream = self.inner.read(key, offset=offset)
        return io.BufferedReader(_CountedStream(stream, lambda size: self._add(bytes_read=size)), CHUNK)

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object."""
        self._add(writes=1)
        info = self.inner.write(key, body, meta=meta, if_absent=if_absent, if_match=if_match)
        self._add(bytes_written=info.size)
        return info

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object."""
        self._add(stats=1)
        return self.inner.stat(key)

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._add(deletes=1)
        self.inner.delete(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects; one listing counts once, however many requests it takes."""
        self._add(lists=1)
        return self.inner.list(prefix)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object; the bytes count as copied, whichever way they went."""
        self._add(copies=1)
        info = self.inner.copy(origin, origin_key, key, meta=meta)
        self._add(bytes_copied=info.size)
        return info

    def close(self) -> None:
        """Closes the inner storage."""
        self.inner.close()

    def _add(self, **more: int) -> None:
        with self._lock:
            new = {name: getattr(self._counts, name) + value for name, value in more.items()}
            self._counts = dataclasses.replace(self._counts, **new)


class _CountedStream(io.RawIOBase):
    """A stream that says how many bytes it gave."""

    def __init__(self, stream: BinaryIO, count: Callable[[int], None]) -> None:
        self._stream = stream
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        chunk = self._stream.read(len(view))
        view[: len(chunk)] = chunk
        self._count(len(chunk))
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class FaultyStorage(Wrapper):
    """Fails on purpose at one mutating call (``write``, ``copy``, ``delete``), for tests of what uses a storage.

    The calls are counted from 1 as they begin; with ``fail_at`` 0 none fails, and ``calls`` tells how many there were.
    The failing call raises ``error()`` before it did anything, or, with ``after``, when it has done everything and
    only the answer is lost. With ``dead`` every call after it fails, too, reads included, as for a process that is no
    more: whatever cleaning up its callers try has no effect.
    """

    def __init__(
        self,
        inner: Storage,
        *,
        fail_at: int = 0,
        after: bool = False,
        dead: bool = False,
        error: Callable[[], BaseException] = lambda: StorageError("failed on purpose"),
    ) -> None:
        super().__init__(inner)
        self.calls = 0
        self.failed = False
        self._fail_at = fail_at
        self._after = after
        self._dead = dead
        self._error = error
        self._lock = threading.Lock()

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object."""
        self._check_alive()
        return self.inner.read(key, offset=offset)

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object, or fails."""
        with self._mutation():
            return self.inner.write(key, body, meta=meta, if_absent=if_absent, if_match=if_match)

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object."""
        self._check_alive()
        return self.inner.stat(key)

    def delete(self, key: str) -> None:
        """Removes an object, or fails."""
        with self._mutation():
            self.inner.delete(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects."""
        self._check_alive()
        return self.inner.list(prefix)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object, or fails."""
        with self._mutation():
            return self.inner.copy(origin, origin_key, key, meta=meta)

    def close(self) -> None:
        """Closes the inner storage, also after it failed."""
        self.inner.close()

    @contextmanager
    def _mutation(self) -> Iterator[None]:
        with self._lock:
            self._check_alive()
            self.calls += 1
            now = self.calls == self._fail_at
            if now:
                self.failed = True
        if now and not self._after:
            raise self._error()
        yield
        if now:
            raise self._error()

    def _check_alive(self) -> None:
        if self._dead and self.failed:
            raise self._error()
