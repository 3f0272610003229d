"""The unfinished file beside its target: ``name.part``, and ``name.part.json`` that says what it is a part of."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from entrepot.contracts import Validators
from entrepot.errors import BusyError, TransferError
from entrepot.transfer.urls import redact

_CHUNK = 1 << 20
_LARGEST_NOTE = 1 << 16
_WORTH_A_NOTE = 1 << 16
"""Bytes that a killed process may lose: to write a note for each small file costs as much as to write the file."""


class Part:
    """A download that is under way; made by ``open_part``, which holds its lock."""

    def __init__(self, path: Path, url: str, file: FileIO) -> None:
        self._path = path
        self._url = redact(url)
        self._file = file
        self._part, self._note = _names(path)
        self._begun: dict[str, str | None] | None = None
        """What the note says, or is to say."""
        self._ahead = 0
        """Bytes that are written before there is a note."""

    def resumable(self) -> str | None:
        """The value of ``If-Range`` with which the kept bytes can be continued; None if they cannot.

        Only a strong ETag or a date will do, and only for the URL they came from (RFC 9110, 13.1.5).
        """
        if os.fstat(self._file.fileno()).st_size == 0:
            return None
        note = self._begun or self._noted()
        if note is None or note.get("url") != self._url:
            return None
        etag, modified = note.get("etag"), note.get("last_modified")
        if isinstance(etag, str) and etag.startswith('"'):
            return etag
        return modified if isinstance(modified, str) and modified else None

    def _noted(self) -> dict[str, object] | None:
        try:
            with self._note.open("rb") as file:
                note = json.loads(file.read(_LARGEST_NOTE))
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) else None

    def kept(self) -> Iterator[bytes]:
        """The bytes that are there; afterwards ``write`` continues behind them."""
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk

    def begin(self, validators: Validators) -> None:
        """Starts at the first byte of a file of which the server says ``validators``."""
        # Without the note first: a note beside the bytes of another answer would join two files into one.
        self._note.unlink(missing_ok=True)
        self._file.seek(0)
        self._file.truncate()
        self._begun = {"url": self._url, "etag": validators.etag, "last_modified": validators.last_modified}
        self._ahead = _WORTH_A_NOTE

    def _write_note(self) -> None:
        if self._ahead > 0:
            self._ahead = 0
            self._note.write_text(json.dumps(self._begun), encoding="utf-8")

    def write(self, chunk: bytes) -> None:
        """Adds bytes at the end."""
        left = memoryview(chunk)
        while left:
            left = left[self._file.write(left) :]
        if 0 < self._ahead <= len(chunk):
            self._write_note()
        self._ahead -= min(len(chunk), self._ahead)

    def discard(self) -> None:
        """Forgets the bytes; the next attempt starts at the first one."""
        self._begun, self._ahead = None, 0
        self._note.unlink(missing_ok=True)
        self._file.seek(0)
        self._file.truncate()

    def commit(self) -> None:
        """Puts the file in place, in one step for whoever looks."""
        os.replace(self._part, self._path)
        self._note.unlink(missing_ok=True)

    def leave(self) -> None:
        """Ends without a file: what can be continued another day stays, the rest goes."""
        if self.resumable() is None:
            self._note.unlink(missing_ok=True)
            self._part.unlink(missing_ok=True)
        else:
            self._write_note()


@contextmanager
def open_part(path: Path, url: str) -> Iterator[Part]:
    """The part of a download to ``path``, committed at the end of the context unless an error leaves it.

    ``BusyError`` if another thread or process is downloading to the same path. What the disk refuses is a
    ``TransferError`` that names the path. The file is not synced to disk: whoever keeps it for good does that.
    """
    try:
        file = _locked(path)
    except OSError as error:
        raise _disk_error(path, error) from error
    part = Part(path, url, file)
    try:
        yield part
        part.commit()
    except OSError as error:
        part.leave()
        raise _disk_error(path, error) from error
    except BaseException:
        part.leave()
        raise
    finally:
        file.close()


def _names(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")


def _locked(path: Path) -> FileIO:
    part, _ = _names(path)
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        file = FileIO(descriptor, "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise BusyError(f"{path} is being downloaded by another thread or process", path=str(path)) from error
        # Whoever held the lock before may have moved the file to its place meanwhile: then it is not ours to write to.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(part, follow_symlinks=False)):
                return file
        file.close()


def _disk_error(path: Path, error: OSError) -> TransferError:
    return TransferError(f"{path} cannot be written: {error.strerror or error}", path=str(path))
