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
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

from entrepot.isolation.case import ScanServices
from entrepot.isolation.exchange import EndedError, Errand, Exchange, Worker
from entrepot.isolation.messages import Answer, BadAnswerError, Failure, FloodError
from entrepot.isolation.zygote import END, FORK, NUMBER, PATIENCE, serve

READY = 10.0
"""Seconds in which a new zygote has to answer."""

LASTING = 50
"""How many times as many requests a process serves whose scanner reads no files: it keeps what it has looked up."""

T = TypeVar("T")
logger = logging.getLogger(__name__)


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
        self._idle: dict[str, list[Worker]] = {}
        self._noisy: set[str] = set()
        self._serve = serve
        scanners = services.scanners.items()
        self._lasting = {name for name, scanner in scanners if not getattr(scanner, "reads_files", True)}
        self._aborted = self._broken = False
        self._pid, self._control = _zygote(services)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="entrepot-scan")

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Does ``work``, which may call ``ask``, in one of the threads."""
        return self._pool.submit(work)

    def ask(self, errands: Sequence[Errand], timeout: float) -> Sequence[tuple[Answer, str]]:
        """What comes of requests to one scanner, in their order, with the first of what it printed for each.

        Each has ``timeout`` seconds; what the clerk takes to answer its questions is part of that. Several are asked at
        once, and whichever fails has no effect on the others. A scanner that prints is asked one by one from then on,
        beginning with those of which it is not known for which it printed: scanning again harms nothing.
        """
        answers: list[tuple[Answer, str]] = []
        while len(answers) < len(errands):
            answers += self._ask_some(errands[len(answers) :], timeout)
        return answers

    def _ask_some(self, errands: Sequence[Errand], timeout: float) -> Sequence[tuple[Answer, str]]:
        """As many of the first ones as one worker answers. None if they have to be asked one by one."""
        scanner, limit = errands[0].request.scanner, errands[0].request.output << 10
        try:
            worker = self._take(scanner)
        except OSError as error:
            return [(Failure("crashed", f"no process can be started for it: {error}"), "")]
        room = 1 if scanner in self._noisy else self._most(scanner) - worker.served
        exchange = Exchange(worker, errands[: max(room, 1)], timeout, limit)
        lost: list[Answer] = []
        try:
            exchange.run()
        except (TimeoutError, EndedError, FloodError, BadAnswerError) as error:
            lost = [self._lose(worker, error, timeout)]
        except BaseException:
            self._end(worker)
            raise
        else:
            self._done(worker, exchange.answers)
        if exchange.written and len(exchange.errands) > 1:
            self._noisy.add(scanner)
            return []
        return [(answer, exchange.output) for answer in [*exchange.answers, *lost]]

    def _done(self, worker: Worker, answers: Sequence[Answer]) -> None:
        """Keeps a worker for the next request, unless it has served or harmed enough."""
        worker.served += len(answers)
        if worker.served < self._most(worker.scanner) and not isinstance(answers[-1], Failure) and not worker.is_over():
            with self._lock:
                self._idle.setdefault(worker.scanner, []).append(worker)
        else:
            self._end(worker)

    def _most(self, scanner: str) -> int:
        """After how many requests a process is replaced."""
        return self._serve * LASTING if scanner in self._lasting and self._serve > 1 else self._serve

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

    def _take(self, scanner: str) -> Worker:
        """A worker that waits for a request; a new one where none does, or where it died while it waited."""
        while True:
            if self._aborted:
                # One that waited may have a moment left to live.
                raise OSError("the batch was ended")
            with self._lock:
                idle = self._idle.get(scanner)
                worker = idle.pop() if idle else None
            if worker is None:
                return self._fork(scanner)
            if not worker.is_over():
                return worker
            self._end(worker)

    def _fork(self, scanner: str) -> Worker:
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        with theirs:
            try:
                pid = self._command(FORK, [theirs.fileno(), write])
                if pid < 0:
                    raise OSError(-pid, os.strerror(-pid))
                ended = os.pidfd_open(pid)
            except OSError:
                ours.close()
                os.close(read)
                raise
            finally:
                os.close(write)
        ours.settimeout(0)
        os.set_blocking(read, False)
        return Worker(scanner, pid, ended, ours, read)

    def _end(self, worker: Worker) -> int:
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

    def _lose(self, worker: Worker, error: Exception, timeout: float) -> Failure:
        """What became of a worker that has no answer, which is ended."""
        over = worker.is_over(500 if isinstance(error, EndedError) else 0)
        status = self._end(worker)
        if self._aborted:
            return Failure("crashed", "the batch was ended before it answered")
        if isinstance(error, TimeoutError):
            return Failure("timed_out", f"it did not answer within {timeout:g} seconds, and was ended")
        if isinstance(error, FloodError):
            return Failure("flooded", str(error))
        if isinstance(error, BadAnswerError):
            return Failure("bad_answer", f"its answer is none: {error}")
        if not over:
            return Failure("bad_answer", "it closed the connection on which it has to answer")
        return Failure(*_how(status))


def _how(status: int) -> tuple[str, str]:
    """Reason and sentence for a process that ended by itself."""
    if not os.WIFSIGNALED(status):
        return "crashed", f"its process ended with status {os.waitstatus_to_exitcode(status)} and no answer"
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        return "out_of_memory", f"its process was killed ({name}), which the system does where memory runs out"
    return "crashed", f"its process crashed ({name})"


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
