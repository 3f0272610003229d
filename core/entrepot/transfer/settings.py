"""What the whole program decides about transfers, in contrast to what a source says in its ``Connection``."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from entrepot import __version__


def resolve(host: str, port: int) -> Collection[str]:
    """The addresses of a host, as numbers; empty if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return {str(address[0]).partition("%")[0] for *_, address in found}


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """Limits and manners of every transfer; the last four are the world, which a test may replace."""

    allow_file: bool = True
    """Whether ``file:`` URLs are read."""
    allow_private_redirects: bool = False
    """Whether a public host may redirect to a private, loopback or link-local address."""
    trust_environment: bool = True
    """Whether ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` count for sources without a proxy."""
    download_limit: int = 8 * 2**30
    """Bytes of a download of which neither size nor limit is known."""
    max_redirects: int = 10
    user_agent: str = f"entrepot/{__version__}"
    backoff: float = 0.5
    """Seconds before the first retry; each further one waits twice as long, less up to half of it by chance."""
    longest_wait: float = 60.0
    """Seconds that no wait before a retry exceeds, whatever ``Retry-After`` asks for."""
    sleep: Callable[[float], object] | None = None
    """What waits for some seconds; None for a wait that ends when the transfer is closed."""
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.SystemRandom().random
    resolve: Callable[[str, int], Collection[str]] = resolve
