"""The bandwidth limit of a source, over all its connections."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Throttle:
    """A token bucket that may go into debt: a chunk is taken at once, and whoever took it waits until it is paid for.

    ``rate`` is in bytes per second, 0 for no limit. Unused bandwidth is saved for a quarter of a second at most, so
    that a pause is not made up for by a burst.
    """

    SAVED_SECONDS = 0.25

    def __init__(self, rate: int, *, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paid_until = float("-inf")

    def take(self, count: int) -> None:
        """Accounts for ``count`` bytes and waits as long as the limit asks for; callable from several threads."""
        if self._rate <= 0:
            return
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - self.SAVED_SECONDS) + count / self._rate
            wait = self._paid_until - now
        if wait > 0:
            self._sleep(wait)
