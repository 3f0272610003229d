"""What is sent to the source's own origin and to nobody else."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from entrepot.errors import UsageError
from entrepot.models import Secrets

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = frozenset(
    (
        *("accept-encoding", "connection", "content-length", "expect", "host", "range", "te", "trailer"),
        *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
        *("transfer-encoding", "upgrade"),
    )
)


def basic(username: str, password: str) -> str:
    """The value of ``Authorization`` (RFC 7617); ``UsageError`` for a user name with a colon."""
    if ":" in username:
        raise UsageError("a user name for basic authentication cannot contain a colon")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")


def secret_headers(secrets: Secrets) -> Mapping[str, str]:
    """The headers of ``secrets`` and its basic authentication, by lower-case name; an explicit header wins.

    ``UsageError`` names a header that cannot be sent, never its value.
    """
    headers: dict[str, str] = {}
    if secrets.username is not None:
        headers["authorization"] = basic(secrets.username, secrets.password or "")
    for name, value in secrets.headers:
        if not _TOKEN.fullmatch(name):
            raise UsageError(f"{name!r} is not the name of an HTTP header", header=name)
        if name.lower() in _OURS:
            raise UsageError(f"the header {name} is set by the transfer itself", header=name)
        if _BAD_VALUE.search(value) or not value.isascii():
            raise UsageError(f"the value of the header {name} has characters that cannot be sent", header=name)
        headers[name.lower()] = value.strip()
    return headers
