"""The command's side: has workers, puts requests to them within limits, and tells what became of those that failed."""

from __future__ import annotations

import array
import contextlib
import logging
import os
import select
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import NoReturn, TypeVar

from entrepot.isolation.case import ScanServices
from entrepot.isolation.messages import (
    HEAD,
    QUESTION,
    Answer,
    BadAnswerError,
    Failure,
    FloodError,
    Request,
    decode,
    pack,
)
from entrepot.isolation.zygote import END, FORK, NUMBER, PATIENCE, serve

READY = 10.0
"""Seconds in which a new zygote has to answer."""
NOISE = 2000
"""Bytes of what a scanner writes to standard output and error that are kept, the first ones."""

T = TypeVar("T")
logger = logging.getLogger(__name__)


class LostError(Exception):
    """There is no answer. ``reason`` is a verdict's: timed_out, crashed, out_of_memory, flooded, bad_answer."""

    def __init__(self, reason: str, message: str, output: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.output = output


@dataclass(slots=True)
class _Worker:
    scanner: str
    pid: int
    ended: int
    """A descriptor that becomes readable when the process is over."""
    channel: socket.socket
    output: int
    served: int = 0

    def close(self) -> None:
        self.channel.close()
        os.close(self.output)
        os.close(self.ended)


@contextmanager
def open_host(services: ScanServices, workers: int, serve: int = 1000) -> Iterator[Host]:
    """A host for a batch; call it before threads are started. Every process is gone at the end of the context.

    A process is replaced after ``serve`` requests.
    """
    host = Host(services, workers, serve)
    try:
        yield host
    except BaseException:
        host.abort()
        raise
    finally:
        host.close()


class Host:
    """Has ``workers`` scanners run at once, with a thread here for each that waits for it.

    A worker serves one scanner, and no more once that has failed: what a scanner leaks or breaks harms no other.
    """

    def __init__(self, services: ScanServices, workers: int, serve: int) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Worker]] = {}
        self._serve = serve
        self._aborted = self._broken = False
        self._pid, self._control = _zygote(services)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="entrepot-scan")

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Does ``work``, which may call ``ask``, in one of the threads."""
        return self._pool.submit(work)

    def ask(self, request: Request, timeout: float, clerk: Callable[[bytes], bytes]) -> tuple[Answer, str]:
        """The answer, and the first of what the scanner wrote to standard output and error; else ``LostError``.

        ``clerk`` answers what the worker asks in the meantime; the time for that is part of the worker's.
        """
        worker = self._take(request.scanner)
        try:
            exchange = _Exchange(worker, pack(request), time.monotonic() + timeout, request.output << 10, clerk)
            answer = decode(exchange.run(), request.question)
        except (TimeoutError, _EndedError, FloodError, BadAnswerError) as error:
            self._lose(worker, exchange.output, error, timeout)
        except BaseException:
            self._end(worker)
            raise
        worker.served += 1
        if worker.served < self._serve and not isinstance(answer, Failure) and not _is_over(worker):
            with self._lock:
                self._idle.setdefault(worker.scanner, []).append(worker)
        else:
            self._end(worker)
        return answer, exchange.output

    def abort(self) -> None:
        """Ends every process; what is being asked is lost at once, and nothing can be asked any more."""
        self._aborted = True
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Waits for what was submitted, then ends every process."""
        self._pool.shutdown(cancel_futures=self._aborted)
        for worker in chain.from_iterable(self._idle.values()):
            worker.close()
        self._idle.clear()
        if self._control is not None:
            self._control.close()
            _gone(self._pid)
            self._control = None

    # ------------------------------------------------------------------------------------------------- processes

    def _take(self, scanner: str) -> _Worker:
        """A worker that waits for a request; a new one where none does, or where it died while it waited."""
        while True:
            with self._lock:
                idle = self._idle.get(scanner)
                worker = idle.pop() if idle else None
            if worker is None:
                return self._fork(scanner)
            if not _is_over(worker):
                return worker
            self._end(worker)

    def _fork(self, scanner: str) -> _Worker:
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        with theirs:
            try:
                pid = self._command(FORK, [theirs.fileno(), write])
                if pid < 0:
                    raise OSError(-pid, os.strerror(-pid))
                ended = os.pidfd_open(pid)
            except OSError as error:
                ours.close()
                os.close(read)
                raise LostError("crashed", f"no process can be started for it: {error}") from error
            finally:
                os.close(write)
        ours.settimeout(0)
        os.set_blocking(read, False)
        return _Worker(scanner, pid, ended, ours, read)

    def _end(self, worker: _Worker) -> int:
        """Kills what is left of a worker and of what it started; how it ended, as of ``wait``."""
        worker.close()
        try:
            return self._command(END + NUMBER.pack(worker.pid))
        except OSError:
            return 0

    def _command(self, message: bytes, descriptors: list[int] | None = None) -> int:
        with self._lock:
            if self._control is None or self._aborted or self._broken:
                raise OSError("the process that starts scanners is gone")
            # Whatever happens in between, the next answer would not be that to the next message.
            self._broken = True
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            self._control.sendmsg([message], ancillary)
            reply = self._control.recv(NUMBER.size)
            if len(reply) != NUMBER.size:
                raise OSError("the process that starts scanners is gone")
            self._broken = False
            return int(NUMBER.unpack(reply)[0])

    def _lose(self, worker: _Worker, output: str, error: Exception, timeout: float) -> NoReturn:
        over = _is_over(worker, 500 if isinstance(error, _EndedError) else 0)
        status = self._end(worker)
        if self._aborted:
            raise LostError("crashed", "the batch was ended before it answered", output)
        if isinstance(error, TimeoutError):
            raise LostError("timed_out", f"it did not answer within {timeout:g} seconds, and was ended", output)
        if isinstance(error, FloodError):
            raise LostError("flooded", str(error), output)
        if isinstance(error, BadAnswerError):
            raise LostError("bad_answer", f"its answer is none: {error}", output)
        if not over:
            raise LostError("bad_answer", "it closed the connection on which it has to answer", output)
        raise LostError(*_how(status), output)


def _how(status: int) -> tuple[str, str]:
    """Reason and sentence for a process that ended by itself."""
    if not os.WIFSIGNALED(status):
        return "crashed", f"its process ended with status {os.waitstatus_to_exitcode(status)} and no answer"
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        return "out_of_memory", f"its process was killed ({name}), which the system does where memory runs out"
    return "crashed", f"its process crashed ({name})"


def _is_over(worker: _Worker, milliseconds: int = 0) -> bool:
    poll = select.poll()
    poll.register(worker.ended, select.POLLIN)
    return len(poll.poll(milliseconds)) > 0


# ------------------------------------------------------------------------------------------------------ one exchange


class _EndedError(Exception):
    """The worker's end of the connection is closed."""


@dataclass(slots=True)
class _Exchange:
    """One request and its answer. Reads what comes, in the order in which it comes, and writes what is taken."""

    worker: _Worker
    frame: bytes
    deadline: float
    limit: int
    """Bytes of the answer, of each question, and of everything else that is written."""
    clerk: Callable[[bytes], bytes]
    answer: bytearray = field(default_factory=bytearray)
    noise: bytearray = field(default_factory=bytearray)
    written: int = 0
    closed: bool = False

    @property
    def output(self) -> str:
        """The first of what was written besides the answer, printable."""
        text = self.noise[:NOISE].decode("utf-8", "backslashreplace").strip()
        return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)

    def run(self) -> bytes:
        """The answer's JSON; ``TimeoutError``, ``_EndedError``, ``FloodError`` or ``BadAnswerError``."""
        channel, output = self.worker.channel, self.worker.output
        poll, unsent = select.poll(), memoryview(self.frame)
        poll.register(channel, select.POLLIN | select.POLLOUT)
        poll.register(output, select.POLLIN)
        poll.register(self.worker.ended, select.POLLIN)
        while not self._is_whole():
            left = self.deadline - time.monotonic()
            ready = dict(poll.poll(max(left, 0) * 1000)) if left > 0 else {}
            if not ready:
                raise TimeoutError
            if output in ready and not self._listen():
                poll.unregister(output)
            if unsent and ready.get(channel.fileno(), 0) & select.POLLOUT:
                unsent = unsent[self._send(unsent) :]
                if not unsent:
                    poll.modify(channel, select.POLLIN)
            # What was said before the end comes first: the end is looked at when nothing more can be read.
            if ready.get(channel.fileno(), 0) & ~select.POLLOUT:
                self._receive()
            elif self.worker.ended in ready:
                self.closed = True
            if self._is_whole() and self._asks():
                if unsent:
                    raise BadAnswerError("it asks before it was told everything")
                unsent = memoryview(self._told())
                poll.modify(channel, select.POLLIN | select.POLLOUT)
            if self.closed and not self._is_whole():
                raise _EndedError
        self._listen()
        return bytes(self.answer[HEAD.size :])

    def _is_whole(self) -> bool:
        if len(self.answer) < HEAD.size:
            return False
        length = HEAD.unpack_from(self.answer)[0] & ~QUESTION
        if length > self.limit:
            raise FloodError(f"its answer has {length} bytes; {self.limit >> 10} KiB are allowed")
        if len(self.answer) > HEAD.size + length:
            raise BadAnswerError("it goes on after its end")
        return len(self.answer) == HEAD.size + int(length)

    def _asks(self) -> bool:
        return bool(HEAD.unpack_from(self.answer)[0] & QUESTION)

    def _told(self) -> bytes:
        """The frame that answers a question."""
        question = bytes(self.answer[HEAD.size :])
        self.answer.clear()
        answer = self.clerk(question)
        return HEAD.pack(len(answer)) + answer

    def _send(self, data: memoryview) -> int:
        try:
            return self.worker.channel.send(data[: 1 << 20])
        except BlockingIOError:
            return 0
        except OSError:
            self.closed = True
            return 0

    def _receive(self) -> None:
        try:
            data = self.worker.channel.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.closed = not data
        self.answer += data

    def _listen(self) -> bool:
        """Takes what was written besides; whether there can be more of it."""
        try:
            data = os.read(self.worker.output, 1 << 16)
        except BlockingIOError:
            return True
        self.noise += data[: max(NOISE - len(self.noise), 0)]
        self.written += len(data)
        if self.written > self.limit:
            raise FloodError(f"it wrote more than {self.limit >> 10} KiB to its output")
        return bool(data)


# ---------------------------------------------------------------------------------------------------- the zygote


def _zygote(services: ScanServices) -> tuple[int, socket.socket | None]:
    """A new zygote and the connection to it; none where it does not answer.

    In a process with other threads, a lock that one of them has at this moment stays locked in the fork. Those of
    Python are made anew, those of libraries are not: then the fork may hang, and another is tried.
    """
    for _ in range(3):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, warnings.catch_warnings():
            # Python 3.12 warns of what is said above.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
            if pid == 0:
                serve(theirs, services)
        ours.settimeout(READY)
        with contextlib.suppress(OSError):
            if ours.recv(16) == b"ready":
                ours.settimeout(READY + PATIENCE)
                return pid, ours
        ours.close()
        os.kill(pid, signal.SIGKILL)
        _gone(pid)
    logger.error("the process that scanners are started from does not come up")
    return 0, None


def _gone(pid: int) -> None:
    """Waits for a process of ours that is about to end, and kills it if it takes too long."""
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        ended = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            if not poll.poll((PATIENCE * 2) * 1000):
                os.kill(pid, signal.SIGKILL)
        finally:
            os.close(ended)
        os.waitpid(pid, 0)
