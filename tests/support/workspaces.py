"""Whole workspaces for tests: a clock that stands still, a key, a source that is synced, a repository in a folder.

::

    depot = Depot(tmp_path, key)
    depot.follow(upstream.draft(server.url))
    depot.distribute("stable")
    depot.bring("hello", publish=True)
    assert (depot.tree / "dists/stable/InRelease").exists()

Fixtures: ``keys`` makes signing keys, each in a home of its own; a test module or a conftest takes it by importing it.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Signer, SignerFactory, SigningKey, Storage, StorageFactory
from entrepot.errors import StorageError
from entrepot.hookspecs import hookimpl
from entrepot.models import Distribution, Scalar, SourceDraft
from entrepot.publish.lease import LEASE_SECONDS
from entrepot.services import imports, publishing, repositories, sources, upkeep, workspaces
from entrepot.sync import SyncResult
from entrepot.workspace import Workspace
from entrepot_storage.local import LocalStorage
from entrepot_storage.wrappers import FaultyStorage
from support.apt_repository import Key
from support.gnupg import gnupg_home, make_key
from support.signers import StampSigner

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
REPOSITORY = "example"


@pytest.fixture(scope="session")
def keys() -> Iterator[Callable[[], Key]]:
    """Makes a key in a home of its own, whose agent runs until the end of the session: no test waits for one.

    It is from before the tests' time: gpg does not hold its clock still at the second that it is in fact.
    """
    made = ("ed25519", "never", "--faked-system-time", "20260101T000000")
    with ExitStack() as homes:

        def make() -> Key:
            home = homes.enter_context(gnupg_home())
            return Key(home, make_key(home, "Archive <archive@example.org>", *made))

        yield make


@dataclass
class Clock:
    """A clock that only tests move."""

    time: dt.datetime = NOW

    def __call__(self) -> dt.datetime:
        return self.time

    def advance(self, **delta: float) -> None:
        """Moves it on: ``advance(minutes=3)``."""
        self.time += dt.timedelta(**delta)


class Depot:
    """A workspace in ``folder/home`` that publishes the repository ``example`` to ``folder/tree``.

    ``key`` signs; without one nothing is signed, and with ``stamp`` it is done by ``StampSigner``, which takes no time.
    ``url`` is where clients find the tree. ``storage`` may be set to something before the tree's folder, such as a
    ``FaultyStorage``; then the repository has to be published to ``tree:``, which is what ``through`` is for.
    """

    def __init__(
        self,
        folder: Path,
        key: Key | None = None,
        *,
        stamp: bool = False,
        url: str = "",
        through: bool = False,
        format_name: str = "apt",
        plugins: Sequence[tuple[str, object]] = (),
    ) -> None:
        self._take(folder, plugins, key, url or "https://packages.example.org/")
        self.home.mkdir(parents=True)
        self._configure()
        workspaces.initialise(self.workspace)
        repository = repositories.create_repository(
            self.workspace,
            REPOSITORY,
            format_name=format_name,
            publish_to="tree:" if through else str(self.tree),
            public_url=self.url,
            sign=key is not None,
        )
        if stamp:
            signer = {"signer": StampSigner.name, "sign_with": StampSigner.fingerprint}
            self.workspace.catalog.repositories.update(repository, signer)

    def _take(self, folder: Path, plugins: Sequence[tuple[str, object]], key: Key | None, url: str) -> None:
        self.key, self.url = key, url
        self.folder, self.home, self.tree = folder, folder / "home", folder / "tree"
        self.storage: Storage = LocalStorage(self.tree)
        self.clock = Clock()
        self._plugins = [("depot", _DepotPlugin(self)), *plugins]
        self.workspace = self.opened()

    def opened(self) -> Workspace:
        """The workspace once more, as another command opens it; the caller closes it."""
        return Workspace(self.home, actor="tester", clock=self.clock, extra_plugins=self._plugins)

    def copy(self, folder: Path) -> Depot:
        """The same in another folder, with a tree of its own where it goes ``through``. Close this one first."""
        shutil.copytree(self.folder, folder)
        copied = Depot.__new__(Depot)
        copied._take(folder, self._plugins[1:], self.key, self.url)
        copied.clock.time = self.clock.time
        return copied

    def close(self) -> None:
        """Closes the workspace; it opens again by itself when it is used."""
        self.workspace.close()
        self.workspace = self.opened()

    def configure(self, *tables: str, **publish: int) -> None:
        """Changes settings: those of ``[publish]`` by name, and other tables as text."""
        self.workspace.close()
        self._configure(*tables, **publish)
        self.workspace = self.opened()

    def _configure(self, *tables: str, **publish: int) -> None:
        # Nobody waits for a publisher that is further up in the same test.
        lines = [f"{name} = {value}" for name, value in {"wait": 0, **publish}.items()]
        if self.key:
            lines += ["[signers.gpg]", f'home = "{self.key.home}"']
        (self.home / "entrepot.toml").write_text("\n".join(["[publish]", *lines, *tables, ""]))

    def publish_to(self, *urls: str) -> None:
        """Makes these the places that the repository is published to."""
        repositories.set_repository(self.workspace, REPOSITORY, {}, urls)

    # ------------------------------------------------------------------------------------------------ what it does

    def follow(self, draft: SourceDraft) -> SyncResult:
        """Adds a source and syncs it."""
        sources.add_source(self.workspace, draft)
        return self.sync(draft.name)

    def sync(self, name: str = "upstream", *, force: bool = False) -> SyncResult:
        """Syncs a source."""
        return sources.sync_source(self.workspace, name, force=force)

    def distribute(
        self,
        name: str = "stable",
        *,
        components: Sequence[str] = ("main",),
        architectures: Sequence[str] = (),
        compressions: Sequence[str] = ("gz",),
        options: Mapping[str, Scalar] | None = None,
    ) -> Distribution:
        """Makes a distribution."""
        return repositories.create_distribution(
            self.workspace,
            f"{REPOSITORY}/{name}",
            components=components,
            architectures=architectures,
            compressions=compressions,
            options=dict(options or {}),
        )

    def bring(
        self, *packages: str, to: str = "stable", source: str = "upstream", publish: bool = False, **more: Any
    ) -> int:
        """Imports packages, all of which have to come in; answers the version that they made."""
        request = imports.ImportRequest(source, packages, f"{REPOSITORY}/{to}", **more)
        return self._arrived(imports.import_packages(self.workspace, request, publish_after=publish))

    def upload(self, *paths: Path, to: str = "stable", component: str | None = None, publish: bool = False) -> int:
        """Brings files in, all of which have to come in; answers the version that they made."""
        path = f"{REPOSITORY}/{to}"
        return self._arrived(imports.upload(self.workspace, paths, path, component=component, publish_after=publish))

    def publish(
        self, name: str = "stable", version: int | None = None, *, force: bool = False, full: bool = False
    ) -> str:
        """Publishes; answers the status."""
        request = publishing.PublishRequest(version, force=force, full=full)
        return publishing.publish(self.workspace, f"{REPOSITORY}/{name}", request=request).status

    def remove(self, *names: str, to: str = "stable") -> int:
        """Makes a version without the packages of these names."""
        catalog = self.workspace.catalog
        distribution = catalog.repositories.distribution(f"{REPOSITORY}/{to}")
        newest = catalog.versions.latest(distribution).number
        members = [m.membership_id for m in catalog.versions.members(distribution, newest) if m.name in names]
        with catalog.transaction():
            return catalog.versions.create(distribution, [], members, "remove", self.clock()).number

    def collect(self, *, dry_run: bool = False, yes: bool = True) -> upkeep.GcResult:
        """``gc``; what it would remove may be any share of the tree."""
        return upkeep.collect(self.workspace, dry_run=dry_run, yes=yes)

    def published_version(self) -> int:
        """The version that the newest publication put in place."""
        where = "state = 'completed' AND snapshot_id IS NULL"
        sql = f"SELECT version FROM publications WHERE {where} ORDER BY id DESC LIMIT 1"
        return int(self.workspace.catalog.database.execute(sql).fetchone()[0])

    def needed_files(self) -> set[str]:
        """The paths of the tree that the catalog does not count as superseded."""
        sql = "SELECT path FROM published_files WHERE superseded_at IS NULL"
        return {path for (path,) in self.workspace.catalog.database.execute(sql)}

    def _arrived(self, batch: imports.BatchResult) -> int:
        assert not batch.failed, [result.message for result in batch.failed]
        assert not batch.waiting, [result.message for result in batch.waiting]
        assert batch.version
        return batch.version.number


def crashes(begun: Depot, folder: Path, wanted: int, *, after: bool) -> Iterator[Depot]:
    """The workspace and its tree after a publisher died at its first write, at its second, ... until none is left.

    It died as far as the tree can tell: nothing reaches it any more. Its lease has run out when it is handed over.
    """
    for call in count(1):
        depot = begun.copy(folder / str(call))
        depot.storage = storage = FaultyStorage(depot.storage, fail_at=call, after=after, dead=True)
        try:
            depot.publish(version=wanted)
        except StorageError:
            assert storage.failed
        if not storage.failed:
            assert call > 6, "fewer writes than this are no publication"
            return
        depot.storage = storage.inner
        depot.clock.advance(seconds=LEASE_SECONDS)
        yield depot
        depot.close()


class _DepotPlugin:
    """The storage ``tree:`` and the signer ``stamp``."""

    def __init__(self, depot: Depot) -> None:
        self._depot = depot

    @hookimpl
    def register_storage(self) -> Iterable[StorageFactory]:
        return [_TreeStorage(self._depot)]

    @hookimpl
    def register_signers(self) -> Iterable[SignerFactory]:
        return [_StampSignerFactory()]


class _TreeStorage:
    scheme = "tree"

    def __init__(self, depot: Depot) -> None:
        self._depot = depot

    def open(self, url: str, settings: Mapping[str, Any]) -> Storage:
        return self._depot.storage


class _StampSignerFactory:
    name = StampSigner.name

    def open(self, key: str | None, settings: Mapping[str, Any], home: Path) -> Signer:
        return StampSigner()

    def generate(self, user_id: str, settings: Mapping[str, Any], home: Path) -> str:
        raise NotImplementedError

    def import_key(self, path: Path, settings: Mapping[str, Any], home: Path) -> str:
        raise NotImplementedError

    def keys(self, settings: Mapping[str, Any], home: Path) -> Sequence[SigningKey]:
        return []
