"""Storage: objects under keys, and who opens it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class StorageProperties:
    """What differs between backends, as data.

    ``conditional_writes``: ``if_absent`` and ``if_match`` are atomic. ``local_root``: the folder that is the storage,
    where there is one. ``shared``: others can write to it from another machine.
    """

    scheme: str
    conditional_writes: bool = True
    local_root: Path | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a storage knows of an object. ``etag`` is opaque and changes whenever the content does."""

    key: str
    size: int
    etag: str
    modified: dt.datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What travels with an object to whoever serves it."""

    content_type: str = "application/octet-stream"
    cache_control: str = ""
    sha256: str | None = None


Body = bytes | Path | Iterable[bytes]
"""What is written: bytes, a file on this machine, or chunks (read once)."""


class Storage(Protocol):
    """Objects under keys. Keys are relative POSIX paths that ``entrepot_storage.base.check_key`` admits.

    A write is atomic: a reader gets the old object or the new one, whole, and a writer that is killed leaves the old.
    Every method may be called from several threads. Errors are ``StorageError``; what is not there is ``None`` or
    ``NotFoundError`` where a method says so.
    """

    properties: StorageProperties

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object for reading from ``offset``; ``NotFoundError`` if there is none. The caller closes it."""
        ...

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object; ``PreconditionError`` if it is there (``if_absent``) or is not that etag (``if_match``)."""
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object; no error if there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with ``prefix`` (any text, not only whole folders), in key order."""
        ...

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object in, from this or another storage, without moving bytes through here where possible."""
        ...

    def close(self) -> None:
        """Gives up connections and handles."""
        ...


class StorageFactory(Protocol):
    """Opens storages of one URL scheme."""

    scheme: str

    def open(self, url: str, settings: Mapping[str, Any]) -> Storage:
        """``settings`` is the table ``[storage.<scheme>]``; ``SettingsError``, ``StorageError`` if not."""
        ...
