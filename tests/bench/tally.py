"""Counts the requests that reach an S3 service, and their bytes, from outside of whoever sends them.

::

    with Tally(service.url) as tally:
        ...  # a program that uses tally.url
    print(tally.count("PUT"), tally.sent)
"""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COPY = re.compile(rb"\r\nx-amz-copy-source:", re.IGNORECASE)
_OF_BUCKET = re.compile(rb"/[^/?]*/?(\?.*)?")
_CHUNK = 1 << 16


class Tally:
    """A relay on the loopback address, which passes bytes on as they are: signatures of requests stay right.

    Kinds are methods, besides ``COPY``, a PUT without a body, and ``LIST``, a GET of a bucket.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._service = (parts.hostname, parts.port)
        self._requests: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.sent = 0
        """Bytes of bodies of requests."""
        self.received = 0
        """Bytes of answers."""
        tally = self

        class Relay(StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                tally._relay(self.connection)

        self._server = _Server(("127.0.0.1", 0), Relay)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="tally")

    @property
    def url(self) -> str:
        """What takes the place of the service's own URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, *kinds: str) -> int:
        """Requests of these kinds since ``forget``."""
        with self._lock:
            return sum(self._requests[kind] for kind in kinds)

    def forget(self) -> None:
        """Begins anew."""
        with self._lock:
            self._requests.clear()
            self.sent = self.received = 0

    def text(self) -> str:
        """All of it, for a table."""
        with self._lock:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self._requests.items()))
            return f"{kinds or 'no requests'}; {self.sent / 1e6:.2f} MB sent"

    def _relay(self, client: socket.socket) -> None:
        with socket.create_connection(self._service) as service:
            service.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(target=_pump, args=(service, client, self))
            answers.start()
            reader = _Reader(self)
            with suppress(ConnectionError):
                while data := client.recv(_CHUNK):
                    reader.feed(data)
                    service.sendall(data)
                service.shutdown(socket.SHUT_WR)
            answers.join()

    def count_answer(self, size: int) -> None:
        """Takes bytes of an answer."""
        with self._lock:
            self.received += size

    def add(self, head: bytes, length: int) -> None:
        """Takes a request, by its head and the length of its body."""
        line = _LINE.match(head)
        assert line, head[:80]
        kind = line[1].decode()
        if kind == "PUT" and _COPY.search(head):
            kind = "COPY"
        elif kind == "GET" and _OF_BUCKET.fullmatch(line[2]):
            kind = "LIST"
        with self._lock:
            self._requests[kind] += 1
            self.sent += length


class _Reader:
    """Finds the requests in what a client sends over one connection."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._head = b""
        self._body = 0

    def feed(self, data: bytes) -> None:
        """Takes more of what was sent."""
        while data:
            passed = min(self._body, len(data))
            self._body -= passed
            self._head += data[passed:]
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            length = _LENGTH.search(head)
            self._body = int(length[1]) if length else 0
            self._tally.add(head + b"\r\n", self._body)


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def _pump(service: socket.socket, client: socket.socket, tally: Tally) -> None:
    with suppress(ConnectionError):
        while data := service.recv(_CHUNK):
            tally.count_answer(len(data))
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)
