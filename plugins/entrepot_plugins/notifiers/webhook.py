"""``kind = "webhook"``: a POST for every event, signed as the Standard Webhooks specification says, version 1.0.0.

The signature is HMAC-SHA256 of ``id.timestamp.body`` with a secret of 24 to 64 bytes, in the header
``webhook-signature`` as ``v1,`` and base64; where there are several secrets, one signature for each.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from entrepot import __version__
from entrepot.errors import DeliveryError, SettingsError
from entrepot.references import read_reference
from entrepot.transfer.retry import retry_after
from entrepot_plugins.notifiers.table import Table

if TYPE_CHECKING:
    import httpx

    from entrepot.contracts import Notice

SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""
PREFIX = "whsec_"
TIMEOUT = 10
DRAINED = 1 << 16
GONE = 410
TOO_MANY = 429


def sign(secrets: Sequence[bytes], number: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``."""
    signed = b"%s.%d.%s" % (number.encode(), timestamp, body)
    return " ".join(
        f"v1,{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}" for secret in secrets
    )


class Webhook:
    """Posts to one URL. Redirects are not followed: a signed event is for whom the settings name, and nobody else."""

    together = 1

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        secrets: Sequence[bytes],
        timeout: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._url = url
        self._shown = urlsplit(url).hostname or "the receiver"
        """All of the URL that is shown: with many services the path is a secret."""
        self._secrets = secrets
        self._timeout = timeout
        self._clock = clock

    def deliver(self, notices: Sequence[Notice], seconds: float) -> None:
        """See ``contracts.Notifier``."""
        for notice in notices:
            self._post(notice, min(seconds, self._timeout))

    def _post(self, notice: Notice, seconds: float) -> None:
        import httpx

        body = json.dumps(dict(notice.document), separators=(",", ":"), sort_keys=True).encode()
        timestamp = int(self._clock())
        headers = {
            "content-type": "application/json",
            "user-agent": f"entrepot/{__version__}",
            "webhook-id": notice.id,
            "webhook-timestamp": str(timestamp),
        }
        if self._secrets:
            headers["webhook-signature"] = sign(self._secrets, notice.id, timestamp, body)
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers, timeout=seconds) as response:
                # What it says besides is of use to nobody; where it is short, reading it keeps the connection. It stays
                # packed, as it may unpack to any size.
                length = response.headers.get("content-length", "")
                if length.isascii() and length.isdigit() and int(length[:9]) <= DRAINED:
                    deque(response.iter_raw(), maxlen=0)
                self._check(response)
        except httpx.TimeoutException as error:
            raise DeliveryError(f"{self._shown} did not answer within {seconds:.1f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Its message may quote the URL.
            cause = _reason(error)
            raise DeliveryError(f"{self._shown} cannot be reached: {cause}") from error

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        if response.is_redirect:
            raise DeliveryError(f"{self._shown} answered {status}: redirects are not followed", hint="correct the URL")
        message = f"{self._shown} answered {status}"
        if status == GONE:
            raise DeliveryError(f"{message}: it wants no more of this", for_good=True)
        wait = retry_after(response.headers.get("retry-after")) if status == TOO_MANY or status >= 500 else 0.0
        raise DeliveryError(message, retry_after=wait)


def _reason(error: Exception) -> str:
    """What the system said, without anything of the URL."""
    found: BaseException | None = error
    while found is not None:
        if said := getattr(found, "verify_message", None):
            return f"its certificate is not trusted: {said}"
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__cause__ or found.__context__
    return type(error).__name__


class WebhookFactory:
    """``url`` (a text, or a reference where it is secret), ``secret`` (a reference, or several while it is changed).

    ``unsigned = true`` for a receiver that knows no signatures; ``timeout`` in seconds; ``ca_cert``: PEM file of the
    authority that signed the receiver's certificate, where the machine does not know it.
    """

    kind = "webhook"
    hears: Collection[str] = ()

    @contextmanager
    def open(self, name: str, settings: Mapping[str, Any], home: Path) -> Iterator[Webhook]:
        """See ``contracts.NotifierFactory``."""
        table = Table(name, settings)
        url = _url(table, home)
        secrets = _secrets(table, home)
        timeout = table.get("timeout", int, TIMEOUT)
        if not 1 <= timeout <= 60:
            raise table.error("timeout", "must be from 1 to 60 seconds")
        ca_cert = table.raw("ca_cert")
        if ca_cert is not None and not isinstance(ca_cert, str):
            raise table.error("ca_cert", "must be the path of a file")
        table.done()
        import httpx

        # It tells the log of every URL, which may be a secret.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        verify = _trust(table, home / Path(ca_cert).expanduser()) if ca_cert else True
        with httpx.Client(verify=verify, follow_redirects=False) as client:
            yield Webhook(client, url, secrets, timeout)


def _trust(table: Table, path: Path) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise table.error("ca_cert", f"cannot be used: {path} has no certificate that can be read") from error


def _url(table: Table, home: Path) -> str:
    value = table.raw("url")
    url = value if isinstance(value, str) else read_reference(value, table.where("url"), home)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    # The value is not repeated: it may hold a secret.
    if not good or not url.isprintable() or " " in url or parts.fragment:
        raise table.error("url", "must be a URL of http or https")
    if parts.username is not None or parts.password is not None:
        raise table.error("url", "has a user name or password in it: receivers know us by the signature")
    return url


def _secrets(table: Table, home: Path) -> Sequence[bytes]:
    value, unsigned = table.raw("secret"), table.get("unsigned", bool, default=False)
    if unsigned:
        if value is not None:
            raise table.error("secret", "makes no sense with unsigned = true")
        return ()
    if value is None:
        raise SettingsError(
            f"{table.where('secret')} is missing",
            hint='secret = {env = "NAME"} or {file = "PATH"}; or unsigned = true for who cannot check signatures',
            key=table.where("secret"),
        )
    references = value if isinstance(value, list) else [value]
    return [_secret(read_reference(item, table.where("secret"), home), table) for item in references]


def _secret(text: str, table: Table) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not SHORTEST <= len(secret) <= LONGEST:
        raise SettingsError(
            f"{table.where('secret')} leads to something that is not {SHORTEST} to {LONGEST} bytes as base64",
            hint=f'make one with: echo "{PREFIX}$(openssl rand -base64 32)"',
            key=table.where("secret"),
        )
    return secret
