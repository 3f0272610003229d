"""Objects as files in a folder, which a web server can serve as it stands.

A write is a new file that is moved into place (``os.replace``; ``os.link`` where nothing may be there), so a reader
has the old file or the new one. Symbolic links below the root are never followed: they are no objects, and nothing is
written through them. What travels with an object (``ObjectMeta``) is the web server's business here, except that a
``sha256`` is checked.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage, StorageProperties
from entrepot.errors import PreconditionError, SettingsError, StorageError
from entrepot_storage import beneath, workplace
from entrepot_storage.base import (
    Chunks,
    check_conditions,
    check_key,
    check_offset,
    check_precondition,
    copy_by_stream,
    is_key,
    no_object,
    unwrap,
)

STALE = 24 * 3600.0
"""Seconds after which an unfinished file is taken to be a dead writer's."""

_RACES = 1000
"""How often a folder may be taken away by deletes between making it and using it; each takes a lost race."""

_HINTS = {
    errno.ENOSPC: "free some space on the file system of {root}",
    errno.EDQUOT: "free some space in the quota of {root}",
    errno.EACCES: "let the user that runs this program read and write {root}",
    errno.EPERM: "let the user that runs this program read and write {root}",
    errno.EROFS: "mount the file system of {root} for writing",
    errno.ELOOP: "replace the link by a folder, or publish to where it points",
    errno.EXDEV: "all of {root} has to be on one file system",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}
_REASONS = {
    errno.ENOTDIR: "a part of its path is already an object (or another file)",
    errno.EISDIR: "there is already a folder of this name",
    errno.ELOOP: "its path leads through a symbolic link, and those are never followed",
}
_NOTHING = (FileNotFoundError, NotADirectoryError)
"""A missing folder, or a file where a folder would be: there is no object then."""

_TRANSIENT = (errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.ENFILE, errno.EMFILE)


class LocalStorage:
    """The folder ``root``, made by the first write.

    ``fsync`` makes every write survive a power failure, at the price of waiting for the disk. ``hardlinks`` lets
    ``copy`` share one file between storages on the same file system; its content must then never be changed in place.
    """

    def __init__(self, root: Path, *, fsync: bool = False, hardlinks: bool = True, stale_after: float = STALE) -> None:
        self.root = Path(os.path.abspath(root))
        self.properties = StorageProperties(scheme="file", local_root=self.root)
        self._fsync = fsync
        self._hardlinks = hardlinks
        self._stale_after = stale_after
        self._mode: int | None = None
        self._swept = False

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens the file; it stays readable when the object is replaced or deleted."""
        *folders, name = check_key(key).split("/")
        check_offset(offset)
        with self._errors("read", key), suppress(*_NOTHING), beneath.folder(self.root, folders) as folder:
            opened = beneath.open_file(folder, name)
            if opened is not None:
                stream = open(opened, "rb")  # noqa: SIM115 - the caller closes it
                stream.seek(min(offset, os.fstat(opened).st_size))
                return stream
        raise no_object(key, str(self.root))

    def stat(self, key: str) -> ObjectInfo | None:
        """What the file system knows of the file; no digest."""
        *folders, name = check_key(key).split("/")
        with self._errors("looked at", key), suppress(*_NOTHING), beneath.folder(self.root, folders) as folder:
            found = beneath.regular_file(folder, name)
            return _file_info(key, found) if found else None
        return None

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes a new file beside the tree and moves it into place."""
        check_key(key)
        check_conditions(if_absent, if_match)
        if if_absent or if_match is not None:
            # Decided again at the end; this spares writing what is going to be refused.
            found = self.stat(key)
            check_precondition(key, found.etag if found else None, if_absent=if_absent, if_match=if_match)
        chunks = Chunks(key, body, meta)
        with self._work(key) as work, workplace.partial_file(work) as partial:
            with self._errors("written", key):
                file = workplace.create(work, partial)
            try:
                # What the body raises is not a failure of this storage, so only our own calls are translated.
                for chunk in chunks:
                    with self._errors("written", key):
                        file.write(chunk)
                with self._errors("written", key):
                    made = workplace.finish(file, sync=self._fsync)
            finally:
                with suppress(OSError):
                    file.close()
            with self._errors("written", key):
                made = self._commit(key, work, partial, made, if_absent=if_absent, if_match=if_match)
        return _file_info(key, made, chunks.sha256)

    def delete(self, key: str) -> None:
        """Removes the file, and the folders above it that are empty then."""
        *folders, name = check_key(key).split("/")
        if self.stat(key) is None:
            return
        with self._work(key) as work, self._errors("deleted", key), suppress(*_NOTHING):
            with workplace.locked(work, key), beneath.folder(self.root, folders) as folder:
                with suppress(IsADirectoryError):
                    os.unlink(name, dir_fd=folder)
                if self._fsync:
                    os.fsync(folder)
            beneath.remove_empty(self.root, folders)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The files whose key starts with ``prefix``; only the folder that it names is walked."""
        above, _, start = prefix.rpartition("/")
        if "/" in prefix and not is_key(above):
            return iter(())
        return self._walk(above, start)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object: as a hard link, by the kernel, or through this process, whichever is possible.

        Linked and copied by the kernel, the bytes are not seen here, and ``meta.sha256`` is not checked.
        """
        check_key(key)
        *folders, name = check_key(origin_key).split("/")
        origin = unwrap(origin)
        if origin.properties.local_root is None:
            return copy_by_stream(origin, origin_key, self, key, meta)
        root = origin.properties.local_root
        with self._work(key) as work, workplace.partial_file(work) as partial, self._errors("copied", key):
            made: os.stat_result | None = None
            with suppress(*_NOTHING), beneath.folder(root, folders) as folder:
                made = self._bring(work, partial, folder, name)
            if made is None:
                raise no_object(origin_key, str(root))
            self._commit(key, work, partial, made, linked=True)
        return _file_info(key, made)

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _bring(self, work: int, partial: str, folder: int, name: str) -> os.stat_result | None:
        if not beneath.regular_file(folder, name):
            return None
        if self._hardlinks:
            if self._mode is None:
                self._mode = workplace.usual_mode(work)
            if workplace.link_in(work, partial, folder, name, self._mode):
                if self._fsync:
                    workplace.flush(work, partial)
                return os.stat(partial, dir_fd=work, follow_symlinks=False)
        origin = beneath.open_file(folder, name)
        if origin is None:
            return None
        try:
            with workplace.create(work, partial) as file:
                workplace.copy_bytes(origin, file.fileno())
                return workplace.finish(file, sync=self._fsync)
        finally:
            os.close(origin)

    def _commit(
        self,
        key: str,
        work: int,
        partial: str,
        made: os.stat_result,
        *,
        linked: bool = False,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> os.stat_result:
        """Moves a file into place, and answers what it is then. One that is ``linked`` is somebody else's, too."""
        *folders, name = key.split("/")
        with workplace.locked(work, key):
            for _ in range(_RACES):
                # A delete may take away the folder that it has emptied, and that we were about to use.
                with (
                    suppress(FileNotFoundError),
                    beneath.folder(self.root, folders, make=True, sync=self._fsync) as target,
                ):
                    if if_absent:
                        self._put_new(key, work, partial, target, name)
                    else:
                        there = beneath.regular_file(target, name)
                        check_precondition(key, _etag(there) if there else None, if_absent=False, if_match=if_match)
                        if there and not linked:
                            made = workplace.date_after(work, partial, made, there)
                        os.replace(partial, name, src_dir_fd=work, dst_dir_fd=target)
                    if self._fsync:
                        os.fsync(target)
                    return made
        raise StorageError(f"{key}: its folder in {self.root} is taken away again and again", key=key, transient=True)

    def _put_new(self, key: str, work: int, partial: str, target: int, name: str) -> None:
        try:
            workplace.put_new(work, partial, target, name)
        except FileExistsError as error:
            raise PreconditionError(f"{key}: there is already an object of this key", key=key) from error

    @contextmanager
    def _work(self, key: str) -> Iterator[int]:
        with self._errors("written", key):
            work = workplace.open_workplace(self.root)
        try:
            if not self._swept:
                self._swept = True
                with self._errors("written", key):
                    workplace.sweep(work, self._stale_after)
            yield work
        finally:
            os.close(work)

    def _walk(self, above: str, start: str) -> Iterator[ObjectInfo]:
        with self._errors("listed", above), suppress(*_NOTHING), beneath.folder(self.root, _parts(above)) as folder:
            yield from self._entries(folder, above, start)

    def _entries(self, folder: int, above: str, start: str) -> Iterator[ObjectInfo]:
        """The files below an open folder, whose path is ``above``, that start with ``start``, in key order."""
        with os.scandir(folder) as entries:
            # A folder sorts as what its keys go on with: "a.b" comes before "a/b", though "a" is before "a.b".
            names = sorted(
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if entry.name.startswith(start)
            )
        for name in names:
            key = f"{above}/{name}" if above else name
            if not is_key(key.removesuffix("/")):
                continue
            if name.endswith("/"):
                # What vanishes meanwhile is passed over, here and below.
                with suppress(*_NOTHING), beneath.subfolder(folder, name[:-1]) as inner:
                    yield from self._entries(inner, key[:-1], "")
            elif found := beneath.regular_file(folder, name):
                yield _file_info(key, found)

    @contextmanager
    def _errors(self, what: str, key: str) -> Iterator[None]:
        """Turns what the operating system says into a ``StorageError`` that names the key."""
        try:
            yield
        except OSError as error:
            number = error.errno or 0
            reason = _REASONS.get(number) or error.strerror or str(error)
            if isinstance(error.filename, str) and error.filename not in key.split("/"):
                reason += f" ({error.filename!r})"
            raise StorageError(
                f"{key or 'the root'}: cannot be {what} in {self.root}: {reason}",
                hint=_HINTS.get(number, "").format(root=self.root),
                key=key,
                storage=str(self.root),
                transient=number in _TRANSIENT,
            ) from error


def _parts(path: str) -> Sequence[str]:
    return path.split("/") if path else ()


def _etag(found: os.stat_result) -> str:
    """Other for every file that ever was at a key: ``workplace.finish`` says why."""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"


def _file_info(key: str, found: os.stat_result, sha256: str | None = None) -> ObjectInfo:
    modified = dt.datetime.fromtimestamp(found.st_mtime, dt.UTC)
    return ObjectInfo(key, found.st_size, _etag(found), modified, sha256)


class LocalStorageFactory:
    """``file:///folder``, or a plain path; settings ``fsync`` and ``hardlinks``, as in ``LocalStorage``."""

    scheme = "file"

    def open(self, url: str, settings: Mapping[str, Any]) -> LocalStorage:
        """``SettingsError`` for a URL or setting that makes no sense, ``StorageError`` where a file is in the way."""
        root = local_path(url)
        options = {"fsync": False, "hardlinks": True}
        for name, value in settings.items():
            if name not in options:
                raise SettingsError(f"[storage.file] has no setting {name!r}", hint=f"known: {', '.join(options)}")
            if not isinstance(value, bool):
                raise SettingsError(f"[storage.file] {name} is true or false, not {value!r}", setting=name)
            options[name] = value
        if root.exists() and not root.is_dir():
            raise StorageError(f"{root} is not a folder, so it cannot be a storage", storage=str(root))
        return LocalStorage(root, fsync=options["fsync"], hardlinks=options["hardlinks"])


def local_path(url: str) -> Path:
    """The absolute path of a ``file:`` URL (RFC 8089, with escapes decoded) or of a plain path."""
    path = url
    if url.startswith("file:"):
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise SettingsError(f"{url!r} is not a folder of this machine", hint="write file:///folder", url=url)
        if parts.query or parts.fragment:
            raise SettingsError(f"{url!r} has a query or a fragment", hint="write ? as %3F and # as %23", url=url)
        path = os.fsdecode(unquote_to_bytes(parts.path))
    elif "://" in url:
        raise SettingsError(f"{url!r} is not a file: URL", hint="write file:///folder", url=url)
    if not path or not all(character.isprintable() for character in path + url):
        raise SettingsError(f"{url!r} is not a path", hint="write file:///folder", url=url)
    root = Path(os.path.abspath(path))
    if root == root.parent:
        raise SettingsError("the root of the file system cannot be a storage", hint="name a folder in it", url=url)
    return root
