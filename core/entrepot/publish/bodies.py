"""Bodies of a tree's files: content that can be read more than once and need not be in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.errors import StorageError
from entrepot.store import ArtifactStore

CHUNK = 1 << 18
"""Bytes that are read at a time."""


@dataclass(frozen=True, slots=True)
class BytesBody:
    """Content that is small enough to be kept in memory."""

    data: bytes = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """The content, in one chunk."""
        if self.data:
            yield self.data


@dataclass(frozen=True, slots=True)
class PathBody:
    """``size`` bytes from ``offset`` of a file on this machine."""

    path: Path
    offset: int
    size: int

    @classmethod
    def whole(cls, path: Path) -> PathBody:
        """All of a file; ``StorageError`` if there is none."""
        try:
            return cls(path, 0, path.stat().st_size)
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error

    def chunks(self) -> Iterator[bytes]:
        """The content; ``StorageError`` if the file is gone or shorter than it was."""
        left = self.size
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                while left and (chunk := file.read(min(left, CHUNK))):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}", path=str(self.path)) from error
        if left:
            raise StorageError(f"{self.path} ends {left} bytes too early", path=str(self.path))


@dataclass(frozen=True, slots=True)
class JoinedBody:
    """Contents one after the other."""

    parts: Sequence[BytesBody | PathBody] = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """The content; errors are those of the parts."""
        for part in self.parts:
            yield from part.chunks()


@dataclass(frozen=True, slots=True)
class StoreBody:
    """A file of the private store; ``NotFoundError`` if it is gone when it is read."""

    store: ArtifactStore = field(repr=False)
    sha256: str

    def chunks(self) -> Iterator[bytes]:
        """The content."""
        with self.store.open(self.sha256) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
