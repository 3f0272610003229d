"""Distributions: one with its versions, the packages of a version, what differs between two; and their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.paging import Paging, offset_field
from datasette_entrepot.pages.places import DISTRIBUTION, crumbs_of, distribution_place, repository_place
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from datasette_entrepot.routes_repositories import path_of
from entrepot.errors import UsageError
from entrepot.models import Distribution, Scalar
from entrepot.services import listings, policies, repositories, versions

pages = Pages()

AT_ONCE = 100
"""Packages of a version on one page."""
CHANGES = 200
"""Changes between two versions on one page."""
MOST_VERSION = 1 << 40


@pages.get(DISTRIBUTION, "repository.read")
async def show(call: PageCall) -> Page:
    """A distribution: what it is, its versions, where it is published."""
    path = await path_of(call)
    view = await call.run(listings.distribution_view, path)
    context = {"view": view, "distribution": view.distribution, "place": distribution_place(path)}
    return Page("distribution.html", path, context, crumbs=crumbs_of(path, above=True))


@pages.get(
    f"{DISTRIBUTION}/-/versions/{{number}}",
    "repository.read",
    query=(Field("q", about="In the name or summary", length=200), offset_field()),
)
async def show_version(call: PageCall) -> Page:
    """The packages of a version."""
    path = await path_of(call)
    text, offset = call.query.get("q", ""), call.query.get("from", 0)
    number = call.number("number")
    view = await call.run(listings.version_view, path, number, text, limit=AT_ONCE, offset=offset)
    shown = len(view.packages)
    place = distribution_place(path)
    context = {
        "view": view,
        "distribution": view.distribution,
        "place": place,
        "here": f"{place}/-/versions/{number}",
        "text": text,
        "paging": Paging(offset, AT_ONCE, shown, offset + shown < view.found, {"q": text}, view.found),
    }
    return Page("version.html", f"{path} version {number}", context, crumbs=crumbs_of(path))


@pages.get(
    f"{DISTRIBUTION}/-/diff",
    "repository.read",
    query=(
        Field("before", "integer", "The older version", least=0, most=MOST_VERSION),
        Field("after", "integer", "The newer version", least=0, most=MOST_VERSION),
        offset_field(),
    ),
)
async def show_diff(call: PageCall) -> Page:
    """What differs between two versions; between the newest and the one before, unless they are named."""
    path = await path_of(call)
    view = await call.run(listings.distribution_view, path)
    newest = view.versions[0].number
    after = call.query.get("after", newest)
    before = call.query.get("before", max(after - 1, 0))
    offset = call.query.get("from", 0)
    found = await call.run(versions.diff_page, path, before, after, limit=CHANGES, offset=offset)
    place, shown, total = distribution_place(path), len(found.diff.changes), sum(found.counts.values())
    asked = {"before": str(before), "after": str(after)}
    context = {
        "view": view,
        "distribution": view.distribution,
        "place": place,
        "here": f"{place}/-/diff",
        "before": before,
        "after": after,
        "diff": found.as_json(),
        "paging": Paging(offset, CHANGES, shown, found.next is not None, asked, total),
    }
    return Page("diff.html", f"{path}: version {before} to {after}", context, crumbs=crumbs_of(path))


# ------------------------------------------------------------------------------------------------------------- forms

LIMITS = ("keep", "keep_versions", "keep_days")


@pages.get("/repositories/{repository}/-/add", "repository.change")
async def add_form(call: PageCall) -> Page:
    """The form of a new distribution."""
    repository = await call.run(repositories.show_repository, call.parameters["repository"])
    choices = await call.run(repositories.distribution_choices, repository.name)
    context = {"repository": repository, "choices": choices, "changing": None, "values": _typed(call)}
    crumbs = [("Repositories", "/repositories"), (repository.name, repository_place(repository.name))]
    return Page("distribution_form.html", f"New distribution of {repository.name}", context, crumbs=crumbs)


@pages.post("/repositories/{repository}/-/add", "repository.change", shown_on=add_form)
async def add(call: PageCall) -> Redirect:
    """Makes it."""
    repository = await call.run(repositories.show_repository, call.parameters["repository"])
    name = require_text(call, "name", "a distribution needs a name")
    options = await _options(call, repository.name, {})
    made = await call.run(
        repositories.create_distribution,
        f"{repository.name}/{name}",
        components=call.form.texts("components"),
        architectures=call.form.texts("architectures"),
        policy=call.form.text("policy") or None,
        compressions=call.form.texts("compressions"),
        options=options,
        base_sources=call.form.texts("base_sources"),
        **_limits(call),
    )
    return _changed(made, f"{made.path} is made", await call.run(policies.shortcomings, made.policy))


@pages.get(f"{DISTRIBUTION}/-/edit", "repository.change")
async def edit_form(call: PageCall) -> Page:
    """The form of a distribution that is there."""
    path = await path_of(call)
    view = await call.run(listings.distribution_view, path)
    distribution = view.distribution
    held = {
        "components": " ".join(distribution.components),
        "architectures": " ".join(distribution.architectures),
        "policy": distribution.policy,
        "compressions": list(distribution.compressions),
        "base_sources": list(distribution.base_sources),
        **{name: getattr(distribution, name) or "" for name in LIMITS},
        "keep_needed": distribution.keep_needed,
        **{f"option_{name}": value for name, value in distribution.options.items()},
    }
    context = {
        "repository": view.repository,
        "choices": await call.run(repositories.distribution_choices, view.repository.name),
        "changing": distribution,
        "place": distribution_place(path),
        "values": _typed(call) or held,
    }
    return Page("distribution_form.html", f"Change {path}", context, crumbs=crumbs_of(path))


@pages.post(f"{DISTRIBUTION}/-/edit", "repository.change", shown_on=edit_form)
async def edit(call: PageCall) -> Redirect:
    """Changes it; what clients would notice is said afterwards."""
    path = await path_of(call)
    before = (await call.run(listings.distribution_view, path)).distribution
    options = await _options(call, before.repository, before.options)
    form = call.form
    values: dict[str, Any] = {
        "components": form.texts("components"),
        "architectures": form.texts("architectures"),
        "policy": form.text("policy") or None,
        "compressions": form.texts("compressions"),
        "base_sources": form.texts("base_sources"),
        "options": options,
        **_limits(call),
    }
    if not values["components"]:
        raise UsageError("a distribution has at least one component", field="components")
    cautions = [*await call.run(repositories.cautions, path, list(options))]
    after = await call.run(repositories.set_distribution, path, values)
    if after.policy != before.policy:
        cautions += await call.run(policies.shortcomings, after.policy)
    return _changed(after, "Changed; it takes effect with the next import or publication", cautions)


def _changed(distribution: Distribution, message: str, cautions: Sequence[str]) -> Redirect:
    """To the page of a distribution, with what should be known about what was done."""
    place = distribution_place(distribution.path)
    if cautions:
        return Redirect(place, f"{message}. Mind: {'; '.join(cautions)}", "warning")
    return Redirect(place, message)


@pages.post(f"{DISTRIBUTION}/-/remove", "repository.change", shown_on=show)
async def remove(call: PageCall) -> Redirect:
    """Removes it with all its versions."""
    path = await path_of(call)
    distribution = await call.run(repositories.remove_distribution, path)
    message = f"{distribution.path} is removed; what is published of it goes after the time of grace"
    return Redirect(repository_place(distribution.repository), message)


def _limits(call: PageCall) -> dict[str, int]:
    """How much is to be kept; nothing typed is no limit."""
    limits = {"keep_needed": int(call.form.flag("keep_needed"))}
    for name in LIMITS:
        text = call.form.text(name)
        if text and not (text.isascii() and text.isdecimal() and len(text) < 6):
            raise UsageError("how much is kept has to be a number below 100,000", field=name)
        limits[name] = int(text or 0)
    return limits


async def _options(call: PageCall, repository: str, before: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The options of the format that differ from what they were, in the types that the format declares."""
    choices = await call.run(repositories.distribution_choices, repository)
    options: dict[str, Scalar] = {}
    for option in choices.options:
        name = f"option_{option.name}"
        held = before.get(option.name, option.default)
        value: Scalar
        if option.type is bool:
            value = call.form.flag(name)
        elif not call.form.has(name):
            continue
        elif option.type is int:
            text = call.form.text(name)
            if text and not text.lstrip("-").isdecimal():
                raise UsageError(f"{option.name.replace('_', ' ')} has to be a number", field=name)
            value = int(text) if text else option.default
        else:
            value = call.form.text(name)
        if value != held:
            options[option.name] = value
    return options


def _typed(call: PageCall) -> dict[str, Any]:
    """What was typed, for the form that is shown again."""
    values: dict[str, Any] = {name: call.form.text(name) for name, _ in call.form.pairs}
    if values:
        values |= {name: call.form.texts(name) for name in ("compressions", "base_sources")}
    return values
