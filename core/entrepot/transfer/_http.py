"""The only module that knows httpx: connections, redirects, and what its exceptions mean. Imported with the first URL.

It drives httpx's transports, not its client: no cookies, no ``.netrc``, no redirects, no headers but those set here.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

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
_UNREACHED = "check the URL, the network, and whether a proxy is needed (--proxy)"

Origin = tuple[str, str, int]
"""Scheme, host and port: what credentials belong to (RFC 6454)."""

Lane = dict[tuple[bool, str | None, bool], httpx.HTTPTransport]
"""The transports of one request at a time, by TLS, proxy and client certificate.

Those of httpx can be shared, but go through all their connections several times for every request.
"""
_OF_A_LANE = httpx.Limits(max_connections=2, max_keepalive_connections=2)
"""One to a server that redirects, and one to where it leads."""


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
        self._source_url = None
        if source_url is not None and source_url.partition(":")[0].lower() in ("http", "https"):
            self._source_url = _parse(split_user(source_url)[0])
        self._source = None if self._source_url is None else _origin(self._source_url)
        self._environment = {} if connection.proxy or not settings.trust_environment else getproxies()
        self._timeout = httpx.Timeout(connection.timeout, pool=None).as_dict()
        self._lock = threading.Lock()
        self._closed = False
        self._free: list[Lane] = []
        self._transports: list[httpx.HTTPTransport] = []
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._turn = threading.BoundedSemaphore(connection.concurrency)

    def close(self) -> None:
        """Closes every connection."""
        with self._lock:
            self._closed = True
            transports, self._transports = self._transports, []
        for transport in transports:
            transport.close()

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The answer to a GET, after redirects; its body is read from the network as it is taken.

        ``TemporaryError`` for what another try may cure, also while the body is read.
        """
        shown = redact(url)
        with _told(shown, self._connection.timeout), self._lane() as lane:
            response, last = self._follow(url, headers, lane)
            try:
                names = {name.lower(): value for name, value in response.headers.items()}
                # The raw body: a server that says "Content-Encoding: gzip" of a .gz file means the file as it is.
                yield Answer(str(last), response.status_code, names, response.iter_raw())
            finally:
                if not response.is_success:
                    _drain(response)
                response.close()

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """Connections that nobody else uses meanwhile; waits where there are as many as there may be."""
        with self._turn:
            with self._lock:
                lane = self._free.pop() if self._free else {}
            try:
                yield lane
            finally:
                with self._lock:
                    self._free.append(lane)

    def _follow(self, url: str, headers: Mapping[str, str], lane: Lane) -> tuple[httpx.Response, httpx.URL]:
        bare, user = split_user(url)
        target = _parse(bare)
        start = _origin(target)
        secret = self._secret(start, user)
        own = self._source is None or start == self._source
        was_public = not own and self._leaves_public_source(target, url)
        for _ in range(self._settings.max_redirects + 1):
            if _origin(target) != start:
                # For good: who was led away and back may have been told where to send them.
                own, secret = False, {}
            response = self._send(target, {**headers, **secret}, lane, own=own)
            if was_public and not self._settings.allow_private_redirects:
                self._check_peer(response, target, url)
            if response.status_code not in _REDIRECTS:
                return response, target
            # Before anything is refused: an answer that is left open keeps its connection from all others.
            _drain(response)
            following = self._redirected(response, target, url)
            was_public = was_public or self._is_public(target)
            if was_public and not self._settings.allow_private_redirects:
                self._check_public(following, url)
            target = following
        message = f"{redact(url)}: more than {self._settings.max_redirects} redirects"
        raise TransferError(message, url=redact(url))

    def _leaves_public_source(self, target: httpx.URL, url: str) -> bool:
        """Whether a public source names this host (a mirror); then it is held to the rule for redirects."""
        if self._source_url is None or self._settings.allow_private_redirects or not self._is_public(self._source_url):
            return False
        self._check_public(target, url)
        return True

    def _secret(self, start: Origin, user: tuple[str, str] | None) -> Mapping[str, str]:
        headers = dict(self._headers) if self._source is None or start == self._source else {}
        if user is not None and "authorization" not in headers:
            headers["authorization"] = basic(*user)
        return headers

    def _send(self, target: httpx.URL, headers: Mapping[str, str], lane: Lane, *, own: bool) -> httpx.Response:
        # Content codings off: digests and sizes are those of the file as it is published.
        common = {"user-agent": self._settings.user_agent, "accept": "*/*", "accept-encoding": "identity"}
        request = httpx.Request("GET", target, headers={**common, **headers}, extensions={"timeout": self._timeout})
        return self._transport(target, lane, own=own).handle_request(request)

    def _transport(self, target: httpx.URL, lane: Lane, *, own: bool) -> httpx.HTTPTransport:
        proxy = self._proxy(target)
        tls = target.scheme == "https" or (proxy is not None and proxy.lower().startswith("https:"))
        key = (tls, proxy, own and self._connection.client_cert is not None)
        with self._lock:
            if self._closed:
                raise TransferError(f"{redact(str(target))}: the transfer is closed", url=redact(str(target)))
            if key not in lane:
                lane[key] = self._connect(*key)
                self._transports.append(lane[key])
            return lane[key]

    def _connect(self, tls: bool, proxy: str | None, client_certificate: bool) -> httpx.HTTPTransport:
        context = self._context(client_certificate=client_certificate) if tls else tls_context_without_trust()
        return httpx.HTTPTransport(
            verify=context,
            trust_env=False,
            http2=False,
            limits=_OF_A_LANE,
            proxy=None if proxy is None else _proxy(proxy, context if proxy.lower().startswith("https:") else None),
        )

    def _context(self, *, client_certificate: bool) -> ssl.SSLContext:
        """Made once: it reads all certificates that are trusted."""
        if client_certificate not in self._contexts:
            self._contexts[client_certificate] = tls_context(self._connection, client_certificate=client_certificate)
        return self._contexts[client_certificate]

    def _proxy(self, target: httpx.URL) -> str | None:
        if self._connection.proxy is not None:
            return self._connection.proxy
        found = self._environment.get(target.scheme) or self._environment.get("all")
        if not found or proxy_bypass(target.netloc.decode("ascii"), self._environment):
            return None
        return found if "://" in found else f"http://{found}"

    def _redirected(self, response: httpx.Response, target: httpx.URL, url: str) -> httpx.URL:
        location = response.headers.get("location")
        if not location:
            raise _refused(url, f"redirected ({response.status_code}) to nowhere")
        try:
            # User information that a redirect brings is the redirecting server's, not the source's: dropped.
            following = _parse(split_user(str(target.join(split_user(location)[0])))[0])
        except (TransferError, httpx.InvalidURL, ValueError) as error:
            raise _refused(url, f"redirected to {redact(location)}, which cannot be fetched") from error
        if target.scheme == "https" and following.scheme != "https":
            raise _refused(url, f"redirected from https to {redact(str(following))}")
        return following

    def _addresses(self, target: httpx.URL) -> list[bool]:
        addresses = self._settings.resolve(target.raw_host.decode("ascii"), _origin(target)[2])
        return [is_private(address) for address in addresses]

    def _is_public(self, target: httpx.URL) -> bool:
        private = self._addresses(target)
        return not private or not all(private)

    def _check_public(self, following: httpx.URL, url: str) -> None:
        # A name without an address is let through: behind a proxy that alone can resolve, every name is one.
        if any(self._addresses(following)):
            raise _refused(url, f"leads from a public host to the private address of {redact(str(following))}")

    def _check_peer(self, response: httpx.Response, target: httpx.URL, url: str) -> None:
        """The name may have got another address between our look and the connection: look whom we are talking to."""
        if self._proxy(target) is not None:
            return
        try:
            peer = response.extensions["network_stream"].get_extra_info("server_addr")
        except OSError:
            peer = None
        if peer is None or is_private(str(peer[0]).partition("%")[0]):
            response.close()
            raise _refused(url, f"leads from a public host to the private address of {redact(str(target))}")


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        # Not its text: httpx's messages quote parts of the URL.
        raise TransferError(f"{redact(url)} is not a URL", url=redact(url)) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise TransferError(f"{redact(url)} is not a URL of http or https", url=redact(url))
    return parsed.copy_with(fragment=None) if "#" in url else parsed


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode("ascii").lower(), url.port or (443 if url.scheme == "https" else 80)


def _refused(url: str, why: str) -> TransferError:
    return TransferError(
        f"{redact(url)} {why}",
        hint="if that is the right place, make it the source's URL",
        url=redact(url),
    )


def _proxy(url: str, context: ssl.SSLContext | None) -> httpx.Proxy:
    try:
        proxy = httpx.Proxy(url, ssl_context=context)
    except (httpx.InvalidURL, ValueError) as error:
        raise UsageError(f"{redact(url)} is not the URL of a proxy") from error
    if proxy.url.scheme not in ("http", "https") or not proxy.url.host:
        raise UsageError(f"{redact(url)} is not the URL of an HTTP proxy", hint="http://host:port or https://host:port")
    return proxy


def _drain(response: httpx.Response) -> None:
    """Reads a small rest, so that the connection can be used again, and closes."""
    try:
        if int(response.headers.get("content-length", 0)) <= _DRAINED:
            left = _DRAINED
            for chunk in response.iter_raw():
                left -= len(chunk)
                if left < 0:
                    break
    except (httpx.TransportError, httpx.StreamError, ValueError):
        pass  # Nobody wants this body; the connection is closed below instead of kept.
    finally:
        response.close()


@contextmanager
def _told(shown: str, timeout: float) -> Iterator[None]:
    """Says what httpx's exceptions mean, and which of them are worth another try."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise TemporaryError(f"{shown}: no connection within {timeout:g} s", hint=_UNREACHED, url=shown) from error
    except httpx.TimeoutException as error:
        raise TemporaryError(f"{shown}: not a byte for {timeout:g} s", url=shown) from error
    except httpx.ProxyError as error:
        message = f"{shown}: the proxy answered {error}"
        if str(error).startswith("5"):
            raise TemporaryError(message, url=shown) from error
        raise TransferError(message, url=shown) from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise _network_error(shown, error) from error
    except (httpx.TransportError, httpx.StreamError) as error:
        raise TransferError(f"{shown}: {error or type(error).__name__}", url=shown) from error


def _network_error(shown: str, error: httpx.TransportError) -> TransferError:
    message = f"{shown}: {str(error) or type(error).__name__}"
    hint = _UNREACHED if isinstance(error, httpx.ConnectError) else ""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "if its certificate is right, give the source the CA that signed it (--ca-cert)"
            return TransferError(
                f"{shown}: its certificate is not trusted: {cause.verify_message}", hint=hint, url=shown
            )
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            hint = "the server may want another client certificate (--client-cert)" if "ALERT" in message else ""
            return TransferError(message, hint=hint, url=shown)
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return TransferError(f"{shown}: there is no such host", hint=_UNREACHED, url=shown)
        if isinstance(cause, OSError) and cause.strerror:
            message = f"{shown}: {cause.strerror}"
    return TemporaryError(message, hint=hint, url=shown)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
