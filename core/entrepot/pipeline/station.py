"""A process that fetches packages, reads them and shows them to scanners, and puts them into the private store.

It knows nothing of the catalog: what it needs comes with the question, and what it finds out goes back. Started as
``python -m entrepot.pipeline.station``, it reads questions from standard input and writes answers to standard output,
each with its length before it.
"""

from __future__ import annotations

import datetime as dt
import os
import pickle
import select
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import Format, Transfer
from entrepot.errors import EntrepotError, StorageError
from entrepot.isolation import Case, ScanServices
from entrepot.models import Connection, Distribution, Secrets
from entrepot.pipeline.fetch import Fetching, fetch
from entrepot.pipeline.inspect import Subject, read_case
from entrepot.pipeline.panel import Asked, Panel, open_panel
from entrepot.plugins import make_plugins
from entrepot.settings import InspectionSettings
from entrepot.store import ArtifactStore
from entrepot.transfer import TransferSettings, open_transfer

IDLE_SECONDS = 600
"""After so long without a question a station ends: its batch is over, and nobody told it."""
LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a station works with, the same for every package of a batch. ``scanners`` are those that it asks."""

    format: str
    distribution: Distribution
    now: dt.datetime
    max_size: int
    store: str
    storage: Mapping[str, Mapping[str, Any]]
    source_url: str
    connection: Connection
    secrets: Secrets = field(repr=False)
    allow_file: bool
    scanners: tuple[str, ...]
    tables: Mapping[str, Mapping[str, Any]]
    inspection: InspectionSettings


@dataclass(frozen=True, slots=True)
class Lot:
    """A question: some packages of one batch, which ``key`` tells from others. ``keyring`` has the source's keys."""

    key: str
    setup: Setup = field(repr=False)
    packages: Sequence[Fetching]
    keyring: bytes | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The answer about one package: what scanners are told and said, or why there is nothing to tell."""

    case: Case | None
    verdicts: tuple[StoredVerdict, ...] = ()
    error: EntrepotError | None = None


class Station:
    """All that is open for one batch."""

    def __init__(
        self, setup: Setup, format_: Format, store: ArtifactStore, panel: Panel, transfer: Transfer, folder: Path
    ) -> None:
        self._setup = setup
        self._format = format_
        self._store = store
        self._panel = panel
        self._transfer = transfer
        self._folder = folder

    def answer(self, lot: Lot) -> Sequence[Told]:
        """What came of each package; the files are in the store afterwards, and nowhere else."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            told: list[Told] = []
            for number, fetching in enumerate(lot.packages):
                keyring = folder / "keys" if lot.keyring is not None else None
                if keyring and lot.keyring is not None:
                    keyring.write_bytes(lot.keyring)
                try:
                    case = self._read(replace(fetching, folder=folder / str(number), keyring=keyring))
                    told.append(Told(case))
                except EntrepotError as error:
                    told.append(Told(None, error=error))
                except OSError as error:
                    told.append(Told(None, error=StorageError(f"{fetching.available.name}: {error}")))
            cases = [item.case for item in told if item.case]
            said = iter(self._panel.ask_about([Asked(case) for case in cases]))
            return [replace(item, verdicts=next(said)) if item.case else item for item in told]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _read(self, fetching: Fetching) -> Case:
        paths = tuple(
            fetch(fetching, self._format, self._transfer, self._store, self._setup.max_size, lambda _bytes: None)
        )
        subject = Subject(paths, fetching.available, fetching.source, fetching.raw, fetching.keyring)
        case = read_case(subject, self._format, self._setup.distribution, self._setup.now)
        if case.info:
            for path, file in zip(paths, case.info.files, strict=True):
                self._store.add(path, file.sha256)
        return case


@contextmanager
def open_station(setup: Setup) -> Iterator[Station]:
    """A station for one batch. Call it before threads are started: isolated scanners are forks of this process."""
    plugins = make_plugins()
    format_ = plugins.format(setup.format)
    scheme = urlsplit(setup.store).scheme
    store = ArtifactStore(plugins.storage_of(scheme).open(setup.store, setup.storage.get(scheme, {})))
    services = ScanServices(
        formats={format_.name: format_},
        scanners={name: plugins.scanner(name) for name in setup.scanners},
        settings=setup.tables,
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="entrepot-station-")))
        panel = stack.enter_context(open_panel(services, setup.inspection, folder, None, 1))
        transfer = stack.enter_context(
            open_transfer(
                setup.connection,
                setup.secrets,
                settings=TransferSettings(allow_file=setup.allow_file),
                source_url=setup.source_url,
            )
        )
        yield Station(setup, format_, store, panel, transfer, folder)


def read_message(stream: IO[bytes]) -> bytes:
    """The next message; ``EOFError`` where there is none any more."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (size,) = LENGTH.unpack(head)
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return body


def write_message(stream: IO[bytes], body: bytes) -> None:
    """Writes a message."""
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def main() -> None:
    """Answers until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    # What a plugin prints must not look like an answer.
    os.dup2(2, 1)
    questions = os.fdopen(os.dup(0), "rb", buffering=0)
    with ExitStack() as stack:
        key, station, opened = "", None, stack.enter_context(ExitStack())
        while select.select([questions], [], [], IDLE_SECONDS)[0]:
            try:
                lot: Lot = pickle.loads(_whole(questions))  # noqa: S301 - from the command that started this process
            except EOFError:
                return
            told: Sequence[Told]
            try:
                if station is None or lot.key != key:
                    opened.close()
                    station = None
                    key, station = lot.key, opened.enter_context(open_station(lot.setup))
                told = station.answer(lot)
            except EntrepotError as error:
                # A plugin or a setting that this machine lacks: to ask another station would not help.
                told = [Told(None, error=error)] * len(lot.packages)
            write_message(answers, pickle.dumps(told, pickle.HIGHEST_PROTOCOL))


def _whole(stream: Any) -> bytes:
    """A message of a stream without a buffer, which ``select`` would not see into."""
    body = bytearray()
    size = LENGTH.size
    while len(body) < size:
        if not (more := stream.read(size - len(body))):
            raise EOFError
        body += more
        if size == LENGTH.size == len(body):
            size += LENGTH.unpack(body)[0]
    return bytes(body[LENGTH.size :])


if __name__ == "__main__":
    # Under its own name, so that what is pickled here is known there.
    from entrepot.pipeline.station import main as run

    run()
