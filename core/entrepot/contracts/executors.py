"""Running work in parallel."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Protocol


class ExecutorFactory(Protocol):
    """Opens executors of one URL scheme (``threads:``)."""

    scheme: str

    def open(self, url: str, workers: int) -> AbstractContextManager[Executor]:
        """An executor that is shut down at the end of the context."""
        ...
