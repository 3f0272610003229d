"""Vulnerability data: feeds, and what is known of one vulnerability or one package."""

from __future__ import annotations

import re

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from datasette_entrepot.pages.work import begin
from entrepot.errors import NotAllowedError, NotFoundError
from entrepot.models import Role
from entrepot.services import advisories, listings

pages = Pages()

CRUMBS = [("Advisories", "/advisories")]


@pages.get("/advisories", "catalog.read", query=(Field("q", about="A vulnerability or a package", length=200),))
async def show(call: PageCall) -> Page | Redirect:
    """The feeds, and what a search found."""
    text = call.query.get("q", "").strip()
    about = await call.run(listings.advisories_about, text) if text else ()
    if text and not about and await _is_known(call, text):
        return Redirect(f"/advisories/{_quoted(text)}")
    context = {
        "feeds": await call.run(advisories.list_feeds),
        "formats": await call.run(advisories.formats),
        "text": text,
        "about": about,
        "most": listings.MOST_ADVISORIES,
    }
    return Page("advisories.html", "Advisories", context)


@pages.get("/advisories/{vulnerability}", "catalog.read")
async def show_one(call: PageCall) -> Page:
    """One vulnerability: who names it, which versions fix it, which packages have it now."""
    known = await call.run(listings.vulnerability, call.parameters["vulnerability"])
    return Page("advisory.html", known.name, {"known": known, "most": listings.MOST_ADVISORIES}, crumbs=CRUMBS)


@pages.post("/advisories/-/add", "source.change", shown_on=show)
async def add(call: PageCall) -> Redirect:
    """Adds a feed, as a task: it is read at once."""
    name = require_text(call, "name", "a feed needs a name")
    location = require_text(call, "location", "say where the data is")
    if not re.match(r"https?://", location) and call.identity.role is not Role.ADMIN:
        # Whoever reads files of the server through a feed sees what its owner sees.
        raise NotAllowedError("data that is a file of the server is for admins", hint="name an http or https URL")
    values = {"name": name, "location": location, "format": call.form.text("format")}
    return await begin(call, "advisories", name, values)


@pages.post("/advisories/-/update", "source.sync", shown_on=show)
async def update(call: PageCall) -> Redirect:
    """Reads a feed again."""
    feed = await call.run(listings.feed, require_text(call, "name", "say which feed"))
    return await begin(call, "advisories", feed.name, {"name": feed.name}, follow=True)


@pages.post("/advisories/-/remove", "source.change", shown_on=show)
async def remove(call: PageCall) -> Redirect:
    """Removes a feed with all it said."""
    feed = await call.run(advisories.remove_feed, require_text(call, "name", "say which feed"))
    return Redirect("/advisories", f"{feed.name} is removed, with all it said")


async def _is_known(call: PageCall, text: str) -> bool:
    try:
        await call.run(listings.vulnerability, text)
    except NotFoundError:
        return False
    return True


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
