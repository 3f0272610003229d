"""Objects in the memory of this process: for tests, for trying things out, and as the shortest example of a backend."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage, StorageProperties
from entrepot.errors import SettingsError
from entrepot_storage.base import (
    Chunks,
    check_conditions,
    check_key,
    check_offset,
    check_precondition,
    copy_by_stream,
    no_object,
    unwrap,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_etags = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Object:
    info: ObjectInfo
    meta: ObjectMeta
    content: bytes = field(repr=False)


class MemoryStorage:
    """A storage that is gone when the process ends. Every write gives a new etag, whatever its content."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.properties = StorageProperties(scheme="memory")
        self._objects: dict[str, _Object] = {}
        self._lock = threading.Lock()

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object; what is written to the key later does not show in it."""
        stream = io.BytesIO(self._get(key).content)
        stream.seek(check_offset(offset))
        return stream

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object; the body is read before anything is locked or changed."""
        check_key(key)
        check_conditions(if_absent, if_match)
        content = b"".join(Chunks(key, body, meta))
        return self._put(key, content, meta or ObjectMeta(), if_absent=if_absent, if_match=if_match)

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object; its sha256 if the writer gave one."""
        found = self._objects.get(check_key(key))
        return found.info if found else None

    def meta(self, key: str) -> ObjectMeta:
        """What the object was last written with, for tests; ``NotFoundError`` if there is none."""
        return self._get(key).meta

    def delete(self, key: str) -> None:
        """Removes an object."""
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects that are there when the listing starts."""
        with self._lock:
            found = [item.info for key, item in self._objects.items() if key.startswith(prefix)]
        return iter(sorted(found, key=lambda info: info.key))

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object; between storages in memory the bytes are shared."""
        check_key(key)
        origin = unwrap(origin)
        if not isinstance(origin, MemoryStorage):
            return copy_by_stream(origin, origin_key, self, key, meta)
        found = origin._get(origin_key)
        if meta and meta.sha256 != found.meta.sha256:
            # Joining one chunk gives back the same bytes object: this checks the digest and copies nothing.
            b"".join(Chunks(key, found.content, meta))
        return self._put(key, found.content, meta or found.meta)

    def close(self) -> None:
        """Nothing to give up: who opens the same name later finds the objects."""

    def _get(self, key: str) -> _Object:
        found = self._objects.get(check_key(key))
        if found is None:
            raise no_object(key, f"memory://{self.name}")
        return found

    def _put(
        self, key: str, content: bytes, meta: ObjectMeta, *, if_absent: bool = False, if_match: str | None = None
    ) -> ObjectInfo:
        with self._lock:
            there = self._objects.get(key)
            check_precondition(key, there.info.etag if there else None, if_absent=if_absent, if_match=if_match)
            info = ObjectInfo(key, len(content), f"m{next(_etags)}", dt.datetime.now(dt.UTC), meta.sha256)
            self._objects[key] = _Object(info, meta, content)
            return info


class MemoryStorageFactory:
    """``memory://name``: one storage per name in the whole process, whichever factory opened it first.

    A name may have slashes in it; ``memory://a/b`` has nothing to do with ``memory://a``.
    """

    scheme = "memory"
    _opened: ClassVar[dict[str, MemoryStorage]] = {}
    _lock = threading.Lock()

    def open(self, url: str, settings: Mapping[str, Any]) -> MemoryStorage:
        """The storage of the URL's name; ``SettingsError`` for a URL without one, or for any setting."""
        scheme, _, name = url.partition("://")
        if scheme != self.scheme or not _NAME.fullmatch(name):
            raise SettingsError(f"{url!r} is not memory://NAME", hint="for example memory://try", url=url)
        if settings:
            raise SettingsError(f"[storage.memory] has no setting {min(settings)!r}", settings=sorted(settings))
        with self._lock:
            return self._opened.setdefault(name, MemoryStorage(name))
