"""When to try again, and how long to wait before it."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Callable
from typing import TypeVar

from entrepot.errors import TransferError
from entrepot.transfer.settings import TransferSettings

T = TypeVar("T")


class TemporaryError(TransferError):
    """A failure that may be gone in a moment. ``retry_after``: seconds that the server asked to wait."""

    def __init__(self, message: str, *, url: str, hint: str = "", retry_after: float = 0.0, **data: object) -> None:
        super().__init__(message, hint=hint, url=url, **data)
        self.retry_after = retry_after


def retry_after(value: str | None) -> float:
    """Seconds of a ``Retry-After`` header (RFC 9110, 10.2.3): a number or a date; 0 for anything else."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # Longer numbers are centuries; float() of a header full of digits would be infinite.
        return float(text[:12])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())


class Retries:
    """Runs an attempt until it works, fails for good or failed ``retries`` times more than once."""

    def __init__(self, retries: int, settings: TransferSettings, sleep: Callable[[float], object]) -> None:
        self._retries = retries
        self._settings = settings
        self._sleep = sleep

    def run(self, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns; it raises ``TemporaryError`` to be called again.

        Exponential back-off with jitter, so that clients that failed together do not come back together.
        """
        failed = 0
        while True:
            try:
                return attempt()
            except TemporaryError as error:
                failed += 1
                if failed > self._retries:
                    times = "once" if failed == 1 else f"{failed} times"
                    raise TransferError(f"{error.message} (tried {times})", hint=error.hint, **error.data) from error
                self._sleep(self._wait(failed, error.retry_after))

    def _wait(self, failed: int, asked: float) -> float:
        settings = self._settings
        # The exponent is bounded because retries are not: 2.0 ** 1024 is an OverflowError.
        backoff = settings.backoff * 2.0 ** min(failed - 1, 32) * (1.0 - settings.chance() / 2)
        return min(max(backoff, asked), settings.longest_wait)
