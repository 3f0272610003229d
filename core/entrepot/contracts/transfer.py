"""Transfer: fetching from one source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional: the answer's own ``ETag`` and ``Last-Modified``, as they came."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small file that was fetched. ``url`` is where it came from at last, without user information."""

    url: str
    content: bytes
    validators: Validators


class Transfer(Protocol):
    """Fetches from one source: its connection options, secrets, retries and limits are already in it."""

    concurrency: int

    def close(self) -> None:
        """Gives up: what other threads fetch fails, and is not tried again."""
        ...

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched | None:
        """A whole small file of at most ``limit`` bytes; None if it did not change since ``validators``.

        ``MissingError`` if there is none, ``TransferError`` otherwise.
        """
        ...

    def download(
        self,
        url: str,
        path: Path,
        *,
        size: int | None,
        digests: Mapping[str, str],
        limit: int | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """A file to ``path``, resumed where an earlier try stopped, put in place only when size and digests are right.

        Without ``size``, at most ``limit`` bytes. ``on_bytes`` gets the number of bytes of each chunk.
        """
        ...
