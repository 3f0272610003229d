"""``/repositories``: what is published, its versions, and publishing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.protocols import Answer
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import list_of, ref
from datasette_entrepot.tasking import PREFER, perform
from entrepot.services import browse, listings, repositories, retention, snapshots, task_views, versions
from entrepot.services.version_changes import ChangeRequest

routes = Routes()

DISTRIBUTION = "/repositories/{repository}/distributions/{distribution}"

PACKAGES = 1000
"""Most packages on a page of a version."""
CHANGES = 1000
"""Most changes on a page of what differs."""
DRY = ChangeRequest(dry_run=True)
MOST_PLANNED = 1000
"""Packages of a change that is planned within the server: each is decided about, and of many that is a task's work."""
HOW = (
    Field("dry_run", "flag", "Tell what would change, and what the policy refuses; change nothing"),
    Field("publish", "flag", "Publish the new version at once (default: yes)"),
    Field("hold_refused", "flag", "Leave out what the policy refuses, and put it into the review queue"),
)


@routes.get(
    "/repositories",
    "repository.read",
    "Every repository with its distributions",
    answers={200: list_of("Repository")},
)
async def list_repositories(call: Call) -> list[dict[str, Any]]:
    return list(await call.run(browse.repositories))


@routes.get(
    f"{DISTRIBUTION}/versions",
    "repository.read",
    "The versions of a distribution, newest first",
    answers={200: list_of("Version")},
)
async def list_versions(call: Call) -> list[dict[str, Any]]:
    return list(await call.run(browse.versions, await path_of(call)))


@routes.get(
    f"{DISTRIBUTION}/versions/{{number}}",
    "repository.read",
    "The packages of a version, by name",
    query=(
        Field("q", about="In the name or summary", length=200),
        Field("_size", "integer", "Packages on a page", least=1, most=PACKAGES),
        Field("_next", "integer", "Where the next page begins: `next` of this one", least=0, most=1 << 40),
    ),
    answers={200: ref("VersionWithPackages")},
)
async def show_version(call: Call) -> dict[str, Any]:
    limit, offset = call.query.get("_size", PACKAGES), call.query.get("_next", 0)
    path, number, text = await path_of(call), call.number("number"), call.query.get("q", "")
    view = await call.run(listings.version_view, path, number, text, limit=limit, offset=offset)
    return view.as_json(offset)


@routes.get(
    f"{DISTRIBUTION}/snapshots",
    "repository.read",
    "The snapshots of a distribution, oldest first",
    answers={200: list_of("Snapshot")},
)
async def list_of_snapshots(call: Call) -> list[dict[str, Any]]:
    return list(await call.run(snapshots.documents, await path_of(call)))


@routes.post(
    f"{DISTRIBUTION}/snapshots",
    "version.publish",
    "Keep a version reachable under a path of its own",
    body=(
        Field("version", "integer", "Number of a version; the one in place unless given", least=0, most=1 << 40),
        Field("name", about="What it is called; the time of now unless given", length=100),
        Field("move", "flag", "Have a name that is taken name this version from now on"),
    ),
    body_optional=True,
    answers={200: ref("Snapshot"), 202: ref("Task")},
    headers=PREFER,
)
async def create_snapshot(call: Call) -> Answer:
    distribution = await path_of(call)
    call.require("version.publish", distribution)
    return await perform(call, "snapshot", distribution, {"distribution": distribution, **call.body})


@routes.add(
    "DELETE",
    f"{DISTRIBUTION}/snapshots/{{snapshot}}",
    "version.publish",
    "Remove a snapshot: clients find it no more, and its files are collected after the grace",
    answers={200: ref("RemovedSnapshot"), 202: ref("Task")},
    headers=PREFER,
)
async def remove_snapshot(call: Call) -> Answer:
    distribution = await path_of(call)
    call.require("version.publish", distribution)
    values = {"distribution": distribution, "name": call.parameters["snapshot"]}
    return await perform(call, "remove-snapshot", distribution, values)


@routes.post(
    f"{DISTRIBUTION}/retain",
    "version.rollback",
    "Leave out packages and forget versions that are more than the distribution keeps, and publish it",
    body=HOW[:2],
    body_optional=True,
    answers={200: ref("Retention"), 202: ref("Task"), 207: ref("Retention")},
    headers=PREFER,
)
async def retain(call: Call) -> Answer | dict[str, Any]:
    distribution = await path_of(call)
    call.require("version.rollback", distribution)
    if call.body.get("dry_run"):
        planned = await call.run(retention.apply_retention, distribution, request=DRY)
        return planned.as_json()
    return await perform(call, "retain", distribution, {"distribution": distribution, **_how(call)})


@routes.post(
    f"{DISTRIBUTION}/publish",
    "version.publish",
    "Put the newest version in place, or the one that is asked for",
    body=(
        Field("version", "integer", "Number of a version; the newest unless given", least=0, most=1 << 40),
        Field("force", "flag", "Sign and write again what depends on the clock"),
        Field("refresh", "flag", "Publish nothing new; sign again what is in place and would expire soon"),
        Field("accept_release_change", "flag", "Publish even if clients stop until somebody there agrees (APT)"),
    ),
    body_optional=True,
    answers={200: ref("Publication"), 202: ref("Task")},
    headers=PREFER,
)
async def publish(call: Call) -> Answer:
    distribution = await path_of(call)
    call.require("version.publish", distribution)
    return await perform(call, "publish", distribution, {"distribution": distribution, **call.body})


@routes.get(
    f"{DISTRIBUTION}/diff",
    "repository.read",
    "What a version has that another has not, and the reverse",
    query=(
        Field("from", "integer", "Number of a version", required=True, least=0, most=1 << 40),
        Field("to", "integer", "Number of another; the newest unless given", least=0, most=1 << 40),
        Field("_size", "integer", "Changes on a page", least=1, most=CHANGES),
        Field("_next", "integer", "Where the next page begins: `next` of this one", least=0, most=1 << 40),
    ),
    answers={200: ref("VersionDiffPage")},
)
async def diff(call: Call) -> dict[str, Any]:
    query = call.query
    limit, offset = query.get("_size", CHANGES), query.get("_next", 0)
    path = await path_of(call)
    page = await call.run(versions.diff_page, path, query["from"], query.get("to"), limit=limit, offset=offset)
    return page.as_json()


@routes.post(
    f"{DISTRIBUTION}/rollback",
    "version.rollback",
    "Make a version that is equal to an older one, and publish it",
    body=(Field("version", "integer", "Its number", required=True, least=0, most=1 << 40), *HOW),
    answers={200: ref("VersionChange"), 202: ref("Task"), 207: ref("VersionChange")},
    headers=PREFER,
)
async def rollback(call: Call) -> Answer | dict[str, Any]:
    distribution = await path_of(call)
    call.require("version.rollback", distribution)
    number = call.body["version"]
    if await _at_once(call, versions.rollback_size, distribution, number):
        planned = await call.run(versions.rollback, distribution, number, request=DRY)
        return planned.as_json()
    values = {"distribution": distribution, "to": number, **_how(call)}
    return await perform(call, "rollback", distribution, values)


@routes.post(
    f"{DISTRIBUTION}/promote",
    "version.promote",
    "Make another distribution have what a version has, and nothing else; its own policy decides about what comes in",
    body=(
        Field("to", required=True, about="Path of the other distribution", length=300),
        Field("version", "integer", "Number of a version; the newest unless given", least=0, most=1 << 40),
        *HOW,
    ),
    answers={200: ref("VersionChange"), 202: ref("Task"), 207: ref("VersionChange")},
    headers=PREFER,
)
async def promote(call: Call) -> Answer | dict[str, Any]:
    origin = await path_of(call)
    target = await call.run(task_views.distribution_of, call.body["to"])
    call.require("version.promote", target)
    version = call.body.get("version")
    if await _at_once(call, versions.promotion_size, origin, target, version):
        planned = await call.run(versions.promote, origin, target, version, request=DRY)
        return planned.as_json()
    values = {"from": origin, "distribution": target, **_how(call)}
    if version is not None:
        values["version"] = version
    return await perform(call, "promote", target, values)


async def _at_once(call: Call, size: Callable[..., int], *step: Any) -> bool:
    """Whether a plan is asked for that is made while who asks waits; a large one is the work of a task."""
    return bool(call.body.get("dry_run")) and not call.later and await call.run(size, *step) <= MOST_PLANNED


def _how(call: Call) -> dict[str, Any]:
    return {name: call.body[name] for name in ("publish", "hold_refused", "dry_run") if name in call.body}


async def path_of(call: Call) -> str:
    """The path of the distribution that the request is about; ``NotFoundError`` if there is none."""
    repository = await call.run(repositories.show_repository, call.parameters["repository"])
    return await call.run(task_views.distribution_of, f"{repository.name}/{call.parameters['distribution']}")
