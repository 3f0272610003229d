"""Checking: does a tree have what the catalog says it has, byte for byte if that is asked for?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.catalog.publications import ManifestEntry
from entrepot.contracts import Storage
from entrepot.errors import NotFoundError
from entrepot.models import Target

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A file of a tree that is not as it should be: ``missing``, ``size`` or ``content``."""

    path: str
    kind: str
    phase: int


def check_tree(
    catalog: Catalog, target: Target, storage: Storage, *, content: bool, on_file: Callable[[], None]
) -> Iterator[Fault]:
    """The faults of a target, in the order of paths. With ``content`` every byte is read."""
    for entry in catalog.publications.everything(target):
        on_file()
        if (kind := _fault(entry, storage, content=content)) is not None:
            yield Fault(entry.path, kind, entry.phase)


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
