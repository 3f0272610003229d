"""Checking: does a tree, or the private store, have what the catalog says, byte for byte if that is asked for?

Superseded files are not looked at: no publication counts on them, and some were never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.catalog.publications import ManifestEntry
from entrepot.contracts import Storage
from entrepot.errors import NotFoundError
from entrepot.models import Distribution, Phase, Target
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it should be, by path in a tree or by name in the private store.

    ``kind`` is ``missing``, ``size``, ``content`` or ``unknown``, which is a package of the version in place that is
    not noted as being in the tree.
    """

    path: str
    kind: str
    phase: int
    sha256: str
    """Of what should be there."""


def check_tree(
    catalog: Catalog, target: Target, storage: Storage, *, content: bool, on_file: Callable[[], None]
) -> Iterator[Fault]:
    """The faults of a target, in the order of paths. With ``content`` every byte is read."""
    for entry in catalog.publications.current(target):
        on_file()
        if (kind := _fault(entry, storage, content=content)) is not None:
            yield Fault(entry.path, kind, entry.phase, entry.sha256)


def check_store(
    catalog: Catalog, store: ArtifactStore, *, content: bool, on_file: Callable[[], None]
) -> Iterator[Fault]:
    """What of the private store is gone or damaged, in the order of names; of files that something needs."""
    sizes = {info.key.rpartition("/")[2]: info.size for info in store.files()}
    for sha256, name, size, of_package in catalog.packages.used_artifacts():
        on_file()
        kind = None
        if sha256 not in sizes:
            kind = "missing"
        elif sizes[sha256] != size:
            kind = "size"
        elif content and not store.intact(sha256):
            kind = "content"
        if kind is not None:
            yield Fault(name, kind, Phase.PAYLOAD if of_package else Phase.IMMUTABLE, sha256)


def check_manifest(catalog: Catalog, target: Target, distributions: Iterable[Distribution]) -> Iterator[Fault]:
    """What the versions in place, and those of snapshots, have and the manifest of a target lacks."""
    for distribution in distributions:
        last = catalog.publications.latest(target, distribution)
        snapshots = [item for item in catalog.snapshots.published(target) if item.distribution_id == distribution.id]
        for version in {*([last.version] if last else []), *(snapshot.version for snapshot in snapshots)}:
            for path, _, sha256 in catalog.publications.missing(target, distribution, 0, version):
                yield Fault(path, "unknown", Phase.PAYLOAD, sha256)


def _fault(entry: ManifestEntry, storage: Storage, *, content: bool) -> str | None:
    info = storage.stat(entry.path)
    if info is None:
        return "missing"
    if info.size != entry.size:
        return "size"
    if content and sha256_at(storage, entry.path) != entry.sha256:
        return "content"
    return None


def sha256_at(storage: Storage, path: str) -> str:
    """The digest of a file of a storage; empty if there is none."""
    state = hashlib.sha256()
    try:
        with storage.read(path) as stream:
            while chunk := stream.read(CHUNK):
                state.update(chunk)
    except NotFoundError:
        return ""
    return state.hexdigest()
