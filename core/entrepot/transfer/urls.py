"""Rules about URLs that need no network: what may be shown, what is private, which file a ``file:`` URL means."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from entrepot.errors import TransferError

_USER = re.compile(r"^([^/?#\\]*[/\\]{2})([^/?#]*)@")
_BROKEN_USER = (
    re.compile(r"^([^/?#\\]*[/\\]{2})(?!\[)[^/?#@]*:(?!\d*(?:[/?#]|$))[^@]*@"),
    re.compile(r"^()[^/?#]*@"),
)
"""A password with an unquoted slash or question mark, and no scheme: no valid URLs, but no reason to show them."""
_SECRET_PARAMETER = re.compile(
    r"([?&;][^=&;#]*(?:auth|cred|key|passw|secret|sig|token)[^=&;#]*=)[^&;#]*", re.IGNORECASE
)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def without_user(url: str) -> str:
    """The URL without ``user:password@``; also for text that is no valid URL."""
    return _USER.sub(r"\1", url)


@lru_cache(maxsize=64)
def redact(url: str) -> str:
    """The URL as it may be shown: no user information, no values of parameters that are secrets, no control characters.

    Object stores and CDNs sign URLs in the query (``X-Amz-Signature``, ``token``), so those values are secrets, too.
    """
    shown = without_user(url)
    for pattern in _BROKEN_USER:
        shown = pattern.sub(r"\1", shown)
    shown = _SECRET_PARAMETER.sub(r"\1***", shown)
    return _UNPRINTABLE.sub(lambda match: quote(match.group(), errors="replace"), shown)


def split_user(url: str) -> tuple[str, tuple[str, str] | None]:
    """The URL without user information, and (user name, password) where it had some.

    RFC 3986 deprecates passwords in URLs; people and ``sources.list`` files have them nevertheless.
    """
    match = _USER.match(url)
    if match is None:
        return url, None
    name, _, password = match[2].partition(":")
    return match[1] + url[match.end() :], (_unquoted(name), _unquoted(password))


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def is_private(address: str) -> bool:
    """Whether an address (as numbers) is anything but a globally reachable unicast one; True for what is no address.

    IPv4 addresses inside IPv6 ones (mapped, 6to4, Teredo, NAT64) are judged as themselves.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(str(inner))
    return not parsed.is_global or parsed.is_multicast


def file_path(url: str) -> Path:
    """The absolute path that a ``file:`` URL names (RFC 8089, local files only).

    ``TransferError`` for another host, ``..``, an encoded slash or a NUL: nobody writes those by accident.
    """
    try:
        parts = urlsplit(url)
        raw = parts.path
        decoded = unquote_to_bytes(raw)
    except ValueError as error:
        raise TransferError(f"{redact(url)} is not a URL", url=redact(url)) from error
    wrong = (
        parts.scheme != "file"
        or parts.netloc not in ("", "localhost")
        or parts.query
        or parts.fragment
        or not raw.startswith("/")
        or "%2f" in raw.lower()
        or b"\0" in decoded
        or b".." in decoded.split(b"/")
    )
    if wrong:
        raise TransferError(
            f"{redact(url)} does not name a local file",
            hint="a file: URL is file:///absolute/path, with '..' resolved and '?' and '#' quoted",
            url=redact(url),
        )
    return Path(decoded.decode("utf-8", "surrogateescape"))
