"""A real clamd with one signature of its own, and servers that only pretend to be one.

    with RealClamd(folder) as clamd:
        settings = {"socket": str(clamd.socket)}

``MARKER`` is what its signature ``SIGNATURE`` matches, anywhere in a file. Nothing of the machine's own ClamAV is used
but the programs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

MARKER = b"entrepot-test-marker-7f3a91"
SIGNATURE = "Test.Marker.UNOFFICIAL"
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_TIMEOUT = 30.0
_CONFIGURATION = """\
Foreground yes
LogFile {folder}/log
DatabaseDirectory {folder}/database
TemporaryDirectory {folder}
LocalSocket {folder}/socket
TCPSocket {port}
TCPAddr 127.0.0.1
StreamMaxLength {stream}
AlertExceedsMax yes
AlertEncrypted yes
MaxThreads 2
"""


class RealClamd:
    """Runs clamd in a short-named folder of its own; skips where it is not installed. ``stream``: StreamMaxLength."""

    def __init__(self, stream: str = "25M") -> None:
        program = shutil.which("clamd", path=_PATH)
        if not program:
            pytest.skip("clamd is not installed")
        self._program = program
        self._stream = stream
        self.folder = Path(tempfile.mkdtemp(prefix="clamd-"))  # a socket's path has at most 107 characters
        self.database = self.folder / "database"
        self.socket = self.folder / "socket"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        write_signature(self.database)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        configuration = self.folder / "clamd.conf"
        user = "User root\n" if os.getuid() == 0 else ""
        configuration.write_text(user + _CONFIGURATION.format(folder=self.folder, port=self.port, stream=self._stream))
        command = [self._program, "--config-file", str(configuration)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + _TIMEOUT
        while not self._answers():
            assert self.process.poll() is None, f"clamd has ended: {(self.folder / 'log').read_text()}"
            assert time.monotonic() < end, "clamd does not answer"
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self.socket))
        except OSError:
            return False
        return True


def write_signature(folder: Path) -> Path:
    """A folder of signatures for ClamAV that has the one."""
    folder.mkdir()
    (folder / "test.ndb").write_text(f"Test.Marker:0:*:{MARKER.hex()}\n")
    return folder


Behaviour = Callable[[socket.socket, bytes], None]
"""Gets a connection and the command that came over it."""


@contextmanager
def pretending(behaviour: Behaviour) -> Iterator[Path]:
    """A socket at which ``behaviour`` answers every connection; it is closed after that."""
    with tempfile.TemporaryDirectory(prefix="clamd-") as name:
        path = Path(name) / "socket"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            thread = threading.Thread(target=_serve, args=(server, behaviour))
            thread.start()
            try:
                yield path
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join()


def _serve(server: socket.socket, behaviour: Behaviour) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            command = b""
            while not command.endswith(b"\0") and (byte := connection.recv(1)):
                command += byte
            try:
                behaviour(connection, command)
            except OSError:
                continue


def drained(connection: socket.socket) -> bytes:
    """All that comes of an INSTREAM up to its end."""
    content = b""
    with connection.makefile("rb") as file:
        while size := int.from_bytes(file.read(4), "big"):
            content += file.read(size)
    return content


def answering(version: bytes, verdict: bytes) -> Behaviour:
    """Answers VERSION with the one, and INSTREAM, once all of it came, with the other."""

    def behaviour(connection: socket.socket, command: bytes) -> None:
        if command == b"zVERSION\0":
            connection.sendall(version)
        else:
            drained(connection)
            connection.sendall(verdict)

    return behaviour
