"""Repositories and distributions: create, change, remove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from entrepot.catalog.database import to_text
from entrepot.contracts import VERBATIM, ChecksOptions, Format, Option, PublishesVerbatim
from entrepot.errors import ConflictError, UsageError
from entrepot.models import Distribution, Repository, Scalar
from entrepot.services.names import check_name, check_path
from entrepot.services.records import changes as changes_of
from entrepot.services.records import record

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def create_repository(
    workspace: Workspace,
    name: str,
    *,
    format_name: str,
    publish_to: str | Sequence[str],
    public_url: str = "",
    sign: bool = True,
    sign_with: str | None = None,
    origin: str = "",
    label: str = "",
) -> Repository:
    """Makes a repository that is published to one place or several.

    Where it is to be signed, the key has to be there and fit to sign already.
    """
    check_name("repository", name)
    workspace.format(format_name)
    urls = checked_targets(workspace, [publish_to] if isinstance(publish_to, str) else publish_to, name)
    values: dict[str, Any] = {
        "name": name,
        "format": format_name,
        "targets": urls,
        "public_url": _without_user(public_url or urls[0]),
        "signer": workspace.settings.default_signer if sign else None,
        "sign_with": sign_with,
        "origin": _line("origin", origin or name),
        "label": _line("label", label or name),
        "options": {},
    }
    with workspace.catalog.transaction():
        repository = workspace.catalog.repositories.add(values, workspace.now())
        signer = workspace.signer(repository)
        if signer is not None:
            # The full fingerprint is kept, so that a second key in the ring never changes who signs.
            repository = workspace.catalog.repositories.update(repository, {"sign_with": signer.fingerprint})
        record(workspace, "repository.create", name, changes_of({}, _audited(repository)))
    return repository


def set_repository(
    workspace: Workspace,
    name: str,
    values: Mapping[str, str | None],
    publish_to: Sequence[str] = (),
    *,
    sign: bool | None = None,
) -> Repository:
    """Changes a repository; takes effect with its next publication. ``values`` are columns, None is left as it is.

    ``publish_to`` replaces the places it is published to, unless it is empty. What is at a place that is no longer
    named stays there; a new one gets everything.
    """
    repository = workspace.catalog.repositories.get(name)
    changes: dict[str, str | None] = {column: value for column, value in values.items() if value is not None}
    signer_name = workspace.settings.default_signer if sign else None
    if sign is not None and signer_name != repository.signer:
        # A key of the one says nothing to the other.
        changes |= {"signer": signer_name, "sign_with": changes.get("sign_with") if sign else None}
    for column in ("origin", "label"):
        if column in changes:
            _line(column, str(changes[column]))
    urls = checked_targets(workspace, publish_to, repository.name)
    if "public_url" in changes:
        _without_user(str(changes["public_url"]))
    with workspace.catalog.transaction():
        before = workspace.catalog.repositories.get(repository.name)
        repository = workspace.catalog.repositories.update(repository, changes)
        if (signer := workspace.signer(repository)) is not None:
            repository = workspace.catalog.repositories.update(repository, {"sign_with": signer.fingerprint})
        if urls:
            repository = workspace.catalog.repositories.set_targets(repository, urls)
        record(workspace, "repository.set", repository.name, changes_of(_audited(before), _audited(repository)))
    return repository


def show_repository(workspace: Workspace, name: str) -> Repository:
    """One repository, by name or id."""
    return workspace.catalog.repositories.get(name)


def tree_folder(workspace: Workspace, name: str) -> Path | None:
    """The folder of this machine that a repository is published to; None where it is only elsewhere, or unknown."""
    for repository in workspace.catalog.repositories.list():
        for target in repository.targets:
            parts = urlsplit(target.url)
            if repository.name == name and parts.scheme == "file":
                return Path(unquote(parts.path))
    return None


def remove_repository(workspace: Workspace, name: str) -> Repository:
    """Removes a repository without distributions. What it published stays where it is."""
    repository = workspace.catalog.repositories.get(name)
    if held := workspace.catalog.repositories.distributions(repository):
        names = ", ".join(distribution.name for distribution in held)
        raise ConflictError(f"{repository.name} still has {names}", hint="remove its distributions first")
    with workspace.catalog.transaction():
        workspace.catalog.repositories.remove(repository)
        record(workspace, "repository.remove", repository.name, changes_of(_audited(repository), {}))
    return repository


def create_distribution(
    workspace: Workspace,
    path: str,
    *,
    components: Sequence[str] = (),
    architectures: Sequence[str] = (),
    policy: str | None = None,
    compressions: Sequence[str] = (),
    options: Mapping[str, Scalar] | None = None,
    base_sources: Sequence[str] = (),
    keep: int | None = None,
    keep_needed: bool | None = None,
    keep_versions: int | None = None,
    keep_days: int | None = None,
) -> Distribution:
    """Makes the distribution ``repository/distribution`` with its empty version 0."""
    repository_name, slash, name = path.partition("/")
    if not slash:
        raise UsageError(f"{path!r} names no repository", hint="write REPOSITORY/DISTRIBUTION")
    repository = workspace.catalog.repositories.get(repository_name)
    values: dict[str, Any] = {
        "name": name,
        "keep": keep or 0,
        "keep_needed": bool(keep_needed),
        "keep_versions": keep_versions or 0,
        "keep_days": keep_days or 0,
    }
    check_path("distribution", name)
    values |= _distribution_values(
        workspace,
        repository,
        name,
        {
            "components": list(components) or ["main"],
            "architectures": list(architectures),
            "policy": policy or workspace.settings.default_policy,
            "compressions": list(compressions),
            "options": dict(options or {}),
            "base_sources": list(base_sources),
        },
    )
    _check_keep(path, values["options"], values["keep"])
    with workspace.catalog.transaction():
        distribution = workspace.catalog.repositories.add_distribution(repository, values, workspace.now())
        record(workspace, "distribution.create", distribution.path, changes_of({}, _audited(distribution)))
    return distribution


def set_distribution(workspace: Workspace, path: str, values: Mapping[str, Any]) -> Distribution:
    """Changes a distribution; takes effect with its next import or publication. None is left as it is."""
    distribution = workspace.catalog.repositories.distribution(path)
    repository = workspace.catalog.repositories.get(distribution.repository)
    changes = {column: value for column, value in values.items() if value is not None}
    if "keep_needed" in changes:
        changes["keep_needed"] = bool(changes["keep_needed"])
    if "options" in changes:
        changes["options"] = {**distribution.options, **changes["options"]}
    changes = _distribution_values(workspace, repository, distribution.name, changes)
    options, keep = changes.get("options", distribution.options), changes.get("keep", distribution.keep)
    _check_keep(distribution.path, options, keep)
    with workspace.catalog.transaction():
        before = workspace.catalog.repositories.distribution(distribution.path)
        distribution = workspace.catalog.repositories.update_distribution(distribution, changes)
        if before == distribution:
            return distribution
        if (before.keep, before.keep_needed) != (distribution.keep, distribution.keep_needed):
            workspace.catalog.retention.note(distribution, 0)
        record(workspace, "distribution.set", distribution.path, changes_of(_audited(before), _audited(distribution)))
    return distribution


@dataclass(frozen=True, slots=True)
class DistributionChoices:
    """What there is to choose from for a distribution of a repository."""

    options: Sequence[Option]
    compressions: Sequence[str]
    policies: Sequence[str]
    default_policy: str
    sources: Sequence[str]
    """Names of the sources that can be its base."""


def distribution_choices(workspace: Workspace, name: str) -> DistributionChoices:
    """The choices, for a form."""
    repository = workspace.catalog.repositories.get(name)
    format_ = workspace.format(repository.format)
    return DistributionChoices(
        format_.distribution_options,
        format_.tree.offered_compressions,
        sorted(workspace.settings.policies),
        workspace.settings.default_policy,
        [source.name for source in workspace.catalog.sources.list() if source.format == repository.format],
    )


def cautions(workspace: Workspace, path: str, options: Iterable[str]) -> Sequence[str]:
    """What a person should know who is about to change these options of a distribution."""
    format_ = workspace.format(workspace.catalog.repositories.distribution(path).format)
    declared = {option.name: option.caution for option in format_.distribution_options}
    return list(dict.fromkeys(declared[name] for name in options if declared.get(name)))


def remove_distribution(workspace: Workspace, path: str) -> Distribution:
    """Removes a distribution with all its versions. What it published stays until it is collected, after the grace."""
    distribution = workspace.catalog.repositories.distribution(path)
    if held := workspace.catalog.snapshots.list(distribution):
        names = ", ".join(snapshot.name for snapshot in held)
        hint = "remove them first, with `entrepot snapshot remove`"
        raise ConflictError(f"{distribution.path} still has the snapshots {names}", hint=hint)
    with workspace.catalog.transaction():
        detail = changes_of(
            _audited(distribution) | {"version": workspace.catalog.versions.latest(distribution).number}, {}
        )
        workspace.catalog.repositories.remove_distribution(distribution, workspace.now())
        record(workspace, "distribution.remove", distribution.path, detail)
    return distribution


def distribution_json(workspace: Workspace, distribution: Distribution) -> dict[str, Any]:
    """A distribution with its newest version and what is published, for ``--json`` and the HTTP API."""
    version = workspace.catalog.versions.latest(distribution)
    repository = workspace.catalog.repositories.get(distribution.repository)
    latest = [workspace.catalog.publications.latest(target, distribution) for target in repository.targets]
    # What every target has: a version that is at one place only is not published.
    published = (
        min((item for item in latest if item), key=lambda item: item.version, default=None) if all(latest) else None
    )
    document = asdict(distribution) | {"path": distribution.path, "created_at": to_text(distribution.created_at)}
    return document | {
        "version": version.number,
        "packages": version.packages,
        "published_version": published.version if published else None,
        "published_at": to_text(published.created_at) if published else None,
    }


def repository_json(workspace: Workspace, repository: Repository) -> dict[str, Any]:
    """A repository with the names of its distributions, for ``--json`` and the HTTP API."""
    names = [distribution.name for distribution in workspace.catalog.repositories.distributions(repository)]
    return asdict(repository) | {
        "targets": _urls(repository),
        "created_at": to_text(repository.created_at),
        "distributions": names,
    }


def _audited(thing: Repository | Distribution) -> dict[str, Any]:
    """What the audit log keeps of it: all its settings."""
    values = asdict(thing) | {"created_at": to_text(thing.created_at)}
    return values | {"targets": _urls(thing)} if isinstance(thing, Repository) else values


def checked_targets(workspace: Workspace, urls: Sequence[str], owner: str) -> list[str]:
    """Absolute URLs of storages that can be opened, each once; ``ConflictError`` for one of another repository.

    Two repositories would take each other's files for their own, and collect what the other one needs.
    """
    absolute = list(dict.fromkeys(absolute_url(url) for url in urls))
    taken = {
        target.url.rstrip("/"): repository.name
        for repository in workspace.catalog.repositories.list()
        for target in repository.targets
    }
    for url in absolute:
        other = taken.get(url.rstrip("/"), owner)
        if other != owner:
            raise ConflictError(f"repository {other!r} is published to {url}", hint="give each a place of its own")
        workspace.storage(url).close()
    return absolute


def _urls(repository: Repository) -> list[str]:
    return [target.url for target in repository.targets]


def absolute_url(target: str) -> str:
    """A URL as it is; a path of this machine as a ``file:`` URL. ``UsageError`` for one with a user name in it."""
    if urlsplit(target).scheme:
        return _without_user(target)
    return Path(target).expanduser().absolute().as_uri()


def _without_user(url: str) -> str:
    """These URLs are shown to everybody, and the public one is published."""
    if urlsplit(url).username is not None:
        raise UsageError(
            "the URL of a tree must not hold a user name or a password",
            hint="what a storage needs to be let in stands in the settings or in the environment",
        )
    return url


def _distribution_values(
    workspace: Workspace, repository: Repository, name: str, values: dict[str, Any]
) -> dict[str, Any]:
    if values.get("base_sources"):
        values["base_sources"] = _base_sources(workspace, repository, values["base_sources"])
    if "policy" in values:
        workspace.settings.policy(values["policy"])
    check_distribution(workspace.format(repository.format), f"{repository.name}/{name}", values)
    return values


def check_distribution(format_: Format, path: str, values: Mapping[str, Any]) -> None:
    """``UsageError`` for columns of a distribution that no distribution of the format can have."""
    for column in ("components", "architectures"):
        for word in values.get(column, ()):
            check_path(column.removesuffix("s"), word)
    if "options" in values:
        _check_options(format_, path, values["options"])
    offered = format_.tree.offered_compressions
    if unknown := set(values.get("compressions", ())) - set(offered):
        raise UsageError(
            f"{format_.name} cannot publish {', '.join(sorted(unknown))}", hint=f"it can {', '.join(offered)}"
        )


def _check_options(format_: Format, path: str, options: Mapping[str, Scalar]) -> None:
    """``UsageError`` for options that the format does not have, or that cannot be what they are."""
    declared = {option.name: option for option in format_.distribution_options}
    if unknown := set(options) - set(declared):
        raise UsageError(f"{format_.name} distributions have no option {', '.join(sorted(unknown))}")
    for name, value in options.items():
        kind = declared[name].type
        if value is not None and type(value) is not kind:
            raise UsageError(f"option {name} of {path} is {value!r}, and has to be a {kind.__name__}", option=name)
    if options.get(VERBATIM) and not isinstance(format_.tree, PublishesVerbatim):
        raise UsageError(f"the format {format_.name} publishes no upstream's indexes", option=VERBATIM)
    if isinstance(format_.tree, ChecksOptions):
        format_.tree.check_options(path, options)


def _check_keep(path: str, options: Mapping[str, Scalar], keep: int) -> None:
    if options.get(VERBATIM) and keep:
        raise UsageError(
            f"{path} is verbatim: it has as many versions of a package as its upstream's index names",
            hint="leave out --keep; old versions of the distribution itself go with --keep-versions and --keep-days",
        )


def _base_sources(workspace: Workspace, repository: Repository, names: Iterable[str]) -> list[str]:
    """Names of the sources that are meant by name or id, each once; ``UsageError`` for one of another format."""
    sources = [workspace.catalog.sources.get(name) for name in names]
    for source in sources:
        if source.format != repository.format:
            raise UsageError(
                f"{source.name} has {source.format} packages, {repository.name} takes {repository.format} ones",
                hint="a base source offers what machines have on which the distribution's packages are installed",
            )
    return list(dict.fromkeys(source.name for source in sources))


def _line(name: str, value: str) -> str:
    if not value.isprintable():
        raise UsageError(f"the {name} has characters that cannot be printed", hint="one line of plain text")
    return value
