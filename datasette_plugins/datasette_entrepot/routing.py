"""Routes of the API: declared once, called through one door that knows methods, who asks, bodies and errors.

::

    routes = Routes()

    @routes.get("/import/sources", "source.read", "Every source", answers={200: list_of("Source")})
    async def list_sources(call: Call) -> object:
        return [view.as_json() for view in await call.run(sources.list_sources)]

A handler answers a JSON document, an ``Answer``, or raises an ``EntrepotError``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, unquote

from datasette_entrepot.answers import Reply, reply
from datasette_entrepot.forms import Fields, parse_object, parse_texts
from datasette_entrepot.identify import identity
from datasette_entrepot.problems import MalformedError, MediaTypeError, MethodError, problem, unexpected
from datasette_entrepot.protocols import Answer, Datasette, Request
from datasette_entrepot.site import ANONYMOUS, Site, site_of
from entrepot.errors import AuthenticationError, EntrepotError, NotFoundError, TooLargeError, UsageError
from entrepot.models import Identity
from entrepot.services import permissions

P = ParamSpec("P")
T = TypeVar("T")
Schema = Mapping[str, Any]

logger = logging.getLogger(__name__)

MOST_BODY = 1 << 20
"""Bytes of a JSON body."""
JSON_TYPE = re.compile(r"application/(.+\+)?json")

PARAMETERS: Mapping[str, tuple[str, Schema]] = {
    "source": (r"[^/]+", {"type": "string", "description": "Name or id of a source"}),
    "package": (r"[^/]+", {"type": "string", "description": "Name of a package"}),
    "repository": (r"[^/]+", {"type": "string", "description": "Name or id of a repository"}),
    # Names of distributions have slashes (el9/x86_64), and some proxies take the escapes out of a path.
    "distribution": (r".+", {"type": "string", "description": "Name of a distribution; may have slashes"}),
    "task": (r"[^/]+", {"type": "integer", "minimum": 1, "description": "Id of a task"}),
    "import": (r"[^/]+", {"type": "integer", "minimum": 1, "description": "Id of an import"}),
    "policy": (r"[^/]+", {"type": "string", "description": "Name of a policy"}),
    "vulnerability": (r"[^/]+", {"type": "string", "description": "Name of a vulnerability or an advisory"}),
    "snapshot": (r"[^/]+", {"type": "string", "description": "Name of a snapshot"}),
    "number": (r"[^/]+", {"type": "integer", "minimum": 0, "description": "Number of a version"}),
}
"""Parts of paths: pattern and schema by name."""


@dataclass
class Call:
    """One request that was let in."""

    site: Site
    datasette: Datasette
    request: Request
    identity: Identity
    parameters: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict)

    async def run(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """A call of a service, in a workspace opened for who asks."""
        changing = self.request.method not in ("GET", "HEAD")
        origin = f"http:{self.address}"
        return await self.site.run(self.identity, function, *arguments, origin=origin, changing=changing, **options)

    @property
    def address(self) -> str:
        """Where a request comes from; behind a proxy of this machine, what that says."""
        client = self.request.scope.get("client")
        return str(client[0]) if client else "unknown"

    def number(self, name: str) -> int:
        """A part of the path that is a number."""
        text = self.parameters[name]
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise NotFoundError(f"there is no {name} {text[:100]!r}")
        return int(text)

    def require(self, action: str, distribution: str | None = None) -> None:
        """``NotAllowedError`` unless who asks may do this."""
        permissions.require(self.identity, action, distribution)

    @property
    def accepts(self) -> str:
        """The header ``Accept``."""
        return self.request.headers.get("accept", "")

    @property
    def later(self) -> bool:
        """Whether who asks would rather be told where to look than wait (RFC 7240)."""
        preferences = re.split(r"[,;]", self.request.headers.get("prefer", ""))
        return "respond-async" in [preference.strip().lower() for preference in preferences]


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True)
class Route:
    """One method of one path. ``action`` is what the gate is asked for; empty: nobody has to be known."""

    method: str
    path: str
    action: str
    about: str
    handler: Handler
    query: Fields = ()
    body: Fields | None = None
    body_optional: bool = False
    body_form: bool = False
    """Whether the body may be a form as well as JSON."""
    multipart: Schema | None = None
    answers: Mapping[int, Schema] = field(default_factory=dict)
    media: Mapping[int, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers that change the answer: name and what they do."""


class Routes:
    """Collects routes, with their handlers as decorators."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def add(self, method: str, path: str, action: str, about: str, **more: Any) -> Callable[[Handler], Handler]:
        """Adds a route."""

        def decorate(handler: Handler) -> Handler:
            self.all.append(Route(method, path, action, about, handler, **more))
            return handler

        return decorate

    def get(self, path: str, action: str, about: str, **more: Any) -> Callable[[Handler], Handler]:
        """Adds a route of method GET, which is that of HEAD, too."""
        return self.add("GET", path, action, about, **more)

    def post(self, path: str, action: str, about: str, **more: Any) -> Callable[[Handler], Handler]:
        """Adds a route of method POST."""
        return self.add("POST", path, action, about, **more)


def pattern(path: str) -> str:
    """The regular expression of a path with ``{parts}``; a slash at its end is not looked at."""
    parts = re.split(r"\{(\w+)\}", path.rstrip("/"))
    text = "".join(f"(?P<{part}>{PARAMETERS[part][0]})" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return f"^{text}/?$"


def views(routes: Sequence[Route]) -> Sequence[tuple[str, Callable[..., Awaitable[Answer]]]]:
    """What Datasette takes: a view for each path. The longest paths come first, as some parts may have slashes."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    ordered = sorted(by_path, key=lambda path: -path.count("/"))
    return [(pattern(path), _view(by_path[path])) for path in ordered]


def unknown_view() -> Callable[..., Awaitable[Answer]]:
    """The view of paths under those of the API that are none."""

    async def view(request: Any) -> Answer:
        no_messages(request)
        return problem(NotFoundError("there is no such path", hint="the paths are in /-/entrepot/openapi.json"))

    return view


def _view(methods: Mapping[str, Route]) -> Callable[..., Awaitable[Answer]]:
    allowed = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})

    async def view(datasette: Any, request: Any) -> Answer:
        site = site_of(datasette)
        assert site is not None, "there are routes only where there is a site"
        no_messages(request)
        head = request.method == "HEAD"
        route = methods.get("GET" if head else request.method)
        if route is None and request.method == "OPTIONS":
            return Reply(b"", 204, headers={"allow": ", ".join(allowed)})
        try:
            if route is None:
                raise MethodError(f"this path knows {', '.join(allowed)}", allow=", ".join(allowed))
            answer = await _answer(site, datasette, request, route)
        except EntrepotError as error:
            answer = problem(error)
        except Exception:
            # The border: whatever happens inside, who asks gets no trace of it.
            logger.exception("%s %s failed", request.method, route.path if route else "")
            answer = unexpected()
        if head and isinstance(answer, Reply):
            return Reply(answer.body, answer.status, answer.content_type, answer.headers, head=True)
        return answer

    return view


async def _answer(site: Site, datasette: Datasette, request: Request, route: Route) -> Answer:
    who = ANONYMOUS
    if route.action:
        who = identity(site, request)
        if who is ANONYMOUS and not permissions.allows(who, route.action):
            raise AuthenticationError("this needs a token", hint="send it as `Authorization: Bearer TOKEN`")
        permissions.require(who, route.action)
    if route.method != "GET":
        site.require_writable()
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    call = Call(
        site=site,
        datasette=datasette,
        request=request,
        identity=who,
        parameters={name: unescaped(text) for name, text in request.url_vars.items()},
        query=parse_texts(route.query, pairs) if route.method == "GET" or route.query else {},
    )
    if route.body is not None:
        call.body = await _body(request, route)
    result = await route.handler(call)
    return result if isinstance(result, Answer) else reply(result)


def no_messages(request: Any) -> None:
    """Leaves Datasette's messages for the next page: it would write them to any answer, and ours are no pages."""
    request._messages = []


def unescaped(text: str) -> str:
    """A part of a path as it was meant; ``NotFoundError`` for what can be no name."""
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise NotFoundError("a part of the path is not UTF-8") from error
    if "\0" in plain:
        raise NotFoundError("a part of the path has a NUL")
    return plain


async def _body(request: Request, route: Route) -> Mapping[str, Any]:
    assert route.body is not None
    raw = await read_body(request)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not raw and route.body_optional:
        return parse_object(route.body, {})
    try:
        if route.body_form and content_type == "application/x-www-form-urlencoded":
            pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
            return parse_texts(route.body, pairs)
        if not JSON_TYPE.fullmatch(content_type):
            raise MediaTypeError("the body has to be JSON", hint="send `Content-Type: application/json`")
        return parse_object(route.body, json.loads(raw, parse_constant=_no_constant))
    except UsageError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is not {content_type}: {error}") from error


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


async def read_body(request: Request, limit: int = MOST_BODY) -> bytes:
    """The whole body; ``TooLargeError`` as soon as it is known to be larger than ``limit`` bytes."""
    too_large = TooLargeError(f"the body is larger than {limit} bytes")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise too_large
    parts, size = [], 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise MalformedError("the connection ended within the body")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
