"""Copies of workspaces on this machine, kept between commands: each belongs to one command at a time.

A copy whose files are just those of a generation says so in a note, with size and time of change of each database: a
command that was killed while it worked leaves a copy that is not believed, and of which every chunk is looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.catalog.database import forget_log
from entrepot.errors import StorageError
from entrepot.processes import folder_lock
from entrepot.remote.chunks import ChunkList, listed_file
from entrepot.remote.generations import Seen
from entrepot.remote.layout import LOCAL_FOLDERS, MAX_FILE, Generation, Head, Stored, digest, is_small_file

NOTE = "copy.json"
PREFIX = "c-"
KEPT = 2
"""Copies that stay when nobody uses them."""


def cache_folder(url: str) -> Path:
    """Where the copies of the workspace of a URL are, and what else of it is on this machine only."""
    root = os.environ.get("ENTREPOT_CACHE")
    if root is None:
        import platformdirs

        root = str(platformdirs.user_cache_path("entrepot"))
    # Short: gpg-agent has a socket below it, whose path may have 107 bytes.
    folder = Path(root).absolute() / hashlib.sha256(url.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@dataclass
class Copy:
    """A copy that this process has to itself until it is given back.

    ``generation`` is what its databases are, with the chunks of each; None if that is not known.
    """

    folder: Path
    lock: ExitStack
    seen: Seen | None = None
    generation: Generation | None = None
    lists: Mapping[str, ChunkList] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The folder of the workspace."""
        return self.folder / "home"

    def known(self, name: str) -> ChunkList:
        """The chunks of one of its databases, all of which are read if they are not known."""
        if name in self.lists:
            return self.lists[name]
        path = self.home / name
        forget_log(path)
        return listed_file(path) if path.exists() else b""

    def clear(self) -> None:
        """Makes it a copy of nothing."""
        self.doubt()
        shutil.rmtree(self.home)
        self.home.mkdir(mode=0o700)

    def doubt(self) -> None:
        """Notes that databases are about to be another generation than they were."""
        (self.folder / NOTE).unlink(missing_ok=True)
        self.seen, self.generation, self.lists = None, None, {}

    def believe(self, seen: Seen, generation: Generation, lists: Mapping[str, ChunkList]) -> None:
        """Notes that the databases are those of a generation, and closed."""
        self.seen, self.generation, self.lists = seen, generation, lists
        for name, chunks in lists.items():
            (self.folder / f"{name}.list").write_bytes(chunks)
        note = {
            "generation": generation.data().decode(),
            "head": seen.head.data().decode(),
            "etag": seen.etag,
            "databases": {name: file_times(self.home / name) for name in lists},
        }
        new = self.folder / f"{NOTE}.new"
        new.write_text(json.dumps(note))
        new.replace(self.folder / NOTE)

    def read(self) -> None:
        """Finds out what it is a copy of."""
        with suppress(OSError, ValueError, KeyError, TypeError, StorageError):
            note = json.loads((self.folder / NOTE).read_text())
            for name, times in note["databases"].items():
                log = self.home / f"{name}-wal"
                if file_times(self.home / name) != times or (log.exists() and log.stat().st_size):
                    return
            head = Head.read(note["head"].encode())
            self.lists = {name: (self.folder / f"{name}.list").read_bytes() for name in note["databases"]}
            self.generation = Generation.read(head.name, note["generation"].encode())
            self.seen = Seen(head, str(note["etag"]))

    def stored_files(self) -> dict[str, Stored]:
        """The small files by size and content."""
        found = {}
        for path, file in small_files(self.home):
            content = file.read_bytes() if file.stat().st_size <= MAX_FILE else b""
            found[path] = Stored(file.stat().st_size, digest(content))
        return found


def small_files(home: Path) -> Iterator[tuple[str, Path]]:
    """Path and file of every small file of a workspace's folder: what is on the storage besides databases."""
    for folder, folders, names in os.walk(home):
        place = Path(folder).relative_to(home)
        if not place.parts:
            folders[:] = [name for name in folders if name not in LOCAL_FOLDERS]
        for name in names:
            path = (place / name).as_posix()
            file = Path(folder, name)
            if is_small_file(path) and file.is_file() and not file.is_symlink():
                yield path, file


def last_seen(folder: Path) -> Seen | None:
    """The head as this machine saw it last."""
    for path in sorted(folder.glob(f"{PREFIX}*/{NOTE}"), key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError, StorageError):
            note = json.loads(path.read_text())
            return Seen(Head.read(note["head"].encode()), str(note["etag"]))
    return None


def take(folder: Path, generation: str) -> Copy:
    """A copy for this process: of that generation if there is one, else one that can be made into it, else a new one.

    Of copies that nobody uses few are kept.
    """
    with folder_lock(folder):
        free: list[Copy] = []
        for path in sorted(folder.glob(f"{PREFIX}*")):
            copy = Copy(path, ExitStack())
            with suppress(OSError):
                copy.lock.enter_context(folder_lock(path, wait=False))
                copy.read()
                free.append(copy)
        free.sort(key=lambda copy: (copy.generation is None or copy.generation.made.name != generation, not copy.seen))
        for copy in free[KEPT:]:
            shutil.rmtree(copy.folder, ignore_errors=True)
        for copy in free[1:]:
            copy.lock.close()
        if free:
            chosen = free[0]
        else:
            chosen = Copy(Path(tempfile.mkdtemp(dir=folder, prefix=PREFIX)), ExitStack())
            chosen.lock.enter_context(folder_lock(chosen.folder))
        chosen.home.mkdir(exist_ok=True, mode=0o700)
        return chosen


def file_times(path: Path) -> list[int]:
    """Size and time of change, in nanoseconds."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
