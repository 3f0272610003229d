"""One Datasette with one workspace: what requests share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from datasette_entrepot.limiter import Limiter
from datasette_entrepot.protocols import Datasette
from entrepot.catalog.database import is_catalog
from entrepot.errors import AuthenticationError, ConflictError, EntrepotError, TooManyTriesError
from entrepot.models import Identity, Role
from entrepot.services import notifiers, queue, schedule
from entrepot.workspace import CATALOG_FILE, Workspace

if TYPE_CHECKING:
    from entrepot.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

PLUGIN = "entrepot"
WORKERS = 8
MOST_GUESSES = 32
"""Passwords that wait to be looked at; who comes then is told to come again."""
ANONYMOUS = Identity("anonymous", Role.READER)
SCHEDULER = Identity("schedule", Role.MAINTAINER)
"""Who is said to have done what is done by itself."""

TEND_OFTEN, TEND_SELDOM = 2.0, 10.0
logger = logging.getLogger(__name__)

_sites: WeakKeyDictionary[Any, Site | None] = WeakKeyDictionary()


class Site:
    """The workspace behind a Datasette, and the threads that work on it.

    Every request opens the workspace for itself, in a thread: what a service does belongs to who asked for it, and the
    event loop never waits for the catalog.
    """

    def __init__(
        self, home: Path, *, public: bool | None, trees: bool, read_only: bool, scheduled: bool = False
    ) -> None:
        self.read_only = read_only
        self.scheduled = scheduled
        self.trees = trees
        self._workspace = Workspace(home, actor="web", read_only=read_only)
        # Who shows a catalog with Datasette alone lets everybody read, as Datasette does, unless the settings say no.
        chosen = self.settings.web.public if public is None else public
        self.public = True if chosen is None else chosen
        self.limiter = Limiter()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="entrepot-web")
        # One guess at a time: a hash of a password takes 32 MiB and most of a core.
        self._guessing = 0
        self.watchers = 0
        self._guesses = ThreadPoolExecutor(1, thread_name_prefix="entrepot-login")
        # Who follows a task asks several times a second: one thread with one open catalog answers all of them.
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="entrepot-look")
        self._looking: Workspace | None = None

    @property
    def home(self) -> Path:
        """The folder of the workspace."""
        return self._workspace.home

    @property
    def settings(self) -> Settings:
        """The settings as they were when the server began."""
        return self._workspace.settings

    async def run(
        self, identity: Identity, function: Callable[..., T], *arguments: Any, origin: str = "", **options: Any
    ) -> T:
        """A call of a service in a thread: ``function(workspace, *arguments, **options)``."""
        work = partial(self._with_workspace, identity.name, origin, function, *arguments, **options)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def guess(self, function: Callable[..., T], *arguments: Any) -> T:
        """The same for what hashes a password."""
        if self._guessing >= MOST_GUESSES:
            raise TooManyTriesError("too many sign in at this moment", hint="try again in a moment", retry_after=2)
        work = partial(self._with_workspace, "web", "", function, *arguments)
        self._guessing += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._guesses, work)
        finally:
            self._guessing -= 1

    async def look(self, function: Callable[..., T], *arguments: Any) -> T:
        """The same for what is quick, only reads, and is asked often."""

        def work() -> T:
            if self._looking is None:
                self._looking = self._workspace.again("web")
            return function(self._looking, *arguments)

        return await asyncio.get_running_loop().run_in_executor(self._looks, work)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While somebody waits for a task, those whose process died are looked for often."""
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    async def tend(self) -> None:
        """Starts what waits or is due, ends what is dead and tells what is to be told, while the server runs."""
        while True:
            try:
                if self.scheduled:
                    await self.run(SCHEDULER, schedule.begin_due)
                if not self.read_only:
                    await self.run(ANONYMOUS, queue.dispatch)
                    await self.run(ANONYMOUS, notifiers.deliver_at_end)
            except EntrepotError as error:
                logger.error("looking after tasks failed: %s; it is tried again", error)
            await asyncio.sleep(TEND_OFTEN if self.watchers else TEND_SELDOM)

    def require_writable(self) -> None:
        """``ConflictError`` where the catalog is only shown."""
        if self.read_only:
            raise ConflictError("this catalog is only shown here", hint="changes are made in its own workspace")

    def close(self) -> None:
        """Ends the threads."""

        def end() -> None:
            if self._looking is not None:
                self._looking.close()

        self._looks.submit(end)
        for pool in (self._looks, self._guesses, self._pool):
            pool.shutdown(wait=True, cancel_futures=False)
        self._workspace.close()

    def _with_workspace(
        self, actor: str, origin: str, function: Callable[..., T], *arguments: Any, **options: Any
    ) -> T:
        workspace = self._workspace.again(actor, origin)
        try:
            return function(workspace, *arguments, **options)
        finally:
            workspace.close()


def site_of(datasette: Datasette) -> Site | None:
    """The site of a Datasette; None where none of its databases is a catalog."""
    if datasette not in _sites:
        _sites[datasette] = _find(datasette)
    return _sites[datasette]


def forget(datasette: Datasette) -> None:
    """Closes the site of a Datasette."""
    site = _sites.pop(datasette, None)
    if site is not None:
        site.close()


def authenticated(site: Site) -> None:
    """``AuthenticationError`` where there is nobody who could be known."""
    if site.read_only:
        raise AuthenticationError("this catalog is only shown here, and knows nobody")


def _find(datasette: Datasette) -> Site | None:
    configuration = datasette.plugin_config(PLUGIN) or {}
    if home := configuration.get("home"):
        return Site(
            Path(str(home)),
            public=configuration.get("public"),
            trees=bool(configuration.get("trees", False)),
            read_only=False,
            scheduled=bool(configuration.get("schedule", False)),
        )
    for database in datasette.databases.values():
        if database.path is not None and Path(database.path).name == CATALOG_FILE and is_catalog(Path(database.path)):
            home = Path(database.path).absolute().parent
            # A catalog without the private store beside it is a copy to look at.
            read_only = not database.is_mutable or not (home / "store").is_dir()
            return Site(home, public=None, trees=False, read_only=read_only)
    return None
