"""The lease on a tree: one publisher at a time changes what clients read, and who lost it cannot go on.

It is one object in the tree, changed by conditional writes only: never by listing, never by existence alone. Every
taking raises its generation; ``confirm`` before a phase makes sure that nobody took it over in the meantime.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from entrepot.contracts import ObjectInfo, ObjectMeta, Storage
from entrepot.errors import BusyError, NotFoundError, PreconditionError, StorageError

LEASE_KEY = ".entrepot/lease.json"
LEASE_SECONDS = 120
WAIT_STEP = 0.5
"""Seconds between two tries to take a lease that another one has."""
META = ObjectMeta(content_type="application/json", cache_control="no-store")


class Lease:
    """Use it as a context. ``BusyError`` names who holds it, if it is still held after ``wait`` seconds.

    A lease that has run out is taken over; so is, at once, one of a process of this machine that is gone. ``inherited``
    then says that whoever had it did not give it back. ``reads`` and ``writes`` count requests.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Callable[[], dt.datetime],
        wait: float = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._wait = wait
        self._sleep = sleep
        self._held: ObjectInfo | None = None
        self._expires = clock()
        self.generation = 0
        self.inherited = False
        self.reads = self.writes = 0

    def __enter__(self) -> Lease:
        waited = 0.0
        while True:
            try:
                return self._take()
            except BusyError:
                if waited >= self._wait:
                    raise
            self._sleep(WAIT_STEP)
            waited += WAIT_STEP

    def _take(self) -> Lease:
        info = self._storage.stat(LEASE_KEY)
        self.reads += 1
        document: dict[str, Any] = {"generation": 0}
        if info is not None:
            document = self._read()
            if self._taken(document):
                raise BusyError(
                    f"the tree is being published by process {document.get('pid')} on {document.get('host')}",
                    hint="try again when it has ended",
                )
        self.inherited = bool(document.get("expires"))
        self.generation = int(document["generation"]) + 1
        try:
            self._held = self._put(held=True, over=info)
        except PreconditionError as error:
            raise BusyError("another publisher took the tree at this moment", hint="try again") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is None:
            return
        try:
            self._put(held=False, over=self._held)
        except StorageError:
            # It ran out and somebody else has it, or the storage is gone: there is nothing of ours to give back.
            if error is None:
                raise
        finally:
            self._held = None

    def confirm(self) -> None:
        """Makes sure that the lease is still ours; ``BusyError`` if it is not.

        Nobody takes a lease over before it has run out, so there is nothing to ask while more than half of it is left.
        """
        if self._expires - self._clock() > dt.timedelta(seconds=LEASE_SECONDS / 2):
            return
        assert self._held is not None
        try:
            self._held = self._put(held=True, over=self._held)
        except PreconditionError as error:
            raise BusyError("another publisher took the tree over; nothing more is written") from error

    def _read(self) -> dict[str, Any]:
        self.reads += 1
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

    def _put(self, *, held: bool, over: ObjectInfo | None) -> ObjectInfo:
        expires = self._clock() + dt.timedelta(seconds=LEASE_SECONDS)
        document = {
            "generation": self.generation,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "expires": expires.isoformat() if held else None,
        }
        data = json.dumps(document).encode()
        self.writes += 1
        condition: dict[str, Any] = {"if_match": over.etag} if over else {"if_absent": True}
        info = self._storage.write(LEASE_KEY, data, meta=META, **condition)
        self._expires = expires
        return info


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
