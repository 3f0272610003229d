"""Progress as one stream of events, from whoever works to whoever shows it: a bar, a task's row, an event stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """The state of one piece of work, known by ``code`` (``sync.fetch``); a later event of a code replaces the earlier.

    ``done`` and ``total`` count what ``unit`` names (``packages``, ``bytes``, ``files``); ``total`` is None while it is
    not known. ``state`` is ``running``, ``completed`` or ``failed``.
    """

    code: str
    message: str
    state: str = "running"
    done: int = 0
    total: int | None = None
    unit: str = ""


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


def tee(*sinks: Progress) -> Progress:
    """One sink that hands every event to each of ``sinks``, in order."""

    def send(event: ProgressEvent) -> None:
        for sink in sinks:
            sink(event)

    return send
