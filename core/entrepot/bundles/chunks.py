"""A bundle in pieces for media of a given size: ``NAME.001``, ``NAME.002`` ..., and ``NAME.sha256`` with their digests.

The last is what ``sha256sum --check`` reads, so that burned media can be checked where there is no Entrepôt.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from entrepot.errors import BundleError

FIRST = ".001"
LIST = ".sha256"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\0\n]+)")
_LONGEST_LIST = 16 << 20
_CHUNK = 1 << 20


def chunk_path(path: Path, number: int) -> Path:
    """Where the piece of a number is, counted from 1."""
    return path.with_name(f"{path.name}.{number:03}")


def is_chunked(path: Path) -> bool:
    """Whether a path means a bundle in pieces: that of its first, or what all of them are called."""
    return path.name.endswith(FIRST) or (not path.exists() and chunk_path(path, 1).exists())


class ChunkWriter:
    """Writes pieces of at most ``size`` bytes into a folder, under the names that they will have beside ``path``."""

    def __init__(self, folder: Path, path: Path, size: int) -> None:
        self._folder, self._path, self._size = folder, path, size
        self._file: BinaryIO | None = None
        self._left = 0
        self._state = hashlib.sha256()
        self._lines: list[str] = []
        self.files: list[Path] = []
        """What was written so far, in the order in which it has to get its place."""

    def write(self, data: bytes) -> int:
        """Takes more of the bundle."""
        view = memoryview(data)
        while view:
            if not self._left:
                self._next()
            assert self._file is not None
            part = view[: self._left]
            self._file.write(part)
            self._state.update(part)
            self._left -= len(part)
            view = view[len(part) :]
        return len(data)

    def close(self) -> None:
        """Ends the last piece, and writes the list of all."""
        self._end()
        path = self._folder / f"{self._path.name}{LIST}"
        path.write_text("".join(self._lines), encoding="utf-8")
        self.files.append(path)

    def _next(self) -> None:
        self._end()
        path = self._folder / chunk_path(self._path, len(self._lines) + 1).name
        self._file, self._left, self._state = path.open("wb"), self._size, hashlib.sha256()
        self.files.append(path)

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._lines.append(f"{self._state.hexdigest()}  {self.files[-1].name}\n")
            self._file = None


class ChunkReader:
    """Reads pieces as one stream. Where there is a list, each has to be what that says; ``BundleError`` names it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests = _listed(path)
        self._number = 0
        self._file: BinaryIO | None = None
        self._state = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """The next bytes, as many as are asked for but at the end."""
        parts = []
        while size:
            if self._file is None and not self._open():
                break
            assert self._file is not None
            part = self._file.read(size)
            self._state.update(part)
            parts.append(part)
            size -= len(part)
            if not part:
                self._check()
        return b"".join(parts)

    def close(self) -> None:
        """Closes the piece that is open."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> bool:
        path = chunk_path(self._path, self._number + 1)
        if not path.exists():
            if path.name in self._digests:
                raise BundleError(f"{path} is missing", hint="put all pieces into one folder", path=str(path))
            return False
        self._number += 1
        self._file, self._state = path.open("rb"), hashlib.sha256()
        return True

    def _check(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        path = chunk_path(self._path, self._number)
        if self._digests and self._digests.get(path.name) != self._state.hexdigest():
            raise _damaged(path)


@contextmanager
def open_chunks(path: Path) -> Iterator[ChunkReader]:
    """The pieces of a bundle as one stream; ``path`` is that of the first, or what all are called."""
    reader = ChunkReader(_stem(path))
    try:
        yield reader
    finally:
        reader.close()


def check_chunks(path: Path) -> Sequence[BundleError]:
    """What is wrong with the pieces that the list names: every one is read. Nothing where there is no list."""
    stem, problems = _stem(path), []
    for name, digest in _listed(stem).items():
        piece = stem.with_name(name)
        if not piece.exists():
            problems.append(BundleError(f"{piece} is missing", hint="put all pieces into one folder"))
            continue
        try:
            with piece.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:  # what a scratched disc answers
            problems.append(BundleError(f"{piece} cannot be read: {error.strerror}", path=str(piece)))
            continue
        if found != digest:
            problems.append(_damaged(piece))
    return problems


def _damaged(path: Path) -> BundleError:
    return BundleError(f"{path} is damaged: it is not what {LIST} says", hint="copy it again", path=str(path))


def _stem(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(FIRST))


def _listed(path: Path) -> Mapping[str, str]:
    """Digests by name, of pieces of this bundle and nothing else; none where there is no list."""
    place = path.with_name(f"{path.name}{LIST}")
    try:
        with place.open("rb") as file:
            text = file.read(_LONGEST_LIST).decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    digests: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if not found or found[2] != chunk_path(path, len(digests) + 1).name:
            raise BundleError(f"{place} is no list of the pieces of {path.name}: {line[:100]!a}", path=str(place))
        digests[found[2]] = found[1]
    return digests
