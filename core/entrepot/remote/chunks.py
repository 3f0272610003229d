"""Databases in chunks: what changed since a known list of chunks goes up, what differs from a wanted one comes down.

In memory is one chunk for each request that is under way, however large the database is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import zstandard

from entrepot.catalog.logged import Logged
from entrepot.contracts import ObjectMeta, Storage
from entrepot.errors import NotFoundError, StorageError
from entrepot.models import Sha256
from entrepot.publish.parallel import each
from entrepot.remote.layout import CHUNK, LISTS, Stored, chunk_key, digest

AT_ONCE = 16
"""Requests at once to a storage that is not this machine's."""
DIGEST = 32
"""Bytes of a digest in a list."""
LEVEL = 3

ChunkList = bytes
"""The sha256 of every chunk of a database, one after the other."""


def listed(database: Logged, known: ChunkList | None = None) -> ChunkList:
    """The chunks of a database. With those of an older state only what is in its log since then is read."""
    digests = bytearray(known or b"")
    count = -(-database.size // CHUNK)
    del digests[count * DIGEST :]
    begun = len(digests) // DIGEST
    changed = {(page - 1) * database.page_size // CHUNK for page in database.pages} if known else ()
    digests.extend(bytes(DIGEST * (count - begun)))
    for number in sorted({*range(begun, count), *changed}):
        if number < count:
            content = database.read(number * CHUNK, CHUNK)
            digests[number * DIGEST : (number + 1) * DIGEST] = hashlib.sha256(content).digest()
    return bytes(digests)


def listed_file(path: Path) -> ChunkList:
    """The same of a database that nobody has open."""
    with Logged(path) as database:
        return listed(database)


def differing(wanted: ChunkList, known: ChunkList) -> Sequence[tuple[int, Sha256]]:
    """Number and digest of the chunks of one list that another one has not at the same place."""
    return [
        (start // DIGEST, Sha256(wanted[start : start + DIGEST].hex()))
        for start in range(0, len(wanted), DIGEST)
        if wanted[start : start + DIGEST] != known[start : start + DIGEST]
    ]


def upload(storage: Storage, database: Logged, chunks: ChunkList, known: ChunkList) -> None:
    """Writes the chunks of a database that ``known`` has nowhere, and their list."""
    held = {known[start : start + DIGEST].hex() for start in range(0, len(known), DIGEST)}
    new = {sha256: number for number, sha256 in differing(chunks, known) if sha256 not in held}

    def send(chunk: tuple[str, int]) -> None:
        content = database.read(chunk[1] * CHUNK, CHUNK)
        if digest(content) != chunk[0]:
            raise StorageError("a database was changed by somebody else while it was read")
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(content)
        storage.write(chunk_key(chunk[0]), packed, meta=ObjectMeta("application/zstd"))

    each(storage, AT_ONCE, send, list(new.items()))
    if chunks != known:
        storage.write(f"{LISTS}{digest(chunks)}", chunks)


def read_list(storage: Storage, stored: Stored) -> ChunkList:
    """The chunks of a database of a generation; ``StorageError`` if they are not what the generation says."""
    expected = -(-stored.size // CHUNK) * DIGEST
    with storage.read(f"{LISTS}{stored.sha256}") as stream:
        chunks = stream.read(expected + 1)
    if len(chunks) != expected or digest(chunks) != stored.sha256:
        raise StorageError(f"{LISTS}{stored.sha256} is damaged", hint="see `entrepot home list` for older generations")
    return chunks


def materialise(storage: Storage, path: Path, size: int, wanted: ChunkList, known: ChunkList) -> None:
    """Makes a file, whose chunks are ``known`` now, one of the chunks ``wanted``."""
    missing = differing(wanted, known)
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", buffering=0) as file:

        def fetch(chunk: tuple[int, Sha256]) -> None:
            number, sha256 = chunk
            content = _read_chunk(storage, sha256)
            if len(content) != min(CHUNK, size - number * CHUNK):
                raise StorageError(f"{chunk_key(sha256)} has another size than its database needs")
            os.pwrite(file.fileno(), content, number * CHUNK)

        each(storage, AT_ONCE, fetch, missing)
        file.truncate(size)
        if missing:
            os.fsync(file.fileno())


def _read_chunk(storage: Storage, sha256: Sha256) -> bytes:
    try:
        with storage.read(chunk_key(sha256)) as stream:
            packed = stream.read(2 * CHUNK)
        # Not ``decompress``: that makes as much as the frame itself says there is.
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            content = reader.read(CHUNK + 1)
    except NotFoundError as error:
        raise MissingChunkError(f"{chunk_key(sha256)} is missing", key=chunk_key(sha256)) from error
    except zstandard.ZstdError as error:
        raise StorageError(f"{chunk_key(sha256)} is damaged: {error}", key=chunk_key(sha256)) from error
    if digest(content) != sha256:
        raise StorageError(f"{chunk_key(sha256)} has other content than its name says", key=chunk_key(sha256))
    return content


class MissingChunkError(StorageError):
    """A part of a generation is not there: it was collected while it was read, or somebody removed it."""
