"""Fetching and inspection in other processes: a batch sends packages there, and gets back what came of them.

Where those processes are is the executor's business; all they share with the command is the private store.
"""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO

from entrepot.contracts import Artifact, Cluster
from entrepot.errors import EntrepotError, StorageError
from entrepot.pipeline.fetch import SHA256, Fetching
from entrepot.pipeline.panel import Panel
from entrepot.pipeline.station import Lot, Setup, Told, read_message, write_message
from entrepot.store import ArtifactStore

TRIES = 3
"""How often packages are sent to a station of this process before it is they that end it."""


class Apart:
    """The other processes as a batch sees them; its methods may be called from any thread."""

    def __init__(self, cluster: Cluster, setup: Setup, panel: Panel, store: ArtifactStore) -> None:
        self._cluster = cluster
        self._setup = setup
        self._panel = panel
        self._store = store
        self._key = hashlib.sha256(pickle.dumps(setup)).hexdigest()
        self.scanners: Collection[str] = frozenset(setup.scanners)
        """Who is asked there, and not here."""
        self._files_wanted = panel.read_files(self.scanners)

    def takes(self, fetching: Fetching) -> bool:
        """Whether a package is for others: what was inspected before may be answered by what was said then, here."""
        digests = [file.digests.get("sha256", "").lower() for file in fetching.files]
        known = all(SHA256.fullmatch(digest) for digest in digests)
        return known and not self._panel.said_before(digests[0], self.scanners)

    def inspect(self, packages: Sequence[Fetching]) -> Sequence[Told]:
        """What came of each. The files are in the store; here they are only if a scanner wants to read them here."""
        keyring = packages[0].keyring
        try:
            lot = Lot(self._key, self._setup, packages, keyring.read_bytes() if keyring else None)
        except OSError as error:
            unreadable = StorageError(f"the keys of its source cannot be read: {error.strerror}")
            return [Told(None, error=unreadable)] * len(packages)
        question = pickle.dumps(lot, pickle.HIGHEST_PROTOCOL)
        try:
            answer = self._cluster.submit_apart(perform, question).result()
        except EntrepotError as error:
            return [Told(None, error=error)] * len(packages)
        except Exception as error:  # noqa: BLE001 - whatever an executor raises where its workers are gone
            gone = EntrepotError(f"no worker could inspect it: {type(error).__name__}", hint="import it again")
            return [Told(None, error=gone)] * len(packages)
        told: Sequence[Told] = pickle.loads(answer)  # noqa: S301 - of a process that was started to answer this
        return [self._here(fetching, item) for fetching, item in zip(packages, told, strict=True)]

    def _here(self, fetching: Fetching, told: Told) -> Told:
        """The same, with paths of this machine."""
        if told.case is None:
            return told
        paths = tuple(fetching.folder / file.name for file in fetching.files)
        if self._files_wanted and told.case.info:
            fetching.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path, file in zip(paths, told.case.info.files, strict=True):
                self._store.copy_out(file.sha256, path)
        artifact = Artifact(paths, told.case.artifact.sha256)
        return replace(told, case=replace(told.case, artifact=artifact, keyring=fetching.keyring))


class StationLostError(Exception):
    """The process ended before it answered."""


class Stations:
    """The stations that this process started; each answers one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []

    def ask(self, question: bytes) -> bytes:
        """The answer of any of them; ``StationLostError`` if it ended before that."""
        with self._lock:
            station = self._idle.pop() if self._idle else None
        if station is None or station.poll() is not None:
            station = _start()
        try:
            write_message(_pipe(station.stdin), question)
            answer = read_message(_pipe(station.stdout))
        except (EOFError, OSError) as error:
            _end(station)
            raise StationLostError from error
        except BaseException:
            _end(station)
            raise
        with self._lock:
            self._idle.append(station)
        return answer

    def close(self) -> None:
        """Ends those that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for station in idle:
            _end(station)


STATIONS = Stations()
"""Of this process, which is the command's or a worker's of a cluster."""


def perform(question: bytes) -> bytes:
    """Puts a question to a station of whichever process this is called in; to another one if that ends over it."""
    for left in reversed(range(TRIES)):
        try:
            return STATIONS.ask(question)
        except StationLostError as error:
            if not left:
                raise EntrepotError(
                    f"the process that inspected it ended {TRIES} times", hint="its memory may be too small"
                ) from error
    raise AssertionError


@contextmanager
def stations() -> Iterator[None]:
    """At its end, the stations of this process that have nothing to do are gone."""
    try:
        yield
    finally:
        STATIONS.close()


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "entrepot.pipeline.station"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _end(station: subprocess.Popen[bytes]) -> None:
    for pipe in (station.stdin, station.stdout):
        if pipe is not None:
            # Where it is gone, so is who would have read the rest.
            with suppress(OSError):
                pipe.close()
    try:
        station.wait(5)
    except subprocess.TimeoutExpired:
        station.kill()
        station.wait()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
