"""The parts of an .rpm file, checked as if everybody who makes them were an enemy.

A package is a lead, a signature header, the header proper and the payload (rpm's docs/manual/format_v4.md). Both
headers are an index of entries and a store with their data. What rpm itself checks of them depends on its release; here
every claim is checked against what is really there, in one go over index and store, before anything else, a C library
least of all, sees the file. Whatever is wrong is a ``PackageError`` that names file and part.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO, NoReturn

from entrepot.errors import PackageError
from entrepot.models import UnpackingLimits
from entrepot_plugins.rpm.tags import SigTag, Tag, Type

LEAD = 96
LEAD_MAGIC = b"\xed\xab\xee\xdb"
HEADER_MAGIC = b"\x8e\xad\xe8\x01\x00\x00\x00\x00"
HEADER_SIGNATURE = 5
"""The only type of signature that a lead may announce: a header of its own."""

INTRODUCTION = struct.Struct(">8sII")
"""Of a header: magic, number of entries, bytes of the store."""
ENTRY = struct.Struct(">IIiI")
"""Tag, type, offset in the store, number of values."""
FIRST_TAG = 100
"""Smaller numbers are of regions."""
OLD_REGION = 61

_WIDTHS = {Type.CHAR: 1, Type.INT8: 1, Type.INT16: 2, Type.INT32: 4, Type.INT64: 8, Type.BIN: 1}
_CODES = {Type.CHAR: "B", Type.INT8: "B", Type.INT16: "H", Type.INT32: "I", Type.INT64: "Q"}
_NAMES = {int(member): member.name for member in Tag}
_SIGNATURE_NAMES = {int(member): member.name for member in SigTag}
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXTS = frozenset({Type.STRING, Type.STRING_ARRAY, Type.I18NSTRING})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a package may cost to read. Sizes are bytes; those of the payload are after unpacking."""

    signature: int = 64 << 20
    """IMA signatures of every file may be in it; without them it has some hundred bytes."""
    header: int = 64 << 20
    entries: int = 4096
    """Tags of a header: rpm knows some hundred."""
    payload: UnpackingLimits = field(default_factory=UnpackingLimits)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a header: where its data begins and, at the latest, ends."""

    type: Type
    count: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """A header whose entries lie within it, do not overlap, and whose strings end.

    ``blob`` is all of it as it is in the file; what is digested and signed is the same. ``where`` names it in messages.
    """

    blob: bytes = field(repr=False)
    entries: dict[int, Entry]
    where: str

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def count(self, tag: int) -> int:
        """How many values a tag has; 0 if it is not there."""
        entry = self.entries.get(tag)
        return entry.count if entry else 0

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The values of a tag of numbers; none if it is not there."""
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        code = _CODES.get(entry.type)
        if code is None:
            self._refuse(tag, "has no numbers")
        return struct.unpack_from(f">{entry.count}{code}", self.blob, entry.start)

    def number(self, tag: int) -> int | None:
        """The first value of a tag of numbers."""
        numbers = self.numbers(tag)
        return numbers[0] if numbers else None

    def binary(self, tag: int) -> bytes | None:
        """The data of a binary tag."""
        entry = self.entries.get(tag)
        if entry is None:
            return None
        if entry.type is not Type.BIN:
            self._refuse(tag, "is not binary")
        return self.blob[entry.start : entry.start + entry.count]

    def strings(self, tag: int) -> list[bytes]:
        """The values of a tag of texts, as they are; none if it is not there."""
        entry = self.entries.get(tag)
        if entry is None:
            return []
        if entry.type not in _TEXTS:
            self._refuse(tag, "has no text")
        return self.blob[entry.start : entry.end].split(b"\0", entry.count)[: entry.count]

    def text(self, tag: int) -> str:
        """The first value of a tag of texts (of a translated one: the untranslated), empty if it is not there."""
        strings = self.strings(tag)
        return decoded(strings[0]) if strings else ""

    def _refuse(self, tag: int, problem: str) -> NoReturn:
        raise PackageError(f"{self.where}: {name_of(tag)} {problem}")


@dataclass(frozen=True, slots=True)
class Parts:
    """A package file, taken apart. The payload goes from ``payload`` to ``size``, in bytes from the file's start."""

    front: bytes = field(repr=False)
    """Lead, signature header and the padding after it."""
    signature: Header
    header: Header
    payload: int
    size: int

    @property
    def start(self) -> int:
        """Where the header begins."""
        return len(self.front)


def decoded(text: bytes) -> str:
    """A text of a header: UTF-8, or else what older packages have, of which Latin-1 takes every byte.

    What no XML can have (XML 1.0, 2.2), control characters above all, becomes a replacement character.
    """
    try:
        string = text.decode("utf-8")
    except UnicodeDecodeError:
        string = text.decode("latin-1")
    return string if string.isprintable() else _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", string)


def name_of(tag: int, region: int = Tag.REGION) -> str:
    """A tag as messages name it. The same number means one thing in the signature header, and another in the header."""
    names = _SIGNATURE_NAMES if region == SigTag.REGION else _NAMES
    return tag.name if isinstance(tag, IntEnum) else names.get(tag, f"tag {tag}")


def read_parts(file: BinaryIO, size: int, where: str, limits: Limits) -> Parts:
    """Reads lead and headers of an open file of ``size`` bytes, from its start."""
    file.seek(0)
    lead = file.read(LEAD)
    if lead[:4] != LEAD_MAGIC:
        raise PackageError(f"{where}: not an RPM package: it does not begin as one does")
    if len(lead) < LEAD:
        raise PackageError(f"{where}: is cut short in its lead")
    major, kind, signature_type = lead[4], int.from_bytes(lead[6:8], "big"), int.from_bytes(lead[78:80], "big")
    if major not in (3, 4) or kind > 1 or signature_type != HEADER_SIGNATURE:
        raise PackageError(
            f"{where}: has a lead of version {major}, type {kind}, signature type {signature_type}, which is none of"
            " those that can be read"
        )
    signature = _read_header(file, size, f"{where}: signature header", SigTag.REGION, limits.signature, limits.entries)
    padding = file.read(-len(signature.blob) % 8)
    header = _read_header(file, size, f"{where}: header", Tag.REGION, limits.header, limits.entries)
    return Parts(lead + signature.blob + padding, signature, header, file.tell(), size)


def _read_header(file: BinaryIO, size: int, where: str, region: int, limit: int, most_entries: int) -> Header:
    introduction = file.read(INTRODUCTION.size)
    if len(introduction) < INTRODUCTION.size:
        raise PackageError(f"{where} is cut short")
    magic, count, store = INTRODUCTION.unpack(introduction)
    if magic != HEADER_MAGIC:
        raise PackageError(f"{where} does not begin as one does")
    if not 1 <= count <= most_entries:
        raise PackageError(f"{where} has {count} entries; 1 to {most_entries} are allowed")
    if store > limit:
        raise PackageError(f"{where} has {store} bytes of data; at most {limit} are allowed", limit=limit)
    rest = count * ENTRY.size + store
    if file.tell() + rest > size:
        raise PackageError(f"{where} is cut short: it should have {rest} more bytes, the file has {size - file.tell()}")
    blob = introduction + file.read(rest)
    if len(blob) < INTRODUCTION.size + rest:
        raise PackageError(f"{where} is cut short: the file became shorter while it was read")
    return parse_header(blob, region, where)


def parse_header(blob: bytes, region: int, where: str) -> Header:
    """Checks index and store of a header that is all of ``blob``."""
    _, count, store = INTRODUCTION.unpack_from(blob)
    begin = INTRODUCTION.size + count * ENTRY.size
    index = list(ENTRY.iter_unpack(blob[INTRODUCTION.size : begin]))
    end = begin + store
    if index[0][0] == region:
        end = _check_region(blob, index, begin, where)
        index = index[1:]
    entries: dict[int, Entry] = {}
    # The data of an entry ends before that of the next one begins. So all of it is looked at once, however many
    # entries there are.
    index.sort(key=lambda entry: entry[2])
    for position, (tag, kind, offset, values) in enumerate(index):
        if tag < FIRST_TAG or tag in entries:
            name = name_of(tag, region)
            raise PackageError(f"{where} has {name} {'twice' if tag in entries else 'where it cannot be'}")
        following = begin + index[position + 1][2] if position + 1 < len(index) else end
        start = begin + offset
        if offset < 0 or start >= following or following > end:
            raise PackageError(f"{where}: the data of {name_of(tag, region)} overlaps that of others or lies outside")
        entries[tag] = _entry(blob, kind, values, start, following, f"{where}: {name_of(tag, region)}")
    return Header(blob, entries, where)


def _entry(blob: bytes, kind: int, count: int, start: int, following: int, where: str) -> Entry:
    try:
        type_ = Type(kind)
    except ValueError:
        raise PackageError(f"{where} is of the unknown type {kind}") from None
    if type_ in _TEXTS:
        # Padding in front of the next entry is of zeros, too: there may be more ends than texts.
        if not 1 <= count <= blob.count(0, start, following) or (type_ is Type.STRING and count > 1):
            raise PackageError(f"{where} does not have the {count} texts that it should have")
        return Entry(type_, count, start, following)
    width = _WIDTHS[type_]
    store = INTRODUCTION.size + INTRODUCTION.unpack_from(blob)[1] * ENTRY.size
    if count < 1 or start + count * width > following or (start - store) % width:
        raise PackageError(f"{where} does not have the {count} values that it should have")
    return Entry(type_, count, start, start + count * width)


def _check_region(blob: bytes, index: list[tuple[int, int, int, int]], begin: int, where: str) -> int:
    """Where the data ends: before the region's trailer, which has to span the whole header.

    rpm digests a region, and so do signatures; what stands beside it would be read and not be signed (CVE-2021-3421).
    """
    tag, kind, offset, count = index[0]
    trailer = begin + offset
    if kind != Type.BIN or count != ENTRY.size or offset < 0 or trailer + ENTRY.size != len(blob):
        raise PackageError(f"{where} has data outside of its signed region, or a damaged region")
    trailer_tag, trailer_kind, length, trailer_count = ENTRY.unpack_from(blob, trailer)
    # rpm of before 4.1 ended its signature headers with the tag of another region, and rpm has read them ever since.
    fits = trailer_tag == tag or (tag == SigTag.REGION and trailer_tag == OLD_REGION)
    if not fits or (trailer_kind, trailer_count, -length) != (kind, count, len(index) * ENTRY.size):
        raise PackageError(f"{where} has entries outside of its signed region, or a damaged region")
    return trailer
