"""The private store: every file once, by its sha256, never under a published URL."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import ObjectInfo, ObjectMeta, Storage
from entrepot.errors import NotFoundError, StorageError
from entrepot.models import Sha256

CHUNK = 1 << 20


class ArtifactStore:
    """Artifacts on a storage. What waits for review is here, too: the catalog says what may be published."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    @staticmethod
    def key(sha256: str) -> str:
        """Where an artifact is."""
        return f"artifacts/{sha256[:2]}/{sha256}"

    def has(self, sha256: str) -> bool:
        """Whether the file is here."""
        return self.size(sha256) is not None

    def size(self, sha256: str) -> int | None:
        """Bytes of the file; None if it is not here."""
        found = self.storage.stat(self.key(sha256))
        return found.size if found else None

    def add(self, path: Path, sha256: Sha256) -> None:
        """Keeps a file whose digest the caller has checked; the file stays where it is."""
        if not self.has(sha256):
            self.storage.write(self.key(sha256), path, meta=ObjectMeta(sha256=sha256))

    def take(self, storage: Storage, key: str, sha256: str) -> None:
        """Keeps a file that is on another storage; the caller has checked its digest."""
        self.storage.copy(storage, key, self.key(sha256), meta=ObjectMeta(sha256=sha256))

    def intact(self, sha256: str) -> bool:
        """Whether the file is here and has the content that its name says: every byte of it is read."""
        try:
            state = hashlib.sha256()
            with self.open(sha256) as stream:
                while chunk := stream.read(CHUNK):
                    state.update(chunk)
            return state.hexdigest() == sha256
        except NotFoundError:
            return False

    def files(self) -> Iterator[ObjectInfo]:
        """All files that are here; the last part of a key is the digest."""
        return self.storage.list("artifacts/")

    def open(self, sha256: str) -> BinaryIO:
        """The content of an artifact."""
        return self.storage.read(self.key(sha256))

    def remove(self, sha256: str) -> None:
        """Forgets an artifact."""
        self.storage.delete(self.key(sha256))

    def copy_out(self, sha256: str, path: Path) -> None:
        """Puts a copy of an artifact at ``path``, in one step for whoever looks; ``StorageError`` if it was damaged."""
        state = hashlib.sha256()
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with self.open(sha256) as source, os.fdopen(handle, "wb") as target:
                while chunk := source.read(CHUNK):
                    state.update(chunk)
                    target.write(chunk)
            if state.hexdigest() != sha256:
                raise StorageError(f"the artifact {sha256} has other content than its name says", sha256=sha256)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)

    @contextmanager
    def local(self, sha256: str, name: str, folder: Path) -> Iterator[Path]:
        """The artifact as a file called ``name`` in ``folder``, for programs that want one; its digest is checked."""
        path = folder / name
        self.copy_out(sha256, path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def file_sha256(path: Path) -> Sha256:
    """The sha256 of a file."""
    with path.open("rb") as stream:
        return Sha256(hashlib.file_digest(stream, "sha256").hexdigest())
