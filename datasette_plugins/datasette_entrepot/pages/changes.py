"""What makes a new version, or puts one in place: first what would happen, then the same as a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.distributions import show
from datasette_entrepot.pages.places import DISTRIBUTION, allowed, crumbs_of, distribution_place
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect
from datasette_entrepot.pages.work import begin
from datasette_entrepot.routes_repositories import MOST_PLANNED, path_of
from entrepot.errors import UsageError
from entrepot.services import listings, publishing, versions
from entrepot.services.publishing import PublishRequest, PublishResult
from entrepot.services.version_changes import ChangeRequest, VersionResult

pages = Pages()

VERSION = Field("version", "integer", "Number of a version", least=0, most=1 << 40)
DRY = ChangeRequest(dry_run=True)
MOST_STEPS = 500
"""Steps of a plan that its page tells one by one."""


# ----------------------------------------------------------------------------------------------------------- publish


@pages.get(f"{DISTRIBUTION}/-/publish", "version.publish", query=(VERSION,))
async def plan_publish(call: PageCall) -> Page:
    """What publishing a version would write, where."""
    path = await allowed(call, "version.publish")
    wanted = call.query.get("version", _number(call, "version"))
    view = await call.run(listings.distribution_view, path)
    if wanted is None:
        wanted = view.versions[0].number
    plan: PublishResult = await call.run(publishing.publish, path, request=PublishRequest(version=wanted, dry_run=True))
    context = {
        "view": view,
        "distribution": view.distribution,
        "place": distribution_place(path),
        "plan": plan,
        "targets": [_target(target) for target in plan.targets],
        "most": MOST_STEPS,
    }
    return Page("publish.html", f"Publish {path} version {plan.version}", context, crumbs=crumbs_of(path))


@pages.post(f"{DISTRIBUTION}/-/publish", "version.publish", shown_on=plan_publish)
async def publish(call: PageCall) -> Redirect:
    """Publishes it."""
    path = await allowed(call, "version.publish")
    flags = {name: call.form.flag(name) for name in ("force", "accept_release_change")}
    values: dict[str, Any] = {"distribution": path, **flags}
    version = _number(call, "version")
    if version is not None:
        values["version"] = version
    return await begin(call, "publish", path, values)


@pages.post(f"{DISTRIBUTION}/-/scan", "version.publish", shown_on=show)
async def scan(call: PageCall) -> Redirect:
    """Evaluates what is in again; one scan at a time is enough."""
    path = await allowed(call, "version.publish")
    return await begin(call, "scan", path, {"distribution": path}, follow=True)


# ---------------------------------------------------------------------------------------------------------- versions


@pages.get(f"{DISTRIBUTION}/-/rollback", "version.rollback", query=(VERSION,))
async def plan_rollback(call: PageCall) -> Page:
    """What going back to a version would change."""
    path = await allowed(call, "version.rollback")
    number = _wanted(call)
    values, title = {"version": number}, f"Roll {path} back to version {number}"
    size = await call.run(versions.rollback_size, path, number)
    if size > MOST_PLANNED:
        return _large(path, size, "rollback", title, values)
    result = await call.run(versions.rollback, path, number, request=DRY)
    return _plan(path, result, "rollback", title, values)


@pages.post(f"{DISTRIBUTION}/-/rollback", "version.rollback", shown_on=plan_rollback)
async def rollback(call: PageCall) -> Redirect:
    """Goes back."""
    path = await allowed(call, "version.rollback")
    return await begin(call, "rollback", path, {"distribution": path, "to": _wanted(call), **_how(call)})


@pages.get(
    f"{DISTRIBUTION}/-/promote",
    "version.promote",
    query=(VERSION, Field("to", about="Path of a distribution", length=300)),
)
async def plan_promote(call: PageCall) -> Page:
    """Where a version could be promoted to; and what that would change there, once a place is chosen."""
    path = await path_of(call)
    view = await call.run(listings.distribution_view, path)
    chosen = call.query.get("version", _number(call, "version"))
    number = view.versions[0].number if chosen is None else chosen
    others = [other for other in view.others if call.may("version.promote", other)]
    target = call.query.get("to") or call.form.text("to")
    if not target:
        context = {
            "place": distribution_place(path),
            "distribution": view.distribution,
            "version": number,
            "others": others,
        }
        return Page("promote.html", f"Promote {path} version {number}", context, crumbs=crumbs_of(path))
    call.require("version.promote", target)
    values, title = {"version": number, "to": target}, f"Promote {path} version {number} to {target}"
    size = await call.run(versions.promotion_size, path, target, number)
    if size > MOST_PLANNED:
        return _large(path, size, "promote", title, values)
    result = await call.run(versions.promote, path, target, number, request=DRY)
    return _plan(path, result, "promote", title, values)


@pages.post(f"{DISTRIBUTION}/-/promote", "version.promote", shown_on=plan_promote)
async def promote(call: PageCall) -> Redirect:
    """Promotes it."""
    path = await path_of(call)
    target = call.form.text("to")
    if not target:
        raise UsageError("say where it is to go", field="to")
    view = await call.run(listings.distribution_view, target)
    to = view.distribution.path
    call.require("version.promote", to)
    values = {"from": path, "distribution": to, "version": _wanted(call), **_how(call)}
    return await begin(call, "promote", to, values)


@pages.get(
    f"{DISTRIBUTION}/-/remove-packages",
    "version.rollback",
    query=(Field("package", about="NAME, NAME=VERSION or NAME:ARCH", length=500),),
)
async def plan_remove(call: PageCall) -> Page:
    """What the next version would be without a package."""
    path = await allowed(call, "version.rollback")
    package = call.query.get("package") or call.form.text("package")
    if not package:
        raise UsageError("say which package", hint="NAME, NAME=VERSION or NAME:ARCH")
    result = await call.run(versions.remove_packages, path, [package], request=DRY)
    return _plan(path, result, "remove-packages", f"Remove {package} from {path}", {"package": package})


@pages.post(f"{DISTRIBUTION}/-/remove-packages", "version.rollback", shown_on=plan_remove)
async def remove_packages(call: PageCall) -> Redirect:
    """Removes it."""
    path = await allowed(call, "version.rollback")
    package = call.form.text("package")
    if not package:
        raise UsageError("say which package", hint="NAME, NAME=VERSION or NAME:ARCH")
    return await begin(call, "remove", path, {"distribution": path, "packages": [package], **_how(call)})


def _plan(path: str, result: VersionResult, what: str, title: str, values: Mapping[str, Any]) -> Page:
    place = distribution_place(path)
    context = {
        "place": place,
        "distribution": result.distribution,
        "diff": result.diff.as_json(),
        "refused": [item.as_json() for item in result.refused],
        "action": f"{place}/-/{what}",
        "values": values,
        "what": what,
        "allowed": True,
    }
    return Page("change.html", title, context, crumbs=crumbs_of(path))


def _large(path: str, size: int, what: str, title: str, values: Mapping[str, Any]) -> Page:
    """Where planning would take long: it is asked for as a task, which changes nothing."""
    place = distribution_place(path)
    context = {"place": place, "size_of_it": size, "action": f"{place}/-/{what}", "values": values}
    return Page("large.html", title, context, crumbs=crumbs_of(path))


def _how(call: PageCall) -> dict[str, bool]:
    return {name: call.form.flag(name) for name in ("publish", "hold_refused", "dry_run")}


def _wanted(call: PageCall) -> int:
    number = call.query.get("version", _number(call, "version"))
    if number is None:
        raise UsageError("say which version", field="version")
    return int(number)


def _number(call: PageCall, name: str) -> int | None:
    """A number of the form; None where it is not in it."""
    text = call.form.text(name)
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise UsageError(f"{text[:50]!r} is no number of a version", field=name)
    return int(text)


def _target(target: publishing.TargetResult) -> Mapping[str, Any]:
    """What would be done at one target, the first steps one by one."""
    if target.plan is None:
        return {"url": target.url, "status": target.status, "steps": (), "more": 0}
    steps = list(target.plan.steps())
    return {
        "url": target.url,
        "status": target.status,
        "steps": steps[:MOST_STEPS],
        "more": max(0, len(steps) - MOST_STEPS),
        "files": target.plan.files,
        "size": target.plan.size,
        "kept": target.plan.kept,
        "requests": dict(target.plan.requests()),
        "signed_by": target.plan.signed_by,
        "stops": target.plan.stops,
    }
