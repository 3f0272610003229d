"""Running work in parallel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable


class ExecutorFactory(Protocol):
    """Opens executors of one URL scheme (``threads:``)."""

    scheme: str

    def open(self, url: str, workers: int) -> AbstractContextManager[Executor]:
        """An executor that is shut down at the end of the context."""
        ...


@runtime_checkable
class Cluster(Protocol):
    """An executor that has other processes, on this machine or others, besides the threads that it submits to."""

    def submit_apart(self, function: Callable[[bytes], bytes], argument: bytes, /) -> Future[bytes]:
        """Calls a function of a module of Entrepôt in one of those, which may have other files and no catalog.

        The argument may hold secrets: it is never written down. A worker that dies costs another try.
        """
        ...
