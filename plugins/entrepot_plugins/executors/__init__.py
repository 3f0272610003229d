"""Where parallel work runs: threads of this process."""

from __future__ import annotations

from collections.abc import Iterable

from entrepot.contracts import ExecutorFactory
from entrepot.hookspecs import hookimpl
from entrepot_plugins.executors.threads import ThreadsExecutorFactory

__all__ = ["ThreadsExecutorFactory"]


@hookimpl
def register_executors() -> Iterable[ExecutorFactory]:
    """``threads:``."""
    return [ThreadsExecutorFactory()]
