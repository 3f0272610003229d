"""``processes:`` and ``processes:8``: packages are fetched and inspected in so many processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from entrepot.errors import UsageError

MAX_PROCESSES = 64

P = ParamSpec("P")
T = TypeVar("T")


class ProcessesExecutor(ThreadPoolExecutor):
    """Threads, and others of which each waits for a process: ``entrepot.contracts.Cluster``."""

    def __init__(self, processes: int) -> None:
        super().__init__(processes, thread_name_prefix="entrepot")
        self._apart = ThreadPoolExecutor(processes, thread_name_prefix="entrepot-apart")

    def submit_apart(self, function: Callable[[bytes], bytes], argument: bytes, /) -> Future[bytes]:
        """See ``contracts.Cluster``: the function itself asks a process."""
        return self._apart.submit(function, argument)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Also of those that wait."""
        self._apart.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)


class ProcessesExecutorFactory:
    """``entrepot.contracts.ExecutorFactory``."""

    scheme = "processes"

    @contextmanager
    def open(self, url: str, workers: int) -> Iterator[Executor]:
        """As many processes as ``url`` says, or as there are processors; ``UsageError`` for a number out of range."""
        executor = ProcessesExecutor(_processes(url))
        try:
            yield executor
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
        executor.shutdown()


def _processes(url: str) -> int:
    scheme, _, number = url.partition(":")
    asked = number or str(len(os.sched_getaffinity(0)))
    valid = scheme == ProcessesExecutorFactory.scheme and asked.isascii() and asked.isdigit() and len(asked) <= 3
    if not valid or not 1 <= int(asked) <= MAX_PROCESSES:
        raise UsageError(
            f"{url!r} is no number of processes", hint=f"processes: or processes:1 to processes:{MAX_PROCESSES}"
        )
    return int(asked)
