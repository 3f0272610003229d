"""Progress as one stream of events, from whoever works to whoever shows it: a bar, a task's row, an event stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """The state of one piece of work, known by ``code`` (``sync.fetch``); a later event of a code replaces the earlier.

    ``done`` and ``total`` count what ``unit`` names (``packages``, ``bytes``, ``files``); ``total`` is None while it is
    not known. ``state`` is ``running``, ``completed`` or ``failed``; in the row of a cancelled task, ``canceled``.

    An event with ``import_id`` is about that one import of a batch, for who looks at it closely; bars and the row of a
    task leave it out (``overall``). ``outcome`` is what came out, as the word that is kept of it: the status of a
    verdict, the state that an import came to.
    """

    code: str
    message: str
    state: str = "running"
    done: int = 0
    total: int | None = None
    unit: str = ""
    import_id: int | None = None
    outcome: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the row of a task and for those who follow it."""
        document = asdict(self)
        if self.import_id is None:
            del document["import_id"], document["outcome"]
        return document


Progress = Callable[[ProgressEvent], None]
"""Takes an event; must be quick and must not raise. May be called from several threads."""


@dataclass
class Task:
    """A running task. ``created`` collects the names of what it made; ``result`` is a document for who asked."""

    id: int
    progress: Progress
    created: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None


def silent(event: ProgressEvent) -> None:
    """A progress sink for those who do not look."""


def overall(sink: Progress) -> Progress:
    """``sink`` without events that are about one import of a batch."""

    def send(event: ProgressEvent) -> None:
        if event.import_id is None:
            sink(event)

    return send


def tee(*sinks: Progress) -> Progress:
    """One sink that hands every event to each of ``sinks``, in order."""

    def send(event: ProgressEvent) -> None:
        for sink in sinks:
            sink(event)

    return send
