"""Fetches files from sources over HTTP(S) and from local folders, with retries, resume, limits and checks.

Importing this package imports neither httpx nor what fetches: many need only what is said here of URLs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from entrepot.transfer.settings import TransferSettings
from entrepot.transfer.urls import redact, without_user

if TYPE_CHECKING:
    from entrepot.models import Connection, Secrets
    from entrepot.transfer.client import HttpTransfer

__all__ = ["TransferSettings", "open_transfer", "redact", "without_user"]


@contextmanager
def open_transfer(
    connection: Connection,
    secrets: Secrets,
    *,
    settings: TransferSettings | None = None,
    source_url: str | None = None,
) -> Iterator[HttpTransfer]:
    """A transfer for one source, closed at the end of the context; ``UsageError`` for options that cannot be used.

    ``source_url`` is the source's own URL. With it, user name, password, headers and client certificate go to its
    scheme, host and port alone, whatever else is asked for: the mirrors that a list names are held to the rules for
    redirects, local files are out of reach of a source on the network, and a ``file:`` source cannot be left by a
    symbolic link. Without it, every URL that is asked for counts as the source's own, though nothing that it
    redirects to.
    """
    from entrepot.transfer.client import HttpTransfer

    transfer = HttpTransfer(connection, secrets, settings or TransferSettings(), source_url=source_url)
    try:
        yield transfer
    finally:
        transfer.close()
