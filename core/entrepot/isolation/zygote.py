"""The zygote: forks workers and ends them, for the command that it is a fork of. It never returns."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from typing import NoReturn

from entrepot.isolation.case import ScanServices
from entrepot.isolation.worker import work

FORK, END = b"F", b"E"
NUMBER = struct.Struct(">i")
PATIENCE = 5.0
"""Seconds in which killed processes have to be gone."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def serve(control: socket.socket, services: ScanServices) -> NoReturn:
    """Answers requests for workers until the command closes its end, or is gone; then every process here ends."""
    try:
        os.setsid()
        # Orphans of workers become children of this process, where they can be found and ended.
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _bury_descriptors({control.fileno()})
        # What the command made stays shared with it: the collector touches none of it.
        gc.freeze()
        _Zygote(control, services).run()
    finally:
        os._exit(0)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _bury_descriptors(kept: set[int]) -> None:
    """Makes every inherited descriptor useless, and standard input, output and error empty.

    None is closed: its number would be given to another file, which the object that owns the number could then close.
    A lock cannot be taken on what takes the place, either. So a database of the command that is finalised here believes
    that others use it, and leaves its files alone.
    """
    nothing, void = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), os.open("/", os.O_PATH | os.O_CLOEXEC)
    for text in os.listdir("/proc/self/fd"):
        number = int(text)
        if number <= 2:
            os.dup2(nothing, number)
        elif number not in {*kept, nothing, void}:
            with contextlib.suppress(OSError):  # the listing's own
                os.fstat(number)
                os.dup2(void, number, inheritable=False)
    os.close(nothing)


class _Zygote:
    def __init__(self, control: socket.socket, services: ScanServices) -> None:
        self._control = control
        self._services = services
        self._workers: set[int] = set()

    def run(self) -> None:
        self._control.send(b"ready")
        try:
            while True:
                message, descriptors, _, _ = socket.recv_fds(self._control, 64, 2)
                if not message:
                    return
                number = self._fork(*descriptors) if message == FORK else self._end(NUMBER.unpack(message[1:])[0])
                self._control.send(NUMBER.pack(number))
        finally:
            self._end_all()

    def _fork(self, channel: int, output: int) -> int:
        """The process of a new worker, or the number of an error, negative."""
        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            try:
                os.setsid()
                _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == me:
                    self._control.close()
                    work(socket.socket(fileno=channel), output, self._services)
            finally:
                os._exit(70)
        os.close(channel)
        os.close(output)
        if pid > 0:
            self._workers.add(pid)
        return pid

    def _end(self, pid: int) -> int:
        """Kills a worker with everything of its session, and answers how it ended (a status as of ``wait``)."""
        if pid not in self._workers:
            return 0
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            others = [found for found, _, session in _processes() if session == pid and found != pid]
            for found in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(found, signal.SIGKILL)
            if not others or time.monotonic() > deadline:
                break
        self._workers.discard(pid)
        _, status = os.waitpid(pid, 0)
        return status

    def _end_all(self) -> None:
        """Kills workers, then whoever was orphaned by that, until nobody is left."""
        me = os.getpid()
        for pid in tuple(self._workers):
            self._end(pid)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for found, parent, _ in _processes():
                if parent == me:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(found, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _processes() -> Iterator[tuple[int, int, int]]:
    """Number, parent and session of every process that is no zombie."""
    for text in os.listdir("/proc"):
        if text.isdigit():
            try:
                with open(f"/proc/{text}/stat", "rb") as file:
                    # The name of the program comes before, in parentheses, and may hold anything.
                    state, parent, _, session, *_ = file.read().rpartition(b")")[2].split()
            except (OSError, ValueError):
                continue
            if state not in (b"Z", b"X"):
                yield int(text), int(parent), int(session)
