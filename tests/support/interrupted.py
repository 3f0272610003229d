"""A storage that lets something else happen in between, for every order of events that a test wants to see."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage
from entrepot_storage.wrappers import CountingStorage


class Interrupted(CountingStorage):
    """Calls ``event`` before one of the mutating calls, counted from 1; ``happened`` tells whether it came to that."""

    def __init__(self, inner: Storage, call: int, event: Callable[[], object]) -> None:
        super().__init__(inner)
        self.happened = False
        self._left = call
        self._event = event

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        self._step()
        return super().write(key, body, meta=meta, if_absent=if_absent, if_match=if_match)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        self._step()
        return super().copy(origin, origin_key, key, meta=meta)

    def delete(self, key: str) -> None:
        self._step()
        super().delete(key)

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.happened = True
            self._event()
