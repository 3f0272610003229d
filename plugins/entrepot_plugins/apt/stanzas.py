"""deb822(5) text as bytes: a stream split into stanzas, a stanza into fields.

An index of 50 MB has a million lines, so nothing here goes through it line by line: a stream is cut where two line ends
meet, and of a stanza only the fields that are asked for are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from entrepot.errors import IndexFormatError

STANZA_LIMIT = 10 << 20
"""Bytes of one stanza; the largest real ones (sources with many binaries) have some hundred thousand."""

_BLANK_LINES = re.compile(rb"\n(?:[ \t]+\n)+(?=[^ \t])")
_NAME = re.compile(rb"[!-9;-~]+")
_CONTROL = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}


def split(chunks: Iterable[bytes], *, name: str, limit: int = STANZA_LIMIT) -> Iterator[bytes]:
    """The stanzas of a stream, as they came, without the line end after their last line and without empty ones.

    CRLF becomes LF. Any number of empty lines is one separation, and so is a line of blanks, unless a continuation
    follows it: then it belongs to a field's value. ``IndexFormatError`` naming the stream as ``name`` for a stanza of
    more than ``limit`` bytes; memory is bounded by that and by the size of a chunk.
    """
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        if b"\r" in data:
            data = _unix(data)
        # A tab alone is found ten times faster than a tab before a line end, and most indexes have none.
        if b" \n" in data or (b"\t" in data and b"\t\n" in data):
            data = _BLANK_LINES.sub(b"\n\n", data)
        parts = data.split(b"\n\n")
        rest = parts.pop()
        if len(data) > limit:
            for part in (*parts, rest):
                if len(part) > limit:
                    raise IndexFormatError(
                        f"{name} has a stanza of more than {limit} bytes, which starts with {excerpt(part)}", file=name
                    )
        for part in parts:
            # Three line ends in a row leave one at the start of the next part, or nothing between them.
            stanza = part.lstrip(b"\n") if part.startswith(b"\n") else part
            if stanza:
                yield stanza
    last = _unix(rest + b"\n").strip(b"\n")
    if last.strip():
        yield last.rstrip(b" \t\n")


def _unix(data: bytes) -> bytes:
    # A CR at the very end may be half of a CRLF: it stays, and meets its LF when the next chunk is joined to it.
    return data.replace(b"\r\n", b"\n")


def excerpt(raw: bytes, length: int = 60) -> str:
    """The start of something that is wrong, quoted and escaped, for a message."""
    return repr(raw[:length])[1:] + ("..." if len(raw) > length else "")


def needle(name: str) -> bytes:
    """A field's name as ``Stanza`` looks for it."""
    return b"\n" + name.lower().encode("ascii") + b":"


class Stanza:
    """Looks fields up in one stanza; case does not matter, and of a duplicated field the first counts.

    Fields are given as ``needle`` makes them, once for a whole index.
    """

    __slots__ = ("_lower", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = b"\n" + raw + b"\n"
        # As long as the original, so that a place found here is a place there.
        self._lower = self._raw.lower()

    def lines(self, needles: Sequence[bytes]) -> list[bytes]:
        """The first line of each field's value without blanks around it; empty for a field that is not there."""
        raw, find = self._raw, self._lower.find
        found = []
        for field in needles:
            at = find(field)
            if at < 0:
                found.append(b"")
            else:
                at += len(field)
                found.append(raw[at : raw.find(b"\n", at)].strip())
        return found

    def value(self, field: bytes) -> bytes:
        """A field's whole value: its lines as they came, blanks and line ends around it removed."""
        raw = self._raw
        start = self._lower.find(field)
        if start < 0:
            return b""
        start += len(field)
        end = raw.find(b"\n", start)
        while raw[end + 1 : end + 2] in (b" ", b"\t"):
            end = raw.find(b"\n", end + 1)
        return raw[start:end].strip()


def fields(raw: bytes, *, name: str = "the stanza") -> list[tuple[str, str]]:
    """Every field in order, duplicates included; values keep their lines, and lose the first blank of continuations.

    Bytes that are not UTF-8, and control characters, come as U+FFFD: what this returns is for people to look at, and
    upstream text must not steer their terminal. ``IndexFormatError`` for a line that is neither field nor continuation.
    """
    found: list[tuple[str, list[str]]] = []
    for line in raw.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if not found:
                raise IndexFormatError(f"{name} starts with a continuation line: {excerpt(line)}")
            found[-1][1].append(_text(line[1:].rstrip()))
            continue
        if line[:1] == b"#" or not line.strip():
            continue
        field, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(field):
            raise IndexFormatError(f"{name} has a line that is no field: {excerpt(line)}")
        found.append((field.decode("ascii"), [_text(value.strip())]))
    return [(field, "\n".join(lines)) for field, lines in found]


def one(raw: bytes, name: str) -> str:
    """The value of one field as ``fields`` has it; of a duplicated one the first, empty if there is none."""
    value = _single(raw, _NEEDLE(name)) if name.isascii() else b""
    if value is None:
        value = Stanza(raw).value(needle(name))
    if value.isascii() and (plain := value.decode()).isprintable():
        return plain
    return "\n".join(_text(line[at > 0 :].rstrip()) for at, line in enumerate(value.split(b"\n")))


_NEEDLE = lru_cache(maxsize=64)(needle)


def _single(raw: bytes, field: bytes) -> bytes | None:
    """The value of a field of one line, empty if there is none; None for one that goes on in the next line.

    Asked for every package of a source where a query names a field: this is all that most of them need.
    """
    start = (b"\n" + raw.lower()).find(field)
    if start < 0:
        return b""
    start += len(field) - 1
    end = raw.find(b"\n", start)
    if end < 0:
        return raw[start:].strip()
    return None if raw[end + 1 : end + 2] in (b" ", b"\t") else raw[start:end].strip()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").translate(_CONTROL)


def text(raw: bytes) -> str:
    """Bytes of an index as text of one line that can be shown: UTF-8 as far as it goes, no control characters."""
    decoded = raw.decode("utf-8", "replace")
    return decoded if decoded.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in decoded)


def mapping(raw: bytes, *, name: str = "the stanza") -> dict[str, str]:
    """The fields by lower-case name; of a duplicated one the first."""
    found: dict[str, str] = {}
    for field, value in fields(raw, name=name):
        found.setdefault(field.lower(), value)
    return found
