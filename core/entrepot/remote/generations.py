"""The generations of a workspace on a storage: which is the newest, what is in one, making the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from entrepot.contracts import ObjectMeta, Storage
from entrepot.errors import BusyError, NotFoundError, PreconditionError, StorageError
from entrepot.publish.lease import LostLeaseError
from entrepot.remote.chunks import MissingChunkError
from entrepot.remote.layout import (
    FILES,
    HEAD_KEY,
    MAX_DOCUMENT,
    Generation,
    Head,
    Stored,
    digest,
    generation_key,
)

JSON = ObjectMeta("application/json", "no-store")
TRIES = 20
"""How often the head may change between two looks at it before that is an error."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The head with the etag that it had when it was read: what the next one is conditioned on."""

    head: Head
    etag: str


class Generations:
    """What is on the storage of a workspace."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def seen(self, last: Seen | None = None) -> Seen | None:
        """The head as it is now; None where no workspace is. One request if it is still the ``last`` one."""
        for _ in range(TRIES):
            info = self.storage.stat(HEAD_KEY)
            if info is None or (last is not None and info.etag == last.etag):
                return last if info else None
            try:
                head = Head.read(self._document(HEAD_KEY))
            except NotFoundError:
                continue
            last = Seen(head, info.etag)
        raise BusyError("the workspace changes too quickly to be read", hint="try again")

    def swap(self, head: Head, over: Seen | None) -> Seen:
        """Makes this the head, if it is still as it was seen; ``LostLeaseError`` if not, and nothing has changed."""
        try:
            if over is None:
                info = self.storage.write(HEAD_KEY, head.data(), meta=JSON, if_absent=True)
            else:
                info = self.storage.write(HEAD_KEY, head.data(), meta=JSON, if_match=over.etag)
        except PreconditionError as error:
            raise LostLeaseError(
                "another command took the workspace over, and nothing of what this one did was kept",
                hint="run it again",
            ) from error
        return Seen(head, info.etag)

    def fence(self, fence: int) -> Seen | None:
        """Makes whoever had the lease before unable to change the head."""
        for _ in range(TRIES):
            seen = self.seen()
            if seen is None:
                return None
            try:
                return self.swap(replace(seen.head, fence=fence), seen)
            except LostLeaseError:
                continue
        raise BusyError("the workspace changes too quickly to be taken over", hint="try again")

    def get(self, name: str) -> Generation:
        """A generation by its name; ``MissingChunkError`` if it is not there any more."""
        try:
            return Generation.read(name, self._document(generation_key(name)))
        except NotFoundError as error:
            raise MissingChunkError(f"{generation_key(name)} is missing", key=generation_key(name)) from error

    def save(self, generation: Generation) -> None:
        """Keeps the description of a generation, which is none before a head names it."""
        self.storage.write(generation_key(generation.made.name), generation.data(), meta=JSON)

    def numbered(self, newest: Generation, number: int) -> Generation:
        """A generation by its number; ``NotFoundError`` if it is not kept."""
        for made in (newest.made, *newest.history):
            if made.number == number:
                return self.get(made.name)
        raise NotFoundError(f"there is no generation {number}", hint="see `entrepot home list`")

    def put_file(self, path: Path) -> Stored:
        """Keeps a small file by its content."""
        content = path.read_bytes()
        sha256 = digest(content)
        self.storage.write(f"{FILES}{sha256}", content)
        return Stored(len(content), sha256)

    def file(self, stored: Stored) -> bytes:
        """The content of a small file; ``StorageError`` if it is another than it was."""
        with self.storage.read(f"{FILES}{stored.sha256}") as stream:
            content = stream.read(stored.size + 1)
        if digest(content) != stored.sha256:
            raise StorageError(f"{FILES}{stored.sha256} is damaged", key=f"{FILES}{stored.sha256}")
        return content

    def _document(self, key: str) -> bytes:
        with self.storage.read(key) as stream:
            data = stream.read(MAX_DOCUMENT + 1)
        if len(data) > MAX_DOCUMENT:
            raise StorageError(f"{key} is too large to be of a workspace", key=key)
        return data
