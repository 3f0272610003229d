"""``GET /import/catalog``: what synced sources offer."""

from __future__ import annotations

from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import ref
from entrepot.services import browse

routes = Routes()

PAGE = 50
MOST_OFFSET = 10_000


@routes.get(
    "/import/catalog",
    "catalog.read",
    "Search what synced sources offer: the exact name first, names that begin so, words in names, summaries, anywhere",
    query=(
        Field("q", about="What to look for; everything unless given", length=500),
        Field("name", about="Exactly this name", length=500),
        Field("source", about="Name or id of a source", length=100),
        Field("arch", about="Architecture", length=100),
        Field("format", about="Format", length=100),
        Field("latest", "flag", "Only the newest version for each source and architecture (default: 1)"),
        Field("_size", "integer", "Names on a page", least=1, most=200),
        Field("_next", "integer", "Where the next page begins: `next` of this one", least=0, most=MOST_OFFSET),
    ),
    answers={200: ref("CatalogPage")},
)
async def search(call: Call) -> dict[str, Any]:
    query = call.query
    return await call.run(
        browse.search_page,
        query.get("q", ""),
        name=query.get("name", ""),
        source=query.get("source") or None,
        format_name=query.get("format", ""),
        architecture=query.get("arch", ""),
        all_versions=not query.get("latest", True),
        limit=query.get("_size", PAGE),
        offset=query.get("_next", 0),
        most_offset=MOST_OFFSET,
    )
