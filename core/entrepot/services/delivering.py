"""Delivering: what is in the outbox is told to those whom the settings name, at the end of commands or when asked.

Every notifier has a thread of its own, so that one that hangs holds up neither the others nor the command: when the
time is over the command goes on without it. What is not told by then stays in the outbox. Who is told may be told
twice (a process may die between the deed and the note of it), and not always in the order of events.
"""

from __future__ import annotations

import datetime as dt
import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.contracts import Notice, Notifier
from entrepot.errors import DeliveryError, EntrepotError, without_text

if TYPE_CHECKING:
    from entrepot.catalog.outbox import Entry
    from entrepot.workspace import Workspace

WAITS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Seconds after each failure before the next try: about three days in all. After one more nothing is tried again."""
KEPT_DAYS = 30
"""How long what was given up is kept, for ``notify retry``."""
LEASE_SECONDS = 60
"""How much longer than the time there is an entry belongs to who took it."""

Open = Callable[[], AbstractContextManager[Notifier]]
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """What was told to one notifier, and why no more was; ``given_up`` of those that failed are not tried again."""

    notifier: str
    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    error: str = ""

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "notifier": self.notifier,
            "delivered": self.delivered,
            "failed": self.failed,
            "given_up": self.given_up,
            "error": self.error or None,
        }


def deliver(workspace: Workspace, seconds: float, names: Collection[str] = ()) -> Sequence[Delivery]:
    """Tells what is due, to all notifiers or to those named, within so many seconds; no error is raised for theirs."""
    chosen = set(names or workspace.settings.notify) & set(workspace.settings.notify)
    due = workspace.catalog.outbox.due(workspace.now()) & chosen if chosen else frozenset()
    if not due:
        return ()
    run = _Run(workspace, time.monotonic() + seconds, seconds)
    return run.all(sorted(due))


def opener(workspace: Workspace, name: str) -> Open:
    """What opens a notifier of the settings."""
    settings, home = workspace.settings.notify[name], workspace.home
    plugins = workspace.plugins

    def open_() -> AbstractContextManager[Notifier]:
        return plugins.notifier(settings.kind).open(name, settings.own, home)

    return open_


def explain(error: Exception, name: str) -> str:
    """Why a notifier failed, as it is kept: of what is not one of our errors nobody knows what secrets it quotes."""
    if isinstance(error, EntrepotError):
        return f"{error} ({error.hint})" if error.hint else str(error)
    logger.error("notifier %s failed: %s", name, without_text(error))
    return type(error).__name__


class _Run:
    """One round of deliveries. Only the thread that has the catalog touches it."""

    def __init__(self, workspace: Workspace, deadline: float, seconds: float) -> None:
        self._workspace = workspace
        self._deadline = deadline
        self._lease = dt.timedelta(seconds=seconds + LEASE_SECONDS)
        self._done: queue.SimpleQueue[tuple[str, int, Exception | None]] = queue.SimpleQueue()
        self._under_way: dict[str, Sequence[Entry]] = {}
        self._workers: dict[str, _Worker] = {}
        self._deliveries: dict[str, Delivery] = {}

    def all(self, names: Sequence[str]) -> Sequence[Delivery]:
        with self._workspace.catalog.transaction():
            self._workspace.catalog.outbox.forget(self._workspace.now() - dt.timedelta(days=KEPT_DAYS))
        for name in names:
            self._deliveries[name] = Delivery(name)
            # The first one by itself: how many a notifier takes at once is known when it is open.
            self._workers[name] = _Worker(name, opener(self._workspace, name), self._deadline, self._done)
            self._next(name, 1)
        try:
            while self._under_way:
                try:
                    name, together, error = self._done.get(timeout=max(0.0, self._deadline - time.monotonic()))
                except queue.Empty:
                    break
                self._settle(name, error)
                if error is None and time.monotonic() < self._deadline:
                    self._next(name, together)
            for name in list(self._under_way):
                self._settle(name, DeliveryError("it did not answer in the time that there was"))
        finally:
            for worker in self._workers.values():
                worker.end()
        return list(self._deliveries.values())

    def _next(self, name: str, limit: int) -> None:
        workspace, now = self._workspace, self._workspace.now()
        with workspace.catalog.transaction():
            entries = workspace.catalog.outbox.claim(name, limit, now, now + self._lease)
        if entries:
            self._under_way[name] = entries
            self._workers[name].give([Notice(entry.event_id, entry.event, entry.document) for entry in entries])

    def _settle(self, name: str, error: Exception | None) -> None:
        entries, delivery = self._under_way.pop(name), self._deliveries[name]
        outbox, now = self._workspace.catalog.outbox, self._workspace.now()
        with self._workspace.catalog.transaction():
            if error is None:
                delivery.delivered += len(entries)
                outbox.delivered(name, [entry.id for entry in entries], now)
                return
            tries = [(entry.id, _next_try(entry, error, now)) for entry in entries]
            delivery.error = explain(error, name)
            delivery.failed += len(entries)
            delivery.given_up += sum(again is None for _, again in tries)
            outbox.failed(name, delivery.error, now, tries)


class _Worker:
    """The thread of one notifier. It is a daemon: what hangs in it ends with the process."""

    def __init__(
        self, name: str, open_: Open, deadline: float, done: queue.SimpleQueue[tuple[str, int, Exception | None]]
    ) -> None:
        self._name = name
        self._open = open_
        self._deadline = deadline
        self._done = done
        self._work: queue.SimpleQueue[Sequence[Notice] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"notify-{name}", daemon=True).start()

    def give(self, notices: Sequence[Notice]) -> None:
        self._work.put(notices)

    def end(self) -> None:
        self._work.put(None)

    def _run(self) -> None:
        notices = self._work.get()
        if notices is None:
            return
        try:
            with self._open() as notifier:
                while notices is not None:
                    notifier.deliver(notices, max(0.1, self._deadline - time.monotonic()))
                    self._done.put((self._name, notifier.together, None))
                    notices = self._work.get()
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
            self._done.put((self._name, 1, error))


def _next_try(entry: Entry, error: Exception, now: dt.datetime) -> dt.datetime | None:
    """When an entry is tried again that failed once more; None: never."""
    if entry.attempts >= len(WAITS) or (isinstance(error, DeliveryError) and error.for_good):
        return None
    asked = min(error.retry_after, WAITS[-1]) if isinstance(error, DeliveryError) else 0.0
    return now + dt.timedelta(seconds=max(WAITS[entry.attempts], asked))


def try_delivery(workspace: Workspace, name: str, notice: Notice, seconds: float) -> None:
    """Tells one notifier something that is in no outbox; ``DeliveryError`` says why it could not be told."""
    done: queue.SimpleQueue[tuple[str, int, Exception | None]] = queue.SimpleQueue()
    worker = _Worker(name, opener(workspace, name), time.monotonic() + seconds, done)
    worker.give([notice])
    try:
        _, _, error = done.get(timeout=seconds)
    except queue.Empty:
        error = DeliveryError(f"it did not answer within {seconds:g} s")
    worker.end()
    if error is not None:
        message = explain(error, name)
        raise DeliveryError(f"{name}: {message}") from error
