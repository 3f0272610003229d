"""Making a copy on this machine what a generation says: only what differs is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from entrepot.errors import StorageError
from entrepot.remote.chunks import ChunkList, materialise, read_list
from entrepot.remote.copies import Copy
from entrepot.remote.generations import Generations, Seen
from entrepot.remote.layout import DATABASES, Generation, Stored


class Filler:
    """Brings generations to this machine."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    def fill(self, copy: Copy, seen: Seen) -> None:
        """Makes a copy, that nobody has open, what a head says."""
        if copy.generation is None or copy.generation.made.name != seen.head.name:
            generation = self._generations.get(seen.head.name)
            _require_room(copy, generation)
            known = {name: copy.known(name) for name in DATABASES}
            copy.doubt()
            lists = {}
            for name, stored in generation.databases.items():
                lists[name] = self.fetch(copy.home / name, stored, known.get(name, b""))
            for name in {*DATABASES} - {*lists}:
                (copy.home / name).unlink(missing_ok=True)
            copy.believe(seen, generation, lists)
        assert copy.generation is not None
        self.put_files(copy.home, copy.generation.files, copy.stored_files())

    def fetch(self, path: Path, stored: Stored, known: ChunkList) -> ChunkList:
        """Makes a database, whose chunks are known, another one, and answers the chunks of that."""
        chunks = read_list(self._generations.storage, stored)
        materialise(self._generations.storage, path, stored.size, chunks, known)
        return chunks

    def put_files(self, home: Path, wanted: Mapping[str, Stored], here: Mapping[str, Stored]) -> None:
        """Makes the small files of a folder, which are those ``here`` now, those that are wanted."""
        for path in {*here} - {*wanted}:
            (home / path).unlink(missing_ok=True)
        for path, stored in wanted.items():
            if here.get(path) != stored:
                file = home / path
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _write(file, self._generations.file(stored))


def _require_room(copy: Copy, generation: Generation) -> None:
    here = sum((copy.home / name).stat().st_size for name in DATABASES if (copy.home / name).exists())
    needed, free = generation.made.size - here, shutil.disk_usage(copy.folder).free
    if needed > free:
        raise StorageError(
            f"the workspace needs {needed} bytes more in {copy.folder.parent}, where {free} are free",
            hint="name a folder with more room in ENTREPOT_CACHE",
        )


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_bytes(data)
    new.replace(path)
