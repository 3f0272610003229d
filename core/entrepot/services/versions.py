"""Versions of a distribution: what differs, going back, promoting, merging, taking packages out.

Each change is one new version, made in one transaction, with one line in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from entrepot.catalog.versions import Member
from entrepot.errors import NotFoundError, UsageError
from entrepot.models import Distribution, Version
from entrepot.pipeline.admit import fitting_component
from entrepot.pipeline.resolve import PackageSpec
from entrepot.progress import Progress, silent
from entrepot.services.verbatim import follow, refuse_change, refuse_incomplete
from entrepot.services.version_changes import (
    DEFAULT,
    Change,
    ChangeRequest,
    VersionDiff,
    VersionResult,
    carry_out,
    difference,
)

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def diff(workspace: Workspace, path: str, before: int, after: int | None = None) -> VersionDiff:
    """What version ``after`` (None: the newest) has that version ``before`` has not, and the reverse."""
    distribution, old, new = _steps(workspace, path, before, after)
    gone = workspace.catalog.versions.changes(distribution, new.number, old.number)
    come = list(workspace.catalog.versions.changes(distribution, old.number, new.number))
    return difference(workspace, distribution, _named(distribution, old, new), gone, come)


@dataclass(frozen=True, slots=True)
class DiffPage:
    """Some of the changes of a step, after ``offset`` others; ``counts`` are of all."""

    diff: VersionDiff
    counts: Mapping[str, int]
    offset: int

    @property
    def next(self) -> int | None:
        """Where the next page begins; None at the end."""
        end = self.offset + len(self.diff.changes)
        return end if end < sum(self.counts.values()) and self.diff.changes else None

    def as_json(self) -> dict[str, Any]:
        """For the HTTP API."""
        following = None if self.next is None else str(self.next)
        return self.diff.as_json() | {"counts": dict(self.counts), "next": following}


def diff_page(
    workspace: Workspace, path: str, before: int, after: int | None = None, *, limit: int = 1000, offset: int = 0
) -> DiffPage:
    """At most ``limit`` of the changes that ``diff`` has; what scanners found is looked up for those alone."""
    distribution, old, new = _steps(workspace, path, before, after)
    counts, gone, come = workspace.catalog.listings.step(distribution, old.number, new.number, limit, offset)
    told = difference(workspace, distribution, _named(distribution, old, new), gone, come)
    return DiffPage(told, counts, offset)


def rollback(
    workspace: Workspace, path: str, number: int, progress: Progress = silent, request: ChangeRequest = DEFAULT
) -> VersionResult:
    """Makes a new version that is equal to an older one, and publishes it.

    What comes back goes through the policy as it is today: a package that it would not let in now is refused by name.
    """
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    old = catalog.versions.get(distribution, number)
    if distribution.verbatim:
        refuse_incomplete(workspace, distribution, number)

    def act(newest: Version) -> Change:
        gone = list(catalog.versions.changes(distribution, old.number, newest.number))
        come = list(catalog.versions.changes(distribution, newest.number, old.number))
        names = (f"{distribution.path} version {newest.number}", f"{distribution.path} version {old.number}")
        told = difference(workspace, distribution, names, gone, come)
        return Change(distribution, told, gone, come, f"roll back to version {old.number}", restore=old.number)

    detail = {"to": old.number}
    return carry_out(workspace, "rollback", distribution, act, detail, progress, request)


def promote(
    workspace: Workspace,
    path: str,
    target: str,
    number: int | None = None,
    progress: Progress = silent,
    request: ChangeRequest = DEFAULT,
) -> VersionResult:
    """Makes a distribution have what a version of another one has, the newest unless it is named, and nothing else.

    The target's own policy decides about what comes in: by what scanners said of its files where it comes from, and by
    what those say now, about the target, that need no files. ``ConflictError`` names what it refuses.
    """
    catalog = workspace.catalog
    origin, distribution = _pair(workspace, path, target)
    version = catalog.versions.latest(origin) if number is None else catalog.versions.get(origin, number)
    components = _components(workspace, origin, version, distribution)
    carried = follow(workspace, (origin, version.number), distribution, hold_refused=request.hold_refused)

    def act(newest: Version) -> Change:
        here, there = (distribution, newest.number), (origin, version.number)
        gone = list(catalog.versions.beyond(*here, *there, other_components=components))
        come = list(catalog.versions.beyond(*there, *here, components=components))
        names = (f"{distribution.path} version {newest.number}", f"{origin.path} version {version.number}")
        told = difference(workspace, distribution, names, gone, come, known=False)
        message = f"promote {origin.path} version {version.number}"
        return Change(distribution, told, gone, come, message, origin, components, carried=carried)

    detail = {"from": origin.path, "version": version.number}
    return carry_out(workspace, "promote", distribution, act, detail, progress, request)


def rollback_size(workspace: Workspace, path: str, number: int) -> int:
    """How many packages a rollback would take out and bring back: what planning it costs."""
    versions = workspace.catalog.versions
    distribution = workspace.catalog.repositories.distribution(path)
    newest, old = versions.latest(distribution).number, versions.get(distribution, number).number
    return versions.count_changes(distribution, newest, old) + versions.count_changes(distribution, old, newest)


def promotion_size(workspace: Workspace, path: str, target: str, number: int | None = None) -> int:
    """At most so many packages would a promotion bring in and take out: what planning it costs."""
    versions = workspace.catalog.versions
    origin, distribution = _pair(workspace, path, target)
    version = versions.latest(origin) if number is None else versions.get(origin, number)
    newest = versions.latest(distribution)
    there, here = (origin, version.number), (distribution, newest.number)
    return versions.count_beyond(*there, *here) + versions.count_beyond(*here, *there)


def merge(
    workspace: Workspace,
    paths: Sequence[str],
    target: str,
    progress: Progress = silent,
    request: ChangeRequest = DEFAULT,
    *,
    newest_only: bool = False,
) -> Sequence[VersionResult]:
    """Adds to a distribution what the newest versions of others have; nothing of its own goes.

    With ``newest_only`` an older version of a package gives way to a newer one of the same architecture and component.
    One version for each that adds something; the last one is published.
    """
    results = []
    for position, path in enumerate(paths, 1):
        last = position == len(paths)
        step = replace(request, publish_after=request.publish_after and last)
        results.append(_merge(workspace, path, target, progress, step, newest_only=newest_only))
    return results


def _merge(
    workspace: Workspace, path: str, target: str, progress: Progress, request: ChangeRequest, *, newest_only: bool
) -> VersionResult:
    catalog = workspace.catalog
    origin, distribution = _pair(workspace, path, target)
    refuse_change(distribution, "nothing can be merged into what upstream's index names")
    version = catalog.versions.latest(origin)
    components = _components(workspace, origin, version, distribution)
    key = workspace.format(distribution.format).versions.key

    def act(newest: Version) -> Change:
        here, there = (distribution, newest.number), (origin, version.number)
        come: Sequence[Member] = list(catalog.versions.beyond(*there, *here, components=components))
        gone: Sequence[Member] = []
        if newest_only:
            wanted = sorted({member.name for member in come})
            held = [member for name in wanted for member in catalog.versions.members(*here, name)]
            come, gone = _only_newest(held, come, components, key)
        names = (f"{distribution.path} version {newest.number}", f"with {origin.path} version {version.number}")
        told = difference(workspace, distribution, names, gone, come, known=False)
        message = f"merge {origin.path} version {version.number}"
        return Change(distribution, told, gone, come, message, origin, components)

    detail = {"from": origin.path, "version": version.number, "newest_only": newest_only}
    return carry_out(workspace, "merge", distribution, act, detail, progress, request)


def remove_packages(
    workspace: Workspace,
    path: str,
    packages: Sequence[str],
    progress: Progress = silent,
    request: ChangeRequest = DEFAULT,
) -> VersionResult:
    """Makes a version without packages: ``NAME``, ``NAME=VERSION``, ``NAME:ARCH``. Older versions keep them."""
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    refuse_change(distribution, "upstream's index would still name what is taken out")
    specs = [PackageSpec.parse(text) for text in packages]

    def act(newest: Version) -> Change:
        gone = {member.membership_id: member for spec in specs for member in _fitting(workspace, distribution, spec)}
        steps = (f"{distribution.path} version {newest.number}", "without them")
        told = difference(workspace, distribution, steps, list(gone.values()), [])
        words = ", ".join(f"{member.name} {member.version}" for member in list(gone.values())[:3])
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        return Change(distribution, told, list(gone.values()), [], f"remove {words}{more}")

    return carry_out(workspace, "remove", distribution, act, {"packages": list(packages)}, progress, request)


# --------------------------------------------------------------------------------------------------- what is meant


def _steps(workspace: Workspace, path: str, before: int, after: int | None) -> tuple[Distribution, Version, Version]:
    """A distribution and two of its versions."""
    versions = workspace.catalog.versions
    distribution = workspace.catalog.repositories.distribution(path)
    old = versions.get(distribution, before)
    return distribution, old, versions.latest(distribution) if after is None else versions.get(distribution, after)


def _named(distribution: Distribution, old: Version, new: Version) -> tuple[str, str]:
    return f"{distribution.path} version {old.number}", f"{distribution.path} version {new.number}"


def _pair(workspace: Workspace, path: str, target: str) -> tuple[Distribution, Distribution]:
    """Where packages come from and where they go; ``UsageError`` unless they go together."""
    repositories = workspace.catalog.repositories
    origin, distribution = repositories.distribution(path), repositories.distribution(target)
    if origin.id == distribution.id:
        raise UsageError(f"{origin.path} is where it is to come from and where it is to go")
    if origin.format != distribution.format:
        raise UsageError(
            f"{origin.path} has {origin.format} packages, {distribution.path} takes {distribution.format} ones"
        )
    return origin, distribution


def _components(
    workspace: Workspace, origin: Distribution, version: Version, distribution: Distribution
) -> Mapping[str, str]:
    """The component of the target for each of the origin's that it does not have itself."""
    held = workspace.catalog.versions.components(origin, version.number)
    fitting = {name: fitting_component(distribution, None, [name]) for name in held}
    return {name: other for name, other in fitting.items() if name != other}


def _fitting(workspace: Workspace, distribution: Distribution, spec: PackageSpec) -> Iterator[Member]:
    """The packages of the newest version that somebody means; ``NotFoundError`` if there are none."""
    versions = workspace.catalog.versions
    held = list(versions.members(distribution, versions.latest(distribution).number, spec.name))
    found = [
        member
        for member in held
        if spec.architecture in (None, member.architecture) and spec.version in (None, member.version)
    ]
    if not found:
        there = ", ".join(f"{member.name}:{member.architecture}={member.version}" for member in held)
        hint = f"it has {there}" if there else f"`entrepot version show {distribution.path}` lists what it has"
        raise NotFoundError(f"{distribution.path} has no {spec}", hint=hint, package=str(spec))
    return iter(found)


def _only_newest(
    held: Sequence[Member], come: Sequence[Member], components: Mapping[str, str], key: Callable[[str], bytes]
) -> tuple[Sequence[Member], Sequence[Member]]:
    """Of what comes, what is newer than all that is there; and what is there and older than what comes."""

    def place(member: Member) -> tuple[str, str, str, str]:
        component = components.get(member.component, member.component)
        return member.name, member.architecture, member.kind, component

    newest: dict[tuple[str, str, str, str], bytes] = {}
    for member in (*held, *come):
        newest[place(member)] = max(newest.get(place(member), b""), key(member.version))
    stays = [member for member in come if key(member.version) == newest[place(member)]]
    return stays, [member for member in held if key(member.version) < newest[place(member)]]
