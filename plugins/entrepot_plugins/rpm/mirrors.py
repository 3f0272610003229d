"""Where a repository can be read from: its base URL, a list of mirrors, or a metalink that also says what they have.

A mirror list is text, one base URL a line. A metalink (version 3, as MirrorManager writes it) names URLs of repomd.xml
with preferences, and the digests that repomd.xml has now and had before (``mm0:alternates``), which mirrors that are a
little behind still have.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from entrepot.contracts import ReadContext, Transfer
from entrepot.errors import DigestError, IndexFormatError
from entrepot.models import Source
from entrepot.transfer.urls import redact, without_user

from . import documents
from .entry import checked_digest
from .repomd import STRONG

LIMIT = 4 << 20
"""Bytes of a list or a metalink; Fedora's have some ten thousand."""
MOST = 24
"""Mirrors that are used; lists name hundreds."""
REPOMD = "repodata/repomd.xml"
_FIRST_PREFERENCE = 100


@dataclass(frozen=True, slots=True)
class Generation:
    """One state of repomd.xml that a metalink knows: its size (None if it does not say) and its strong digests."""

    size: int | None
    digests: Mapping[str, str]
    timestamp: int = 0

    def check(self, content: bytes) -> bool:
        """Whether this is it."""
        return (self.size is None or self.size == len(content)) and all(
            hashlib.new(name, content, usedforsecurity=False).hexdigest() == digest
            for name, digest in self.digests.items()
        )


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Base URLs, best first, and the generations of repomd.xml that they may have, newest first; none: any."""

    urls: tuple[str, ...]
    generations: tuple[Generation, ...] = ()


def find(context: ReadContext) -> Mirrors:
    """Where to read a source from. ``TransferError`` or ``IndexFormatError`` if there is no list, or nothing in it."""
    source = context.source
    extra = tuple(str(source.options.get("mirrors") or "").split())
    if source.flag("metalink"):
        content = _fetch(context.transfer, source.url)
        found = parse_metalink(content, name=f"the metalink of {source.name}")
        return Mirrors((*found.urls, *extra)[:MOST], found.generations)
    if source.flag("mirrorlist"):
        content = _fetch(context.transfer, source.url)
        urls = parse_list(content, name=f"the list of mirrors of {source.name}")
        if urlsplit(source.url).scheme == "https":
            # Such a list proves nothing of what the mirrors have, so that those which nobody can intercept come first.
            urls = tuple(sorted(urls, key=lambda url: not url.startswith("https:")))
        return Mirrors((*urls, *extra)[:MOST])
    return Mirrors((source.url, *extra))


def known(source: Source, seen: Mapping[str, Any]) -> Sequence[str]:
    """The base URLs that the last sync used, the one that answered first; of a source that was never synced its own."""
    remembered = seen.get("mirrors")
    return [str(url) for url in remembered] if remembered else [source.url]


def parse_list(content: bytes, *, name: str) -> tuple[str, ...]:
    """The URLs of http and https in a list of mirrors, in order; ``IndexFormatError`` if there are none."""
    text = content.decode("utf-8", "replace")
    if content.lstrip().startswith(b"<"):
        raise documents.malformed(name, content, "it is no list of URLs")
    lines = (line.strip() for line in text.splitlines())
    return _usable((line.split()[0] for line in lines if line and not line.startswith("#")), name)


def parse_metalink(content: bytes, *, name: str) -> Mirrors:
    """The mirrors of repomd.xml in a metalink, by preference, and its generations; ``IndexFormatError`` naming it."""
    root = documents.parse(content, name=name, root="metalink")
    file = next((item for item in root.iter("{*}file") if item.get("name") == "repomd.xml"), None)
    if file is None:
        raise IndexFormatError(f"{name} says nothing of repomd.xml", file=name)
    urls: list[tuple[int, str]] = []
    for element in file.iterfind("{*}resources/{*}url"):
        text = (element.text or "").strip()
        if text.endswith("/" + REPOMD):
            urls.append((_preference(element), text.removesuffix(REPOMD)))
    urls.sort(key=lambda item: -item[0])
    generations = [_generation(file), *map(_generation, file.iterfind("{*}alternates/{*}alternate"))]
    strong = tuple(generation for generation in generations if generation.digests)
    if not strong:
        raise IndexFormatError(f"{name} has no strong digest of repomd.xml", file=name)
    return Mirrors(_usable((url for _, url in urls), name), strong)


def _fetch(transfer: Transfer, url: str) -> bytes:
    fetched = transfer.get(url, limit=LIMIT)
    assert fetched is not None  # nothing was asked for on a condition
    return fetched.content


def _usable(urls: Iterable[str], name: str) -> tuple[str, ...]:
    """Those of http and https without user information; a list must not make us read files of this machine."""
    found = []
    for url in urls:
        parts = _split(url)
        if parts and re.fullmatch(r"[!-~]+", url) and without_user(url) == url and not parts[1]:
            found.append(url.rstrip("/") + "/")
    if not found:
        raise IndexFormatError(
            f"{name} names no mirror that can be read",
            hint="http: and https: are read; check the URL, with its release and architecture",
            file=name,
        )
    return tuple(dict.fromkeys(found))


def _split(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return (host, parts.query or parts.fragment) if parts.scheme in ("http", "https") and host else None


def _preference(element: Any) -> int:
    text = element.get("preference", "")
    if not re.fullmatch("[0-9]{1,3}", text):
        return 0
    return min(int(text), _FIRST_PREFERENCE)


def _generation(element: Any) -> Generation:
    digests: dict[str, str] = {}
    for item in element.iterfind("{*}verification/{*}hash"):
        try:
            algorithm, digest = checked_digest(item.get("type", ""), (item.text or "").strip())
        except ValueError:
            continue  # one that is unknown or empty proves nothing, and the others are there
        if algorithm in STRONG:
            digests[algorithm] = digest
    size = documents.child_text(element, "size")
    timestamp = documents.child_text(element, "timestamp")
    return Generation(
        int(size) if re.fullmatch("[0-9]{1,12}", size) else None,
        digests,
        int(timestamp) if re.fullmatch("[0-9]{1,12}", timestamp) else 0,
    )


def stale(url: str) -> DigestError:
    """The error of a mirror that has another repomd.xml than the metalink knows."""
    return DigestError(
        f"{redact(url)} has a repomd.xml that the metalink does not know",
        hint="the mirror is behind, or changed the repository",
        url=redact(url),
    )
