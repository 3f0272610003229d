"""A worker: serves requests one after the other until its command is gone. It never returns."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import resource
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from entrepot.contracts import ReusableScanner
from entrepot.isolation.case import NOBODY, Case, OpenServices, ScanServices, Together
from entrepot.isolation.line import Channel, Line
from entrepot.isolation.messages import Answer, Failure, Request, encode
from entrepot.models import Basis, Status, Verdict

FILES = 1024
FILE_SIZE = 16 << 30
"""Bytes of one file that a scanner may write."""
TRACEBACK = 4000
"""Characters of a traceback that are told, its end."""

_kept: list[Any] = []
"""Objects of the command that must not be finalised here: they would write out what is in their buffers."""


def work(channel: socket.socket, output: int, services: ScanServices) -> NoReturn:
    """Serves ``channel``; what scanners write to standard output or error goes to the descriptor ``output``."""
    with contextlib.suppress(BaseException):
        _settle_in(output)
        command = Channel(channel)
        desk = _Desk(OpenServices(services, Line(command)))
        occupied = _address_space()
        while frame := command.requests():
            requests: Sequence[Request] = pickle.loads(frame)  # noqa: S301 - from the process that this one is a fork of
            for request in requests:
                command.send(_reply(request, desk, occupied))
    os._exit(0)


def _settle_in(output: int) -> None:
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    _kept.extend((sys.stdin, sys.stdout, sys.stderr, logging.root.handlers[:]))
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stdout = os.fdopen(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    # Handlers of the command write to files that are closed here.
    logging.raiseExceptions = False
    logging.root.handlers[:] = [logging.StreamHandler(sys.stderr)]
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
    ):
        hard = resource.getrlimit(kind)[1]
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))


def _address_space() -> int:
    """Bytes that the process has before a scanner runs: libraries, and what the command had when it was forked."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _reply(request: Request, desk: _Desk, occupied: int) -> bytes:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = occupied + (request.memory << 20)
    failure: Failure
    try:
        resource.setrlimit(
            resource.RLIMIT_AS, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard)
        )
        reply = encode(desk.answer(request))
        if len(reply) <= request.output << 10:
            return reply
        failure = Failure("flooded", f"its answer has {len(reply)} bytes; {request.output} KiB are allowed")
    except MemoryError:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        failure = Failure("out_of_memory", f"it took more than the {request.memory} MiB of memory that it may have")
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a scanner is a failure of this scanner
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        told = "".join(traceback.format_exception(error))[-TRACEBACK:]
        failure = Failure("scanner_failed", f"{type(error).__name__}: {error}"[:TRACEBACK], told)
    return encode(failure)


class _Desk:
    """Answers requests. What the last one was about is kept: the next may be about the same packages, or batch."""

    def __init__(self, services: OpenServices) -> None:
        self._services = services
        self._bases = {
            n: scanner.basis for n, scanner in services.scanners.items() if isinstance(scanner, ReusableScanner)
        }
        self._cases: tuple[bytes, Sequence[Case]] = (b"", ())
        self._batch: tuple[str, Together] = ("", NOBODY)

    def answer(self, request: Request) -> Answer:
        """What the scanner says."""
        os.chdir(request.folder)
        # Where a scanner and its tools put temporary files unless they are told otherwise: it goes with the scan.
        os.environ["TMPDIR"] = tempfile.tempdir = request.folder
        case, together = self._case_of(request), self._together(request)
        context = self._services.context(case, request.scanner, Path(request.folder), together, request.position)
        if request.question == "basis":
            return checked_basis(self._bases[request.scanner](context))
        return checked_verdict(self._services.scanners[request.scanner].scan(case.artifact, context))

    def _case_of(self, request: Request) -> Case:
        if self._cases[0] != request.cases:
            self._cases = request.cases, pickle.loads(request.cases)  # noqa: S301 - as above
        return self._cases[1][request.place]

    def _together(self, request: Request) -> Together:
        if not request.batch:
            return NOBODY
        if self._batch[0] != request.batch:
            self._batch = request.batch, pickle.loads(Path(request.batch).read_bytes())  # noqa: S301 - the command's
        return self._batch[1]


def checked_verdict(answer: object) -> Verdict:
    """What a scanner answered, if it is a verdict; else ``TypeError``."""
    if not isinstance(answer, Verdict):
        raise TypeError(f"it answered {type(answer).__name__}, not a verdict")
    if answer.status is Status.ABSENT:
        raise TypeError("it answered, and says that it is absent")
    return answer


def checked_basis(answer: object) -> Basis | None:
    """What a scanner answered, if it is a basis of texts, or None; else ``TypeError``."""
    if answer is None:
        return None
    if not isinstance(answer, Basis) or not all(type(text) is str for text in answer):
        raise TypeError(f"its basis is {answer!r}, not a Basis of texts")
    return answer
