"""The files of a version, rendered by its format and signed: what every target of a repository is to have."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.catalog.database import to_json
from entrepot.contracts import VERBATIM, BuildsSnapshots, Format, Signer, StopsClients, TreeFile, TreeTools
from entrepot.errors import UsageError
from entrepot.models import Distribution, Repository, Snapshot, Version
from entrepot.publish.encoders import Levels
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot.publish.view import CatalogView
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Tree:
    """A version as files. ``shared`` are those of the repository as a whole; packages are in neither."""

    distribution: Distribution
    version: Version
    files: Sequence[TreeFile]
    shared: Sequence[TreeFile]
    signed_by: str | None
    now: dt.datetime
    snapshot: Snapshot | None = None


class TreeMaker:
    """Makes the trees of one repository. Signatures are made, and verified, here: before anything is written."""

    def __init__(
        self,
        catalog: Catalog,
        store: ArtifactStore,
        format_: Format,
        repository: Repository,
        open_signer: Callable[[], Signer | None],
        cache: Path,
        levels: Levels,
        now: dt.datetime,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._format = format_
        self._repository = repository
        self._open_signer = open_signer
        self._cache = PieceCache(cache)
        self._levels = levels
        self.now = now

    @cached_property
    def _signer(self) -> Signer | None:
        # Opened for the first tree that is made: finding out that nothing changed starts no gpg.
        return self._open_signer()

    def make(self, distribution: Distribution, version: Version, snapshot: Snapshot | None = None) -> Tree:
        """All files of a version, or of a snapshot of it. Of indexes, only pieces that are not cached are rendered."""
        view = CatalogView(self._catalog, self._store, self._repository, distribution, version.number)
        salt = f"{self._format.name} {self._format.tree.render_generation}"
        renderer = IndexRenderer(
            self._cache, view.load, salt=salt, levels=self._levels, load_file_lists=view.load_file_lists
        )
        snapshots = self._catalog.snapshots.exist(distribution)
        tools = TreeTools(renderer, self._signer, self.now, renderer.together, renderer.text, snapshots)
        if snapshot is not None:
            files = list(snapshot_builder(self._format).build_snapshot(view, snapshot.name, tools))
            return Tree(distribution, version, files, (), self._signed_by, self.now, snapshot)
        files = list(self._format.tree.build(view, tools))
        distributions = self._catalog.repositories.distributions(self._repository)
        keys = self._upstream_keys(distributions, {distribution.id: version.number})
        tools = TreeTools(_nothing_to_render, self._signer, self.now, upstream_keys=keys)
        shared = list(self._format.tree.front(self._repository, distributions, tools))
        return Tree(distribution, version, files, shared, self._signed_by, self.now)

    def _upstream_keys(self, distributions: Sequence[Distribution], numbers: Mapping[int, int]) -> Mapping[str, bytes]:
        """The keys of verbatim distributions, as of the newest version, or the one that ``numbers`` has."""
        keys = {}
        for distribution in distributions:
            if distribution.verbatim:
                number = numbers.get(distribution.id, self._catalog.versions.latest(distribution).number)
                for extra in self._catalog.extras.members(distribution, number, VERBATIM):
                    keys[distribution.name] = str(extra.data.get("keys") or "").encode()
        return {name: key for name, key in keys.items() if key}

    @property
    def _signed_by(self) -> str | None:
        return self._signer.fingerprint if self._signer else None

    def settings_digest(self, distribution: Distribution) -> str:
        """Over all that files depend on besides the version itself; the key is among the repository's settings."""
        parts: list[Any] = [
            self._format.tree.render_generation,
            asdict(self._levels),
            _settings(self._repository),
            [_settings(other) for other in self._catalog.repositories.distributions(self._repository)],
            distribution.name,
        ]
        if self._catalog.snapshots.exist(distribution):
            parts.append("snapshots")
        return hashlib.sha256(to_json(parts).encode()).hexdigest()

    def expired(self, distribution: Distribution, published: dt.datetime) -> bool:
        """Whether an unchanged version has to be published again because of its age."""
        return self._format.tree.expired(distribution, published, self.now)

    def identity(self, distribution: Distribution) -> Mapping[str, str]:
        """What clients know of a distribution once it is in place."""
        tree = self._format.tree
        return tree.identity(self._repository, distribution) if isinstance(tree, StopsClients) else {}

    def stops(self, before: Mapping[str, str], distribution: Distribution) -> Sequence[str]:
        """What would stop clients that know a distribution as it was ``before``; nothing if they know nothing."""
        tree = self._format.tree
        if not before or not isinstance(tree, StopsClients):
            return ()
        return tree.stops(before, tree.identity(self._repository, distribution))

    @property
    def payload_type(self) -> str:
        """The media type of package files."""
        return self._format.tree.payload_type


def snapshot_builder(format_: Format) -> BuildsSnapshots:
    """What builds the snapshots of a format; ``UsageError`` if nothing does."""
    if not isinstance(format_.tree, BuildsSnapshots):
        raise UsageError(f"the format {format_.name} has no snapshots")
    return format_.tree


def _settings(record: Repository | Distribution) -> dict[str, Any]:
    values = asdict(record)
    for name in ("created_at", "targets", "keep", "keep_needed", "keep_versions", "keep_days"):
        values.pop(name, None)
    return values


def _nothing_to_render(*_: object, **__: object) -> Mapping[str, Any]:
    raise AssertionError("the front of a repository has no index")
