"""The first page: what there is, what waits, what happens."""

from __future__ import annotations

import datetime as dt

from datasette_entrepot.pages.plot import plot
from datasette_entrepot.pages.routing import Page, PageCall, Pages
from entrepot.services import overview as overviews

pages = Pages()


@pages.get("", "catalog.read")
async def show(call: PageCall) -> Page:
    """The overview."""
    found = await call.run(overviews.overview)
    context = {"overview": found, "plot": plot(found.sizes, dt.datetime.now(dt.UTC))}
    return Page("overview.html", "Overview", context)
