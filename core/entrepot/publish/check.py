"""Checking: does a tree have what the catalog says it has, byte for byte if that is asked for?

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

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A file of a tree that is not as it should be: ``missing``, ``size``, ``content`` or ``unknown``.

    ``unknown`` is a package of the version in place that is not noted as being in the tree.
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
    if content and _sha256(storage, entry.path) != entry.sha256:
        return "content"
    return None


def _sha256(storage: Storage, path: str) -> str:
    state = hashlib.sha256()
    try:
        with storage.read(path) as stream:
            while chunk := stream.read(CHUNK):
                state.update(chunk)
    except NotFoundError:
        return ""
    return state.hexdigest()
