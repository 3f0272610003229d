"""What a mirror takes of a source, and what that changes in a distribution. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.catalog.choice import Chosen, Scope
from entrepot.catalog.query_sql import Meaning
from entrepot.catalog.versions import Member
from entrepot.contracts import FieldFinder, Format
from entrepot.errors import NotFoundError, UsageError
from entrepot.models import Distribution, ImportState, Source
from entrepot.pipeline.admit import fitting_component
from entrepot.pipeline.needs import Seeker
from entrepot.query import EVERYTHING, All, Newest, Not, Query, WithDependencies, parse, parse_names
from entrepot.services.verbatim import UpstreamIndex, refuse_change

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

SHOWN = 50
"""Names of one kind that a message has."""


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """What is to be mirrored: a part of a source (all of it if nothing narrows it) into a distribution.

    ``exact``: what mirrors of this source brought before and that is not meant any more goes. ``again``: what the
    policy refused here before is tried again. ``on_failure`` is ``skip``, ``retry`` or ``fail``.
    """

    source: str
    distribution: str
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    where: str = ""
    latest: int | None = None
    dependencies: bool = False
    recommends: bool = False
    exact: bool = False
    component: str | None = None
    again: bool = False
    on_failure: str = "skip"

    @property
    def narrowed(self) -> bool:
        """Whether it is not all that the source has, or not where the source has it."""
        return bool(self.include or self.exclude or self.where or self.latest or self.dependencies or self.component)

    def query(self, *, files: bool = False) -> Query:
        """All of it as one query; with ``files`` it may name lists of this machine. ``QueryError`` where it cannot."""
        parts: list[Query] = []
        if self.include:
            parts.append(parse_names(self.include, "--include"))
        if self.where:
            parts.append(parse(self.where, _lines if files else None))
        without = Not(parse_names(self.exclude, "--exclude")) if self.exclude else None
        if without:
            parts.append(without)
        found: Query = parts[0] if len(parts) == 1 else All(tuple(parts)) if parts else EVERYTHING
        if self.latest is not None:
            found = Newest(found, self.latest)
        if self.dependencies:
            found = WithDependencies(found, self.recommends)
            # What is never to come does not come because something needs it, either.
            found = All((found, without)) if without else found
        return found


def _lines(name: str) -> Sequence[str]:
    try:
        return Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}", path=name) from error


@dataclass(frozen=True, slots=True)
class LooseEnds:
    """Of one kind of what a source says besides packages (advisories, groups, modules): what is left out, and names."""

    kind: str
    extras: int
    packages: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {"kind": self.kind, "extras": self.extras, "packages": list(self.packages)}

    def __str__(self) -> str:
        more = f" and {len(self.packages) - SHOWN} more" if len(self.packages) > SHOWN else ""
        names = ", ".join(self.packages[:SHOWN])
        return f"{self.extras} of kind {self.kind} name packages that are left out: {names}{more}"


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """What a mirror would do. ``ahead`` are available packages to bring, ``held`` those that the policy kept out.

    The choice itself is in the catalog, as ``catalog.choice``, until the next one.
    """

    source: Source
    distribution: Distribution
    query: Query
    chosen: int
    ahead: Sequence[int]
    leaving: Sequence[Member]
    held: Mapping[int, tuple[int, str]]
    surplus: int
    """How many the distribution keeps no more, since it has newer ones (``dist set --keep``)."""
    to_fetch: int
    problems: Sequence[str] = ()
    loose_ends: Sequence[LooseEnds] = ()
    before: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Versions that are there of those that are ahead."""
    upstream: UpstreamIndex | None = None
    """What a verbatim distribution is to be published with."""

    def counts(self) -> dict[str, int]:
        """How many packages of which change."""
        states = [state for _, state in self.held.values()]
        return {
            "chosen": self.chosen,
            "added": len(self.ahead) - len(self.before),
            "updated": len(self.before),
            "removed": len(self.leaving),
            "unchanged": self.chosen - len(self.ahead) - len(self.held) - self.surplus,
            "waiting": states.count(ImportState.PENDING_REVIEW.value),
            "refused_before": states.count(ImportState.REJECTED.value),
            "surplus": self.surplus,
        }

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API, without the packages."""
        return {
            "source": self.source.name,
            "distribution": self.distribution.path,
            "query": str(self.query),
            "counts": self.counts(),
            "to_fetch": self.to_fetch,
            "problems": list(self.problems),
            "loose_ends": [ends.as_json() for ends in self.loose_ends],
        }


def select(workspace: Workspace, request: MirrorRequest, query: Query) -> MirrorPlan:
    """Finds what a mirror would do now. ``NotFoundError`` if nothing is known of the source yet."""
    catalog = workspace.catalog
    source = catalog.sources.get(request.source)
    distribution = catalog.repositories.distribution(request.distribution)
    _check(workspace, source, distribution)
    upstream = None
    if distribution.verbatim:
        if request.narrowed:
            refuse_change(distribution, "a part of a source is not what the source's own index says")
        upstream = UpstreamIndex.find(workspace, source, distribution)
        query = upstream.query
    format_ = workspace.format(source.format)
    problems: dict[str, None] = {}

    def closure(ids: Sequence[int], recommends: bool) -> Sequence[int]:
        found = Seeker(catalog, format_, source, distribution).needs(ids, recommends=recommends)
        problems.update(found.problems)
        return sorted(found.ids)

    scope = _scope(workspace, source, distribution, request.component)
    catalog.choice.choose(
        source, distribution, query, scope, Meaning(format_.versions.key, closure), field_finder(format_)
    )
    number = catalog.versions.latest(distribution).number
    ahead = catalog.choice.ahead(distribution, number)
    surplus = catalog.choice.surplus(distribution, number) if distribution.keep else set()
    surplus &= set(ahead)
    ahead = [available_id for available_id in ahead if available_id not in surplus]
    held = {} if request.again else catalog.choice.held(source, distribution)
    held = {available_id: held[available_id] for available_id in ahead if available_id in held}
    ahead = [available_id for available_id in ahead if available_id not in held]
    before: dict[int, list[str]] = {}
    for available_id, version in catalog.choice.present(distribution, number, ahead):
        before.setdefault(available_id, []).append(version)
    return MirrorPlan(
        source=source,
        distribution=distribution,
        query=query,
        chosen=catalog.choice.count(),
        ahead=ahead,
        leaving=catalog.choice.left_over(source, distribution, number) if request.exact or upstream else (),
        held=held,
        surplus=len(surplus),
        to_fetch=catalog.choice.to_fetch(ahead),
        problems=list(problems),
        loose_ends=_loose_ends(workspace, source),
        before=before,
        upstream=upstream,
    )


def changes(workspace: Workspace, plan: MirrorPlan) -> Iterator[dict[str, Any]]:
    """Every package that comes, in another version or for the first time, or goes; by name."""
    rows: Iterator[Chosen] = workspace.catalog.choice.rows(plan.ahead)
    for row in rows:
        before = list(plan.before.get(row.id, ()))
        yield {
            "change": "updated" if before else "added",
            "package": row.name,
            "architecture": row.architecture,
            "component": row.component,
            "before": before,
            "after": row.version,
            "size": row.size,
        }
    for member in plan.leaving:
        yield {
            "change": "removed",
            "package": member.name,
            "architecture": member.architecture,
            "component": member.component,
            "before": [member.version],
            "after": "",
            "size": member.size,
        }


def _check(workspace: Workspace, source: Source, distribution: Distribution) -> None:
    if source.format != distribution.format:
        raise UsageError(
            f"{source.name} has {source.format} packages, {distribution.path} takes {distribution.format} ones"
        )
    if workspace.catalog.sources.state(source).checked_at is None:
        raise NotFoundError(f"{source.name} was never synced", hint=f"run `entrepot sync {source.name}` first")


def _scope(workspace: Workspace, source: Source, distribution: Distribution, component: str | None) -> Scope:
    components = {
        name: fitting_component(distribution, component, [name]) for name in workspace.catalog.choice.components(source)
    }
    independent = workspace.format(source.format).independent_architecture
    return Scope(distribution.architectures, independent, components)


def field_finder(format_: Format) -> Callable[[bytes, str], str]:
    """What finds the value of a field in the text of an index; empty where it has none of that name."""
    index = format_.index
    if isinstance(index, FieldFinder):
        return index.field

    def find(raw: bytes, name: str) -> str:
        return next((value for key, value in index.fields(raw) if key.lower() == name.lower()), "")

    return find


def _loose_ends(workspace: Workspace, source: Source) -> Sequence[LooseEnds]:
    extras: dict[str, set[int]] = {}
    names: dict[str, set[str]] = {}
    for kind, extra_id, name in workspace.catalog.choice.loose_ends(source):
        extras.setdefault(kind, set()).add(extra_id)
        names.setdefault(kind, set()).add(name)
    return [LooseEnds(kind, len(extras[kind]), sorted(names[kind])) for kind in sorted(extras)]
