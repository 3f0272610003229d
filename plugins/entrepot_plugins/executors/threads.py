"""``threads:`` and ``threads:8``: a pool of threads, good for what waits for the network or for a tool."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from entrepot.errors import UsageError

MAX_THREADS = 256


class ThreadsExecutorFactory:
    """``entrepot.contracts.ExecutorFactory`` over ``ThreadPoolExecutor``."""

    scheme = "threads"

    @contextmanager
    def open(self, url: str, workers: int) -> Iterator[Executor]:
        """A pool of ``workers`` threads, or as many as ``url`` says; ``UsageError`` for a number out of range.

        It waits for its work at the end of the context. When that is left by an exception, what has not begun is
        cancelled.
        """
        executor = ThreadPoolExecutor(_threads(url, workers), thread_name_prefix="entrepot")
        try:
            yield executor
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
        executor.shutdown()


def _threads(url: str, workers: int) -> int:
    scheme, _, number = url.partition(":")
    asked = number or str(workers)
    valid = scheme == ThreadsExecutorFactory.scheme and asked.isascii() and asked.isdigit() and len(asked) <= 4
    if not valid or not 1 <= int(asked) <= MAX_THREADS:
        raise UsageError(
            f"{url!r} with {workers} workers is no pool of threads",
            hint=f"threads: or threads:1 to threads:{MAX_THREADS}",
        )
    return int(asked)
