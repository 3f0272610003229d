"""What the hooks do."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from markupsafe import Markup

from datasette_entrepot import identify, tables, trees
from datasette_entrepot.answers import Reply
from datasette_entrepot.api import ROUTES, UNKNOWN
from datasette_entrepot.pages.all import PAGES, PATHS
from datasette_entrepot.pages.render import NAVIGATION
from datasette_entrepot.pages.routing import page_views
from datasette_entrepot.pages.show import PREFIX, Show
from datasette_entrepot.problems import problem, unexpected
from datasette_entrepot.protocols import AsgiApp, Datasette, Message, Receive, Request, Scope, Send
from datasette_entrepot.routing import unknown_view, views
from datasette_entrepot.site import PLUGIN, Site, forget, show, site_of
from entrepot.errors import NotAllowedError

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
)
OPEN_ACTIONS = frozenset({"view-instance", "view-database", "view-table", "view-query", "execute-sql"})


def routes(datasette: Datasette) -> Sequence[tuple[str, Callable[..., Any]]]:
    """The routes of the API, and those of published trees."""
    site = site_of(datasette)
    if site is None:
        return []
    served = bool((datasette.plugin_config(PLUGIN) or {}).get("home"))
    return [
        *([("^/$", front)] if served else []),
        *(trees.views() if site.trees else []),
        *views(ROUTES),
        *page_views(PAGES),
        (UNKNOWN, unknown_view()),
    ]


def front(datasette: Datasette) -> Any:
    """Who opens the root of ``entrepot serve`` lands where the work is; Datasette's own first page is ``/-/``."""
    return import_module("datasette").Response.redirect(datasette.urls.path(PREFIX))


def menu(datasette: Datasette, request: Request | None) -> list[dict[str, str]]:
    """Links of Datasette's menu: our pages, and the way in for who is nobody yet."""
    site = site_of(datasette)
    if site is None:
        return []
    url = datasette.urls.path
    who = None if request is None else request.actor
    links = []
    if identify.may_read(site, who):
        links += [
            {"href": url(PREFIX + path), "label": label if path else "Entrepôt"}
            for label, path, _ in NAVIGATION
            if path in PATHS
        ]
    if not who and not site.read_only:
        links.append({"href": url(f"{PREFIX}/login"), "label": "Sign in"})
    return links


def banner(datasette: Datasette, request: Request | None) -> str | None:
    """The way to our pages from Datasette's first one."""
    site = site_of(datasette)
    if site is None or not identify.may_read(site, None if request is None else request.actor):
        return None
    show = Show(datasette.urls.path)
    links = Markup(" · ").join(
        show.link(show.page(path), label) for label, path, _ in NAVIGATION if path in PATHS and label != "Audit"
    )
    return Markup('<p class="entrepot-pages"><strong>Entrepôt:</strong> {}</p>').format(links)


def row_links(datasette: Datasette, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """The page of ours about a row of Datasette's."""
    show = _shown(datasette, database)
    if show is None or table not in tables.PAGES_OF_ROWS:
        return []
    path, column = tables.PAGES_OF_ROWS[table]
    if path.split("/{")[0] not in {known.split("/{")[0] for known in PATHS}:
        return []
    return [{"href": show.page(path, row[column]), "label": "Its page", "description": "With all that belongs to it"}]


def table_links(datasette: Datasette, database: str, table: str) -> list[dict[str, str]]:
    """The page of ours that shows what a table holds."""
    show, path = _shown(datasette, database), tables.PAGES_OF_TABLES.get(table)
    if show is None or path is None or path not in PATHS:
        return []
    return [{"href": show.page(path), "label": "The page for it", "description": "Made for reading and operating"}]


def cell(datasette: Datasette, database: str | None, table: str | None, column: str, value: Any) -> Markup | None:
    """A value as a link to a page of ours, in answers to usual questions."""
    if table is not None or column not in tables.PAGES_OF_COLUMNS or not isinstance(value, int):
        return None
    show = _shown(datasette, database or "")
    return None if show is None else show.link(show.page(tables.PAGES_OF_COLUMNS[column], value), value)


def _shown(datasette: Datasette, database: str) -> Show | None:
    """What makes links, for the database that is the catalog."""
    site = site_of(datasette)
    found = tables.database_of(datasette, site) if site is not None else None
    return Show(datasette.urls.path) if found is not None and found.name == database else None


def actor(datasette: Datasette, request: Request) -> Awaitable[Mapping[str, Any] | None] | None:
    """Who asks."""
    site = site_of(datasette)
    return None if site is None else identify.actor(datasette, site, request)


def permission(datasette: Datasette, actor: Mapping[str, Any] | None, action: str) -> Any:
    """Denies Datasette's pages to whoever may not read."""
    site = site_of(datasette)
    if site is None or action not in OPEN_ACTIONS or identify.may_read(site, actor):
        return None
    return import_module("datasette.permissions").PermissionSQL.deny(reason="reading is for those who are known")


def wrapper(datasette: Datasette) -> Callable[[AsgiApp], AsgiApp]:
    """Adds headers to every answer that does not have them."""

    def wrap(app: AsgiApp) -> AsgiApp:
        site = site_of(datasette)
        if site is None:
            return app

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            instead: Reply | None = None

            async def sending(message: Message) -> None:
                nonlocal instead
                if message["type"] == "http.response.start":
                    instead = in_place_of(scope, message)
                if instead is not None:
                    if message["type"] == "http.response.start":
                        await instead.asgi_send(finishing)
                    return
                await finishing(message)

            async def finishing(message: Message) -> None:
                if message["type"] == "http.response.start":
                    there = {name.lower() for name, _ in message.get("headers", ())}
                    added = [header for header in HEADERS if header[0] not in there]
                    message = {**message, "headers": [*message.get("headers", ()), *added]}
                await send(message)

            if scope["type"] != "http":
                return await app(scope, receive, sending)
            await site.follow(lambda view: view.ended.append(show(datasette, view.catalog)))
            # A stream may take hours, and looks at the newest generation each time.
            with nullcontext() if scope["path"].endswith("/events") else site.held():
                return await app(scope, receive, sending)

        return wrapped

    return wrap


def in_place_of(scope: Scope, start: Message) -> Reply | None:
    """What a call of the API is answered where Datasette itself refuses it, or fails, with a page."""
    headers = {name.lower(): value for name, value in start.get("headers", ())}
    if scope["type"] != "http" or not re.match(UNKNOWN, scope["path"]):
        return None
    if start["status"] < 400 or not headers.get(b"content-type", b"").startswith(b"text/html"):
        return None
    if start["status"] != 403:
        return unexpected()
    # It has looked at the headers Origin and Sec-Fetch-Site: a browser was told to do this by a page of another site.
    return problem(NotAllowedError("a change that another site asks a browser for is refused", hint="send a token"))


def started(datasette: Datasette) -> Callable[[], Awaitable[None]]:
    """Describes the tables, and begins to look after tasks."""

    async def begin() -> None:
        site = site_of(datasette)
        if site is None:
            return
        await tables.describe(datasette, site)
        if not site.read_only:
            await _tend(datasette, site)

    return begin


async def _tend(datasette: Datasette, site: Site) -> None:
    async def tend(_: Any) -> None:
        await site.tend()

    datasette.add_background_task(tend, name="entrepot-tasks")


def ended(datasette: Datasette) -> None:
    """Ends threads."""
    forget(datasette)
