"""Entrepôt inside Datasette: the HTTP API, sign-in, and what Datasette shows of a catalog.

A plugin for Datasette (entry-point group ``datasette``). It does its work where one of the databases is the catalog of
a workspace, and nothing elsewhere. The hooks are here and import what they need when they are called: the command line
looks into this package for ``entrepot serve`` alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pluggy

hookimpl = pluggy.HookimplMarker("datasette")


@hookimpl
def register_routes(datasette: Any) -> Sequence[tuple[str, Callable[..., Any]]]:
    """The HTTP API, the pages and the published trees."""
    from datasette_entrepot.plugin import routes

    return routes(datasette)


@hookimpl(tryfirst=True)
def actor_from_request(datasette: Any, request: Any) -> Awaitable[Mapping[str, Any] | None] | None:
    """Who asks: by token, or by the cookie of a user that signed in."""
    from datasette_entrepot.plugin import actor

    return actor(datasette, request)


@hookimpl
def permission_resources_sql(datasette: Any, actor: Mapping[str, Any] | None, action: str) -> Any:
    """Datasette's own pages are for those who may read."""
    from datasette_entrepot.plugin import permission

    return permission(datasette, actor, action)


@hookimpl
def menu_links(datasette: Any, request: Any) -> list[dict[str, str]]:
    """Our pages in Datasette's menu."""
    from datasette_entrepot.plugin import menu

    return menu(datasette, request)


@hookimpl
def top_homepage(datasette: Any, request: Any) -> Any:
    """The way to our pages from Datasette's first one."""
    from datasette_entrepot.plugin import banner

    return banner(datasette, request)


@hookimpl
def row_actions(datasette: Any, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """From a row to the page that tells all of it."""
    from datasette_entrepot.plugin import row_links

    return row_links(datasette, database, table, row)


@hookimpl
def table_actions(datasette: Any, database: str, table: str) -> list[dict[str, str]]:
    """From a table to the page for what it holds."""
    from datasette_entrepot.plugin import table_links

    return table_links(datasette, database, table)


@hookimpl
def render_cell(datasette: Any, database: str | None, table: str | None, column: str, value: Any) -> Any:
    """Ids in answers to usual questions are links."""
    from datasette_entrepot.plugin import cell

    return cell(datasette, database, table, column, value)


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[Any], Any]:
    """Headers that keep pages out of frames and content types what they are."""
    from datasette_entrepot.plugin import wrapper

    return wrapper(datasette)


@hookimpl
def startup(datasette: Any) -> Callable[[], Awaitable[None]]:
    """Tasks that were left waiting go on."""
    from datasette_entrepot.plugin import started

    return started(datasette)


@hookimpl
def shutdown(datasette: Any) -> None:
    """Threads end."""
    from datasette_entrepot.plugin import ended

    ended(datasette)
