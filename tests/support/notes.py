"""A notifier that exists for tests only: what a third party's takes, and all that it takes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from entrepot.contracts import Notice, NotifierFactory
from entrepot.errors import SettingsError
from entrepot.hookspecs import hookimpl


class Notes:
    """Keeps what it is told; ``failing`` is raised instead, and what is ``held`` hangs until it is let go."""

    def __init__(self, together: int = 1) -> None:
        self.together = together
        self.told: list[Notice] = []
        self.calls = 0
        self.failing: Exception | None = None
        self.held: threading.Event | None = None

    def deliver(self, notices: Sequence[Notice], seconds: float) -> None:
        self.calls += 1
        if self.held is not None:
            self.held.wait(60)
        if self.failing is not None:
            raise self.failing
        self.told += notices

    @property
    def events(self) -> list[str]:
        """What was told, by type."""
        return [notice.event for notice in self.told]


class NotesFactory:
    """``kind = "notes"``; every name has notes of its own, which tests look at."""

    kind = "notes"

    def __init__(self, together: int = 1, hears: Collection[str] = ()) -> None:
        self.hears = hears
        self._together = together
        self._notes: dict[str, Notes] = {}

    def of(self, name: str) -> Notes:
        """The notes of ``[notify.NAME]``."""
        return self._notes.setdefault(name, Notes(self._together))

    @contextmanager
    def open(self, name: str, settings: Mapping[str, Any], home: Path) -> Iterator[Notes]:
        for key in settings:
            raise SettingsError(f"notify.{name}.{key} is not known")
        yield self.of(name)

    @hookimpl
    def register_notifiers(self) -> Iterable[NotifierFactory]:
        return [self]
