"""A receiver of webhooks on this machine, over real HTTP, that misbehaves where a test asks for it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from support.certificates import Certificates


@dataclass(frozen=True, slots=True)
class Post:
    """A request as it came; names of headers in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Answers ``status`` with ``headers`` and ``body``; with ``silent`` it reads the request and says nothing."""

    def __init__(self, tls: Certificates | None = None) -> None:
        self.posts: list[Post] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.silent = False
        self.over = threading.Event()
        self._tls = tls
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="receiver")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls.server_cert, self._tls.server_key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: who does not trust us hangs up in the middle of a handshake."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.posts.append(Post(self.path, headers, body))
            if receiver.silent:
                receiver.over.wait(60)
                self.close_connection = True
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            if receiver.status != 204:
                self.send_header("content-length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
            """Says nothing."""

    return Handler
