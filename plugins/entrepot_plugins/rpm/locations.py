"""Where files of a repository are: hrefs of repodata checked, and made URLs."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_PLAIN = re.compile(r"(?!\.)[A-Za-z0-9._+~^@=-]+(?:/(?!\.)[A-Za-z0-9._+~^@=-]+)*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DOTS = re.compile(r"(?:^|/)(?:\.|%2[eE]){2}(?:/|$)")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def resolve(href: str, base: str = "") -> str:
    """Where a file is: a path relative to the source's root, or a URL where ``xml:base`` has one of http or https.

    Dots between slashes are left out. ``ValueError`` for a path that is empty or absolute, has ``..``, a backslash or
    control characters, is a URL itself, or names no file; and for a base of another scheme.
    """
    if not base and _PLAIN.fullmatch(href):
        return href
    if not href:
        raise ValueError("it has no location")
    path = _safe(href)
    if not base:
        return path
    scheme = _SCHEME.match(base)
    if scheme is None:
        return _safe(f"{base.rstrip('/')}/{path}")
    parts = urlsplit(base)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"it has a base that is no URL of http or https, {base[:80]!r}")
    if _UNSAFE.search(base) or _DOTS.search(parts.path) or parts.query or parts.fragment or " " in base:
        raise ValueError(f"it has an unsafe base, {base[:80]!r}")
    return f"{base.rstrip('/')}/{path}"


def _safe(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or _SCHEME.match(path) or _DOTS.search(path) or _UNSAFE.search(path) or "?" in path:
        raise ValueError(f"it has an unsafe location, {path[:120]!r}")
    if parts[-1] in ("", ".") or "#" in path:
        raise ValueError(f"it has a location that names no file, {path[:120]!r}")
    return "/".join(part for part in parts if part not in ("", "."))


def is_absolute(location: str) -> bool:
    """Whether ``resolve`` answered a URL."""
    return location.startswith(("http://", "https://", "HTTP://", "HTTPS://")) or "://" in location


def url(base: str, location: str) -> str:
    """The URL of a location below ``base``, quoted: ``+``, too, which object stores take for a blank.

    Some generators quote hrefs already: an escape stays one, and a ``%`` that is none is quoted.
    """
    if is_absolute(location):
        start = location.index("/", location.index("://") + 3)
        base, location = location[:start], location[start + 1 :]
    return f"{base.rstrip('/')}/{quote(_ESCAPE.sub('%25', location), safe='/:~%')}"
