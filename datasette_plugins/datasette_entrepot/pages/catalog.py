"""The catalog: search, and one package with all that is known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.paging import Paging, offset_field
from datasette_entrepot.pages.routing import Page, PageCall, Pages
from datasette_entrepot.routes_catalog import MOST_OFFSET
from entrepot.services import browse, dossiers

pages = Pages()

PAGE = 50
RELATIONS = frozenset(
    (
        "depends",
        "pre-depends",
        "recommends",
        "suggests",
        "enhances",
        "supplements",
        "breaks",
        "conflicts",
        "replaces",
        "obsoletes",
        "provides",
        "requires",
        "build-depends",
        "build-depends-indep",
    )
)
"""Fields, in lower case, whose value is a list of other packages."""
NEEDS = ("pre-depends", "depends", "requires", "recommends", "suggests")
PIECE = re.compile(r"([,|\n])")
NAMED = re.compile(r"(\s*)([A-Za-z0-9/][^\s(<>=:,|]*)(.*)", re.S)
FILTERS = (
    Field("q", length=500),
    Field("source", length=100),
    Field("format", length=100),
    Field("arch", length=100),
    Field("versions", length=10, choices=("all", "newest")),
)


@pages.get("/catalog", "catalog.read", query=(*FILTERS, offset_field(MOST_OFFSET)))
async def search(call: PageCall) -> Page:
    """What sources offer: the exact name first, names that begin so, words in names, summaries, anywhere."""
    query = call.query
    offset = query.get("from", 0)
    found = await call.run(
        browse.search_page,
        query.get("q", ""),
        source=query.get("source"),
        format_name=query.get("format", ""),
        architecture=query.get("arch", ""),
        all_versions=query.get("versions") == "all",
        limit=PAGE,
        offset=offset,
        most_offset=MOST_OFFSET,
    )
    asked = {declared.name: query[declared.name] for declared in FILTERS if declared.name in query}
    names = len({row["name"] for row in found["rows"]})
    context = {
        "rows": found["rows"],
        "asked": asked,
        "choices": await call.run(browse.choices),
        "paging": Paging(offset, PAGE, names, found["next"] is not None, asked),
        "here": "/catalog",
    }
    return Page("catalog.html", "Catalog", context)


VERSION = (Field("version", length=500), Field("arch", length=100))


@pages.get("/package/{source}/{package}", "catalog.read", query=VERSION)
async def show_of_source(call: PageCall) -> Page:
    """A package as one source offers it."""
    return await _show(call, call.parameters["source"])


@pages.get("/package/{package}", "catalog.read", query=VERSION)
async def show(call: PageCall) -> Page:
    """A package, whoever offers it."""
    return await _show(call, None)


async def _show(call: PageCall, source: str | None) -> Page:
    name = call.parameters["package"]
    found = await call.run(
        dossiers.dossier,
        name,
        source=source,
        version=call.query.get("version", ""),
        architecture=call.query.get("arch", ""),
    )
    fields = found.offered.fields if found.offered else ()
    context = {
        "dossier": found,
        "offered": found.offered,
        "chosen": found.offered.package if found.offered else None,
        "relations": _relations(fields),
        "fields": [(field, text) for field, text in fields if field.lower() not in RELATIONS],
    }
    return Page("package.html", name, context, crumbs=[("Catalog", "/catalog")])


def _relations(fields: Sequence[tuple[str, str]]) -> Sequence[Mapping[str, Any]]:
    """Fields with other packages, those that are needed first; each a list of texts with names to look for.

    A piece is what stands before a name, the name, and what stands after it.
    """
    chosen = [(field, text) for field, text in fields if field.lower() in RELATIONS and text.strip()]
    order = {field: at for at, field in enumerate(NEEDS)}
    chosen.sort(key=lambda item: order.get(item[0].lower(), len(NEEDS)))
    return [{"name": field, "pieces": [_piece(piece) for piece in PIECE.split(text)]} for field, text in chosen]


def _piece(text: str) -> tuple[str, str, str]:
    if found := NAMED.fullmatch(text):
        return found[1], found[2], found[3]
    return text, "", ""
