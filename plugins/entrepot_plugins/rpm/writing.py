"""Writes headers of packages as rpm does: what ``structure`` reads."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from entrepot_plugins.rpm.structure import ENTRY, HEADER_MAGIC, INTRODUCTION
from entrepot_plugins.rpm.tags import Type

_CODES = {Type.CHAR: "B", Type.INT8: "B", Type.INT16: "H", Type.INT32: "I", Type.INT64: "Q"}
_ALIGNMENTS = {Type.INT16: 2, Type.INT32: 4, Type.INT64: 8}


@dataclass(frozen=True, slots=True)
class Value:
    """A tag with what it has: numbers, texts without their ends, or one piece of binary data."""

    tag: int
    type: Type
    values: Sequence[int] | Sequence[bytes] | bytes


def compose_header(region: int, values: Sequence[Value]) -> bytes:
    """A header of ``values``, all of it within ``region``."""
    entries: list[bytes] = []
    store = bytearray()
    for value in sorted(values, key=lambda value: value.tag):
        store += bytes(-len(store) % _ALIGNMENTS.get(value.type, 1))
        offset = len(store)
        store += _data(value)
        entries.append(ENTRY.pack(value.tag, value.type, offset, len(value.values)))
    offset = len(store)
    store += ENTRY.pack(region, Type.BIN, -(len(entries) + 1) * ENTRY.size, ENTRY.size)
    entries.insert(0, ENTRY.pack(region, Type.BIN, offset, ENTRY.size))
    return INTRODUCTION.pack(HEADER_MAGIC, len(entries), len(store)) + b"".join(entries) + bytes(store)


def _data(value: Value) -> bytes:
    values = value.values
    if isinstance(values, bytes):
        return values
    if code := _CODES.get(value.type):
        return struct.pack(f">{len(values)}{code}", *values)
    return b"".join(text + b"\0" for text in values if isinstance(text, bytes))


def padded(signature_header: bytes) -> bytes:
    """A signature header with what follows it up to the next multiple of eight bytes."""
    return signature_header + bytes(-len(signature_header) % 8)
