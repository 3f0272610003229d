"""Where pages about a distribution are: below ``/-/entrepot/repositories``, what belongs to one after ``/-/``."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from datasette_entrepot.pages.routing import PageCall
from datasette_entrepot.routes_repositories import path_of

DISTRIBUTION = "/repositories/{repository}/{distribution}"


def repository_place(name: str) -> str:
    """The path of the page of a repository."""
    return f"/repositories/{quote(name, safe='')}"


def distribution_place(path: str) -> str:
    """The path of the page of a distribution; names have slashes, which stay."""
    repository, _, name = path.partition("/")
    return f"{repository_place(repository)}/{quote(name, safe='/')}"


def crumbs_of(path: str, *, above: bool = False) -> Sequence[tuple[str, str]]:
    """The pages above one of a distribution; with ``above`` those above its own page."""
    repository, _, name = path.partition("/")
    crumbs = [("Repositories", "/repositories"), (repository, repository_place(repository))]
    return crumbs if above else [*crumbs, (name, distribution_place(path))]


async def allowed(call: PageCall, action: str) -> str:
    """The path of the distribution that a page is about, for who may do this to it."""
    path = await path_of(call)
    call.require(action, path)
    return path
