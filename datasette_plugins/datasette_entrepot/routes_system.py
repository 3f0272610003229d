"""``/-/entrepot``: health, figures, and the description of the API."""

from __future__ import annotations

from typing import Any

from datasette_entrepot.answers import Reply, reply
from datasette_entrepot.identify import identity
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import TEXT, ref
from entrepot import __version__
from entrepot.errors import AuthenticationError, EntrepotError
from entrepot.services import figures

routes = Routes()

METRICS = "text/plain; version=0.0.4; charset=utf-8"


@routes.get(
    "/-/entrepot/health", "", "Whether the catalog can be read", answers={200: ref("Health"), 503: ref("Health")}
)
async def health(call: Call) -> Reply:
    document: dict[str, Any] = {"status": "ok", "version": __version__, "read_only": call.site.read_only}
    try:
        await call.run(figures.check)
    except EntrepotError:
        return reply(document | {"status": "failed"}, 503)
    return reply(document)


@routes.get(
    "/-/entrepot/metrics",
    "",
    "Figures for Prometheus; names of sources and distributions are for those who may read",
    answers={200: TEXT},
    media={200: "text/plain"},
)
async def metrics(call: Call) -> Reply:
    try:
        identity(call.site, call.request)
        named = True
    except AuthenticationError:
        named = False
    text = await call.run(figures.prometheus, named=named)
    return Reply(text.encode(), content_type=METRICS)
