"""What one command does with a workspace on a storage: open it, have it alone to write, keep what was done.

A reader takes the newest generation and waits for nobody. A writer takes the lease before its first transaction; if
there is a newer generation by then, it goes on with that one. What it did is kept by ``commit``, all of it or nothing.
Before long work in which nothing is written it makes a ``pause``: what it did so far is kept, and others may write.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from entrepot.catalog.database import CatalogError, forget_log, write_back
from entrepot.catalog.logged import Logged
from entrepot.contracts import Storage
from entrepot.errors import BusyError, StorageError
from entrepot.publish.lease import Lease, LeaseDocument, LostLeaseError, Subject
from entrepot.remote.chunks import ChunkList, MissingChunkError, listed, listed_file, upload
from entrepot.remote.copies import Copy, cache_folder, file_times, last_seen, take
from entrepot.remote.filling import Filler
from entrepot.remote.generations import Generations, Seen
from entrepot.remote.keeping import kept, sweep
from entrepot.remote.layout import DATABASES, LEASE_KEY, MAX_FILE, Generation, Head, Made, Stored, digest, new_name
from entrepot.settings import HomeSettings

BEAT = 20.0
"""Seconds between two looks whether the lease has to be renewed."""
SWEEP_EVERY = 20
"""Generations between two collections of what is no longer kept."""
RESUME = 600.0
"""Seconds that a command waits at least which gave the lease up for a while: it has more to lose than a new one."""
TRIES = 5
SUBJECT = Subject(
    LEASE_KEY, "the workspace is being changed by", "other commands are", "another command took the workspace over"
)


class Session:
    """One command's hold on a workspace. ``home`` is its folder on this machine, opened when it is asked for.

    ``moved`` is called when databases have other paths than before. The databases have to be closed before ``close``.
    """

    def __init__(
        self,
        url: str,
        storage: Callable[[], Storage],
        clock: Callable[[], dt.datetime],
        settings: Callable[[], HomeSettings],
        who: Callable[[], tuple[str, str]],
        moved: Callable[[], None],
    ) -> None:
        self.url = url
        self.folder = cache_folder(url)
        self._open_storage, self._clock, self._settings, self._who = storage, clock, settings, who
        self._moved = moved
        self._generations: Generations | None = None
        self._copy: Copy | None = None
        self._seen: Seen | None = None
        self._generation: Generation | None = None
        self._lists: dict[str, ChunkList] = {}
        self._times: dict[str, list[int]] = {}
        self._paths: dict[str, Path] = {}
        self._lease: Lease | None = None
        self._beating: ExitStack = ExitStack()
        self._failed = False
        self._restoring: int | None = None
        self.has_written = False
        """Whether this command had the lease, ever."""

    # ------------------------------------------------------------------------------------------------ reading

    @property
    def generations(self) -> Generations:
        """What is on the storage."""
        if self._generations is None:
            self._generations = Generations(self._open_storage())
        return self._generations

    @property
    def _filler(self) -> Filler:
        return Filler(self.generations)

    @property
    def home(self) -> Path:
        """The folder on this machine."""
        return self._opened().home

    def path(self, name: str) -> Path:
        """Where a database is at the moment."""
        return self._paths.get(name, self.home / name)

    @property
    def is_writing(self) -> bool:
        """Whether this command has the lease now."""
        return self._lease is not None

    def exists(self) -> bool:
        """Whether there is a workspace."""
        self._opened()
        return self._seen is not None

    @property
    def newest(self) -> Generation | None:
        """The generation that this command works with; None where no workspace is."""
        self._opened()
        return self._generation

    def is_newest(self) -> bool:
        """Whether there is no newer generation than the one that this command works with: one request."""
        self._opened()
        return self.generations.seen(self._seen) == self._seen

    def _opened(self) -> Copy:
        if self._copy is None:
            seen = self.generations.seen(last_seen(self.folder))
            copy = take(self.folder, seen.head.name if seen else "")
            try:
                for attempt in range(TRIES):
                    try:
                        self._fill(copy, seen)
                        break
                    except MissingChunkError:
                        newer = self.generations.seen()
                        if newer == seen or attempt == TRIES - 1:
                            raise
                        # It was collected while it was being read: that takes hours, and a newer one is there.
                        seen = newer
            except BaseException:
                copy.lock.close()
                raise
            self._copy = copy
        return self._copy

    def _fill(self, copy: Copy, seen: Seen | None) -> None:
        for name in DATABASES:
            forget_log(copy.home / name)
        if seen is None:
            copy.clear()
            return
        self._filler.fill(copy, seen)
        assert copy.generation is not None
        self._seen, self._generation, self._lists = seen, copy.generation, dict(copy.lists)
        self._times = {name: file_times(copy.home / name) for name in self._lists}

    # ------------------------------------------------------------------------------------------------ writing

    def lease(self) -> Lease:
        """The lease, not taken."""
        wait = self._settings().wait
        return Lease(
            self.generations.storage, self._clock, max(wait, RESUME) if self.has_written else wait, subject=SUBJECT
        )

    def break_lease(self) -> LeaseDocument | None:
        """Takes the lease from whoever has it, and answers who that was; None if nobody has it."""
        lease = self.lease()
        held = lease.take_away()
        if held is not None:
            self.generations.fence(lease.generation)
        return held

    def begin(self) -> None:
        """Has the workspace for this command alone, in its newest generation; ``BusyError`` if another one has it."""
        if self._failed:
            raise BusyError("what this command did could not be kept, and nothing more is done", hint="run it again")
        if self._lease is not None:
            return
        copy = self._opened()
        lease = self.lease()
        with ExitStack() as ending:
            ending.enter_context(lease)
            seen = self.generations.seen(self._seen)
            if lease.inherited:
                # Who had it may still be at work: what that command writes to the head has to fail from now on.
                seen = self.generations.fence(lease.generation)
            if seen != self._seen:
                self._failed = True
                self._catch_up(copy, seen)
                self._failed = False
            copy.doubt()
            self._lease = lease
            ending.enter_context(self._heartbeat(lease))
            self._beating = ending.pop_all()
            self.has_written = True

    def pause(self) -> None:
        """Keeps what was done so far and gives the lease up until the next transaction, for work that writes nothing.

        In none, and where this command has not written, there is nothing to do.
        """
        if self._lease is not None:
            self.commit(step=True)
            self.release()

    def _catch_up(self, copy: Copy, seen: Seen | None) -> None:
        """Goes on with a newer generation. What was read of the older one is as if read before another's change."""
        before = self._generation
        if before is None:
            raise BusyError("another command has just made this workspace", hint="run it again")
        if seen is None:
            raise StorageError(f"the workspace {self.url} is gone")
        if seen.head.restored > before.made.number:
            raise BusyError("the workspace was set back to an older generation meanwhile", hint="run it again")
        if seen.head.name != before.made.name:
            generation = self.generations.get(seen.head.name)
            self._files_move_to(copy, before.files, generation.files)
            self._move_to(copy, generation)
            self._generation = generation
        self._seen = seen

    def _move_to(self, copy: Copy, generation: Generation) -> None:
        """Puts databases beside those that are open, and has them opened in their place."""
        replaced = []
        for name, stored in generation.databases.items():
            old, known = self.path(name), self._lists.get(name, b"")
            new = copy.home / f"{name}.{generation.made.name}"
            if old.exists():
                trusted = file_times(old) == self._times.get(name)
                with Logged(old) as database:
                    database.copy(new)
                if not trusted:
                    known = listed_file(new)
                replaced.append(old)
            self._lists[name] = self._filler.fetch(new, stored, known)
            self._paths[name], self._times[name] = new, file_times(new)
        self._moved()
        # Their space is free when nobody reads from them any more.
        for path in replaced:
            path.unlink()
            forget_log(path)

    def _files_move_to(self, copy: Copy, before: Mapping[str, Stored], after: Mapping[str, Stored]) -> None:
        """Takes over what another command changed; what this one changed already stays."""
        here = copy.stored_files()
        ours = {path for path in {*here, *before} if here.get(path) != before.get(path)}
        for path in ours:
            if after.get(path) not in (before.get(path), here.get(path)):
                raise BusyError(f"another command has just changed {path}", hint="run it again")
        kept_here = {path: stored for path, stored in here.items() if path in ours}
        gone = {path for path in ours if path not in here}
        wanted = {path: stored for path, stored in after.items() if path not in gone} | kept_here
        self._filler.put_files(copy.home, wanted, here)

    @contextmanager
    def _heartbeat(self, lease: Lease) -> Iterator[None]:
        """Renews the lease for as long as it is needed. Who loses it is told by the head, which has changed then."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                with suppress(StorageError):
                    try:
                        lease.confirm()
                    except LostLeaseError:
                        return

        thread = threading.Thread(target=beat, name="entrepot-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def restore(self, number: int) -> Generation:
        """Works on with what an older generation was; the next ``commit`` makes it the newest. Answers that one."""
        self.begin()
        assert self._generation is not None
        old = self.generations.numbered(self._generation, number)
        copy = self._opened()
        self._move_to(copy, old)
        self._filler.put_files(copy.home, old.files, copy.stored_files())
        self._restoring = number
        return old

    def commit(self, *, step: bool = False) -> None:
        """Makes what was done a new generation, if anything was; ``step``: of a command that goes on.

        An error is the end of the session: nothing was kept since the commit before, and nothing more will be.
        """
        if self._copy is None or self._failed:
            return
        if self._lease is None and self._copy.stored_files() == (self._generation.files if self._generation else {}):
            return
        self.begin()
        before, self._failed = self._generation, True
        self._commit(self._copy, step=step)
        self._failed = False
        if self._generation is not before and self._generation and self._generation.made.number % SWEEP_EVERY == 0:
            # All is kept: what cannot be removed now is removed another time.
            with suppress(StorageError, BusyError):
                self.sweep()

    def _commit(self, copy: Copy, *, step: bool) -> None:
        files = copy.stored_files()
        for key, stored in files.items():
            if stored.size > MAX_FILE:
                raise StorageError(f"{key} is larger than the {MAX_FILE} bytes of a file of a workspace", path=key)
        paths = {name: path for name in DATABASES if (path := self.path(name)).exists()}
        with ExitStack() as opened:
            logged = {name: opened.enter_context(Logged(path)) for name, path in paths.items()}
            lists = {name: self._listed(name, database) for name, database in logged.items()}
            databases = {name: Stored(logged[name].size, digest(chunks)) for name, chunks in lists.items()}
            if self._generation is None or (databases, files) != (self._generation.databases, self._generation.files):
                for name, chunks in lists.items():
                    upload(self.generations.storage, logged[name], chunks, self._lists.get(name, b""))
                self._upload(copy, files)
                self._swap(databases, files, step=step)
        for path in paths.values():
            # Where somebody reads an older state the log stays, and is read again the next time.
            with suppress(CatalogError):
                write_back(path)
        # Only now: what failed half-way leaves a copy that nobody believes.
        self._lists, self._times = lists, {name: file_times(path) for name, path in paths.items()}

    def _upload(self, copy: Copy, files: Mapping[str, Stored]) -> None:
        held = {*self._generation.files.values()} if self._generation else set()
        for path, stored in files.items():
            if stored not in held and self.generations.put_file(copy.home / path) != stored:
                raise StorageError(f"{path} changed while it was stored", hint="run it again", path=path)

    def _listed(self, name: str, database: Logged) -> ChunkList:
        """The chunks of a database as it is now."""
        # Only if all that changed is in the log it tells what has to be looked at.
        if name not in self._lists or file_times(self.path(name)) != self._times.get(name):
            return listed(database)
        return listed(database, self._lists[name])

    def _swap(self, databases: Mapping[str, Stored], files: Mapping[str, Stored], *, step: bool) -> None:
        assert self._lease is not None
        settings, now, before = self._settings(), self._clock(), self._generation
        number = before.made.number + 1 if before else 1
        size = sum(stored.size for stored in databases.values())
        made = Made(new_name(number), now, *self._who(), size, self._restoring, step)
        history = kept([before.made, *before.history], made, settings) if before else ()
        generation = Generation(made, databases, files, history)
        self.generations.save(generation)
        restored = number if self._restoring else self._seen.head.restored if self._seen else 0
        self._seen = self.generations.swap(Head(number, made.name, self._lease.generation, restored), self._seen)
        self._generation, self._restoring = generation, None

    def sweep(self) -> int:
        """Removes what no generation that is kept has any more, after a grace; answers how many objects."""
        self.begin()
        assert self._lease is not None
        return sweep(self.generations, self._generation, self._clock(), self._lease.confirm) if self._generation else 0

    # ------------------------------------------------------------------------------------------------- ending

    def release(self) -> None:
        """Lets others write; what was not committed is not kept."""
        lease, self._lease = self._lease, None
        if lease is not None:
            beating, self._beating = self._beating, ExitStack()
            # What there was to keep is kept, or its loss was told; a lease that is not given back runs out.
            with suppress(LostLeaseError, StorageError):
                beating.close()

    def close(self) -> None:
        """Gives all back. Databases are closed."""
        copy, self._copy = self._copy, None
        try:
            self.release()
        finally:
            if copy is not None:
                self._leave(copy)
                copy.lock.close()
            if self._generations is not None:
                self._generations.storage.close()
                self._generations = None

    def _leave(self, copy: Copy) -> None:
        """Leaves the copy as the next command wants to find it."""
        unchanged = not self._failed and self._seen is not None and self._generation is not None
        for name, path in self._paths.items():
            forget_log(copy.home / name)
            path.replace(copy.home / name)
        for path in copy.home.glob("*.db.*"):
            path.unlink()
        for name in self._lists:
            path = copy.home / name
            log = path.with_name(f"{name}-wal")
            if not path.exists() or file_times(path) != self._times.get(name) or log.exists():
                unchanged = False
        if unchanged and copy.generation is None and self._seen and self._generation:
            copy.believe(self._seen, self._generation, self._lists)
        self._paths, self._lists, self._times = {}, {}, {}
        self._seen, self._generation, self._failed = None, None, False
