"""How a machine is set up for a repository: files to copy, the key, commands."""

from __future__ import annotations

from datasette_entrepot.pages.places import repository_place
from datasette_entrepot.pages.routing import Page, PageCall, Pages
from entrepot.services import client_setup

pages = Pages()


@pages.get("/setup/{repository}", "repository.read")
async def show(call: PageCall) -> Page:
    """The set-up of clients; what it says is what the published tree has."""
    setup = await call.run(client_setup.client_setup, call.parameters["repository"])
    name = setup.repository.name
    grouped = " ".join(setup.fingerprint[at : at + 4] for at in range(0, len(setup.fingerprint), 4))
    crumbs = [("Repositories", "/repositories"), (name, repository_place(name))]
    return Page("setup.html", f"Use {name}", {"setup": setup, "fingerprint": grouped}, crumbs=crumbs)
