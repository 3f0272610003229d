"""From a ``Page`` to an answer: Datasette's template, our frame around it, and headers that are strict."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from datasette_entrepot.pages.routing import LOGIN, Page, PageCall, Redirect, Result
from datasette_entrepot.pages.show import PREFIX, Show
from datasette_entrepot.problems import MethodError
from datasette_entrepot.protocols import Answer, Datasette
from datasette_entrepot.site import PLUGIN
from entrepot.catalog.database import CatalogError
from entrepot.errors import EntrepotError, TooManyTriesError
from entrepot.models import Role
from entrepot.services import overview, permissions

KINDS = {"info": 1, "warning": 2, "error": 3}
"""Datasette's numbers of messages."""
INLINE = re.compile(r"<script>(.*?)</script>", re.S)

NAVIGATION = (
    ("Overview", "", "catalog.read"),
    ("Catalog", "/catalog", "catalog.read"),
    ("Sources", "/sources", "source.read"),
    ("Imports", "/imports", "review.read"),
    ("Review", "/review", "review.read"),
    ("Repositories", "/repositories", "repository.read"),
    ("Advisories", "/advisories", "catalog.read"),
    ("Tasks", "/tasks", "task.read"),
    ("Audit", "/audit", "review.read"),
    ("Access", "/access", "access.change"),
)
"""Label, path and action of what the bar of navigation offers; a page that does not exist is left out."""

_policies: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


async def respond(call: PageCall, result: Result) -> Answer:
    """The answer to a request."""
    if isinstance(result, Page):
        return await _html(call, result)
    if isinstance(result, Redirect):
        return _redirect(call, result)
    return result


def error_page(call: PageCall, error: EntrepotError) -> Page:
    """An error as a page of its own."""
    del call
    return Page("error.html", error.title, {"failure": error}, status=error.status)


def path_of(datasette: Datasette, path: str) -> str:
    """A path below ``/`` as it is called where Datasette is served below another one."""
    return str(datasette.urls.path(path))


async def _html(call: PageCall, page: Page) -> Answer:
    datasette = call.datasette
    show = Show(lambda path: path_of(datasette, path))
    context = {**show.functions(), **await _frame(call, page, show), **page.context}
    body = await datasette.render_template([f"entrepot/{page.template}"], context, request=call.request)
    headers = {"content-security-policy": await _policy(datasette), "cache-control": "no-store"}
    error = call.error or page.context.get("failure")
    if isinstance(error, TooManyTriesError):
        headers["retry-after"] = str(error.data.get("retry_after", 1))
    elif isinstance(error, MethodError):
        headers["allow"] = str(error.data["allow"])
    answer: Answer = import_module("datasette").Response.html(body, status=page.status, headers=headers)
    return answer


async def _frame(call: PageCall, page: Page, show: Show) -> Mapping[str, Any]:
    """What every template of ours is told."""
    from datasette_entrepot.pages.all import PATHS

    reading = call.known or call.site.public
    counts = await _counts(call) if reading else {}
    here = call.request.scope["path"]
    top = [("Entrepôt", "")] if page.template != "overview.html" else []
    return {
        "title": page.title,
        "trail": [(label, show.page(path)) for label, path in [*top, *page.crumbs]] if reading else [],
        "navigation": [
            {
                "label": label,
                "url": show.page(path),
                "here": _is_here(show.page(path), here, exact=not path),
                "count": counts.get(label.lower(), 0),
            }
            for label, path, action in NAVIGATION
            if path in PATHS and (permissions.ACTIONS[action] is Role.READER or call.may(action))
        ]
        if reading
        else [],
        "who": call.identity if call.known else None,
        "may": call.may,
        "read_only": call.site.read_only,
        "error": call.error,
        "form": call.form,
        "login_url": show.page(LOGIN, next=here) if not call.site.read_only else "",
        "logout_url": show.page("/logout"),
        "assets": {name: datasette_static(call.datasette, name) for name in ("entrepot.css", "entrepot.js")},
    }


async def _counts(call: PageCall) -> Mapping[str, int]:
    """What waits and runs. A page that says that the catalog cannot be read is shown without."""
    try:
        return await call.run(overview.counts)
    except CatalogError:
        return {}


def datasette_static(datasette: Datasette, name: str) -> str:
    """The URL of one of our static files; it changes with the file."""
    try:
        return str(datasette.static(name, plugin=PLUGIN))
    except FileNotFoundError:
        # Datasette calls a plugin that was not found as installed by the name of its module.
        return str(datasette.static(name, plugin="datasette_entrepot"))


def _is_here(url: str, here: str, *, exact: bool) -> bool:
    return here.rstrip("/") == url if exact else here == url or here.startswith(f"{url}/")


def _redirect(call: PageCall, redirect: Redirect) -> Answer:
    if redirect.message:
        call.datasette.add_message(call.request, redirect.message, KINDS[redirect.kind])
    place = path_of(call.datasette, redirect.local or PREFIX + redirect.path)
    response = import_module("datasette").Response.redirect(place, status=303)
    answer: Answer = WithCookies(response, redirect.cookies) if redirect.cookies else response
    return answer


class WithCookies:
    """A response of Datasette with further cookies, as whole headers."""

    def __init__(self, response: Any, cookies: tuple[str, ...]) -> None:
        self._response = response
        self._cookies = cookies

    def set_cookie(self, *arguments: Any, **options: Any) -> None:
        """What Datasette sets for its messages."""
        self._response.set_cookie(*arguments, **options)

    async def asgi_send(self, send: Any) -> None:
        """Sends it."""

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(b"set-cookie", cookie.encode("latin-1")) for cookie in self._cookies]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._response.asgi_send(sending)


async def _policy(datasette: Datasette) -> str:
    """The content security policy: no script but files of this server, and those that Datasette's own frame has.

    The frame has scripts within the page. They are known by their digests, which a page without any data tells.
    """
    if datasette not in _policies:
        page = await datasette.render_template(["entrepot/blank.html"], {})
        digests = (hashlib.sha256(text.encode()).digest() for text in INLINE.findall(page))
        allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        _policies[datasette] = (
            f"default-src 'none'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
            " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    return _policies[datasette]
