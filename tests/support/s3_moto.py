"""An S3 service in this process (moto, over real HTTP), that misbehaves where a test asks for it.

::

    with MotoService() as service:
        service.fail("PUT", "/one/key", Fault(status=503, code="SlowDown", times=2))
        assert service.count("PUT", "/one/key") == 3

moto keeps buckets for the whole process and believes every signature.
"""

from __future__ import annotations

import fnmatch
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import TYPE_CHECKING, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. ``path`` is quoted and has the query."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Fault:
    """What happens instead of, or besides, the right thing, ``times`` times or always."""

    times: int | None = None
    status: int | None = None
    """Answer this, with ``code`` and ``message`` in the body, and do nothing."""
    code: str = ""
    message: str = ""
    content: bytes | None = None
    """The body, instead."""
    hang_up: bool = False
    """Read the request and close the connection, nothing done."""
    lose_answer: bool = False
    """Do it, and close the connection without an answer."""
    cut_after: int | None = None
    """Close the connection after so many bytes of the answer's body."""
    ignore_conditions: tuple[str, ...] = ()
    """Headers (``If-Match``) that are passed over."""
    etag_style: str = ""
    """``bare``: an ``If-Match`` in quotes never matches; ``quoted``: one without them never does."""
    decide: Callable[[Request], int | None] = lambda request: None
    """Called before the request is carried out; a status that it gives is answered instead."""


class MotoService:
    """One server with a free port of its own."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._faults: list[tuple[str, str, Fault]] = []
        self._lock = threading.Lock()
        # moto looks whether a condition holds, and then writes: others would come in between.
        self._turn = threading.Lock()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The endpoint."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.set_app(self._serve)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="moto")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(self, method: str, path: str, fault: Fault) -> None:
        """Lets requests fail whose method and path (with the query; ``fnmatch`` patterns) are these."""
        with self._lock:
            self._faults.append((method, path, fault))

    def count(self, method: str, path: str = "*") -> int:
        """How many such requests there were."""
        with self._lock:
            return sum(_matches(request.method, request.path, method, path) for request in self.requests)

    def forget(self) -> None:
        """Forgets requests and faults."""
        with self._lock:
            self.requests.clear()
            self._faults.clear()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["RAW_URI"], environ["REQUEST_METHOD"]
        sent = {name.removeprefix("HTTP_"): value for name, value in environ.items() if name[:5] in ("HTTP_", "CONTE")}
        headers = {name.replace("_", "-").lower(): str(value) for name, value in sent.items()}
        with self._lock:
            request = Request(method, path, headers)
            self.requests.append(request)
            faults = [fault for m, p, fault in self._faults if _matches(method, path, m, p) and _due(fault)]
        # All of it is read first, so that a connection that is closed was not in the middle of the request.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        for fault in faults:
            status = fault.decide(request) or fault.status
            if status is not None:
                return _refuse(fault, status, method, start_response)
            if fault.hang_up:
                raise ConnectionAbortedError("hung up on purpose")
            _blind(fault, environ)
        with self._turn:
            answer: Iterable[bytes] = self._app(environ, start_response)
        for fault in faults:
            if fault.lose_answer:
                raise ConnectionAbortedError("hung up on purpose")
            if fault.cut_after is not None:
                return _cut(answer, fault.cut_after)
        return answer


def _matches(method: str, path: str, wanted_method: str, wanted_path: str) -> bool:
    return fnmatch.fnmatchcase(method, wanted_method) and fnmatch.fnmatchcase(path, wanted_path)


def _due(fault: Fault) -> bool:
    if fault.times is None:
        return True
    fault.times -= 1
    return fault.times >= 0


def _refuse(fault: Fault, status: int, method: str, start_response: StartResponse) -> Iterable[bytes]:
    text = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>"
    body = fault.content or (text.encode() if fault.code and method != "HEAD" else b"")
    start_response(f"{status} Fault", [("Content-Length", str(len(body))), ("Content-Type", "application/xml")])
    return [body]


def _cut(answer: Iterable[bytes], size: int) -> Iterator[bytes]:
    yield b"".join(answer)[:size]
    raise ConnectionAbortedError("cut on purpose")


def _blind(fault: Fault, environ: WSGIEnvironment) -> None:
    for name in fault.ignore_conditions:
        environ.pop(f"HTTP_{name.upper().replace('-', '_')}", None)
    wanted = environ.get("HTTP_IF_MATCH", "")
    if wanted and fault.etag_style == ("bare" if wanted.startswith('"') else "quoted"):
        environ["HTTP_IF_MATCH"] = "never"


class _Handler(WSGIRequestHandler):
    # So that a client that asks before it sends a file ("Expect: 100-continue") is answered.
    protocol_version = "HTTP/1.1"

    def get_environ(self) -> WSGIEnvironment:
        return {**super().get_environ(), "RAW_URI": self.path}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Says nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    request_queue_size = 64
