"""Planning: all that a publication would do at one target, before it is done. Reads the catalog, writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from entrepot.catalog.publications import Basis, ManifestEntry
from entrepot.contracts import TreeFile
from entrepot.errors import ConflictError
from entrepot.models import Distribution, Phase, Repository, Snapshot, Target, Version
from entrepot.publish.tree import Tree, TreeMaker

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A package file that has to be put at its place."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TreePlan:
    """What putting a version in place takes.

    ``writes`` are the files besides packages whose content is another than in the tree now, in the order of their
    phases; ``shared`` those of them that belong to the repository as a whole. ``superseded`` are paths that the new
    version no longer has: they stay for the clients that are reading, and are collected later. ``removals`` are those
    that clients read first: if they stayed, in a repository that is not signed any more, so would what they name.
    ``first`` says that nothing was ever published to the target. ``basis`` is what the plan stands on. ``identity`` is
    what clients know of the distribution afterwards, ``stops`` what those stop at that have read it before.
    ``snapshot`` is what the files are of, where they are not those of the distribution itself.
    """

    repository: Repository
    target: Target
    distribution: Distribution
    version: Version
    settings_digest: str
    signed_by: str | None
    payload: Sequence[PayloadFile]
    payload_type: str
    writes: Sequence[TreeFile]
    shared: Sequence[TreeFile]
    kept: int
    superseded: Sequence[str]
    removals: Sequence[str]
    first: bool
    basis: Basis
    now: dt.datetime
    identity: Mapping[str, str]
    stops: Sequence[str]
    snapshot: Snapshot | None = None

    @property
    def files(self) -> int:
        """How many files are written."""
        return len(self.payload) + len(self.writes) + len(self.shared)

    @property
    def size(self) -> int:
        """How many bytes are written, those that the storage copies by itself included."""
        return sum(file.size for files in (self.payload, self.writes, self.shared) for file in files)

    def requests(self) -> Mapping[str, int]:
        """How many requests it takes: the lease is two writes more, and two reads, or one where there is none yet."""
        tree = [*self.writes, *self.shared]
        copied = sum(file.copy_of is not None for file in tree)
        return {
            "write": len(tree) - copied + 2,
            "copy": len(self.payload) + copied,
            "read": 1 if self.first else 2,
            "delete": len(self.removals),
        }

    def steps(self) -> Iterator[tuple[str, str, int]]:
        """What is done, as (``copy``, ``write``, ``remove`` or ``supersede``, path, bytes), in order."""
        for file in self.payload:
            yield "copy", file.path, file.size
        for tree_file in in_phases([*self.shared, *self.writes]):
            yield "copy" if tree_file.copy_of else "write", tree_file.path, tree_file.size
        for path in self.removals:
            yield "remove", path, 0
        for path in self.superseded:
            yield "supersede", path, 0


def in_phases(files: Iterable[TreeFile]) -> list[TreeFile]:
    """Files in the order in which they are written."""
    return sorted(files, key=lambda file: file.phase)


class Planner:
    """Plans the publications of one repository at one of its targets."""

    def __init__(self, catalog: Catalog, maker: TreeMaker, repository: Repository, target: Target) -> None:
        self._catalog = catalog
        self._maker = maker
        self._repository = repository
        self._target = target

    def in_place(self, distribution: Distribution, version: Version, snapshot: Snapshot | None = None) -> bool:
        """Whether a version is in place as it would be written now; a snapshot is so whatever was set since."""
        publications = self._catalog.publications
        if snapshot is not None:
            last = publications.latest(self._target, distribution, snapshot)
            whole = not publications.interrupted(self._target, distribution, snapshot)
            return last is not None and last.version == version.number and whole
        last = publications.latest(self._target, distribution)
        if last is None or publications.interrupted(self._target, distribution):
            return False
        same = (last.version, last.settings_digest) == (version.number, self._maker.settings_digest(distribution))
        return same and not self._maker.expired(distribution, last.created_at)

    def basis(self, distribution: Distribution) -> Basis:
        """What a plan stands on; to be asked for before the tree is made, since what begins later makes it void."""
        return self._catalog.publications.basis(self._target, distribution)

    def plan(self, tree: Tree, basis: Basis, *, full: bool = False, missing: bool = False) -> TreePlan:
        """The plan that makes the target have a tree.

        With ``full`` it is as if nothing were there; with ``missing`` all packages are looked at, not only new ones.
        """
        publications, distribution, snapshot = self._catalog.publications, tree.distribution, tree.snapshot
        interrupted = full or publications.interrupted(self._target, distribution, snapshot)
        held = publications.latest(self._target, distribution)
        last = None if full or missing else held
        known = publications.files(self._target, distribution, snapshot)
        if taken := publications.taken(self._target, distribution, snapshot, [file.path for file in tree.files]):
            raise ConflictError(
                f"{taken} at {self._target.url} belongs to another distribution or snapshot",
                hint="choose another name for one of them",
            )
        gone = sorted(set(known) - {file.path for file in tree.files}, key=lambda path: (known[path].phase, path))
        # After a kill in between, what was noted as being there may not be, and is written again.
        writes = [file for file in tree.files if interrupted or _differs(file, known)]
        if snapshot is not None:
            writes = list(_copied(writes, publications.files(self._target, distribution)))
        known_shared = publications.files(self._target, None)
        return TreePlan(
            repository=self._repository,
            target=self._target,
            distribution=distribution,
            version=tree.version,
            settings_digest=self._maker.settings_digest(distribution),
            signed_by=tree.signed_by,
            payload=self._payload(distribution, last.version if last else 0, tree.version.number, full=full),
            payload_type=self._maker.payload_type,
            writes=in_phases(writes),
            shared=[file for file in tree.shared if interrupted or _differs(file, known_shared)],
            kept=len(tree.files) - len(writes),
            superseded=[path for path in gone if known[path].phase < Phase.SIGNATURE],
            # What clients read first goes last: who finds no InRelease asks for Release.gpg, which is of another text.
            removals=[path for path in gone if known[path].phase >= Phase.SIGNATURE],
            first=not publications.begun(self._target) and not basis.collections,
            basis=basis,
            now=tree.now,
            identity=self._maker.identity(distribution),
            # A snapshot has a place of its own, which nobody has read yet.
            stops=self._maker.stops(held.identity if held and snapshot is None else {}, distribution),
            snapshot=snapshot,
        )

    def _payload(self, distribution: Distribution, since: int, until: int, *, full: bool) -> Sequence[PayloadFile]:
        """The package files that are not in the tree: only what changed since the last publication is looked at."""
        missing = self._catalog.publications.missing(self._target, distribution, since, until, full=full)
        return [PayloadFile(*file) for file in missing]


def _differs(file: TreeFile, held: Mapping[str, ManifestEntry]) -> bool:
    return file.path not in held or held[file.path].sha256 != file.sha256


def _copied(files: Sequence[TreeFile], held: Mapping[str, ManifestEntry]) -> Iterator[TreeFile]:
    """The files, as copies of those of the distribution's own that have their content and never change."""
    there = {entry.sha256: path for path, entry in held.items() if entry.phase == Phase.IMMUTABLE}
    for file in files:
        copied = file.copy_of is None and file.sha256 in there
        yield replace(file, copy_of=there[file.sha256]) if copied else file
