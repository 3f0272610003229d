"""A Dask cluster on this machine: a scheduler and workers, each a process as its users start it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[str]:
    """The executor's URL of a cluster whose workers have one thread each; ``folder`` is where they work."""
    told = folder / "scheduler.json"
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    options = ["--no-dashboard", "--scheduler-file", str(told)]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1"]
    distributed = importlib.import_module("distributed")
    with ExitStack() as stack:
        for command in (scheduler, *[worker] * workers):
            process = stack.enter_context(subprocess.Popen([*command, *options], **quiet))
            stack.callback(process.terminate)
        with distributed.Client(scheduler_file=str(told), set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
            address = client.scheduler.address.removeprefix("tcp:")
        yield f"dask:{address}"
