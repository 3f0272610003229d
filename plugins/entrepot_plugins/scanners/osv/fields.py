"""Takes values out of decoded JSON that may be anything; another type than it should be is an error with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from entrepot.errors import IndexFormatError

RECORD_LIMIT = 32 << 20
"""Bytes of one record. The largest real ones (a kernel's, with every version enumerated) have some MB."""
SUMMARY_LIMIT = 300
"""Characters that are kept of what a record says in words."""
TEXT_LIMIT = 4096
"""Characters of an id, a name or a version; more than any real one by far."""


class Fields:
    """One JSON object, and where it stands: ``name``, in ``parent`` if it has one, at ``index`` of an array there."""

    __slots__ = ("_index", "_name", "_parent", "_value")

    def __init__(self, value: object, name: str, parent: Fields | None = None, index: int | None = None) -> None:
        self._name = name
        self._parent = parent
        self._index = index
        if not isinstance(value, dict):
            raise IndexFormatError(f"{self.where} is {_kind(value)}, not an object", entry=self.where)
        self._value: Mapping[str, Any] = value

    @property
    def where(self) -> str:
        """Its place in words. Put together when it is asked for: hardly ever."""
        place = self._name if self._parent is None else f"{self._parent.where}: {self._name}"
        return place if self._index is None else f"{place}[{self._index}]"

    def text(self, name: str, *, required: bool = False) -> str:
        """A text; empty if it is absent or null."""
        value = self._value.get(name)
        if isinstance(value, str) and (value or not required):
            return value
        if value is None and not required:
            return ""
        raise self.wrong(name, value, "a text")

    def short(self, name: str, *, required: bool = False) -> str:
        """A text that is used as a name: of some length, in one line."""
        value = self._value.get(name)
        # Asked ten times for each record: what is as it should be takes the shortest way.
        if value.__class__ is str and value and len(value) <= TEXT_LIMIT and value.isprintable():
            return str(value)
        text = self.text(name, required=required)
        if is_short(text):
            return text
        raise IndexFormatError(f"{self.where}: {name} is too long or has control characters", entry=self.where)

    def texts(self, name: str) -> Sequence[str]:
        """An array of texts; empty if it is absent or null."""
        values = self._list(name)
        for value in values:
            if not isinstance(value, str) or len(value) > TEXT_LIMIT:
                raise self.wrong(name, value, "an array of short texts")
        return values

    def objects(self, name: str) -> Sequence[Fields]:
        """An array of objects; empty if it is absent or null."""
        values = self._list(name)
        return [Fields(value, name, self, index) for index, value in enumerate(values)] if values else ()

    def values(self, name: str) -> Sequence[object]:
        """An array of whatever is in it; empty if it is absent or null."""
        return self._list(name)

    def inner(self, name: str) -> Fields:
        """An object; one without anything if it is absent or null."""
        value = self._value.get(name)
        return Fields({} if value is None else value, name, self)

    def get(self, name: str) -> object:
        """Whatever is there."""
        return self._value.get(name)

    def names(self) -> Sequence[str]:
        """The names of the members."""
        return list(self._value)

    def wrong(self, name: str, value: object, wanted: str) -> IndexFormatError:
        """The error for a member of another type."""
        return IndexFormatError(f"{self.where}: {name} is {_kind(value)}, not {wanted}", entry=self.where)

    def _list(self, name: str) -> list[Any]:
        value = self._value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, value, "an array")
        return value


def is_short(text: str) -> bool:
    """Whether a text can be a name: of some length, in one line."""
    return len(text) <= TEXT_LIMIT and text.isprintable()


def record_digest(raw: bytes) -> bytes:
    """What an update compares: 16 bytes."""
    return hashlib.blake2b(raw, digest_size=16).digest()


def one_line(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text[: 2 * SUMMARY_LIMIT].split())
    return line if len(line) <= SUMMARY_LIMIT else f"{line[: SUMMARY_LIMIT - 1]}…"


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "missing"}
    return names.get(type(value), "a number")
