"""``/repositories``: what is published, its versions, and publishing."""

from __future__ import annotations

from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.protocols import Answer
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import list_of, ref
from datasette_entrepot.tasking import PREFER, perform
from entrepot.services import browse, repositories, task_views

routes = Routes()

DISTRIBUTION = "/repositories/{repository}/distributions/{distribution}"


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
    "The packages of a version",
    answers={200: ref("VersionWithPackages")},
)
async def show_version(call: Call) -> dict[str, Any]:
    number = call.number("number")
    return {"number": number, "packages": await call.run(browse.members, await path_of(call), number)}


@routes.post(
    f"{DISTRIBUTION}/publish",
    "version.publish",
    "Put the newest version in place, or the one that is asked for",
    body=(
        Field("version", "integer", "Number of a version; the newest unless given", least=0, most=1 << 40),
        Field("force", "flag", "Sign and write again what depends on the clock"),
    ),
    body_optional=True,
    answers={200: ref("Publication"), 202: ref("Task")},
    headers=PREFER,
)
async def publish(call: Call) -> Answer:
    distribution = await path_of(call)
    call.require("version.publish", distribution)
    return await perform(call, "publish", distribution, {"distribution": distribution, **call.body})


async def path_of(call: Call) -> str:
    """The path of the distribution that the request is about; ``NotFoundError`` if there is none."""
    repository = await call.run(repositories.show_repository, call.parameters["repository"])
    return await call.run(task_views.distribution_of, f"{repository.name}/{call.parameters['distribution']}")
