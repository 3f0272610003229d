"""What a server, or a local file, answered, in the few terms that the transfer needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from entrepot.contracts import Validators
from entrepot.errors import MissingError, TransferError
from entrepot.transfer.retry import TemporaryError, retry_after
from entrepot.transfer.urls import redact

OK, PARTIAL, NOT_MODIFIED, RANGE_NOT_SATISFIABLE = 200, 206, 304, 416

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)

_HINTS = {
    401: "give the source a user name and a password, or correct them",
    403: "object stores answer 403 for what does not exist, where listing is denied; otherwise check the credentials",
    407: "the proxy wants a user name and a password",
    429: "the server wants fewer requests: try again later; a source can be given a lower --concurrency",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose body is still to be read. ``url`` is the last one after redirects; header names lower-case."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes] = field(repr=False)

    @property
    def length(self) -> int | None:
        """Bytes of the body as the server announces them. It may lie."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the connection ends the body, so that a cut is not noticed (RFC 9112, 6.3)."""
        return self.length is None and "transfer-encoding" not in self.headers

    @property
    def validators(self) -> Validators:
        """What makes the next request conditional."""
        return Validators(self.headers.get("etag"), self.headers.get("last-modified"))

    def range(self) -> tuple[int, int | None] | None:
        """First byte of a partial answer and the size of the whole (None: not told); None if it is not understood."""
        match = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", "").strip())
        if match is None:
            return None
        return int(match[1]), None if match[3] == "*" else int(match[3])

    def require_ok(self, url: str) -> None:
        """Raises what any status but 200 means for a request of ``url``."""
        if self.status == OK:
            return
        shown = redact(url)
        message = f"{shown}: the server answered {self.status}"
        final = redact(self.url)
        if final != shown:
            message += f" at {final}"
        if self.status in (404, 410):
            raise MissingError(f"{message}: there is no such file", url=shown, status=self.status)
        if self.status == 429 or self.status >= 500:
            seconds = retry_after(self.headers.get("retry-after"))
            hint = _HINTS.get(self.status, "the server has trouble of its own: try again later")
            raise TemporaryError(message, hint=hint, url=shown, retry_after=seconds, status=self.status)
        raise TransferError(message, hint=_HINTS.get(self.status, ""), url=shown, status=self.status)
