"""Planning: everything that a publication would do, before anything is done. Reads the catalog, writes nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.catalog.database import to_json
from entrepot.catalog.publications import ManifestEntry
from entrepot.contracts import Format, Signer, TreeFile, TreeTools
from entrepot.models import Distribution, Phase, Repository, Version
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot.publish.view import CatalogView

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
    """

    repository: Repository
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
    since: int
    """The publication that the plan goes on from (``PublicationsTable.newest``): with another one it is void."""
    now: dt.datetime

    @property
    def files(self) -> int:
        """How many files are written."""
        return len(self.payload) + len(self.writes) + len(self.shared)

    @property
    def size(self) -> int:
        """How many bytes are written, those that the storage copies by itself included."""
        return sum(file.size for files in (self.payload, self.writes, self.shared) for file in files)

    def steps(self) -> Iterator[tuple[str, str, int]]:
        """What is done, as (``write``, ``remove`` or ``supersede``, path, bytes), in order."""
        for file in self.payload:
            yield "write", file.path, file.size
        for tree_file in [*self.shared, *self.writes]:
            yield "write", tree_file.path, tree_file.size
        for path in self.removals:
            yield "remove", path, 0
        for path in self.superseded:
            yield "supersede", path, 0


class Planner:
    """Plans the publications of one repository."""

    def __init__(
        self,
        catalog: Catalog,
        format_: Format,
        repository: Repository,
        signer: Signer | None,
        cache: Path,
        now: dt.datetime,
    ) -> None:
        self._catalog = catalog
        self._format = format_
        self._repository = repository
        self._signer = signer
        self._cache = PieceCache(cache)
        self._now = now

    def plan(self, distribution: Distribution, version: Version, *, force: bool = False) -> TreePlan | None:
        """The plan for a version; None if it is in place as it would be written now."""
        digest = self._settings_digest(distribution)
        # Before anything else is read: what begins later makes the plan void.
        since = self._catalog.publications.newest(distribution)
        last = self._catalog.publications.latest(distribution)
        interrupted = self._catalog.publications.interrupted(distribution)
        if last and not force and not interrupted and (last.version, last.settings_digest) == (version.number, digest):
            tree = self._format.tree
            if not tree.expired(distribution, last.created_at, self._now):
                return None
        files = list(self._build(distribution, version))
        held = self._held(distribution, interrupted=interrupted)
        shared_held = self._held(None, interrupted=interrupted)
        writes = [file for file in files if _differs(file, held)]
        shared = [file for file in self._front() if _differs(file, shared_held)]
        known = self._catalog.publications.files(self._repository, distribution)
        gone = sorted(set(known) - {file.path for file in files})
        return TreePlan(
            repository=self._repository,
            distribution=distribution,
            version=version,
            settings_digest=digest,
            signed_by=self._signer.fingerprint if self._signer else None,
            payload=self._payload(distribution, last.version if last else 0, version.number),
            payload_type=self._format.tree.payload_type,
            writes=sorted(writes, key=lambda file: file.phase),
            shared=shared,
            kept=len(files) - len(writes),
            superseded=[path for path in gone if known[path].phase < Phase.SIGNATURE],
            removals=[path for path in gone if known[path].phase >= Phase.SIGNATURE],
            since=since,
            now=self._now,
        )

    def _build(self, distribution: Distribution, version: Version) -> Iterator[TreeFile]:
        view = CatalogView(self._catalog, self._repository, distribution, version.number)
        salt = f"{self._format.name} {self._format.tree.render_generation}"
        renderer = IndexRenderer(self._cache, view.load, salt=salt)
        tools = TreeTools(renderer, self._signer, self._now, renderer.text)
        return self._format.tree.build(view, tools)

    def _front(self) -> Iterator[TreeFile]:
        distributions = self._catalog.repositories.distributions(self._repository)
        tools = TreeTools(_nothing_to_render, self._signer, self._now)
        return self._format.tree.front(self._repository, distributions, tools)

    def _held(self, distribution: Distribution | None, *, interrupted: bool) -> Mapping[str, ManifestEntry]:
        """What the tree is known to have. After a kill in between only names that never change content."""
        held = self._catalog.publications.files(self._repository, distribution)
        if not interrupted:
            return held
        return {path: entry for path, entry in held.items() if entry.phase <= Phase.IMMUTABLE}

    def _payload(self, distribution: Distribution, since: int, until: int) -> Sequence[PayloadFile]:
        """The package files that are not in the tree: only what changed since the last publication is looked at."""
        payload: dict[str, PayloadFile] = {}
        for member in self._catalog.versions.changes(distribution, since, until):
            for file in self._catalog.packages.files(member.package_id):
                path = f"{member.location}/{file.name}"
                held = self._catalog.publications.payload(self._repository, path)
                if held is None or held.sha256 != file.sha256:
                    payload[path] = PayloadFile(path, file.size, file.sha256)
        return list(payload.values())

    def _settings_digest(self, distribution: Distribution) -> str:
        """Over all that files depend on besides the version itself."""
        parts: list[Any] = [
            self._format.tree.render_generation,
            self._signer.fingerprint if self._signer else None,
            _settings(self._repository),
            [_settings(other) for other in self._catalog.repositories.distributions(self._repository)],
            distribution.name,
        ]
        return hashlib.sha256(to_json(parts).encode()).hexdigest()


def _settings(record: Repository | Distribution) -> dict[str, Any]:
    values = asdict(record)
    del values["created_at"]
    return values


def _differs(file: TreeFile, held: Mapping[str, ManifestEntry]) -> bool:
    return file.path not in held or held[file.path].sha256 != file.sha256


def _nothing_to_render(*_: object, **__: object) -> Mapping[str, Any]:
    raise AssertionError("the front of a repository has no index")
