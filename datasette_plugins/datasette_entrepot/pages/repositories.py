"""Repositories: the list, one of them, and the forms that make and change them."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from datasette_entrepot.pages.places import repository_place
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from entrepot.errors import NotAllowedError, UsageError
from entrepot.models import Repository, Role
from entrepot.services import browse, repositories, sources
from entrepot.workspace import Workspace

pages = Pages()

CRUMBS = [("Repositories", "/repositories")]


@pages.get("/repositories", "repository.read")
async def show_all(call: PageCall) -> Page:
    """Every repository with its distributions."""
    return Page("repositories.html", "Repositories", {"repositories": await call.run(browse.repositories)})


@pages.get("/repositories/-/add", "repository.change")
async def add_form(call: PageCall) -> Page:
    """The form of a new repository."""
    context = {"formats": await call.run(sources.formats), "changing": None, "values": _values(call)}
    return Page("repository_form.html", "New repository", context, crumbs=CRUMBS)


@pages.post("/repositories/-/add", "repository.change", shown_on=add_form)
async def add(call: PageCall) -> Redirect:
    """Makes it."""
    form = call.form
    name = require_text(call, "name", "a repository needs a name")
    format_name = require_text(call, "format", "say which format it has")
    targets = form.texts("publish_to")
    if not targets:
        raise UsageError("say where it is published to", field="publish_to")
    _refuse_local(call, targets)

    def create(workspace: Workspace) -> Repository:
        return repositories.create_repository(
            workspace,
            name,
            format_name=format_name,
            publish_to=targets,
            public_url=form.text("public_url"),
            sign=form.flag("sign"),
            sign_with=form.text("sign_with") or None,
            origin=form.text("origin"),
            label=form.text("label"),
        )

    repository = await call.run(create)
    return Redirect(repository_place(repository.name), f"{repository.name} is made; now add a distribution")


@pages.get("/repositories/{repository}", "repository.read")
async def show(call: PageCall) -> Page:
    """One repository."""
    repository = await call.run(repositories.show_repository, call.parameters["repository"])
    everything = await call.run(browse.repositories)
    facts = next(item for item in everything if item["id"] == repository.id)
    return Page("repository.html", repository.name, {"repository": repository, "facts": facts}, crumbs=CRUMBS)


@pages.get("/repositories/{repository}/-/edit", "repository.change")
async def edit_form(call: PageCall) -> Page:
    """The form of a repository that is there."""
    repository = await call.run(repositories.show_repository, call.parameters["repository"])
    held = {
        "publish_to": "\n".join(target.url for target in repository.targets),
        "public_url": repository.public_url,
        "sign_with": repository.sign_with or "",
        "origin": repository.origin,
        "label": repository.label,
    }
    context = {"changing": repository, "values": _values(call) or held, "formats": ()}
    crumbs = [*CRUMBS, (repository.name, repository_place(repository.name))]
    return Page("repository_form.html", f"Change {repository.name}", context, crumbs=crumbs)


@pages.post("/repositories/{repository}/-/edit", "repository.change", shown_on=edit_form)
async def edit(call: PageCall) -> Redirect:
    """Changes it; what is left as it was is not sent on."""
    before = await call.run(repositories.show_repository, call.parameters["repository"])
    form = call.form
    values = {name: form.text(name) for name in ("public_url", "sign_with", "origin", "label")}
    changed: dict[str, str | None] = {
        name: text for name, text in values.items() if text and text != (getattr(before, name) or "")
    }
    targets = form.texts("publish_to")
    if targets == [target.url for target in before.targets]:
        targets = []
    _refuse_local(call, targets)
    await call.run(repositories.set_repository, before.name, changed, targets)
    return Redirect(repository_place(before.name), "Changed; it takes effect with the next publication")


@pages.post("/repositories/{repository}/-/remove", "repository.change", shown_on=show)
async def remove(call: PageCall) -> Redirect:
    """Removes one that has no distribution any more."""
    repository = await call.run(repositories.remove_repository, call.parameters["repository"])
    return Redirect("/repositories", f"{repository.name} is removed; its tree stays where it is")


def _refuse_local(call: PageCall, targets: Sequence[str]) -> None:
    """Whoever chooses folders of the server writes where its owner may write: that is for admins."""
    if call.identity.role is not Role.ADMIN and any(urlsplit(url).scheme in ("", "file") for url in targets):
        raise NotAllowedError("a folder of the server is for admins", hint="or for its command line")


def _values(call: PageCall) -> dict[str, str]:
    """What was typed, for the form that is shown again."""
    return {name: call.form.text(name) for name, _ in call.form.pairs}
