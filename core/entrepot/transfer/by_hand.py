"""The transfer of a source whose packages somebody carries here: what has not come with a bundle cannot be fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from entrepot.contracts import Fetched, Validators
from entrepot.errors import NotFoundError


class NoTransfer:
    """A ``Transfer`` that has nothing."""

    concurrency = 4

    def __init__(self, source: str) -> None:
        self._source = source

    def close(self) -> None:
        """There is nothing to give up."""

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched | None:
        """``NotFoundError``."""
        raise self._missing(url)

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
        """``NotFoundError``."""
        raise self._missing(url)

    def _missing(self, url: str) -> NotFoundError:
        name = url.rpartition("/")[2]
        return NotFoundError(
            f"{name} of {self._source} is not in the private store",
            hint="apply the bundle that carries it with `entrepot bundle apply`",
        )
