"""A workspace on a storage in memory, that counts, fails and is copied as a test wants it.

::

    place = Place()
    with place.opened() as workspace: ...
    place.storage = FaultyStorage(place.storage, fail_at=3, dead=True)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from entrepot.contracts import Storage, StorageFactory
from entrepot.hookspecs import hookimpl
from entrepot.services import repositories
from entrepot.services.workspaces import initialise, open_workspace
from entrepot.workspace import Workspace
from entrepot_storage.memory import MemoryStorage
from support.workspaces import Clock

URL = "place://home"


class Place:
    """``place://home``, for the workspaces that are opened through it, and ``place://tree``, to publish to."""

    def __init__(self, plugins: Sequence[tuple[str, object]] = ()) -> None:
        self._plugins = plugins
        self.storage: Storage = MemoryStorage()
        self.store = MemoryStorage()
        self.tree: Storage = MemoryStorage()
        self.clock = Clock()

    @contextmanager
    def opened(self, actor: str = "tester") -> Iterator[Workspace]:
        """The workspace, as another command opens it."""
        plugins = [("place", _PlacePlugin(self)), *self._plugins]
        with open_workspace(URL, actor=actor, clock=self.clock, extra_plugins=plugins) as workspace:
            yield workspace

    def initialised(self, *names: str, settings: str = "") -> Place:
        """With a workspace in it, that has repositories of these names."""
        with self.opened() as workspace:
            initialise(workspace)
            (workspace.home / "entrepot.toml").write_text(f"[home]\nwait = 0\n{settings}")
            for name in names:
                make_repository(workspace, name)
        return self

    def copy(self) -> Place:
        """The same once more."""
        other = Place()
        other.clock.time = self.clock.time
        for info in self.storage.list():
            other.storage.copy(self.storage, info.key, info.key)
        return other

    def names(self) -> list[str]:
        """The repositories that somebody finds who looks now."""
        with self.opened() as workspace:
            return names_in(workspace)


def make_repository(workspace: Workspace, name: str) -> None:
    """A repository, which is published nowhere yet."""
    repositories.create_repository(workspace, name, format_name="apt", publish_to=f"memory://{name}", sign=False)


def names_in(workspace: Workspace) -> list[str]:
    """The names of the repositories."""
    return [repository.name for repository in workspace.catalog.repositories.list()]


class _PlacePlugin:
    def __init__(self, place: Place) -> None:
        self._place = place

    @hookimpl
    def register_storage(self) -> Iterable[StorageFactory]:
        return [_PlaceFactory(self._place)]


class _PlaceFactory:
    scheme = "place"

    def __init__(self, place: Place) -> None:
        self._place = place

    def open(self, url: str, settings: Mapping[str, Any]) -> Storage:
        return {"place://home/store": self._place.store, "place://tree": self._place.tree}.get(url, self._place.storage)
