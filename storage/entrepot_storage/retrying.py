"""A storage that tries again what may succeed at the next try."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage
from entrepot.errors import PreconditionError, StorageError
from entrepot_storage.base import Wrapper, is_transient
from entrepot_storage.replay import Replay

T = TypeVar("T")
_chance = random.SystemRandom().random


class RetryingStorage(Wrapper):
    """Tries again what failed with a ``StorageError`` marked as transient, after a growing pause.

    The pause after failure n is up to ``pause * 2**n`` seconds, at most ``longest``; by chance, so that writers that
    failed together do not come back together. A body that can be read only once is kept (in memory, a large one in a
    temporary file) until it is written. A stream that breaks while it is read is not repaired: its reader is told.
    """

    def __init__(
        self,
        inner: Storage,
        *,
        tries: int = 5,
        pause: float = 0.2,
        longest: float = 20.0,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = _chance,
    ) -> None:
        super().__init__(inner)
        self._tries = max(1, tries)
        self._pause = pause
        self._longest = longest
        self._sleep = sleep
        self._chance = chance

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object, again if need be."""
        return self._again(lambda: self.inner.read(key, offset=offset))

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object; a conditional write whose answer was lost is recognised as its own by its content."""
        with Replay(key, body) as replay:
            failed = False

            def attempt() -> ObjectInfo:
                nonlocal failed
                try:
                    return self.inner.write(key, replay.body(), meta=meta, if_absent=if_absent, if_match=if_match)
                except PreconditionError:
                    landed = self._landed(key, replay, meta) if failed else None
                    if landed is None:
                        raise
                    return landed
                except StorageError:
                    failed = True
                    raise

            return self._again(attempt, unless=lambda: replay.broken)

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object."""
        return self._again(lambda: self.inner.stat(key))

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._again(lambda: self.inner.delete(key))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects, each once: a listing that breaks is begun again and goes on after the last key."""
        last = ""
        failures = 0
        while True:
            try:
                for info in self.inner.list(prefix):
                    if info.key > last:
                        last, failures = info.key, 0
                        yield info
                return
            except StorageError as error:
                failures += 1
                self._wait(error, failures)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object; a copy that was made twice is the same object."""
        return self._again(lambda: self.inner.copy(origin, origin_key, key, meta=meta))

    def close(self) -> None:
        """Closes the inner storage."""
        self.inner.close()

    def _again(self, attempt: Callable[[], T], *, unless: Callable[[], bool] = lambda: False) -> T:
        failures = 0
        while True:
            try:
                return attempt()
            except StorageError as error:
                if unless():
                    raise
                failures += 1
                self._wait(error, failures)

    def _wait(self, error: StorageError, failures: int) -> None:
        """Pauses after a failure, or raises it where another try would not help."""
        if not is_transient(error) or failures >= self._tries:
            raise error
        self._sleep(min(self._longest, self._pause * 2.0**failures) * self._chance())

    def _landed(self, key: str, replay: Replay, meta: ObjectMeta | None) -> ObjectInfo | None:
        """The object, if an earlier try stored it although it seemed to fail."""
        info = self.stat(key)
        if info is None:
            return None
        if info.sha256 is not None and meta is not None and meta.sha256 is not None:
            return info if info.sha256 == meta.sha256 else None
        with self.read(key) as stream:
            return info if replay.same_as(stream) else None
