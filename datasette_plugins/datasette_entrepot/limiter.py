"""Who guesses is slowed down: a few wrong tries from one address, then a pause that grows."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from entrepot.errors import TooManyTriesError

FREE_TRIES = 5
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
FORGET_AFTER = 900.0
MOST_ADDRESSES = 10_000


class Limiter:
    """Counts wrong tries by address; for one event loop. Remembers so many addresses at most, those seen last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def begin(self, address: str) -> None:
        """``TooManyTriesError`` while this address has to wait; else counts a try, which ``right`` takes back.

        Counted before its outcome is known, so that many at once are not all the first.
        """
        key, now = network(address), self._clock()
        count, last = self._seen.get(key, (0, now))
        if now - last > FORGET_AFTER:
            count = 0
        if count >= FREE_TRIES:
            self._wait(count, last - now)
        self._seen[key] = (count + 1, now)
        self._seen.move_to_end(key)
        while len(self._seen) > MOST_ADDRESSES:
            self._seen.popitem(last=False)

    def _wait(self, count: int, since: float) -> None:
        pause = min(FIRST_PAUSE * 2.0 ** min(count - FREE_TRIES, 16), LONGEST_PAUSE)
        left = since + pause
        if left > 0:
            raise TooManyTriesError(
                "too many wrong tries from this address",
                hint=f"wait {math.ceil(left)} seconds",
                retry_after=math.ceil(left),
            )

    def right(self, address: str) -> None:
        """Forgets the tries of an address: this one was right."""
        self._seen.pop(network(address), None)

    def __len__(self) -> int:
        return len(self._seen)


def network(address: str) -> str:
    """Who has one IPv6 address has 2**64 of them, so those count as one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
