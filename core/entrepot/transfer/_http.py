"""The only module that knows httpx: connections, redirects, and what its exceptions mean. Imported with the first URL.

It drives httpx's transports, not its client: no cookies, no ``.netrc``, no redirects, no headers but those set here.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.request import getproxies_environment, proxy_bypass_environment

import httpx

from entrepot.errors import TransferError, UsageError
from entrepot.models import Connection
from entrepot.transfer._tls import tls_context, tls_context_without_trust
from entrepot.transfer.answer import Answer
from entrepot.transfer.credentials import basic
from entrepot.transfer.retry import TemporaryError
from entrepot.transfer.settings import TransferSettings
from entrepot.transfer.urls import is_private, redact, split_user

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_DRAINED = 1 << 16

Origin = tuple[str, str, int]
"""Scheme, host and port: what credentials belong to (RFC 6454)."""


class HttpSession:
    """Connections of one source. Whatever is secret goes to one origin; redirects are followed by rules."""

    def __init__(
        self,
        connection: Connection,
        headers: Mapping[str, str],
        settings: TransferSettings,
        source_url: str | None,
    ) -> None:
        self._connection = connection
        self._headers = headers
        self._settings = settings
        self._source = None
        if source_url is not None and source_url.partition(":")[0].lower() in ("http", "https"):
            self._source = _origin(_parse(split_user(source_url)[0]))
        self._environment = {} if connection.proxy or not settings.trust_environment else getproxies_environment()
        self._timeout = httpx.Timeout(connection.timeout, pool=None).as_dict()
        self._lock = threading.Lock()
        self._transports: dict[tuple[bool, str | None, bool], httpx.HTTPTransport] = {}

    def close(self) -> None:
        """Closes every connection."""
        with self._lock:
            transports = list(self._transports.values())
            self._transports.clear()
        for transport in transports:
            transport.close()

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The answer to a GET, after redirects; its body is read from the network as it is taken.

        ``TemporaryError`` for what another try may cure, also while the body is read.
        """
        shown = redact(url)
        with _told(shown, self._connection.timeout):
            response, last = self._follow(url, headers)
            try:
                names = {name.lower(): value for name, value in response.headers.items()}
                # The raw body: a server that says "Content-Encoding: gzip" of a .gz file means the file as it is.
                yield Answer(str(last), response.status_code, names, response.iter_raw())
            finally:
                response.close()

    def _follow(self, url: str, headers: Mapping[str, str]) -> tuple[httpx.Response, httpx.URL]:
        bare, user = split_user(url)
        target = _parse(bare)
        start = _origin(target)
        secret = self._secret(start, user)
        own = self._source is None or start == self._source
        was_public = False
        for _ in range(self._settings.max_redirects + 1):
            if own and _origin(target) != start:
                own, secret = False, {}
            elif _origin(target) != start:
                secret = {}
            response = self._send(target, {**headers, **secret}, own=own)
            if was_public and not self._settings.allow_private_redirects:
                self._check_peer(response, target, url)
            if response.status_code not in _REDIRECTS:
                return response, target
            following = self._redirected(response, target, url)
            _drain(response)
            was_public = was_public or self._is_public(target)
            if was_public and not self._settings.allow_private_redirects:
                self._check_public(following, url)
            target = following
        message = f"{redact(url)}: more than {self._settings.max_redirects} redirects"
        raise TransferError(message, url=redact(url))
