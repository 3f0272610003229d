"""What a workspace has, in the words of a declaration; and that as a file (``entrepot export``)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Option
from entrepot.declaration import DeclaredDistribution, armored, variable, write_declaration
from entrepot.declaration.reading import DISTRIBUTION
from entrepot.declaration.records import SETTINGS
from entrepot.models import Connection, Distribution, Repository, Scalar, Secrets, Source, SourceDraft

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Document = dict[str, Any]

_NOTHING: tuple[Any, ...] = ("", [], {}, 0)


@dataclass(frozen=True, slots=True)
class Export:
    """A declaration of what there is. ``variables`` have to be set where it is applied, to what the source wants."""

    document: Mapping[str, Any]
    variables: Mapping[str, str]
    """Name of an environment variable -> the source, and what of it."""

    def text(self, form: str) -> str:
        """As ``toml`` or ``yaml``."""
        return write_declaration(self.document, form)


def export(workspace: Workspace) -> Export:
    """Everything that a declaration can say of a workspace."""
    variables: dict[str, str] = {}
    found: Document = {"sources": {}, "repositories": {}}
    for source in workspace.catalog.sources.list():
        document = source_document(workspace, source, keyring_of(workspace, source))
        # What is usual goes without saying; the rest is as somebody would write it.
        usual: Document = {"verify": True}
        found["sources"][source.name] = _unusual(document, usual) | _references(workspace, source, variables)
    for repository in workspace.catalog.repositories.list():
        document = repository_document(repository)
        usual = {
            "public_url": document["publish_to"][0],
            "origin": repository.name,
            "label": repository.name,
            "sign": True,
        }
        distributions = {
            item.name: _unusual(present_distribution(workspace, item), {"keep_needed": False})
            for item in workspace.catalog.repositories.distributions(repository)
        }
        found["repositories"][repository.name] = _unusual(document, usual) | {"distributions": distributions}
    settings = settings_document(workspace)
    found |= {name: settings.pop(name, {}) for name in SETTINGS}
    return Export(found | {"settings": settings}, variables)


def settings_text(workspace: Workspace) -> str:
    """``entrepot.toml`` as it is written; empty where there is none."""
    workspace.settings  # noqa: B018 - one that cannot be read is an error of its own
    try:
        return workspace.settings_path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def settings_document(workspace: Workspace) -> Document:
    """The same, read."""
    return tomllib.loads(settings_text(workspace))


# --------------------------------------------------------------------------------------------- one form for each


def source_document(workspace: Workspace, source: Source | SourceDraft, keyring: bytes | None) -> Document:
    """A source, but for its secrets."""
    usual = asdict(Connection())
    connection = {name: value for name, value in asdict(source.connection).items() if value != usual[name]}
    return {
        "format": source.format,
        "url": source.url,
        "distributions": list(source.distributions),
        "components": list(source.components),
        "architectures": list(source.architectures),
        "verify": source.verify,
        "keyring": armored(keyring) if keyring else "",
        "options": chosen_options(source.options, workspace.format(source.format).source_options),
        "connection": connection,
    }


def keyring_of(workspace: Workspace, source: Source) -> bytes | None:
    """The public keys of a source."""
    path = workspace.keyring(source)
    return path.read_bytes() if path else None


def repository_document(repository: Repository) -> Document:
    """A repository, without its distributions."""
    return {
        "format": repository.format,
        "publish_to": [target.url for target in repository.targets],
        "public_url": repository.public_url,
        "sign": repository.signer is not None,
        "sign_with": repository.sign_with or "",
        "origin": repository.origin,
        "label": repository.label,
    }


def distribution_document(workspace: Workspace, format_name: str, columns: Mapping[str, Any]) -> Document:
    """A distribution, by the columns that it has or is to have."""
    options = chosen_options(columns["options"], workspace.format(format_name).distribution_options)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()} | {
        "options": options
    }


def columns_of(declared: DeclaredDistribution, policy: str) -> Document:
    """What a distribution is to have."""
    return {**declared.values, "policy": policy, "options": declared.options}


def _columns(distribution: Distribution) -> Document:
    return {name: getattr(distribution, name) for name in DISTRIBUTION}


def present_distribution(workspace: Workspace, distribution: Distribution) -> Document:
    """A distribution that there is."""
    return distribution_document(workspace, distribution.format, _columns(distribution))


def chosen_options(options: Mapping[str, Scalar], declared: Iterable[Option]) -> dict[str, Scalar]:
    """The options that differ from what they are where nobody sets them."""
    usual = {option.name: option.default for option in declared}
    return {name: value for name, value in sorted(options.items()) if value not in (None, usual.get(name))}


def _unusual(document: Document, usual: Mapping[str, Any]) -> Document:
    return {
        name: value
        for name, value in document.items()
        if (value != usual[name] if name in usual else value not in _NOTHING)
    }


def _references(workspace: Workspace, source: Source, variables: dict[str, str]) -> Document:
    """The table ``secrets`` of a source that has some: where they will have to be."""
    held = workspace.secrets(source)
    if held == Secrets():
        return {}

    def reference(what: str) -> dict[str, str]:
        name = wanted = variable(source.name, what)
        # Other characters than letters and digits all look alike in the name of a variable.
        count = 1
        while name in variables:
            count += 1
            name = f"{wanted}_{count}"
        variables[name] = f"{what} of source {source.name}"
        return {"env": name}

    secrets: Document = {name: reference(name) for name in ("username", "password", "proxy") if getattr(held, name)}
    if held.headers:
        secrets["headers"] = {name: reference(f"header {name}") for name, _ in held.headers}
    return {"secrets": secrets}
