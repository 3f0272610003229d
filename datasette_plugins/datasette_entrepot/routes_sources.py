"""``/import/sources``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from datasette_entrepot import sse
from datasette_entrepot.answers import Reply, reply
from datasette_entrepot.forms import Field, parse_object
from datasette_entrepot.protocols import Answer
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import TEXT, list_of, ref
from datasette_entrepot.tasking import accepted
from entrepot.errors import NotAllowedError, UsageError
from entrepot.models import Connection, Role, Secrets, SourceDraft
from entrepot.services import queue, sources

routes = Routes()

# Files of the server (certificates, keys) are named on its command line, not from outside.
CONNECTION = (
    Field("proxy", about="URL of a proxy", nullable=True),
    Field("concurrency", "integer", "Connections at once", least=1, most=64),
    Field("rate_limit", "integer", "Bytes per second; 0 is unlimited", least=0, most=1 << 40),
    Field("retries", "integer", "Tries after the first one", least=0, most=20),
    Field("timeout", "number", "Seconds without a byte", least=1, most=3600),
)
SECRETS = (
    Field("username", about="User name for the server; null: none, and no password", nullable=True),
    Field("password", about="Its password; null: none", nullable=True),
    Field("headers", "object", "Further request headers: name and value; null: none", nullable=True),
)
COMMON = (
    Field("url", about="Where it is", length=2048),
    Field("distributions", "list", "What to read (APT: suites)"),
    Field("components", "list", "Components to read; all unless given"),
    Field("architectures", "list", "Architectures to read"),
    Field("verify", "flag", "Whether signatures are required (default: yes)"),
    Field("keyring", about="Public keys that may sign it, armored", length=1 << 19),
    Field("options", "object", "Options of the format, by name"),
    Field("connection", "object", "proxy, concurrency, rate_limit, retries, timeout"),
    Field(
        "secrets",
        "object",
        "username (null or empty: none, and no password), password, headers (null: none): taken, and never shown again;"
        " null: none of them",
        nullable=True,
    ),
)
DRAFT = (
    Field("name", required=True, about="What it is called", length=100),
    Field("format", required=True, about="apt, rpm, or what a plugin adds", length=100),
    *(field for field in COMMON if field.name != "url"),
    Field("url", required=True, about="Where it is", length=2048),
)


@routes.get("/import/sources", "source.read", "Every source", answers={200: list_of("Source")})
async def list_sources(call: Call) -> list[dict[str, Any]]:
    return [view.as_json() for view in await call.run(sources.list_sources)]


@routes.post(
    "/import/sources",
    "source.change",
    "Add a source. Nothing is fetched; the next sync reads it",
    body=DRAFT,
    answers={201: ref("Source")},
)
async def add_source(call: Call) -> Reply:
    change = change_of(call, call.body)
    base = SourceDraft(name=call.body["name"], format=call.body["format"], url=call.body["url"])
    view = await call.run(sources.add_source, change.apply(base))
    return reply(view.as_json(), 201, {"location": f"/import/sources/{view.source.id}"})


@routes.get("/import/sources/{source}", "source.read", "One source", answers={200: ref("Source")})
async def show_source(call: Call) -> dict[str, Any]:
    view = await call.run(sources.show_source, call.parameters["source"])
    return view.as_json()


@routes.add(
    "PATCH",
    "/import/sources/{source}",
    "source.change",
    "Change a source; what is not given stays",
    body=COMMON,
    answers={200: ref("Source")},
)
async def change_source(call: Call) -> dict[str, Any]:
    view = await call.run(sources.set_source, call.parameters["source"], change_of(call, call.body))
    return view.as_json()


@routes.add(
    "DELETE",
    "/import/sources/{source}",
    "source.change",
    "Remove a source and what it offers; packages that came from it stay",
    answers={204: {}},
)
async def remove_source(call: Call) -> Reply:
    await call.run(sources.remove_source, call.parameters["source"])
    return Reply(b"", 204)


@routes.post(
    "/import/sources/{source}/sync",
    "source.sync",
    "Bring what a source offers now into the catalog: a stream of events, one JSON document in the data of each, or"
    " with `Accept: application/json` 202 with the task. Two at once are one: the second follows the first",
    body=(Field("force", "flag", "Read everything again, changed or not"),),
    body_optional=True,
    body_form=True,
    answers={200: TEXT, 202: ref("Task")},
    media={200: sse.STREAM},
    headers={"Accept": "`application/json`: the task", "Last-Event-ID": "Go on after this event"},
)
async def sync_source(call: Call) -> Answer:
    view = await call.run(sources.show_source, call.parameters["source"])
    values = {"source": view.source.name, "force": call.body.get("force", False)}
    task_id = await call.run(queue.submit, "sync", view.source.name, values, follow=True)
    if call.later or ("json" in call.accepts and sse.STREAM not in call.accepts):
        return await accepted(call, task_id)
    return await sse.stream(call, task_id, sse.SyncShape())


def change_of(call: Call, values: Mapping[str, Any]) -> sources.Change:
    """What checked values ask for; folders of the server are for admins."""
    refuse_local(call, values.get("url", ""))
    given = dict.fromkeys(field.name for field in SECRETS)
    if (told := values.get("secrets", {})) is not None:
        given = parse_object(SECRETS, told)
    secrets = Secrets(given.get("username"), given.get("password"), _headers(given.get("headers") or {}))
    keyring = values.get("keyring")
    return sources.Change(
        url=values.get("url"),
        distributions=values.get("distributions"),
        components=values.get("components"),
        architectures=values.get("architectures"),
        verify=values.get("verify"),
        keyring=keyring.encode("utf-8", "replace") if keyring else None,
        options=values.get("options"),
        connection=_connection(values.get("connection")),
        secrets=secrets,
        forget=[name for name, value in given.items() if value is None],
    )


def _connection(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if value is None:
        return None
    # What a source is shown with can be sent back: files of the server, as long as they are none.
    kept = {name: item for name, item in value.items() if item is not None or name not in Connection.__slots__}
    return parse_object(CONNECTION, kept)


def _headers(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if not all(isinstance(text, str) for text in value.values()):
        raise UsageError("secrets.headers must be texts by name")
    return tuple(value.items())


def refuse_local(call: Call, url: str) -> None:
    """``NotAllowedError`` for a folder of the server, unless an admin names it."""
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError as error:
        raise UsageError("url is no URL") from error
    # Whoever reads files of the server through a source sees what its owner sees.
    if scheme == "file" and call.identity.role is not Role.ADMIN:
        raise NotAllowedError("a source that is a folder of the server is for admins", hint="or for its command line")
