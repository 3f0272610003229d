"""Published trees of this machine under ``/tree/<repository>/``, for whoever asks: they are published.

Static files, with conditional requests and ranges (RFC 9110). Folders are opened one by one without following a link,
so that no path leads out of a tree.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from datasette_entrepot.answers import Reply, raw_headers
from datasette_entrepot.problems import MethodError, problem
from datasette_entrepot.protocols import Answer, Receive, Request, Send
from datasette_entrepot.routing import no_messages
from datasette_entrepot.site import site_of
from datasette_entrepot.tasking import until_gone
from entrepot.errors import EntrepotError, NotFoundError
from entrepot.services.repositories import tree_folder
from entrepot_storage.beneath import folder, open_file

CHUNK = 256 << 10
PART = re.compile(r"\.treeinfo|[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
TEXT = "text/plain; charset=utf-8"
TYPES: Mapping[str, str] = {
    ".deb": "application/vnd.debian.binary-package",
    ".udeb": "application/vnd.debian.binary-package",
    ".rpm": "application/x-rpm",
    ".gz": "application/gzip",
    ".xz": "application/x-xz",
    ".bz2": "application/x-bzip2",
    ".zst": "application/zstd",
    ".xml": "application/xml",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".asc": "application/pgp-keys",
    ".gpg": "application/pgp-signature",
    ".sources": TEXT,
    ".repo": TEXT,
    ".dsc": TEXT,
    "": TEXT,
}
"""By the end of a name. What is compressed is sent as what it is, never as an encoding: clients unpack it."""
PAGE = "index.html"


def views() -> Sequence[tuple[str, Callable[..., Awaitable[Answer]]]]:
    """What Datasette takes."""
    return [(r"^/tree/(?P<repository>[^/]+)(?P<path>/.*)?$", _view)]


async def _view(datasette: Any, request: Any) -> Answer:
    no_messages(request)
    try:
        return await _answer(datasette, request)
    except EntrepotError as error:
        return problem(error)


async def _answer(datasette: Any, request: Request) -> Answer:
    site = site_of(datasette)
    assert site is not None
    if request.method not in ("GET", "HEAD"):
        raise MethodError("a tree is only read", allow="GET, HEAD")
    repository, path = unquote(request.url_vars["repository"]), request.url_vars["path"]
    root = await site.look(tree_folder, repository)
    if root is None:
        raise NotFoundError("there is no such tree here")
    if not path:
        return Reply(b"", 301, headers={"location": f"/tree/{quote(repository, safe='')}/"})
    parts = _upwards([unquote(part) for part in path[1:].split("/")])
    if not parts or not parts[-1]:
        parts = [*parts[:-1], PAGE]
    if not all(PART.fullmatch(part) for part in parts):
        raise NotFoundError("there is no such file")
    descriptor = await asyncio.to_thread(_open, root, parts)
    return File(descriptor, parts[-1], request.headers, request.receive, head=request.method == "HEAD")


def _upwards(parts: Sequence[str]) -> list[str]:
    """Parts without those that lead upwards, as indexes of snapshots have them; above the root there is nothing."""
    inside: list[str] = []
    for part in parts:
        if part != "..":
            inside.append(part)
        elif inside:
            inside.pop()
        else:
            raise NotFoundError("there is no such file")
    return inside


def _open(root: Path, parts: Sequence[str]) -> int:
    try:
        with folder(root, parts[:-1]) as inside:
            descriptor = open_file(inside, parts[-1])
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENAMETOOLONG):
            raise
        descriptor = None
    if descriptor is None:
        raise NotFoundError("there is no such file")
    return descriptor


@dataclass(frozen=True)
class File:
    """An open file as an answer to a request with these headers; closed when it was sent."""

    descriptor: int
    name: str
    request: Mapping[str, str]
    receive: Receive
    head: bool = False
    chunk: int = field(default=CHUNK, kw_only=True)

    async def asgi_send(self, send: Send) -> None:
        """Sends the file, a range of it, or that it has not changed."""
        try:
            await self._send(send)
        finally:
            os.close(self.descriptor)

    async def _send(self, send: Send) -> None:
        found = os.fstat(self.descriptor)
        size, etag = found.st_size, f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        fields = {
            "etag": etag,
            "last-modified": formatdate(found.st_mtime, usegmt=True),
            "accept-ranges": "bytes",
            "content-type": TYPES.get(Path(self.name).suffix.lower(), "application/octet-stream"),
            "cache-control": "no-cache",
        }
        if self._unchanged(etag, int(found.st_mtime)):
            return await Reply(b"", 304, headers=fields).asgi_send(send)
        status, start, end = 200, 0, size
        if (wanted := self._range(etag, int(found.st_mtime), size)) is not None:
            status, (start, end) = 206, wanted
            if start >= end:
                fields = {"content-range": f"bytes */{size}"}
                return await Reply(b"", 416, TEXT, fields).asgi_send(send)
            fields["content-range"] = f"bytes {start}-{end - 1}/{size}"
        fields["content-length"] = str(end - start)
        await send({"type": "http.response.start", "status": status, "headers": raw_headers(fields)})
        return await self._send_bytes(send, start, start if self.head else end)

    async def _send_bytes(self, send: Send, start: int, end: int) -> None:
        left = asyncio.ensure_future(until_gone(self.receive))
        try:
            while start < end and not left.done():
                data = await asyncio.to_thread(os.pread, self.descriptor, min(self.chunk, end - start), start)
                if not data:
                    # It became shorter while it was read: the client must not take this for the whole.
                    raise ConnectionError(f"{self.name} was cut")
                start += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()
            with suppress(asyncio.CancelledError):
                await left

    def _unchanged(self, etag: str, modified: int) -> bool:
        if (tags := self.request.get("if-none-match")) is not None:
            return tags.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        since = _time(self.request.get("if-modified-since"))
        return since is not None and modified <= since

    def _range(self, etag: str, modified: int, size: int) -> tuple[int, int] | None:
        """First byte and the one after the last; None for all of it; nothing for what cannot be."""
        found = RANGE.fullmatch(self.request.get("range", "").replace(" ", ""))
        if found is None or found[0] == "bytes=-":
            return None
        condition = self.request.get("if-range")
        if condition is not None and condition.strip() != etag and _time(condition) != modified:
            return None
        if not found[1]:
            return max(0, size - int(found[2])), size
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
        return start, end


def _time(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
