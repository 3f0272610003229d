"""Several requests at a time, where each is waiting for another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from entrepot.contracts import Storage

T = TypeVar("T")


def each(storage: Storage, most: int, work: Callable[[T], object], items: Sequence[T]) -> None:
    """Calls ``work`` with every item, in order, or ``most`` at a time where the storage is not this machine's.

    The first error is raised when all that was begun has ended; what was not begun is not done then.
    """
    if not storage.properties.shared or len(items) < 2 or most < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(min(most, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
