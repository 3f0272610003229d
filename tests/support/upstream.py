"""A real HTTP(S) server on 127.0.0.1 that serves a folder, and misbehaves where a test asks for it.

::

    with Upstream(root=tmp_path) as up:
        fetch(up.url + "dists/stable/InRelease")
        up.fail("/pool/a.deb", Fault(status=503, times=2))
        assert up.count("/pool/a.deb") == 1
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from support.certificates import Certificates

_CHUNK = 1 << 16
_OLD = 1_700_000_000.0
"""When files that are given as bytes were last changed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came, and its answer's status. ``path`` is quoted, with the query; header names lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int


@dataclass(frozen=True, slots=True)
class Fault:
    """How a path misbehaves, ``times`` times, or always. What is not set stays as it is; faults can be combined."""

    times: int | None = None
    status: int | None = None
    """Answer this, with an empty body."""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Headers to add or replace; None leaves one out."""
    redirect: str | None = None
    """Answer 302 (or ``status``) with this location."""
    auth: tuple[str, str] | None = None
    """Answer 401 unless user name and password are these."""
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    endless: bool = False
    """Send zeros for ever, without a length."""
    stall_after: int | None = None
    """Stop after so many bytes of the body (-1: before the header) until the client gives up."""
    ignore_range: bool = False
    ignore_conditions: bool = False
    no_validators: bool = False
    weak: bool = False
    """The ETag is a weak one."""
    no_length: bool = False
    """The end of the connection is the end of the body."""
    content: bytes | None = None
    """Serve this instead."""
    content_afterwards: bytes | None = None
    """Serve this from the next request on: a file that changes between two requests."""


class Upstream:
    """Serves ``root``, or ``files`` (path to content), from the moment that the context is entered.

    Sends ETag (of the content) and Last-Modified, answers conditional and range requests, keeps connections alive. A
    request with an absolute URL is answered by its path, so that it serves as an HTTP proxy, too.
    """

    def __init__(
        self,
        root: Path | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        tls: Certificates | None = None,
        client_certificate: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self.root = root
        self.files = {"/" + name.lstrip("/"): content for name, content in (files or {}).items()}
        self.tls = tls
        self.client_certificate = client_certificate
        self.host = host
        self.requests: list[Request] = []
        self.connections = 0
        self._faults: dict[str, list[tuple[Fault, Iterator[object]]]] = {}
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="upstream")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None, "the upstream is not running"
        return self._server.server_port

    @property
    def url(self) -> str:
        """The URL of the root, with a slash at its end."""
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}/"

    def fail(self, path: str, *faults: Fault) -> None:
        """From now on ``path`` misbehaves: by the first of these faults until its ``times`` are over, then the next."""
        with self._lock:
            self._faults[path] = [
                (fault, itertools.count() if fault.times is None else iter(range(fault.times))) for fault in faults
            ]

    def heal(self) -> None:
        """Ends all misbehaviour."""
        with self._lock:
            self._faults.clear()

    def count(self, path: str | None = None, *, status: int | None = None) -> int:
        """How many requests there were, of a path and with an answer where those are given."""
        with self._lock:
            return sum(path in (None, request.path) and status in (None, request.status) for request in self.requests)

    def last(self, path: str | None = None) -> Request:
        """The last request, of a path where that is given."""
        with self._lock:
            return next(request for request in reversed(self.requests) if path in (None, request.path))

    def wait_for(self, path: str, timeout: float = 60.0) -> None:
        """Waits until somebody has asked for a path; its answer may still be on the way."""
        with self._asked:
            asked = self._asked.wait_for(lambda: any(path == request.path for request in self.requests), timeout)
        assert asked, f"nobody asked for {path}"

    def forget(self) -> None:
        """Empties the log."""
        with self._lock:
            self.requests.clear()

    def content(self, path: str) -> tuple[bytes | Path, float] | None:
        """What is at a path and when it changed."""
        if path in self.files:
            return self.files[path], _OLD
        if self.root is None:
            return None
        file = self.root / unquote(path).lstrip("/")
        if ".." in file.parts or not file.is_file():
            return None
        return file, file.stat().st_mtime

    def take_fault(self, path: str) -> Fault:
        """The fault that this request gets."""
        with self._lock:
            for fault, uses in self._faults.get(path, ()):
                if next(uses, None) is not None:
                    return fault
        return Fault()

    def log(self, request: Request) -> None:
        """Remembers a request."""
        with self._lock:
            self.requests.append(request)
            self._asked.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.context: ssl.SSLContext | None = None
        if upstream.tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(upstream.tls.server_cert, upstream.tls.server_key)
            if upstream.client_certificate:
                self.context.load_verify_locations(upstream.tls.ca)
                self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__((upstream.host, 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context is not None:
            # The handshake is for the connection's own thread: here it would hold up all others.
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self.lock:
            self.open.add(connection)
            self.upstream.connections += 1
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends all connections, so that no thread waits for a client."""
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _CHUNK
    server: _Server

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def log_message(self, *arguments: Any, **named: Any) -> None:
        """The log is in ``Upstream.requests``."""

    def do_GET(self) -> None:
        target = self.path
        if "://" in target:
            parts = urlsplit(target)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
        upstream = self.server.upstream
        fault = upstream.take_fault(target)
        answer = _answer(upstream, target, fault, {name.lower(): value for name, value in self.headers.items()})
        seen = {name.lower(): value for name, value in self.headers.items()}
        upstream.log(Request(self.command, self.path, seen, answer.status))
        try:
            self._send(answer, fault)
        except OSError:
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, answer: _Answer, fault: Fault) -> None:
        if fault.stall_after == -1:
            self._stall()
            return
        self.send_response(answer.status)
        headers = {**answer.headers, **fault.headers}
        if fault.endless or fault.no_length:
            headers["Content-Length"] = None
            headers["Connection"] = "close"
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.endless:
            while True:
                self.wfile.write(bytes(_CHUNK))
        stop = fault.cut_after if fault.cut_after is not None else fault.stall_after
        for chunk in _chunks(answer, stop):
            self.wfile.write(chunk)
        self.wfile.flush()
        if fault.stall_after is not None:
            self._stall()
        if fault.cut_after is not None or "Content-Length" in fault.headers:
            self.close_connection = True

    def _stall(self) -> None:
        """Waits until the client, or the end of the test, ends the connection."""
        self.wfile.flush()
        self.rfile.read(1)
        self.close_connection = True


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str | None]
    body: bytes | Path = b""
    start: int = 0


def _chunks(answer: _Answer, stop: int | None) -> Iterator[bytes]:
    """The body from its ``start``, at most ``stop`` bytes of it; a file is never in memory as a whole."""
    with io.BytesIO(answer.body) if isinstance(answer.body, bytes) else answer.body.open("rb") as file:
        file.seek(answer.start)
        left = stop
        while chunk := file.read(_CHUNK if left is None else min(left, _CHUNK)):
            left = None if left is None else left - len(chunk)
            yield chunk


def _answer(upstream: Upstream, path: str, fault: Fault, headers: Mapping[str, str]) -> _Answer:
    if fault.auth is not None:
        wanted = "Basic " + base64.b64encode(":".join(fault.auth).encode()).decode()
        if headers.get("authorization") != wanted:
            return _Answer(401, {"Content-Length": "0", "WWW-Authenticate": 'Basic realm="test"'})
    if fault.redirect is not None:
        return _Answer(fault.status or 302, {"Content-Length": "0", "Location": fault.redirect})
    if fault.status is not None:
        return _Answer(fault.status, {"Content-Length": "0"})
    found = upstream.content(urlsplit(path).path)
    if fault.content_afterwards is not None:
        upstream.files[path] = fault.content_afterwards
    if fault.content is not None:
        found = fault.content, _OLD
    if found is None and fault.endless:
        found = b"", _OLD
    if found is None:
        return _Answer(404, {"Content-Length": "0"})
    return _file(*found, fault, headers)


def _file(body: bytes | Path, modified: float, fault: Fault, headers: Mapping[str, str]) -> _Answer:
    if isinstance(body, Path):
        status = body.stat()
        size, tag = status.st_size, f"{status.st_size:x}-{status.st_mtime_ns:x}"
    else:
        size, tag = len(body), hashlib.blake2b(body, digest_size=8).hexdigest()
    answer: dict[str, str | None] = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    if not fault.no_validators:
        answer["ETag"] = f'W/"{tag}"' if fault.weak else f'"{tag}"'
        answer["Last-Modified"] = formatdate(modified, usegmt=True)
    if not fault.ignore_conditions and _unchanged(headers, answer):
        return _Answer(304, answer)
    ranged = None if fault.ignore_range else re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
    condition = headers.get("if-range")
    if ranged is None or condition not in (None, answer.get("ETag"), answer.get("Last-Modified")):
        return _Answer(200, {**answer, "Content-Length": str(size)}, body)
    start = int(ranged[1])
    if start >= size:
        return _Answer(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
    answer["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return _Answer(206, {**answer, "Content-Length": str(size - start)}, body, start)


def _unchanged(headers: Mapping[str, str], answer: Mapping[str, str | None]) -> bool:
    etag, modified = answer.get("ETag"), answer.get("Last-Modified")
    if "if-none-match" in headers:
        return etag is not None and etag in (tag.strip() for tag in headers["if-none-match"].split(","))
    if "if-modified-since" in headers and modified is not None:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(headers["if-modified-since"])
    return False
