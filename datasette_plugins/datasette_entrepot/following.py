"""A workspace on a storage as a server shows it: a copy of the newest generation, which all who read share.

Requests look for a newer one every few seconds. Who reads goes on with the copy that was there when that began, and the
last one who does gives it back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from entrepot.catalog import Catalog
from entrepot.catalog.access import Access
from entrepot.errors import EntrepotError
from entrepot.workspace import ACCESS_FILE, CATALOG_FILE, Workspace

EVERY = 2.0
"""Seconds between two looks for a newer generation."""
logger = logging.getLogger(__name__)


class View:
    """One generation on this machine, for as long as somebody reads it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        # The copy gets the schema of today, and a place for tokens, whatever the generation has.
        Catalog(self.catalog).close()
        Access(workspace.home / ACCESS_FILE).close()
        self.readers = 0
        self.ended: list[Callable[[], object]] = []
        """What has to be closed before the copy is given back."""

    @property
    def catalog(self) -> Path:
        """The file of the catalog."""
        return self.workspace.home / CATALOG_FILE

    def end(self) -> None:
        """Gives the copy back."""
        for close in self.ended:
            close()
        self.workspace.close()


class Following:
    """The newest generation of a workspace on a storage, within a few seconds. May be used from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._view = _opened(workspace)
        self._looked = time.monotonic()

    def look(self, *, now: bool = False) -> None:
        """Finds out whether there is a newer generation, unless that was done a moment ago, and goes on with it."""
        with self._looking:
            if not now and not self.is_due:
                return
            self._looked = time.monotonic()
            try:
                if self._view.workspace.session.is_newest():
                    return
                new = _opened(self._workspace)
            except EntrepotError as error:
                logger.error("a newer generation cannot be had: %s; the one that was seen last is shown", error)
                return
            with self._lock:
                old, self._view = self._view, new
                unused = not old.readers
            if unused:
                old.end()

    @property
    def is_due(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked >= EVERY

    def enter(self, held: View | None = None) -> View:
        """The newest one, or one that somebody holds already; it stays until its reader leaves it."""
        with self._lock:
            view = held or self._view
            view.readers += 1
            return view

    def leave(self, view: View) -> None:
        """Says that one of those who read it does not any more."""
        with self._lock:
            view.readers -= 1
            unused = not view.readers and view is not self._view
        if unused:
            view.end()

    @contextmanager
    def reading(self) -> Iterator[View]:
        """The newest one, until the end of the context."""
        view = self.enter()
        try:
            yield view
        finally:
            self.leave(view)

    def close(self) -> None:
        """Gives the copy back."""
        self._view.end()


def _opened(workspace: Workspace) -> View:
    other = workspace.again("web")
    try:
        return View(other)
    except BaseException:
        other.close()
        raise
