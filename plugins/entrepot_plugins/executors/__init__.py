"""Where parallel work runs: threads of this process, other processes, a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl
from entrepot_plugins.executors.dask import DaskExecutorFactory
from entrepot_plugins.executors.processes import ProcessesExecutorFactory
from entrepot_plugins.executors.threads import ThreadsExecutorFactory

if TYPE_CHECKING:
    from entrepot.contracts import ExecutorFactory

__all__ = ["DaskExecutorFactory", "ProcessesExecutorFactory", "ThreadsExecutorFactory"]


@hookimpl
def register_executors() -> Iterable[ExecutorFactory]:
    """``threads:``, ``processes:``, ``dask:``."""
    return [ThreadsExecutorFactory(), ProcessesExecutorFactory(), DaskExecutorFactory()]
