"""Asks a running clamd over its socket: the commands VERSION and INSTREAM of its protocol (clamd(8))."""

from __future__ import annotations

import socket
import struct
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from entrepot_plugins.scanners.clamav.engine import (
    ClamavError,
    Found,
    Piece,
    Tally,
    Version,
    parse_version,
    shortened,
    verdict_of,
)

SMALL = 256 << 10
"""Files up to this size share a stream. Each stream costs a connection and a thread of clamd."""
BUNDLE = 4 << 20
BUNDLED_FILES = 1000
"""What one stream of small files has at most: far below the limits of clamd for what it unpacks (10,000 files)."""
_LONGEST_REPLY = 4096
_TOO_LARGE = "INSTREAM size limit exceeded. ERROR"
_LENGTH = struct.Struct(">I")


class Clamd:
    """A clamd at a Unix socket, or at a host and port."""

    tool = "clamd"

    def __init__(self, place: Path | tuple[str, int], timeout: float) -> None:
        self._place = place
        self._timeout = timeout
        self.reached = str(place) if isinstance(place, Path) else f"{place[0]}:{place[1]}"

    def version(self) -> Version:
        """What VERSION says."""
        with self._connected() as connection:
            connection.sendall(b"zVERSION\0")
            return parse_version(_reply(connection))

    def look(self, pieces: Iterable[Piece], tally: Tally) -> Iterator[Found]:
        """Large pieces in a stream of their own, small ones packed together, as a plain tar archive."""
        held: list[tuple[str, bytes]] = []
        size = 0
        for piece in pieces:
            tally.files += 1
            if piece.size > SMALL:
                yield from self._stream(piece.where, piece.chunks, tally)
                continue
            content = b"".join(piece.chunks)
            if not content:
                continue
            if size + len(content) > BUNDLE or len(held) == BUNDLED_FILES:
                yield from self._bundle(held, tally)
                held, size = [], 0
            held.append((piece.where, content))
            size += len(content)
        if held:
            yield from self._bundle(held, tally)

    def _bundle(self, held: Sequence[tuple[str, bytes]], tally: Tally) -> Iterator[Found]:
        if len(held) == 1:
            yield from self._stream(held[0][0], iter([held[0][1]]), tally)
            return
        together = f"{len(held)} small files from {held[0][0]} on"
        whole = list(self._stream(together, _tar(held), tally))
        if not whole:
            return
        named = [found for where, content in held for found in self._stream(where, iter([content]), tally)]
        # One that only shows in the archive is still one.
        yield from named or whole

    def _stream(self, where: str, chunks: Iterator[bytes], tally: Tally) -> Iterator[Found]:
        """One INSTREAM. clamd hangs up as soon as a stream is too long, and its answer is then waiting to be read."""
        tally.requests += 1
        with self._connected() as connection:
            broken: OSError | None = None
            try:
                connection.sendall(b"zINSTREAM\0")
            except OSError as error:
                broken = error
            # What the package itself raises must not be taken for clamd's, so sending is guarded piece by piece.
            for chunk in chunks:
                if broken is not None or not chunk:
                    break
                broken = _sent(connection, _LENGTH.pack(len(chunk)) + chunk)
                tally.bytes += len(chunk)
            if broken is None:
                broken = _sent(connection, _LENGTH.pack(0))
            if isinstance(broken, TimeoutError):
                raise broken
            try:
                reply = _reply(connection)
            except (ClamavError, ConnectionError) as error:
                raise ClamavError(f"it hung up over {where}: {broken or error}") from error
        if reply == _TOO_LARGE:
            yield Found(where, limit="larger than its StreamMaxLength")
        elif broken is not None or not reply.startswith("stream: "):
            raise ClamavError(f"it answered {shortened(reply)} about {where}")
        elif found := verdict_of(reply.removeprefix("stream: "), where):
            yield found

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        try:
            connection = self._connect()
        except OSError as error:
            raise ClamavError(f"it cannot be reached: {error.strerror or error}") from error
        with connection:
            try:
                yield connection
            except TimeoutError as error:
                raise ClamavError(f"it did not answer within {self._timeout:g} seconds") from error
            except ConnectionError as error:
                raise ClamavError(f"it hung up: {error.strerror or error}") from error

    def _connect(self) -> socket.socket:
        if not isinstance(self._place, Path):
            return socket.create_connection(self._place, self._timeout)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self._timeout)
            connection.connect(str(self._place))
        except BaseException:
            connection.close()
            raise
        return connection


def _sent(connection: socket.socket, data: bytes) -> OSError | None:
    try:
        connection.sendall(data)
    except OSError as error:
        return error
    return None


def _reply(connection: socket.socket) -> str:
    """One answer, up to the NUL that ends it."""
    data = b""
    while not data.endswith(b"\0"):
        more = connection.recv(_LONGEST_REPLY)
        if not more:
            raise ClamavError(f"it ended its answer after {len(data)} bytes")
        data += more
        if len(data) > _LONGEST_REPLY or b"\0" in data[:-1]:
            raise ClamavError("its answer is longer than one")
    return data[:-1].decode("utf-8", "backslashreplace")


def _tar(held: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    """The contents under names of our own: those of the package mean nothing to clamd, and may be hostile."""
    for number, (_, content) in enumerate(held):
        info = tarfile.TarInfo(f"{number:06}")
        info.size = len(content)
        yield info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)
    yield bytes(1024)
