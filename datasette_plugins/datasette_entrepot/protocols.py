"""What this plugin uses of Datasette and ASGI. Datasette has no types of its own; these are as narrow as can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Protocol, runtime_checkable

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class UploadedFile(Protocol):
    """A file of a multipart form, on disk where it is large."""

    name: str
    filename: str
    size: int

    async def read(self, size: int = -1) -> bytes: ...


class FormData(Protocol):
    """A form."""

    def items(self) -> Iterable[tuple[str, str | UploadedFile]]: ...

    def close(self) -> None: ...


class Request(Protocol):
    """A request, as views get it."""

    scope: Scope
    receive: Receive

    @property
    def method(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def query_string(self) -> str: ...

    @property
    def url_vars(self) -> Mapping[str, str]: ...

    @property
    def actor(self) -> Mapping[str, Any] | None: ...

    async def form(
        self, files: bool = ..., *, max_file_size: int = ..., max_request_size: int = ..., max_files: int = ...
    ) -> FormData: ...


class Database(Protocol):
    """One of the files that Datasette shows."""

    name: str
    path: str | None
    is_mutable: bool


class Urls(Protocol):
    """Where things are, wherever Datasette itself is."""

    def path(self, path: str) -> str: ...

    def table(self, database: str, table: str) -> str: ...

    def query(self, database: str, query: str) -> str: ...


class Datasette(Protocol):
    """Datasette itself."""

    databases: Mapping[str, Database]
    root_enabled: bool
    config: MutableMapping[str, Any]

    @property
    def urls(self) -> Urls: ...

    def static(self, path: str, plugin: str | None = None) -> str: ...

    def add_message(self, request: Any, message: str, type: int = ...) -> None: ...  # noqa: A002

    async def render_template(self, templates: list[str], context: Mapping[str, Any], request: Any = ...) -> str: ...

    def plugin_config(self, plugin_name: str) -> Mapping[str, Any] | None: ...

    def sign(self, value: Any, namespace: str) -> str: ...

    def unsign(self, signed: str, namespace: str) -> Any: ...

    async def set_database_metadata(self, database_name: str, key: str, value: str) -> None: ...

    async def set_resource_metadata(self, database_name: str, resource_name: str, key: str, value: str) -> None: ...

    async def set_column_metadata(
        self, database_name: str, resource_name: str, column_name: str, key: str, value: str
    ) -> None: ...

    async def add_query(
        self,
        database: str,
        name: str,
        sql: str,
        *,
        title: str | None = ...,
        description: str | None = ...,
        is_trusted: bool = ...,
    ) -> None: ...

    def add_background_task(self, func: Callable[[Any], Awaitable[None]], name: str | None = None) -> object: ...


@runtime_checkable
class Answer(Protocol):
    """What a view answers."""

    async def asgi_send(self, send: Send) -> None: ...
