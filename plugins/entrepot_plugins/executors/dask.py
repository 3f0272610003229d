"""``dask://HOST:PORT``: packages are fetched and inspected by the workers of a Dask cluster."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from entrepot.errors import EntrepotError, MissingExtraError, UsageError

PATIENCE = 10
"""Seconds to wait for the scheduler."""
RETRIES = 2
"""How often work is done again whose worker was lost."""
MAX_THREADS = 256


class DaskExecutor(ThreadPoolExecutor):
    """Threads of this process that wait for the cluster: ``entrepot.contracts.Cluster``."""

    def __init__(self, client: Any, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="entrepot")
        self._remote = client.get_executor(pure=False, retries=RETRIES)

    def submit_apart(self, function: Callable[[bytes], bytes], argument: bytes, /) -> Future[bytes]:
        """See ``contracts.Cluster``."""
        future: Future[bytes] = self._remote.submit(function, argument)
        return future


class DaskExecutorFactory:
    """``dask://HOST:PORT``, or ``dask:tls://HOST:PORT`` with the certificates that Dask's own configuration names."""

    scheme = "dask"

    @contextmanager
    def open(self, url: str, workers: int) -> Iterator[Executor]:
        """The workers that the cluster has at this moment; ``MissingExtraError`` without Dask."""
        address = _address(url)
        if find_spec("distributed") is None:
            raise MissingExtraError(
                "Dask is not installed, and dask: executors need it", hint="pip install 'entrepot[dask]'", extra="dask"
            )
        distributed = importlib.import_module("distributed")
        try:
            client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except OSError as error:
            raise EntrepotError(f"there is no Dask scheduler at {address}", hint="start one: dask scheduler") from error
        try:
            # Twice as many as can be at work, so that nobody there waits for us.
            threads = 2 * sum(client.nthreads().values())
            if not threads:
                raise EntrepotError(f"the cluster at {address} has no worker", hint=f"start one: dask worker {address}")
            executor = DaskExecutor(client, min(threads, MAX_THREADS))
            try:
                yield executor
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise
            executor.shutdown()
        finally:
            client.close()


def _address(url: str) -> str:
    rest = url.removeprefix("dask:")
    address = f"tcp:{rest}" if rest.startswith("//") else rest
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if scheme not in ("tcp", "tls") or not host or not port.isdigit() or "@" in host or "/" in place:
        raise UsageError("that is no address of a Dask scheduler", hint="dask://HOST:PORT, or dask:tls://HOST:PORT")
    return address
