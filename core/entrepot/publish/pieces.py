"""Indexes in pieces: what did not change is neither loaded nor rendered nor compressed again.

The packages of an index are cut into pieces where their digests say so, not at every so many: a package that comes or
goes moves the cuts next to it and no others. A piece is known by the digests of its packages and kept in a folder,
plain and in each compression; an index is its pieces one after the other (``encoders`` says how that is one valid
file). Publishing after one change thus costs one piece, and the reading and hashing of all.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType

from entrepot.contracts import IndexText, RenderedFile
from entrepot.errors import NotFoundError, StorageError
from entrepot.models import EntryRef, PublishedEntry, Sha256
from entrepot.publish.bodies import CHUNK, BytesBody, JoinedBody, PathBody
from entrepot.publish.encoders import Codec, Extent, Levels, make_codec

Load = Callable[[Sequence[int]], Iterable[PublishedEntry]]
"""The packages of these ids, one for each and in the order of the ids."""

EntryText = Callable[[PublishedEntry], bytes]

Chunks = Callable[[], Iterable[bytes]]
"""A text, from its start each time it is asked for."""

PIECE_MIN = 256
PIECE_MAX = 2048
"""Packages in a piece. From the 256th on, it ends after one whose digest ends in a zero byte: at 512 on average."""

_MAGIC = b"ENP1"
_HEADER = struct.Struct("<4sIQQQ")
_SIZES = struct.Struct("<QQQ")
_TOUCH_AFTER = 3600
"""Seconds after which using a piece is noted again: more often would only cost writes."""


class PieceCache:
    """Rendered pieces in a folder of this machine, which any number of processes may use at a time.

    A file is a small header (sizes and a CRC-32 of all that follows) and the encoded piece. The CRC is against torn and
    rotten files, not against somebody who may write to the folder: what is damaged counts as absent, and is replaced.
    Files come by renaming, and a name is never given to other content, so that whoever reads has a whole piece.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new = folder / "new"
        try:
            self._new.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder} cannot hold rendered indexes: {error.strerror}", path=str(folder)) from error

    def path(self, key: str, codec: Codec) -> Path:
        """Where a piece is in this encoding, if it is there."""
        return self.folder / key[:2] / f"{key}.{codec.tag}"

    def writer(self, key: str, codec: Codec) -> PieceWriter:
        """Takes the text of a piece. It is there for others only after ``commit``."""
        return PieceWriter(self.path(key, codec), codec, self._new)

    def collect(self, older_than: dt.datetime) -> int:
        """Removes pieces that were last used before ``older_than``; answers how many bytes that gave back.

        Pieces are files that a publication may be about to read, so leave it some hours.
        """
        freed = 0
        for path in self.folder.glob("*/*"):
            with suppress(FileNotFoundError):  # another process collects, too, or has just put the file in place
                known = path.stat()
                if known.st_mtime < older_than.timestamp():
                    path.unlink()
                    freed += known.st_size
        return freed


class PieceWriter:
    """Encodes a piece into the cache; what is not committed at the end of the context leaves nothing behind."""

    def __init__(self, path: Path, codec: Codec, folder: Path) -> None:
        self._path = path
        self._encoder = codec.encoder()
        self._plain = self._size = self._crc = 0
        self._folder = folder

    def __enter__(self) -> PieceWriter:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
        except OSError as error:
            raise self._failed(error) from error
        self._file = os.fdopen(descriptor, "wb")
        self._temporary = Path(name)
        self._file.write(bytes(_HEADER.size))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what cannot be flushed is thrown away anyway; after a commit nothing is left to flush
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def feed(self, text: bytes) -> None:
        """Takes more text."""
        self._plain += len(text)
        self._write(self._encoder.feed(text))

    def commit(self) -> None:
        """Puts the piece in place."""
        self._write(self._encoder.finish())
        sizes = _SIZES.pack(self._plain, self._size, self._size - self._encoder.padding)
        # A CRC can be carried on only forwards, hence the sizes come last in it.
        header = _MAGIC + struct.pack("<I", zlib.crc32(sizes, self._crc)) + sizes
        try:
            self._file.seek(0)
            self._file.write(header)
            self._file.close()
            self._path.parent.mkdir(exist_ok=True)
            self._temporary.replace(self._path)
        except OSError as error:
            raise self._failed(error) from error

    def _write(self, encoded: bytes) -> None:
        self._size += len(encoded)
        self._crc = zlib.crc32(encoded, self._crc)
        try:
            self._file.write(encoded)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"a piece of an index could not be written to {self._path.parent}: {error.strerror}")


class IndexRenderer:
    """Renders the indexes of one tree: what ``TreeTools.render`` is.

    ``salt`` goes into the key of every piece: format name and ``render_generation``, so that pieces of other text are
    never mistaken for these.
    """

    def __init__(
        self,
        cache: PieceCache,
        load: Load,
        *,
        salt: str,
        levels: Levels | None = None,
        load_file_lists: Load | None = None,
    ) -> None:
        """``load_file_lists`` is ``load`` with the lists of files, for indexes that ask for them."""
        self._cache = cache
        self._load = load
        self._load_file_lists = load_file_lists or load
        self._salt = salt
        self._levels = levels or Levels()

    def __call__(
        self,
        refs: Iterable[EntryRef],
        entry: EntryText,
        compressions: Sequence[str] = ("gz",),
        head: bytes = b"",
        tail: bytes = b"",
        file_lists: bool = False,
    ) -> Mapping[str, RenderedFile]:
        """The index of ``refs`` by compression, plain (``""``) always among them; ``head`` and ``tail`` around it.

        ``UsageError`` for a compression that is not offered, ``NotFoundError`` if a package cannot be loaded,
        ``StorageError`` if the cache cannot be written. Memory is bounded: texts pass through, one at a time.
        """
        return self.together(refs, {"": IndexText(entry, head, tail, file_lists)}, compressions)[""]

    def together(
        self, refs: Iterable[EntryRef], texts: Mapping[str, IndexText], compressions: Sequence[str] = ("gz",)
    ) -> Mapping[str, Mapping[str, RenderedFile]]:
        """Several indexes of the same packages, by name; each package is loaded once. Errors are those of ``__call__``.

        With more than one index, the packages of one piece are in memory at a time.
        """
        indexes = [_Index(text, self._salt, self._assemblies(compressions)) for text in texts.values()]
        loader = self._load_file_lists if any(text.file_lists for text in texts.values()) else self._load
        for ids, digests in _pieces(refs):
            load: Callable[[], Iterable[PublishedEntry]] = partial(_checked, loader, ids)
            if len(indexes) > 1:
                load = _once(load)
            for index in indexes:
                self._add_piece(index.files.values(), index.key(digests), partial(index.entries, load))
        return {name: index.rendered() for name, index in zip(texts, indexes, strict=True)}

    def text(self, chunks: Chunks, compressions: Sequence[str] = ("gz",)) -> Mapping[str, RenderedFile]:
        """A text that is no index of packages, by compression, plain (``""``) always among them.

        It is read once more where it is not in the cache as it is. Errors are those of ``__call__``.
        """
        state = hashlib.blake2b(b"text\n", digest_size=20)
        for chunk in chunks():
            state.update(chunk)
        files = self._assemblies(compressions)
        self._add_piece(files.values(), state.hexdigest(), chunks)
        return {name: file.rendered(name) for name, file in files.items()}

    def _assemblies(self, compressions: Sequence[str]) -> Mapping[str, _Assembly]:
        return {name: _Assembly(make_codec(name, self._levels)) for name in dict.fromkeys(("", *compressions))}

    def _add_piece(self, files: Iterable[_Assembly], key: str, texts: Chunks) -> None:
        missing = [file for file in files if not file.add_piece(self._cache.path(key, file.codec))]
        if not missing:
            return
        self._render(key, [file.codec for file in missing], texts)
        for file in missing:
            path = self._cache.path(key, file.codec)
            if not file.add_piece(path):
                raise StorageError(f"{path} was written and is damaged already", hint="check the disk", path=str(path))

    def _render(self, key: str, codecs: Sequence[Codec], texts: Chunks) -> None:
        with ExitStack() as stack:
            writers = [stack.enter_context(self._cache.writer(key, codec)) for codec in codecs]
            gathered: list[bytes] = []
            size = 0
            for text in texts():
                gathered.append(text)
                size += len(text)
                if size >= CHUNK:
                    _feed(writers, gathered)
                    size = 0
            _feed(writers, gathered)
            for writer in writers:
                writer.commit()


class _Index:
    """An index that is being rendered, in all its compressions."""

    def __init__(self, text: IndexText, salt: str, files: Mapping[str, _Assembly]) -> None:
        self.files = files
        self._text = text
        self._salt = f"{salt}\n{text.entry.__module__}.{text.entry.__qualname__}\n".encode()
        self._add(text.head)

    def key(self, digests: bytes) -> str:
        """What a piece is known by."""
        return hashlib.blake2b(self._salt + digests, digest_size=20).hexdigest()

    def entries(self, load: Callable[[], Iterable[PublishedEntry]]) -> Iterable[bytes]:
        """The text of a piece."""
        return map(self._text.entry, load())

    def rendered(self) -> Mapping[str, RenderedFile]:
        """The whole index; nothing can be added afterwards."""
        self._add(self._text.tail)
        return {name: file.rendered(name) for name, file in self.files.items()}

    def _add(self, text: bytes) -> None:
        for file in self.files.values():
            file.add_text(text)


def _checked(load: Load, ids: Sequence[int]) -> Iterator[PublishedEntry]:
    count = 0
    for count, published in enumerate(load(ids), 1):  # noqa: B007
        yield published
    if count != len(ids):
        raise NotFoundError(f"{len(ids) - count} packages of a version are not in the catalog any more")


def _once(load: Callable[[], Iterable[PublishedEntry]]) -> Callable[[], Sequence[PublishedEntry]]:
    return cache(lambda: list(load()))


def _feed(writers: Sequence[PieceWriter], texts: list[bytes]) -> None:
    joined = b"".join(texts)
    texts.clear()
    for writer in writers:
        writer.feed(joined)


def _pieces(refs: Iterable[EntryRef]) -> Iterator[tuple[list[int], bytes]]:
    """Ids and joined digests of each piece."""
    ids: list[int] = []
    digests = bytearray()
    for ref in refs:
        ids.append(ref.entry_id)
        digests += ref.digest
        if len(ids) >= PIECE_MIN and (ref.digest[-1] == 0 or len(ids) >= PIECE_MAX):
            yield ids, bytes(digests)
            ids = []
            digests.clear()
    if ids:
        yield ids, bytes(digests)


class _Assembly:
    """A file that is being put together of pieces: its size and digest so far."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._parts: list[BytesBody | PathBody] = []
        self._pieces: list[Extent] = []
        self._add_bytes(codec.start)

    def add_text(self, text: bytes) -> None:
        """Adds text that is not worth keeping."""
        if not text:
            return
        encoder = self.codec.encoder()
        encoded = encoder.feed(text) + encoder.finish()
        self._add_bytes(encoded)
        self._pieces.append(Extent(len(text), len(encoded), len(encoded) - encoder.padding))

    def add_piece(self, path: Path) -> bool:
        """Adds a piece of the cache; if it is not there or damaged, adds nothing and answers False."""
        # Checked and hashed in one reading; the copy is what makes that undone if the check fails at its end.
        sha256 = self._sha256.copy()
        crc = seen = 0
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
                while chunk := file.read(CHUNK):
                    sha256.update(chunk)
                    crc = zlib.crc32(chunk, crc)
                    seen += len(chunk)
                known = os.fstat(file.fileno())
                if known.st_mtime < time.time() - _TOUCH_AFTER:
                    os.utime(file.fileno())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
        if len(header) < _HEADER.size:
            return False
        magic, expected, plain, size, unpadded = _HEADER.unpack(header)
        if magic != _MAGIC or size != seen or expected != zlib.crc32(_SIZES.pack(plain, size, unpadded), crc):
            return False
        self._sha256 = sha256
        self._size += size
        self._parts.append(PathBody(path, _HEADER.size, size))
        self._pieces.append(Extent(plain, size, unpadded))
        return True

    def rendered(self, compression: str) -> RenderedFile:
        """The whole file; nothing can be added afterwards."""
        self._add_bytes(self.codec.end(self._pieces))
        return RenderedFile(compression, self._size, Sha256(self._sha256.hexdigest()), JoinedBody(tuple(self._parts)))

    def _add_bytes(self, data: bytes) -> None:
        if data:
            self._sha256.update(data)
            self._size += len(data)
            self._parts.append(BytesBody(data))
