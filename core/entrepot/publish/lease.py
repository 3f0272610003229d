"""The lease on a tree: one publisher at a time changes what clients read, and who lost it cannot go on.

It is one object in the tree, changed by conditional writes only: never by listing, never by existence alone. Every
taking raises its generation; ``confirm`` before a phase makes sure that nobody took it over in the meantime.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any

from entrepot.contracts import ObjectInfo, ObjectMeta, Storage
from entrepot.errors import BusyError, NotFoundError, PreconditionError, StorageError

LEASE_KEY = ".entrepot/lease.json"
LEASE_SECONDS = 120
META = ObjectMeta(content_type="application/json", cache_control="no-store")


class Lease:
    """Use it as a context. ``BusyError`` names who holds it.

    A lease that has run out is taken over; so is, at once, one of a process of this machine that is gone.
    """

    def __init__(self, storage: Storage, clock: Callable[[], dt.datetime]) -> None:
        self._storage = storage
        self._clock = clock
        self._held: ObjectInfo | None = None
        self.generation = 0

    def __enter__(self) -> Lease:
        if not self._storage.properties.conditional_writes:
            raise StorageError(
                "this storage has no conditional writes, so two publishers could overwrite each other",
                hint="choose a storage that has them",
            )
        info = self._storage.stat(LEASE_KEY)
        document: dict[str, Any] = {"generation": 0}
        if info is not None:
            document = self._read()
            if self._taken(document):
                raise BusyError(
                    f"the tree is being published by process {document.get('pid')} on {document.get('host')}",
                    hint="try again when it has ended",
                )
        self.generation = int(document["generation"]) + 1
        try:
            self._held = self._put(self._document(held=True), info)
        except PreconditionError as error:
            raise BusyError("another publisher took the tree at this moment", hint="try again") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is None:
            return
        try:
            self._put(self._document(held=False), self._held)
        except StorageError:
            # It ran out and somebody else has it, or the storage is gone: there is nothing of ours to give back.
            if error is None:
                raise
        finally:
            self._held = None

    def confirm(self) -> None:
        """Makes sure that the lease is still ours, and prolongs it; ``BusyError`` if it is not."""
        assert self._held is not None
        try:
            self._held = self._put(self._document(held=True), self._held)
        except PreconditionError as error:
            raise BusyError("another publisher took the tree over; nothing more is written") from error

    def _read(self) -> dict[str, Any]:
        try:
            with self._storage.read(LEASE_KEY) as stream:
                document = json.loads(stream.read(65536))
        except NotFoundError:
            return {"generation": 0}
        except ValueError as error:
            raise StorageError(f"{LEASE_KEY} is not readable", hint="remove it if no publisher is running") from error
        if not isinstance(document, dict) or not isinstance(document.get("generation"), int):
            raise StorageError(f"{LEASE_KEY} is not a lease", hint="remove it if no publisher is running")
        return document

    def _taken(self, document: dict[str, Any]) -> bool:
        expires = document.get("expires")
        if not expires or dt.datetime.fromisoformat(expires) <= self._clock():
            return False
        return not (document.get("host") == socket.gethostname() and _gone(int(document.get("pid", 0))))

    def _document(self, *, held: bool) -> dict[str, Any]:
        expires = self._clock() + dt.timedelta(seconds=LEASE_SECONDS) if held else None
        return {
            "generation": self.generation,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "expires": expires.isoformat() if expires else None,
        }

    def _put(self, document: dict[str, Any], over: ObjectInfo | None) -> ObjectInfo:
        data = json.dumps(document).encode()
        if over is None:
            return self._storage.write(LEASE_KEY, data, meta=META, if_absent=True)
        return self._storage.write(LEASE_KEY, data, meta=META, if_match=over.etag)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
