"""How a machine is told about a repository: the files that its published tree has for that, and the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.contracts import ExplainsSetup, SetupStep, Signer, TreeTools
from entrepot.errors import NotFoundError
from entrepot.models import Distribution, Repository

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

PAGE = "text/html"
KEY = "application/pgp-keys"


@dataclass(frozen=True, slots=True)
class SetupFile:
    """A file for clients, as it is in the tree: its name there, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """What a machine needs. ``alone`` are the files as they would be with one distribution, by its name.

    ``fingerprint`` is empty, and ``key`` None, where the repository is not signed. ``files`` are empty where no client
    could reach the tree by its URL.
    """

    repository: Repository
    distributions: Sequence[Distribution]
    fingerprint: str
    key: SetupFile | None
    files: Sequence[SetupFile]
    alone: Mapping[str, Sequence[SetupFile]]
    steps: Sequence[SetupStep]
    unpublished: Sequence[str]
    """Names of the distributions that are nowhere yet."""


def client_setup(workspace: Workspace, name: str) -> ClientSetup:
    """The set-up of clients of a repository, as its format publishes it now."""
    repository = workspace.catalog.repositories.get(name)
    distributions = workspace.catalog.repositories.distributions(repository)
    builder = workspace.format(repository.format).tree
    if workspace.read_only and repository.signer is not None:
        raise NotFoundError("the key that signs is not with this copy", hint="the published tree says how it is set up")
    signer = workspace.signer(repository)
    fingerprint = signer.fingerprint if signer else ""
    key, files = _front(workspace, repository, distributions, signer)
    steps = builder.setup_steps(repository, distributions, fingerprint) if isinstance(builder, ExplainsSetup) else ()
    alone = {item.name: _front(workspace, repository, [item], signer)[1] for item in distributions}
    latest = workspace.catalog.publications.latest
    unpublished = [
        item.name for item in distributions if not any(latest(target, item) for target in repository.targets)
    ]
    return ClientSetup(repository, distributions, fingerprint, key, files, alone, steps, unpublished)


def _front(
    workspace: Workspace, repository: Repository, distributions: Sequence[Distribution], signer: Signer | None
) -> tuple[SetupFile | None, Sequence[SetupFile]]:
    """The key and the other files, without the page for people."""
    tools = TreeTools(_nothing_to_render, signer, workspace.now())
    key, files = None, []
    for file in workspace.format(repository.format).tree.front(repository, distributions, tools):
        if file.content_type.startswith(PAGE):
            continue
        found = SetupFile(file.path, b"".join(file.body.chunks()).decode("utf-8", "replace"))
        if file.content_type.startswith(KEY):
            key = found
        else:
            files.append(found)
    return key, files


def _nothing_to_render(*_: object, **__: object) -> Mapping[str, Any]:
    raise AssertionError("the front of a repository has no index")
