"""What changed: a package that waits beside the version of it that is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.catalog.versions import Member
from entrepot.models import Distribution, PackageInfo

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

UNTOLD = frozenset(
    {"filename", "size", "md5sum", "sha1", "sha256", "sha512", "version", "location", "checksum", "time"}
)
"""Fields that differ between any two versions, or are told otherwise."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The package that is in now, and what differs: by field, its value there and here; None where it has none."""

    version: str
    """Of that one; empty if there is none of this name and architecture."""
    sizes: tuple[int, int]
    fields: Mapping[str, tuple[str | None, str | None]]
    is_in: bool = False
    """Whether the package that is compared is in itself, and waits again: then the other was in when it came."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "version": self.version or None,
            "is_in": self.is_in,
            "size": {"before": self.sizes[0], "after": self.sizes[1]},
            "fields": {name: {"before": before, "after": after} for name, (before, after) in self.fields.items()},
        }


def compare(
    workspace: Workspace, distribution: Distribution, package_id: int, came_in: int | None = None
) -> Comparison:
    """What differs from the newest version of the same name and architecture that is in now, by their metadata.

    Where the package is in itself: from the one that was in before the version that it ``came_in`` with.
    """
    catalog = workspace.catalog
    info = catalog.packages.get(package_id)
    number = catalog.versions.latest(distribution).number
    members = _of_this_name(workspace, distribution, number, info)
    is_in = any(member.original_sha256 == info.came_as for member in members)
    if is_in and came_in:
        members = _of_this_name(workspace, distribution, came_in - 1, info)
    members = [member for member in members if member.original_sha256 != info.came_as]
    size = sum(file.size for file in info.files)
    if not members:
        return Comparison("", (0, size), {}, is_in)
    before = catalog.packages.get(members[-1].package_id)
    index = workspace.format(info.format).index
    was, now = _joined(index.fields(before.raw)), _joined(index.fields(info.raw))
    changed = {
        name: (was.get(name), now.get(name))
        for name in {**was, **now}
        if was.get(name) != now.get(name) and name.lower() not in UNTOLD
    }
    return Comparison(before.version, (members[-1].size, size), changed, is_in)


def _of_this_name(workspace: Workspace, distribution: Distribution, number: int, info: PackageInfo) -> Sequence[Member]:
    return [
        member
        for member in workspace.catalog.versions.members(distribution, number, info.name)
        if member.architecture == info.architecture and member.kind == info.kind
    ]


def _joined(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in fields:
        values[name] = f"{values[name]}\n{value}" if name in values else value
    return values
