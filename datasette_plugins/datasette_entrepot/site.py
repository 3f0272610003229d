"""One Datasette with one workspace: what requests share."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from datasette_entrepot.following import Following, View
from datasette_entrepot.limiter import Limiter
from datasette_entrepot.protocols import Datasette
from entrepot.catalog.database import is_catalog
from entrepot.errors import AuthenticationError, ConflictError, EntrepotError, TooManyTriesError
from entrepot.models import Identity, Role
from entrepot.services import notifiers, queue, schedule
from entrepot.workspace import CATALOG_FILE, Workspace, home_of

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
    event loop never waits for the catalog. Of one on a storage those that read share a copy; those that change
    something have one of their own, one at a time, and what they did is kept before it is answered.
    """

    def __init__(
        self, home: Path | str, *, public: bool | None, trees: bool, read_only: bool, scheduled: bool = False
    ) -> None:
        self.read_only = read_only
        self.scheduled = scheduled
        self.trees = trees
        self._workspace = Workspace(home, actor="web", read_only=read_only)
        self._following: Following | None = None
        self._shown: View | None = None
        self._writing = threading.Lock()
        if self._workspace.is_remote:
            self._workspace.lasting = True
            self._following = Following(self._workspace)
            self._shown = self._following.enter()
        self.settings = (self._shown.workspace if self._shown else self._workspace).settings
        """As they were when the server began."""
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
    def local(self) -> Path:
        """The folder for what is of this machine only."""
        return self._workspace.local

    @property
    def catalog(self) -> Path:
        """The file that Datasette shows."""
        return self._shown.catalog if self._shown else self._workspace.home / CATALOG_FILE

    @property
    def is_remote(self) -> bool:
        """Whether the workspace is on a storage."""
        return self._following is not None

    async def follow(self, show: Callable[[View], object]) -> None:
        """Goes on with the newest generation of a workspace on a storage; ``show`` has Datasette show another one."""
        if self._following is None:
            return
        if self._following.is_due:
            await asyncio.get_running_loop().run_in_executor(self._looks, self._following.look)
        view = self._following.enter()
        if view is self._shown:
            self._following.leave(view)
            return
        show(view)
        shown, self._shown = self._shown, view
        if shown is not None:
            self._following.leave(shown)

    @contextmanager
    def held(self) -> Iterator[None]:
        """What Datasette shows now stays until the end of the context."""
        if self._following is None:
            yield
            return
        view = self._following.enter(self._shown)
        try:
            yield
        finally:
            self._following.leave(view)

    async def run(
        self,
        identity: Identity,
        function: Callable[..., T],
        *arguments: Any,
        origin: str = "",
        changing: bool = False,
        **options: Any,
    ) -> T:
        """A call of a service in a thread: ``function(workspace, *arguments, **options)``.

        Only with ``changing`` it may change something; a workspace in a folder does not ask.
        """
        do = self._change if changing and self.is_remote else self._with_workspace
        work = partial(do, identity.name, origin, function, *arguments, **options)
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
            if self._following is not None:
                self._following.look()
                return self._with_workspace("web", "", function, *arguments)
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
                    await self.run(SCHEDULER, schedule.begin_due, changing=True)
                if not self.read_only:
                    await self.run(ANONYMOUS, queue.dispatch, changing=True)
                    await self.run(ANONYMOUS, notifiers.deliver_at_end, changing=True)
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
            if self._following is not None:
                self._following.close()

        self._looks.submit(end)
        for pool in (self._looks, self._guesses, self._pool):
            pool.shutdown(wait=True, cancel_futures=False)
        self._workspace.close()

    def _with_workspace(
        self, actor: str, origin: str, function: Callable[..., T], *arguments: Any, **options: Any
    ) -> T:
        with self._following.reading() if self._following else nullcontext() as view:
            workspace = view.workspace.shown(actor, origin) if view else self._workspace.again(actor, origin)
            try:
                return function(workspace, *arguments, **options)
            finally:
                workspace.close()

    def _change(self, actor: str, origin: str, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """The same for what may change a workspace on a storage: answered when it is kept, and shown from then on.

        One at a time: each has a copy, and would wait for the same lease.
        """
        assert self._following is not None
        with self._writing:
            workspace = self._workspace.again(actor, origin)
            try:
                try:
                    return function(workspace, *arguments, **options)
                finally:
                    workspace.commit()
            finally:
                changed = workspace.session.has_written
                workspace.close()
                if changed:
                    self._following.look(now=True)


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


def show(datasette: Datasette, path: Path) -> Callable[[], object]:
    """Has Datasette show this file as the catalog; answers what closes it when it shows another one."""
    database = import_module("datasette.database").Database(datasette, path=str(path), is_mutable=True)
    database.name = database.route = Path(CATALOG_FILE).stem
    # As Datasette itself does it: a new mapping, for whoever goes through the old one.
    others = {name: held for name, held in datasette.databases.items() if name not in ("_memory", database.name)}
    datasette.databases = {**others, database.name: database}
    close: Callable[[], object] = database.close
    return close


def _find(datasette: Datasette) -> Site | None:
    configuration = datasette.plugin_config(PLUGIN) or {}
    if home := configuration.get("home"):
        site = Site(
            home_of(str(home)),
            public=configuration.get("public"),
            trees=bool(configuration.get("trees", False)),
            read_only=False,
            scheduled=bool(configuration.get("schedule", False)),
        )
        if site.is_remote:
            show(datasette, site.catalog)
        return site
    for database in datasette.databases.values():
        if database.path is not None and Path(database.path).name == CATALOG_FILE and is_catalog(Path(database.path)):
            home = Path(database.path).absolute().parent
            # A catalog without the private store beside it is a copy to look at.
            read_only = not database.is_mutable or not (home / "store").is_dir()
            return Site(home, public=None, trees=False, read_only=read_only)
    return None
