"""What is different between two versions: package by package, for a person who has to decide about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from entrepot.catalog.versions import Member

Key = Callable[[str], bytes]
"""The order of versions of the format."""


@dataclass(frozen=True, slots=True)
class PackageChange:
    """What became of one package of one architecture and component.

    ``change`` is ``added``, ``removed``, ``upgraded``, ``downgraded``, ``rebuilt`` (the same version, other content)
    or, where several versions are on a side, ``changed``. ``before`` and ``after`` are versions, the oldest first.
    """

    name: str
    architecture: str
    component: str
    change: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    sha256: tuple[str, ...]
    """Of the artifacts that come in, as they came from upstream."""
    size: int
    """Bytes that come in, less those that go."""
    left: tuple[str, ...] = ()
    """As ``sha256``, of those that go."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "package": self.name,
            "architecture": self.architecture,
            "component": self.component,
            "change": self.change,
            "before": list(self.before),
            "after": list(self.after),
            "sha256": list(self.sha256),
            "size": self.size,
        }


def compare(gone: Iterable[Member], come: Iterable[Member], key: Key) -> Sequence[PackageChange]:
    """The changes that packages which go and packages which come make together, by name, architecture and component."""
    sides: dict[tuple[str, str, str], tuple[list[Member], list[Member]]] = {}
    for side, members in enumerate((gone, come)):
        for member in members:
            place = (member.name, member.architecture, member.component)
            sides.setdefault(place, ([], []))[side].append(member)
    return [_change(*place, *sides[place], key) for place in sorted(sides)]


def _change(
    name: str, architecture: str, component: str, gone: Sequence[Member], come: Sequence[Member], key: Key
) -> PackageChange:
    before, after = _ordered(gone, key), _ordered(come, key)
    size = sum(member.size for member in come) - sum(member.size for member in gone)
    left, artifacts = (tuple(member.original_sha256 for member in side) for side in (gone, come))
    word = _word(before, after, key)
    return PackageChange(name, architecture, component, word, before, after, artifacts, size, left)


def _ordered(members: Sequence[Member], key: Key) -> tuple[str, ...]:
    # A key is most of the work, and most packages have one version.
    versions = [member.version for member in members]
    return tuple(sorted(versions, key=key) if len(versions) > 1 else versions)


def _word(before: Sequence[str], after: Sequence[str], key: Key) -> str:
    if not before:
        return "added"
    if not after:
        return "removed"
    if len(before) > 1 or len(after) > 1:
        return "changed"
    old, new = key(before[0]), key(after[0])
    return "upgraded" if old < new else "downgraded" if new < old else "rebuilt"
