"""The lease on a tree, or on a workspace: one at a time changes what others read, and who lost it cannot go on.

It is one object beside what it is about, changed by conditional writes only: never by listing, never by existence
alone. Every taking raises its generation; ``confirm`` before a phase makes sure that nobody took it over in the
meantime.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from entrepot.contracts import ObjectInfo, ObjectMeta, Storage
from entrepot.errors import BusyError, NotFoundError, PreconditionError, StorageError

LEASE_KEY = ".entrepot/lease.json"
LEASE_SECONDS = 120
WAIT_STEP = 0.5
"""Seconds between two tries to take a lease that another one has."""
OVERTAKEN = 100
"""How often another one may be quicker between looking at a lease and taking it."""
META = ObjectMeta(content_type="application/json", cache_control="no-store")


class LostLeaseError(BusyError):
    """The lease ran out, and another publisher has it or had it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a lease is on: its object, and how errors speak of it."""

    key: str
    held: str
    others: str
    taken: str


TREE = Subject(
    LEASE_KEY, "the tree is being published by", "other publishers are", "another publisher took the tree over"
)


@dataclass(frozen=True, slots=True)
class LeaseDocument:
    """What the object says. ``host`` and ``pid`` are for a person; ``expires`` is None if nobody holds the lease."""

    generation: int = 0
    host: str = ""
    pid: int = 0
    space: str = ""
    """What tells whether a process could be seen from here: see ``_process_space``."""
    expires: dt.datetime | None = None

    @classmethod
    def read(cls, data: bytes) -> LeaseDocument:
        """What ``data`` says; ``ValueError``, ``TypeError`` or ``KeyError`` if it is no such object."""
        values = json.loads(data)
        expires = dt.datetime.fromisoformat(values["expires"]) if values["expires"] is not None else None
        if expires and expires.tzinfo is None:
            raise ValueError("a time without its zone")
        numbers = int(values["generation"]), int(values["pid"])
        return cls(numbers[0], str(values["host"]), numbers[1], str(values.get("space")), expires)

    def data(self) -> bytes:
        """What ``read`` takes."""
        return json.dumps(asdict(self) | {"expires": self.expires and self.expires.isoformat()}).encode()


class Lease:
    """Use it as a context. ``BusyError`` names who holds it, if it is still held after ``wait`` seconds.

    A lease that has run out is taken over; so is, at once, one of a process of this machine that is gone. ``inherited``
    then says that whoever had it did not give it back. ``reads`` and ``writes`` count requests. ``confirm`` may be
    called from several threads. ``LostLeaseError`` at the end, too, if somebody took it over in the meantime.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Callable[[], dt.datetime],
        wait: float = 0,
        sleep: Callable[[float], None] = time.sleep,
        subject: Subject = TREE,
    ) -> None:
        self.subject = subject
        self._storage = storage
        self._clock = clock
        self._wait = wait
        self._sleep = sleep
        self._held: ObjectInfo | None = None
        self._expires = clock()
        self._lock = threading.Lock()
        self.generation = 0
        self.inherited = False
        self.reads = self.writes = 0

    def __enter__(self) -> Lease:
        waited = 0.0
        overtaken = 0
        while True:
            try:
                return self._take()
            except PreconditionError as error:
                # Another one was quicker, and may have ended already.
                overtaken += 1
                if overtaken == OVERTAKEN:
                    raise BusyError(f"{self.subject.others} always quicker", hint="try again") from error
            except BusyError:
                if waited >= self._wait:
                    raise
                self._sleep(WAIT_STEP)
                waited += WAIT_STEP

    def _take(self) -> Lease:
        info = self._storage.stat(self.subject.key)
        self.reads += 1
        document = self.read() if info else LeaseDocument()
        if self._taken(document):
            raise BusyError(
                f"{self.subject.held} process {document.pid} on {document.host}",
                hint="try again when it has ended",
            )
        self.inherited = document.expires is not None
        self.generation = document.generation + 1
        self._held = self._put(held=True, over=info)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is None:
            return
        held, self._held = self._held, None
        try:
            self._put(held=False, over=held)
        except PreconditionError as lost:
            # There is nothing of ours to give back.
            if error is None:
                raise LostLeaseError(f"{self.subject.taken} meanwhile") from lost
        except StorageError:
            if error is None:
                raise

    def confirm(self) -> None:
        """Makes sure that the lease is still ours; ``LostLeaseError`` if it is not.

        Nobody takes a lease over before it has run out, so there is nothing to ask while more than half of it is left.
        """
        with self._lock:
            if self._expires - self._clock() > dt.timedelta(seconds=LEASE_SECONDS / 2):
                return
            assert self._held is not None
            try:
                self._held = self._put(held=True, over=self._held)
            except PreconditionError as error:
                raise LostLeaseError(f"{self.subject.taken}; nothing more is written") from error

    def read(self) -> LeaseDocument:
        """What the object says now; ``StorageError`` if it is no lease."""
        self.reads += 1
        try:
            with self._storage.read(self.subject.key) as stream:
                return LeaseDocument.read(stream.read(65536))
        except NotFoundError:
            return LeaseDocument()
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{self.subject.key} is not a lease", hint="remove it if nothing is running") from error

    def take_away(self) -> LeaseDocument | None:
        """Ends the lease of whoever has it, and answers who that was; None if nobody has it."""
        info = self._storage.stat(self.subject.key)
        document = self.read()
        if info is None or document.expires is None:
            return None
        self.generation = document.generation + 1
        self._put(held=False, over=info)
        return document

    def _taken(self, document: LeaseDocument) -> bool:
        if document.expires is None or document.expires <= self._clock():
            return False
        return document.space != _process_space() or not _gone(document.pid)

    def _put(self, *, held: bool, over: ObjectInfo | None) -> ObjectInfo:
        expires = self._clock() + dt.timedelta(seconds=LEASE_SECONDS)
        host, until = socket.gethostname(), expires if held else None
        data = LeaseDocument(self.generation, host, os.getpid(), _process_space(), until).data()
        self.writes += 1
        condition: dict[str, Any] = {"if_match": over.etag} if over else {"if_absent": True}
        info = self._storage.write(self.subject.key, data, meta=META, **condition)
        self._expires = expires
        return info


def _process_space() -> str:
    """The same for processes that can see each other, and for no others.

    A host name does not tell: machines that were copied share one, and containers may have that of their host. So it
    goes with the machine since it was started and with the container, where the system says which they are.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
