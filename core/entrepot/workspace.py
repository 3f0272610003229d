"""The workspace: a folder with catalog, private store, keys and settings, opened by every command and passed on."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entrepot.errors import NotFoundError, SettingsError
from entrepot.models import Connection, Repository, Secrets, Source
from entrepot.processes import folder_lock
from entrepot.settings import SETTINGS_FILE, Settings, load_settings, parse_settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from entrepot.catalog import Catalog
    from entrepot.catalog.access import Access
    from entrepot.contracts import Format, Signer, Storage, Transfer
    from entrepot.plugins import Plugins
    from entrepot.progress import Task
    from entrepot.remote.session import Session
    from entrepot.store import ArtifactStore

CATALOG_FILE = "catalog.db"
ACCESS_FILE = "access.db"


def utc_now() -> dt.datetime:
    """The clock, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


class Workspace:
    """Everything that a use case needs. Nothing is opened before it is asked for.

    ``home`` is a folder, or the URL of a place on a storage; then the folder ``home`` of the workspace is a copy on
    this machine, and what was done is there for others after ``commit``: see ``services.workspaces.open_workspace``.
    ``actor`` is who is said to have done what is done here, ``origin`` from where: ``HOST/USER/PID`` of this process
    unless it is done for somebody elsewhere. ``clock`` is what the time is taken from. With
    ``read_only`` the catalog is opened so that nothing can be written to it, not even a newer schema.
    """

    def __init__(
        self,
        home: Path | str,
        *,
        actor: str = "",
        origin: str = "",
        clock: Callable[[], dt.datetime] = utc_now,
        extra_plugins: Sequence[tuple[str, object]] = (),
        read_only: bool = False,
    ) -> None:
        self.url = str(home)
        """What the workspace is opened again with: the folder or the URL."""
        self._folder = home if isinstance(home, Path) else None
        self.actor = actor or _user()
        self.origin = origin or f"{socket.gethostname()}/{_user()}/{os.getpid()}"
        self.clock = clock
        self.task: Task | None = None
        """The one task that this workspace was opened for, where there is one: everything done here is part of it."""
        self.read_only = read_only
        self.executor = ""
        """Where parallel work runs; empty: where the settings say."""
        self.lasting = False
        """Whether this process goes on after its work here, as a server does: tasks have processes of their own."""
        self._local: Path | None = None
        self._created = False
        self._extra_plugins = extra_plugins

    # ------------------------------------------------------------------------------------------------ opening

    def again(self, actor: str, origin: str = "") -> Workspace:
        """Another one on the same folder, for another thread and somebody else, with the plugins that are loaded."""
        other = Workspace(
            self._folder or self.url, actor=actor, origin=origin, clock=self.clock, read_only=self.read_only
        )
        other.plugins, other.lasting = self.plugins, self.lasting
        return other

    def shown(self, actor: str, origin: str = "") -> Workspace:
        """This one, which is on a storage, as it is now, for reading in another thread while this one is open."""
        other = Workspace(self.home, actor=actor, origin=origin, clock=self.clock, read_only=True)
        other.url, other.plugins, other._local = self.url, self.plugins, self.local
        return other

    @property
    def home(self) -> Path:
        """The folder of the workspace; of one on a storage, that of a copy that this command has to itself."""
        return self._folder or self.session.home

    @property
    def local(self) -> Path:
        """The folder for what is of this machine only, and of all commands that run on it."""
        return self._local or self._folder or self.session.folder

    @property
    def is_remote(self) -> bool:
        """Whether the workspace is on a storage."""
        return self._folder is None

    @cached_property
    def session(self) -> Session:
        """This command's hold on a workspace that is on a storage."""
        from entrepot.remote.layout import check_home_url
        from entrepot.remote.session import Session

        return Session(
            check_home_url(self.url),
            lambda: self._first_plugins.open_storage(self.url, {}),
            self.clock,
            lambda: self.settings.home,
            lambda: (self.actor, self.origin),
            self._moved,
        )

    def _moved(self) -> None:
        """Opens anew what is open: the session went on with a newer generation."""
        for name, file in (("catalog", CATALOG_FILE), ("access", ACCESS_FILE)):
            if name in self.__dict__:
                self.__dict__[name].move(self._database(file))
        self.__dict__.pop("settings", None)

    def _database(self, name: str) -> Path:
        return self.session.path(name) if self.is_remote else self.home / name

    def commit(self) -> None:
        """Makes what was done so far last, and others see it: of a folder it does so by itself."""
        if "session" in self.__dict__:
            self.session.commit()

    def pause(self) -> None:
        """Keeps what was done so far, and lets others write to a workspace on a storage until this command does again.

        For before long work that writes nothing to the catalog: fetching, inspecting, writing a tree. In a folder, and
        in the middle of a transaction, nothing happens.
        """
        if "session" in self.__dict__ and not (self.is_open and self.catalog.database.conn.in_transaction):
            self.session.pause()

    def exists(self) -> bool:
        """Whether ``init`` was done."""
        return self.session.exists() if self.is_remote else (self.home / CATALOG_FILE).exists()

    def create(self) -> None:
        """Makes the folders and the catalog; what is there already stays."""
        if self.is_remote:
            if (root := self.session.generations.storage.properties.local_root) is not None:
                # There will be secrets in it.
                root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.session.begin()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in ("keyrings", "secrets", "fetch", "store"):
            (self.home / folder).mkdir(exist_ok=True, mode=0o700)
        self._open_catalog().close()
        self._created = True

    @property
    def is_open(self) -> bool:
        """Whether the catalog was opened."""
        return "catalog" in self.__dict__

    def close(self) -> None:
        """Closes what was opened. On a storage, what was not committed is not kept."""
        for name in ("catalog", "access"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if "session" in self.__dict__:
            self.session.close()
            # What is used again is opened again, as it is then.
            for name in ("catalog", "access", "settings", "store"):
                self.__dict__.pop(name, None)

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.settings_path)

    @property
    def settings_path(self) -> Path:
        """The file of the settings, which need not be there."""
        return self.home / SETTINGS_FILE

    def save_settings(self, text: str) -> None:
        """Replaces the file of the settings by one that can be read; ``SettingsError`` for another, and it stays."""
        settings = parse_settings(text, self.settings_path)
        write_private(self.settings_path, text.encode())
        self.settings = settings

    @cached_property
    def plugins(self) -> Plugins:
        from entrepot.plugins import make_plugins

        if self.is_remote:
            return self._first_plugins
        return make_plugins(self._extra_plugins, strict=self.settings.plugins_strict)

    @cached_property
    def _first_plugins(self) -> Plugins:
        """The plugins without asking the settings, which of a workspace on a storage are there themselves."""
        from entrepot.plugins import make_plugins

        return make_plugins(self._extra_plugins, strict=False)

    @cached_property
    def catalog(self) -> Catalog:
        if not (self._created or self.exists()):
            raise NotFoundError(
                f"there is no workspace in {self.url}",
                hint="make one with `entrepot init`, or name another with --home or ENTREPOT_HOME",
            )
        return self._open_catalog()

    def _open_catalog(self) -> Catalog:
        from entrepot.catalog import Catalog
        from entrepot.plugins import make_plugins

        if self.is_remote and self.settings.plugins_strict:
            make_plugins(self._extra_plugins, strict=True)
        before_write = self.session.begin if self.is_remote else None
        return Catalog(self._database(CATALOG_FILE), read_only=self.read_only, before_write=before_write)

    @cached_property
    def access(self) -> Access:
        """Tokens and users: a database of their own, so that whoever may read the catalog never reads those."""
        from entrepot.catalog.access import Access

        self.catalog  # noqa: B018 - where there is no workspace, say so
        return Access(self._database(ACCESS_FILE), before_write=self.session.begin if self.is_remote else None)

    @cached_property
    def store(self) -> ArtifactStore:
        from entrepot.store import ArtifactStore

        return ArtifactStore(self.storage(self.store_url))

    @property
    def store_url(self) -> str:
        """Where the private store is."""
        return f"{self.url.rstrip('/')}/store" if "://" in self.url else (self.home / "store").as_uri()

    # ----------------------------------------------------------------------------------------------- by setting

    def now(self) -> dt.datetime:
        """The time, in UTC."""
        return self.clock()

    def format(self, name: str) -> Format:
        """A format by name, which reads packages within the limits of the settings."""
        from entrepot.contracts import LimitsUnpacking

        found = self.plugins.format(name)
        if isinstance(found, LimitsUnpacking):
            found.limit(self.settings.unpacking)
        return found

    def storage(self, url: str) -> Storage:
        """The storage of a URL; a plain path is a folder."""
        return self.plugins.open_storage(url, self.settings.storage)

    def open_executor(self, workers: int) -> AbstractContextManager[Executor]:
        """Where parallel work of this command runs: ``workers`` at a time in threads, unless its URL says how many."""
        url = self.executor or self.settings.executor
        return self.plugins.executor(url.partition(":")[0]).open(url, workers)

    def signer(self, repository: Repository) -> Signer | None:
        """Who signs a repository; None where it is not signed."""
        if repository.signer is None:
            return None
        factory = self.plugins.signer(repository.signer)
        return factory.open(repository.sign_with, self.settings.signers.get(repository.signer, {}), self.home)

    def transfer(self, source: Source) -> AbstractContextManager[Transfer]:
        """Fetches from a source with its connection options and secrets."""
        from entrepot.transfer import TransferSettings, open_transfer
        from entrepot.transfer.by_hand import NoTransfer

        if source.by_hand:
            return nullcontext(NoTransfer(source.name))

        if urlsplit(source.url).scheme == "file" and not self.settings.allow_file_sources:
            raise SettingsError(f"source {source.name!r} is a file: URL, and the settings do not allow those")
        settings = TransferSettings(allow_file=self.settings.allow_file_sources)
        connection, secrets = self.connection(source)
        return open_transfer(connection, secrets, settings=settings, source_url=source.url)

    def connection(self, source: Source) -> tuple[Connection, Secrets]:
        """How a source is reached, and with which secrets."""
        secrets = self.secrets(source)
        return replace(source.connection, proxy=secrets.proxy or source.connection.proxy), secrets

    # ------------------------------------------------------------------------------------------- files of sources

    def keyring(self, source: Source) -> Path | None:
        """The file with a source's public keys."""
        return self.home / "keyrings" / source.keyring if source.keyring else None

    def save_keyring(self, name: str, keys: bytes) -> str:
        """Keeps public keys for a source and answers the name of the file, which depends on its content."""
        import hashlib

        file_name = f"{name}-{hashlib.sha256(keys).hexdigest()[:12]}.keys"
        write_private(self.home / "keyrings" / file_name, keys)
        return file_name

    def secrets(self, source: Source) -> Secrets:
        """User names, passwords and headers of a source."""
        try:
            document = json.loads((self.home / "secrets" / f"source-{source.id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Secrets()
        headers = tuple((name, value) for name, value in document["headers"])
        return Secrets(document["username"], document["password"], headers, document.get("proxy"))

    def save_secrets(self, source: Source, secrets: Secrets) -> None:
        """Keeps or, where there are none, forgets a source's secrets; in a file that only its owner may read."""
        path = self.home / "secrets" / f"source-{source.id}.json"
        if secrets == Secrets():
            path.unlink(missing_ok=True)
            return
        write_private(path, json.dumps(asdict(secrets)).encode())

    # ------------------------------------------------------------------------------------------------- scratch

    @property
    def fetch_folder(self) -> Path:
        """Where downloads are until they are whole; kept between runs, so that they can be resumed."""
        folder = self.local / "fetch"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    @property
    def cache_folder(self) -> Path:
        """What can be made again at any time."""
        folder = self.local / "cache"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty private folder on the workspace's file system, removed at the end.

        Who uses one has it locked, and a lock ends with its process: so those that killed processes left go, too.
        """
        parent = self.local / "scratch"
        parent.mkdir(exist_ok=True, mode=0o700)
        with ExitStack() as in_use:
            # One at a time: a new folder must not look like a left one before it is locked.
            with folder_lock(parent):
                for left in parent.iterdir():
                    with suppress(OSError), folder_lock(left, wait=False):
                        shutil.rmtree(left, ignore_errors=True)
                folder = Path(tempfile.mkdtemp(dir=parent))
                in_use.enter_context(folder_lock(folder))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def home_of(text: str) -> Path | str:
    """What somebody named as the workspace: a URL as it is, anything else as the path of a folder."""
    from entrepot.remote.layout import check_home_url

    return check_home_url(text) if "://" in text else Path(text).expanduser().absolute()


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file atomically with one that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    Path(temporary).replace(path)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
