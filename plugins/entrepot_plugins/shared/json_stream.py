"""Reads one large JSON document value by value, so that memory holds one record of it, not all.

::

    reader = JsonStream(chunks, name="tracker.json", limit=16 << 20)
    for package in reader.members():
        for identifier in reader.members():
            record = reader.value(f"{package} {identifier}")

What holds the records is walked here, character by character; each record is decoded by ``json`` in one go.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from entrepot.errors import IndexFormatError

FILL = 1 << 20
"""Characters that are read at a time, at the least."""

_BLANKS = re.compile(r"[ \t\r\n]*")


class JsonStream:
    """A document as its chunks arrive. ``limit`` is how many characters a record may have.

    Every flaw is an ``IndexFormatError`` that names ``name`` and the record.
    """

    def __init__(self, chunks: Iterable[bytes], *, name: str, limit: int) -> None:
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._decode = json.JSONDecoder().raw_decode
        self._name, self._limit = name, limit
        self._text = ""
        self._at = 0
        self._ended = False
        self._where = ""

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; whoever asks for the next one has read the value of the last."""
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            if self._next() != '"':
                raise self._bad("a key is missing")
            key, _ = self._scan(self._decode)
            self._expect(":")
            yield str(key)
            if self._closes("}"):
                return

    def items(self) -> Iterator[int]:
        """The positions of the array that comes next; whoever asks for the next one has read the value of the last."""
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return
        position = 0
        while True:
            yield position
            position += 1
            if self._closes("]"):
                return

    def value(self, where: str = "") -> tuple[Any, str]:
        """The value that comes next, and its text. ``where`` names the record in messages from now on."""
        self._where = where
        self._next()
        return self._scan(self._decode)

    def starts_with(self, character: str) -> bool:
        """Whether the next value begins so; at the end, whether ``character`` is empty."""
        return self._next() == character

    # ------------------------------------------------------------------------------------------------ characters

    def _scan(self, decode: Callable[[str, int], tuple[Any, int]]) -> tuple[Any, str]:
        """What stands here. It is whole when something follows it, or nothing can follow."""
        while True:
            problem = ""
            end = len(self._text)
            try:
                value, end = decode(self._text, self._at)
            except json.JSONDecodeError as error:
                problem = f"{error.msg} at character {error.pos - self._at}"
            except (RecursionError, ValueError) as error:
                raise self._bad(f"{type(error).__name__}: {error}") from error
            if not problem and (end < len(self._text) or self._ended):
                text = self._text[self._at : end]
                self._at = end
                return value, text
            if self._ended:
                raise self._bad(problem)
            if end - self._at > self._limit:
                raise self._bad(problem and f"it has more than {self._limit} characters, or is damaged: {problem}")
            self._fill(end - self._at)

    def _fill(self, least: int) -> None:
        """Reads on, and forgets what was read before."""
        parts = [self._text[self._at :]]
        self._at = 0
        missing = max(least, FILL)
        while missing > 0 and not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            try:
                parts.append(self._decoder.decode(chunk or b"", final=self._ended))
            except UnicodeDecodeError as error:
                raise self._bad(f"it is not UTF-8: {error.reason}") from error
            missing -= len(parts[-1])
        self._text = "".join(parts)

    def _next(self) -> str:
        """The next character that is no blank, without taking it; empty at the end."""
        while True:
            match = _BLANKS.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(0)

    def _expect(self, character: str) -> None:
        found = self._next()
        if found != character:
            raise self._bad(f"{character} is missing before {found!r}" if found else "it is cut short")
        self._at += 1

    def _closes(self, end: str) -> bool:
        """Whether the object or array ends here; otherwise a comma stood here, and is taken."""
        if self._next() == end:
            self._at += 1
            return True
        self._expect(",")
        return False

    def _bad(self, why: str) -> IndexFormatError:
        shown = f"{self._name}: {self._where}" if self._where else self._name
        return IndexFormatError(f"{shown} is malformed: {why}", file=self._name, entry=self._where)
