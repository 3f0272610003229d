"""Routes of pages: declared once, called through one door that knows who asks, forms, messages and errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote

from datasette_entrepot.forms import Fields, parse_texts
from datasette_entrepot.identify import FAILURE, identity
from datasette_entrepot.pages.form import Form, read_form
from datasette_entrepot.pages.show import PREFIX, local_path
from datasette_entrepot.problems import MethodError
from datasette_entrepot.protocols import Answer, Datasette, Request
from datasette_entrepot.routing import Call, pattern, unescaped
from datasette_entrepot.site import ANONYMOUS, Site, site_of
from entrepot.errors import AuthenticationError, EntrepotError, NotFoundError, UsageError
from entrepot.services import permissions

logger = logging.getLogger(__name__)

LOGIN = "/login"


@dataclass
class PageCall(Call):
    """One request for a page. ``form`` is what was sent, ``error`` why it was not taken: both empty for a GET."""

    form: Form = field(default_factory=Form)
    error: EntrepotError | None = None
    known: bool = False
    """Whether somebody is signed in."""

    def may(self, action: str, distribution: str | None = None) -> bool:
        """Whether who asks could do this here: what decides about showing a button."""
        return not self.site.read_only and permissions.allows(self.identity, action, distribution)


@dataclass(frozen=True, slots=True)
class Page:
    """A page: a template of ``templates/entrepot``, its heading, and what the template is told.

    ``crumbs`` are the pages above: label and path below ``/-/entrepot``.
    """

    template: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    crumbs: Sequence[tuple[str, str]] = ()
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where to go on, with a message for the page there. ``path`` is below ``/-/entrepot``; ``local`` below ``/``."""

    path: str = ""
    message: str = ""
    kind: str = "info"
    """``info``, ``warning`` or ``error``."""
    local: str = ""
    cookies: tuple[str, ...] = ()
    """Headers ``Set-Cookie``."""


Result = Page | Redirect | Answer
Handler = Callable[[PageCall], Awaitable[Result]]


@dataclass(frozen=True)
class PageRoute:
    """One method of one page. ``action`` is what the gate is asked for; empty: nobody has to be known.

    ``shown_on`` shows the page that a form is on, when the form was not taken. With ``streamed`` the handler reads the
    body itself.
    """

    method: str
    path: str
    action: str
    handler: Handler
    query: Fields = ()
    shown_on: Handler | None = None
    streamed: bool = False


class Pages:
    """Collects routes of pages, with their handlers as decorators."""

    def __init__(self) -> None:
        self.all: list[PageRoute] = []

    def get(self, path: str, action: str, *, query: Fields = ()) -> Callable[[Handler], Handler]:
        """Adds a page."""

        def decorate(handler: Handler) -> Handler:
            self.all.append(PageRoute("GET", path, action, handler, query))
            return handler

        return decorate

    def post(
        self, path: str, action: str, *, shown_on: Handler, streamed: bool = False
    ) -> Callable[[Handler], Handler]:
        """Adds what a form does. It makes one call of a service or begins one task, and answers a ``Redirect``."""

        def decorate(handler: Handler) -> Handler:
            self.all.append(PageRoute("POST", path, action, handler, (), shown_on, streamed))
            return handler

        return decorate


def page_views(routes: Sequence[PageRoute]) -> Sequence[tuple[str, Callable[..., Awaitable[Answer]]]]:
    """What Datasette takes: a view for each path, and one for all other paths below ``/-/entrepot``."""
    by_path: dict[str, dict[str, PageRoute]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    ordered = sorted(by_path, key=lambda path: (-path.count("/"), path.count("{")))
    views = [(pattern(PREFIX + path), _view(by_path[path])) for path in ordered]
    return [*views, (rf"^{PREFIX}(/.*)?$", _view({}))]


def _view(methods: Mapping[str, PageRoute]) -> Callable[..., Awaitable[Answer]]:
    async def view(datasette: Any, request: Any) -> Answer:
        from datasette_entrepot.pages.render import error_page, respond

        site = site_of(datasette)
        assert site is not None, "there are pages only where there is a site"
        call = _call(site, datasette, request)
        try:
            return await respond(call, await _result(call, methods))
        except EntrepotError as error:
            return await respond(call, error_page(call, error))
        except Exception:
            # The border: whatever happens inside, who asks gets no trace of it.
            logger.exception("%s %s failed", request.method, request.scope.get("path", ""))
            failed = EntrepotError("the server failed", hint="its log says why")
            return await respond(call, error_page(call, failed))

    return view


def _call(site: Site, datasette: Datasette, request: Request) -> PageCall:
    who, known = ANONYMOUS, False
    try:
        who = identity(site, request)
        known = who is not ANONYMOUS
    except EntrepotError:
        pass
    return PageCall(site=site, datasette=datasette, request=request, identity=who, parameters={}, query={}, known=known)


async def _result(call: PageCall, methods: Mapping[str, PageRoute]) -> Result:
    if not methods:
        raise NotFoundError("there is no such page")
    route = methods.get("GET" if call.request.method == "HEAD" else call.request.method)
    if route is None:
        allowed = ", ".join(sorted(methods))
        raise MethodError(f"this page knows {allowed}", allow=allowed)
    call.parameters = {name: unescaped(text) for name, text in call.request.url_vars.items()}
    if (way_in := _gate(call, route)) is not None:
        return way_in
    if route.method == "GET":
        call.query = _query(call, route)
        return await route.handler(call)
    return await _post(call, route)


def _gate(call: PageCall, route: PageRoute) -> Redirect | None:
    """Where whoever is not known signs in first; ``NotAllowedError`` for who is known and may not."""
    if not route.action:
        return None
    if failure := call.request.scope.get(FAILURE):
        assert isinstance(failure, EntrepotError)
        raise failure
    try:
        who = identity(call.site, call.request)
    except AuthenticationError:
        return _sign_in(call)
    if who is ANONYMOUS and not permissions.allows(who, route.action) and not call.site.read_only:
        return _sign_in(call)
    if route.method != "GET":
        call.site.require_writable()
    permissions.require(who, route.action)
    return None


def _sign_in(call: PageCall) -> Redirect:
    if call.site.read_only:
        raise AuthenticationError("this catalog is not for everybody, and knows nobody here")
    query = call.request.query_string
    # After a POST there is nothing to come back to but the page that the form was on.
    here = call.request.scope["path"] + (f"?{query}" if query and call.request.method == "GET" else "")
    return Redirect(f"{LOGIN}?next={quote(local_path(here), safe='/')}", "Sign in first", "warning")


def _query(call: PageCall, route: PageRoute) -> Mapping[str, Any]:
    """The query as its fields say. Empty values are what a form sends of what was left open."""
    pairs = parse_qsl(call.request.query_string, keep_blank_values=True)
    known = {declared.name for declared in route.query}
    return parse_texts(route.query, [(name, text) for name, text in pairs if text and name in known])


async def _post(call: PageCall, route: PageRoute) -> Result:
    assert route.shown_on is not None
    try:
        if not route.streamed:
            call.form = await read_form(call.request)
        return await route.handler(call)
    except EntrepotError as error:
        call.error = error
        # Where the page itself is about something that is not there, this says so.
        page = await route.shown_on(call)
        # The page is there; what somebody typed into its form is not.
        status = UsageError.status if isinstance(error, NotFoundError) else error.status
        return replace(page, status=status) if isinstance(page, Page) else page


def require_text(call: PageCall, name: str, message: str) -> str:
    """A field of the form that has to say something."""
    text = call.form.text(name)
    if not text:
        raise UsageError(message, field=name)
    return text
