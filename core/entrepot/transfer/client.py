"""The transfer that sources are read with: small files whole, large ones to disk, checked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.contracts import Fetched, Validators
from entrepot.errors import DigestError, MissingError, TransferError, UsageError
from entrepot.models import Connection, Secrets
from entrepot.transfer.answer import NOT_MODIFIED, PARTIAL, RANGE_NOT_SATISFIABLE, Answer
from entrepot.transfer.checks import Checks
from entrepot.transfer.credentials import secret_headers
from entrepot.transfer.local import open_file
from entrepot.transfer.partial import Part, open_part
from entrepot.transfer.retry import Retries, TemporaryError
from entrepot.transfer.settings import TransferSettings
from entrepot.transfer.throttle import Throttle
from entrepot.transfer.urls import file_path, redact, without_user

if TYPE_CHECKING:
    from entrepot.transfer._http import HttpSession


class HttpTransfer:
    """``entrepot.contracts.Transfer`` over HTTP(S) and local folders; callable from several threads."""

    def __init__(
        self, connection: Connection, secrets: Secrets, settings: TransferSettings, *, source_url: str | None = None
    ) -> None:
        if connection.concurrency < 1 or connection.retries < 0 or connection.rate_limit < 0 or connection.timeout <= 0:
            raise UsageError(
                "a connection needs concurrency of at least 1, a time-out above 0, retries and rate limit of at least 0"
            )
        self.concurrency = connection.concurrency
        self._connection = connection
        self._settings = settings
        self._headers = secret_headers(secrets)
        self._source_url = source_url
        self._file_root = file_path(source_url) if source_url and _scheme(source_url) == "file" else None
        # A source on the network that names a file of this machine (in a list of mirrors) has no business with it.
        self._allow_file = settings.allow_file and (source_url is None or self._file_root is not None)
        self._closed = threading.Event()
        sleep = settings.sleep or self._closed.wait
        self._retries = Retries(connection.retries, settings, sleep)
        self._throttle = Throttle(connection.rate_limit, clock=settings.clock, sleep=sleep)
        self._lock = threading.Lock()
        self._session: HttpSession | None = None

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched | None:
        """A whole small file of at most ``limit`` bytes; None if it did not change since ``validators``.

        ``MissingError`` for 404, 410 and a file that is not there, ``TransferError`` for anything else.
        """
        return self._retries.run(lambda: self._get_once(url, limit, _conditions(validators)))

    def _get_once(self, url: str, limit: int, headers: Mapping[str, str]) -> Fetched | None:
        checks = Checks(url, size=None, digests={}, limit=limit)
        content = bytearray()
        with self._open(url, headers) as answer:
            if answer.status == NOT_MODIFIED and headers:
                return None
            answer.require_ok(url)
            if answer.length is not None:
                checks.announce(answer.length)
            for chunk in self._chunks(answer):
                checks.feed(chunk)
                content += chunk
            return Fetched(without_user(answer.url), bytes(content), answer.validators)

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
        """A file to ``path`` by way of ``path`` + ``.part``; in place only when its size and all ``digests`` are right.

        An interrupted part is continued by a later call for the same URL if the server's validators still hold.
        ``limit`` holds for a known ``size``, too; without both, ``TransferSettings.download_limit`` does.
        ``DigestError`` for a file that is still wrong after it was fetched again from its start, past all caches.
        """
        if limit is None:
            limit = self._settings.download_limit if size is None else size
        checks = Checks(url, size=size, digests=digests, limit=limit, on_bytes=on_bytes)
        with open_part(path, url) as part:
            try:
                self._retries.run(lambda: self._download_once(url, part, checks, {}))
            except DigestError:
                part.discard()
                fresh = {"cache-control": "no-cache"}
                try:
                    self._retries.run(lambda: self._download_once(url, part, checks, fresh))
                except DigestError:
                    part.discard()
                    raise
            except MissingError:
                part.discard()
                raise

    def _download_once(self, url: str, part: Part, checks: Checks, headers: Mapping[str, str]) -> None:
        checks.restart()
        if_range = part.resumable()
        if if_range is None:
            self._fetch(url, part, checks, headers)
            return
        for chunk in part.kept():
            checks.feed(chunk)
        if checks.position == checks.size:
            checks.finish()
            return
        ranged = {**headers, "range": f"bytes={checks.position}-", "if-range": if_range}
        if not self._fetch(url, part, checks, ranged):
            part.discard()
            checks.restart()
            self._fetch(url, part, checks, headers)

    def _fetch(self, url: str, part: Part, checks: Checks, headers: Mapping[str, str]) -> bool:
        """One request; False if the server cannot continue where the part ends."""
        with self._open(url, headers) as answer:
            if "range" in headers and answer.status == RANGE_NOT_SATISFIABLE:
                return False
            if "range" in headers and answer.status == PARTIAL:
                found = answer.range()
                if found is None or found[0] != checks.position:
                    return False
                length = found[1]
            else:
                answer.require_ok(url)
                checks.restart()
                part.begin(answer.validators)
                length = answer.length
            if length is not None:
                checks.announce(length)
            for chunk in self._chunks(answer):
                checks.feed(chunk)
                part.write(chunk)
            if answer.ends_with_connection and checks.size is not None and checks.position < checks.size:
                shown = redact(url)
                message = f"{shown}: the connection ended after {checks.position} of {checks.size} bytes"
                raise TemporaryError(message, url=shown)
        checks.finish()
        return True

    def download_changed(
        self,
        url: str,
        path: Path,
        *,
        limit: int,
        validators: Validators | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Validators | None:
        """A file of which nothing is known, of at most ``limit`` bytes, to ``path``, from its start.

        Answers what makes the next request conditional; None, with nothing written, if it did not change since
        ``validators``. Whether it is whole has to show in its content: ``path`` is the caller's scratch file.
        """
        headers = _conditions(validators)
        return self._retries.run(lambda: self._download_changed_once(url, path, limit, headers, on_bytes))

    def _download_changed_once(
        self, url: str, path: Path, limit: int, headers: Mapping[str, str], on_bytes: Callable[[int], None] | None
    ) -> Validators | None:
        checks = Checks(url, size=None, digests={}, limit=limit, on_bytes=on_bytes)
        with self._open(url, headers) as answer:
            if answer.status == NOT_MODIFIED and headers:
                return None
            answer.require_ok(url)
            if answer.length is not None:
                checks.announce(answer.length)
            with path.open("wb") as file:
                for chunk in self._chunks(answer):
                    checks.feed(chunk)
                    file.write(chunk)
            return answer.validators

    def close(self) -> None:
        """Gives up all connections. What is still being fetched by other threads fails, and is not tried again."""
        with self._lock:
            self._closed.set()
            session = self._session
        if session is not None:
            session.close()

    def _chunks(self, answer: Answer) -> Iterator[bytes]:
        for chunk in answer.chunks:
            self._throttle.take(len(chunk))
            yield chunk

    def _open(self, url: str, headers: Mapping[str, str]) -> AbstractContextManager[Answer]:
        scheme = _scheme(url)
        if scheme == "file":
            if not self._allow_file:
                raise TransferError(f"{redact(url)}: local files are not read here", url=redact(url))
            return open_file(url, headers, self._file_root)
        if scheme in ("http", "https"):
            return self._http().open(url, headers)
        raise TransferError(
            f"{redact(url)} has no scheme that can be fetched",
            hint="http, https or file",
            url=redact(url),
        )

    def _http(self) -> HttpSession:
        from entrepot.transfer._http import HttpSession

        with self._lock:
            if self._closed.is_set():
                raise TransferError("the transfer is closed")
            if self._session is None:
                self._session = HttpSession(self._connection, self._headers, self._settings, self._source_url)
            return self._session


def _conditions(validators: Validators | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if validators is not None and validators.etag:
        headers["if-none-match"] = validators.etag
    if validators is not None and validators.last_modified:
        headers["if-modified-since"] = validators.last_modified
    return headers


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
