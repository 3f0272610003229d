"""The workspace: a folder with catalog, private store, keys and settings, opened by every command and passed on."""

from __future__ import annotations

import datetime as dt
import fcntl
import getpass
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entrepot.errors import NotFoundError, SettingsError, UsageError
from entrepot.models import Repository, Secrets, Source
from entrepot.settings import SETTINGS_FILE, Settings, load_settings

if TYPE_CHECKING:
    from entrepot.catalog import Catalog
    from entrepot.catalog.access import Access
    from entrepot.contracts import Format, Signer, Storage, Transfer
    from entrepot.plugins import Plugins
    from entrepot.progress import Task
    from entrepot.store import ArtifactStore

CATALOG_FILE = "catalog.db"
ACCESS_FILE = "access.db"


def utc_now() -> dt.datetime:
    """The clock, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


class Workspace:
    """Everything that a use case needs. Nothing is opened before it is asked for.

    ``actor`` is who is said to have done what is done here, ``origin`` from where: ``HOST/USER/PID`` of this process
    unless it is done for somebody elsewhere. ``clock`` is what the time is taken from. With
    ``read_only`` the catalog is opened so that nothing can be written to it, not even a newer schema.
    """

    def __init__(
        self,
        home: Path,
        *,
        actor: str = "",
        origin: str = "",
        clock: Callable[[], dt.datetime] = utc_now,
        extra_plugins: Sequence[tuple[str, object]] = (),
        read_only: bool = False,
    ) -> None:
        self.home = home
        self.actor = actor or _user()
        self.origin = origin or f"{socket.gethostname()}/{_user()}/{os.getpid()}"
        self.clock = clock
        self.task: Task | None = None
        """The one task that this workspace was opened for, where there is one: everything done here is part of it."""
        self.read_only = read_only
        self._extra_plugins = extra_plugins

    # ------------------------------------------------------------------------------------------------ opening

    def again(self, actor: str, origin: str = "") -> Workspace:
        """Another one on the same folder, for another thread and somebody else, with the plugins that are loaded."""
        other = Workspace(self.home, actor=actor, origin=origin, clock=self.clock, read_only=self.read_only)
        other.plugins = self.plugins
        return other

    def exists(self) -> bool:
        """Whether ``init`` was done."""
        return (self.home / CATALOG_FILE).exists()

    def create(self) -> None:
        """Makes the folders and the catalog; what is there already stays."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in ("keyrings", "secrets", "fetch", "store"):
            (self.home / folder).mkdir(exist_ok=True, mode=0o700)
        self._open_catalog().close()

    def close(self) -> None:
        """Closes what was opened."""
        for name in ("catalog", "access"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.home / SETTINGS_FILE)

    @cached_property
    def plugins(self) -> Plugins:
        from entrepot.plugins import make_plugins

        return make_plugins(self._extra_plugins, strict=self.settings.plugins_strict)

    @cached_property
    def catalog(self) -> Catalog:
        if not self.exists():
            raise NotFoundError(
                f"there is no workspace in {self.home}",
                hint="make one with `entrepot init`, or name another with --home or ENTREPOT_HOME",
            )
        return self._open_catalog()

    def _open_catalog(self) -> Catalog:
        from entrepot.catalog import Catalog

        return Catalog(self.home / CATALOG_FILE, read_only=self.read_only)

    @cached_property
    def access(self) -> Access:
        """Tokens and users: a database of their own, so that whoever may read the catalog never reads those."""
        from entrepot.catalog.access import Access

        self.catalog  # noqa: B018 - where there is no workspace, say so
        return Access(self.home / ACCESS_FILE)

    @cached_property
    def store(self) -> ArtifactStore:
        from entrepot.store import ArtifactStore

        return ArtifactStore(self.storage((self.home / "store").as_uri()))

    # ----------------------------------------------------------------------------------------------- by setting

    def now(self) -> dt.datetime:
        """The time, in UTC."""
        return self.clock()

    def format(self, name: str) -> Format:
        """A format by name."""
        return self.plugins.format(name)

    def storage(self, url: str) -> Storage:
        """The storage of a URL; a plain path is a folder."""
        scheme = urlsplit(url).scheme or "file"
        factory = self.plugins.storage.get(scheme)
        if factory is None:
            known = ", ".join(self.plugins.storage)
            raise UsageError(f"no storage is known for {scheme}: URLs", hint=f"known: {known}", scheme=scheme)
        return factory.open(url, self.settings.storage.get(scheme, {}))

    def signer(self, repository: Repository) -> Signer | None:
        """Who signs a repository; None where it is not signed."""
        if repository.signer is None:
            return None
        factory = self.plugins.signer(repository.signer)
        return factory.open(repository.sign_with, self.settings.signers.get(repository.signer, {}), self.home)

    def transfer(self, source: Source) -> AbstractContextManager[Transfer]:
        """Fetches from a source with its connection options and secrets."""
        from entrepot.transfer import TransferSettings, open_transfer

        if urlsplit(source.url).scheme == "file" and not self.settings.allow_file_sources:
            raise SettingsError(f"source {source.name!r} is a file: URL, and the settings do not allow those")
        settings = TransferSettings(allow_file=self.settings.allow_file_sources)
        secrets = self.secrets(source)
        connection = replace(source.connection, proxy=secrets.proxy or source.connection.proxy)
        return open_transfer(connection, secrets, settings=settings, source_url=source.url)

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
        folder = self.home / "fetch"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    @property
    def cache_folder(self) -> Path:
        """What can be made again at any time."""
        folder = self.home / "cache"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty private folder on the workspace's file system, removed at the end.

        Who uses one has it locked, and a lock ends with its process: so those that killed processes left go, too.
        """
        parent = self.home / "scratch"
        parent.mkdir(exist_ok=True, mode=0o700)
        with ExitStack() as in_use:
            # One at a time: a new folder must not look like a left one before it is locked.
            with _folder_lock(parent):
                for left in parent.iterdir():
                    with suppress(OSError), _folder_lock(left, wait=False):
                        shutil.rmtree(left, ignore_errors=True)
                folder = Path(tempfile.mkdtemp(dir=parent))
                in_use.enter_context(_folder_lock(folder))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _folder_lock(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Has a folder to itself among those that ask; without ``wait``, ``BlockingIOError`` if somebody else has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


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
