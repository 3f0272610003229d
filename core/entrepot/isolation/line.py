"""The worker's end of the connection, and what a scanner asks the catalog over it.

Only the command has the catalog open: SQLite keeps what it knows of locks on a file in memory, which a fork inherits,
so that a connection of a worker to the same file would believe in locks that nobody has. A question is a frame of JSON
whose length has the highest bit set, and so has what comes back: a pickle, as everything that comes from the command.
"""

from __future__ import annotations

import datetime as dt
import json
import pickle
import socket
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from entrepot.advisories import Hit, Told
from entrepot.contracts import Candidate
from entrepot.errors import EntrepotError
from entrepot.isolation.messages import HEAD, MAX_TEXTS, QUESTION
from entrepot.isolation.offers import Moment
from entrepot.models import Available, Source

T = TypeVar("T")


class Channel:
    """The worker's end. Requests may come while it waits for an answer to a question: they wait here."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()
        self._ahead: deque[bytes] = deque()

    def requests(self) -> bytes:
        """The next requests; empty at the end."""
        if self._ahead:
            return self._ahead.popleft()
        _, body = self._frame()
        return body

    def send(self, body: bytes, flag: int = 0) -> None:
        """An answer, or with ``QUESTION`` a question."""
        self._connection.sendall(HEAD.pack(len(body) | flag) + body)

    def reply(self) -> bytes:
        """The answer to a question; empty at the end."""
        while True:
            replies, body = self._frame()
            if replies or not body:
                return body
            self._ahead.append(body)

    def _frame(self) -> tuple[bool, bytes]:
        received = self._received
        if not self._fill(HEAD.size):
            return False, b""
        head = HEAD.unpack_from(received)[0]
        end = HEAD.size + (head & ~QUESTION)
        if not self._fill(end):
            return False, b""
        body = bytes(received[HEAD.size : end])
        del received[:end]
        return bool(head & QUESTION), body

    def _fill(self, count: int) -> bool:
        while len(self._received) < count:
            piece = self._connection.recv(1 << 18)
            if not piece:
                return False
            self._received += piece
        return True


class Line:
    """Asks the command; one question at a time, from any thread of the scanner."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def ask(self, question: str, *arguments: Any) -> Any:
        """The answer; ``EntrepotError`` with what the command says where it has none."""
        body = json.dumps([question, *arguments], separators=(",", ":")).encode()
        with self._lock:
            self._channel.send(body, QUESTION)
            frame = self._channel.reply()
        if not frame:
            raise EntrepotError("the command is gone")
        answered, value = pickle.loads(frame)  # noqa: S301 - from the process that this one is a fork of
        if not answered:
            raise EntrepotError(value)
        return value


def _parts(values: Collection[T]) -> Iterator[list[T]]:
    remaining = iter(values)
    while part := list(islice(remaining, MAX_TEXTS)):
        yield part


class RemoteOffers:
    """``Offers`` of the distribution that the scanner is asked about."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def moment(self) -> Moment:
        """The version and the base sources."""
        moment: Moment = self._line.ask("moment")
        return moment

    def named(self, names: Collection[str], architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package of one of these names."""
        for part in _parts(names):
            yield from self._line.ask("named", part, sorted(architectures))

    def providing(
        self, names: Collection[str], architectures: Collection[str]
    ) -> Iterable[tuple[str, Iterable[Candidate]]]:
        """Each of the names with the packages that provide it besides their own."""
        for part in _parts(names):
            yield from self._line.ask("providing", part, sorted(architectures))

    def everything(self, architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package, streamed; one such stream at a time."""
        chunk = self._line.ask("everything", sorted(architectures))
        while chunk:
            yield from chunk
            chunk = self._line.ask("more")

    def sources(self, numbers: Collection[int]) -> Mapping[int, str]:
        """The sources of packages of base sources, by their numbers."""
        found: dict[int, str] = {}
        for part in _parts(numbers):
            found |= self._line.ask("sources", part)
        return found

    def close(self) -> None:
        """Nothing is open here."""


class RemoteAdvisories:
    """``contracts.AdvisoryLookup`` over the line. Of sources, only the package's own can be asked about."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def ecosystems(self) -> Mapping[str, dt.datetime]:
        """Every ecosystem of which there is data, and when the oldest of its feeds was last read."""
        found: Mapping[str, dt.datetime] = self._line.ask("ecosystems")
        return found

    def affecting(self, ecosystems: Collection[str], package: str, key: bytes) -> Sequence[Hit]:
        """The advisories that affect a version of a package."""
        found: Sequence[Hit] = self._line.ask("affecting", sorted(ecosystems), package, key.hex())
        return found

    def affecting_each(
        self, ecosystems: Collection[str], packages: Collection[tuple[str, bytes]]
    ) -> Mapping[tuple[str, bytes], Sequence[Hit]]:
        """The same of several, each a name with the key of a version; asked one by one."""
        return {asked: self.affecting(ecosystems, *asked) for asked in packages}

    def facts(self, vulnerabilities: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What is known of vulnerabilities wherever they occur: value by kind, by vulnerability."""
        found: dict[str, Mapping[str, str]] = {}
        for part in _parts(vulnerabilities):
            found |= self._line.ask("facts", part)
        return found

    def told(self, source: Source, packages: Collection[str]) -> Sequence[Told]:
        """The advisories of a source's own about packages of these names."""
        return [told for part in _parts(packages) for told in self._line.ask("told", source.id, part)]

    def tells(self, source: Source) -> bool:
        """Whether a source has advisories of its own."""
        return bool(self._line.ask("tells", source.id))

    def modules(self, source: Source, name: str, version: str) -> Sequence[str]:
        """The modules of a source (``name:stream``) that a package is of."""
        found: Sequence[str] = self._line.ask("modules", source.id, name, version)
        return found

    def offers(self, format_name: str, name: str, architecture: str, above: bytes) -> Sequence[Available]:
        """What synced sources offer of a package, newer than ``above``; the newest first."""
        found: Sequence[Available] = self._line.ask("offers", format_name, name, architecture, above.hex())
        return found
