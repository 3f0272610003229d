"""Transfers that do not wait, for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from entrepot.models import Connection, Secrets
from entrepot.transfer import TransferSettings, open_transfer
from entrepot.transfer.client import HttpTransfer
from entrepot.transfer.settings import resolve as really_resolve


@dataclass
class Waits:
    """A clock that only its own ``sleep`` moves, and the waits that were asked for."""

    seconds: list[float] = field(default_factory=list)
    now: float = 1000.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        """Remembers the wait and lets the time pass."""
        with self.lock:
            self.seconds.append(seconds)
            self.now += seconds

    def clock(self) -> float:
        """The time."""
        return self.now


def opened(
    connection: Connection | None = None,
    secrets: Secrets | None = None,
    *,
    waits: Waits | None = None,
    source_url: str | None = None,
    resolve: Callable[[str, int], Collection[str]] | None = None,
    allow_file: bool = True,
    allow_private_redirects: bool = False,
    trust_environment: bool = False,
) -> AbstractContextManager[HttpTransfer]:
    """A transfer whose waits are remembered instead of waited for, deaf to the proxies of the environment."""
    waits = waits or Waits()
    settings = TransferSettings(
        allow_file=allow_file,
        allow_private_redirects=allow_private_redirects,
        trust_environment=trust_environment,
        sleep=waits.sleep,
        clock=waits.clock,
        chance=lambda: 0.0,
        resolve=resolve or really_resolve,
    )
    return open_transfer(connection or Connection(), secrets or Secrets(), settings=settings, source_url=source_url)
