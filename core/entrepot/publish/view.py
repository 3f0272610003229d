"""A version of the catalog as a tree builder sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from entrepot.contracts import FileBody
from entrepot.models import Distribution, EntryRef, Extra, PublishedEntry, Repository
from entrepot.publish.bodies import StoreBody
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


class CatalogView:
    """``VersionView`` over the catalog. Nothing is read before it is asked for, and of packages nothing is kept."""

    def __init__(
        self, catalog: Catalog, store: ArtifactStore, repository: Repository, distribution: Distribution, number: int
    ) -> None:
        self._store = store
        self.repository = repository
        self.distribution = distribution
        self.number = number
        self._versions = catalog.versions
        self._extras = catalog.extras

    @cached_property
    def _groups(self) -> Sequence[tuple[str, str, str]]:
        return self._versions.groups(self.distribution, self.number)

    def groups(self) -> Sequence[tuple[str, str, str]]:
        return self._groups

    def entries(self, component: str, kind: str, architectures: Collection[str]) -> Iterator[EntryRef]:
        return self._versions.refs(self.distribution, self.number, component, kind, architectures)

    def extras(self, kind: str) -> Iterator[Extra]:
        return self._extras.members(self.distribution, self.number, kind)

    def artifact(self, sha256: str) -> FileBody:
        return StoreBody(self._store, sha256)

    def extra_kinds(self) -> Sequence[str]:
        return self._extras.kinds(self.distribution, self.number)

    def load(self, ids: Sequence[int]) -> Iterable[PublishedEntry]:
        """Text, place and files of entries, for those pieces of an index that have to be rendered."""
        return self._versions.entries(ids)

    def load_file_lists(self, ids: Sequence[int]) -> Iterable[PublishedEntry]:
        """The same with their lists of files."""
        return self._versions.entries(ids, file_lists=True)
