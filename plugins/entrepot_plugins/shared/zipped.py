"""Reads the files of a ZIP archive one after the other (APPNOTE 6.3.10): what vulnerability data comes in.

``zipfile`` keeps 650 bytes of memory for every file of an archive, and such archives have hundreds of thousands. Here
the central directory is read as a stream, and what it says is compared with what is found: a file is never larger than
it is said to be, and all files together are never larger, packed, than the archive, which they would be if several
shared their data.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from entrepot.errors import IndexFormatError

_FILE = b"PK\x03\x04"
MAGIC = (_FILE, b"PK\x05\x06")
"""What an archive starts with: a file, or its end where there is none."""

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 0xFFFF
_SEE_64 = 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_RATIO = 200
_SMALL = 64 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def zip_members(path: Path, *, suffix: str, limit: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file whose name ends in ``suffix``, in the archive's order.

    ``IndexFormatError`` naming archive and file for what is damaged, encrypted, larger than ``limit`` bytes, or a bomb.
    """
    where = path.name
    try:
        with path.open("rb") as directory, path.open("rb") as content:
            archive_size = os.fstat(content.fileno()).st_size
            packed = size = 0
            for entry in _entries(directory, archive_size, where):
                packed, size = packed + entry.packed, size + entry.size
                if packed > archive_size or size > _SMALL + _RATIO * archive_size:
                    raise _bad(where, "its files are more than can be in it", entry.name)
                if entry.name.endswith(suffix):
                    yield entry.name, _read(content, entry, limit, where)
    except OSError as error:
        raise IndexFormatError(f"{where} cannot be read: {error}", file=where) from error


def _entries(file: BinaryIO, archive_size: int, where: str) -> Iterator[_Entry]:
    count, size, offset = _find_directory(file, archive_size, where)
    if offset + size > archive_size:
        raise _bad(where, "its directory is not inside of it")
    file.seek(offset)
    end = offset + size
    for _ in range(count):
        fixed = file.read(_ENTRY.size)
        if len(fixed) < _ENTRY.size or fixed[:4] != b"PK\x01\x02" or file.tell() > end:
            raise _bad(where, "its directory is damaged or cut short")
        _, _, _, flags, method, _, _, crc, packed, full, name_size, extra_size, comment_size, *_, start = _ENTRY.unpack(
            fixed
        )
        name = file.read(name_size).decode("utf-8", "replace")
        extra = file.read(extra_size)
        file.seek(comment_size, os.SEEK_CUR)
        if _SEE_64 in (full, packed, start):
            full, packed, start = _large(extra, full, packed, start, where, name)
        yield _Entry(name, flags, method, crc, packed, full, start)


def _find_directory(file: BinaryIO, archive_size: int, where: str) -> tuple[int, int, int]:
    """``(files, bytes, offset)`` of the central directory."""
    tail_size = min(archive_size, _END.size + _LONGEST_COMMENT + _END64_LOCATOR.size)
    file.seek(archive_size - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise _bad(where, "it is cut short, or no ZIP archive")
    _, _, _, _, count, size, offset, _ = _END.unpack_from(tail, at)
    if at < _END64_LOCATOR.size or tail[at - _END64_LOCATOR.size :][:4] != b"PK\x06\x07":
        return count, size, offset
    _, _, start, _ = _END64_LOCATOR.unpack_from(tail, at - _END64_LOCATOR.size)
    if start > archive_size:
        raise _bad(where, "its directory is not inside of it")
    file.seek(start)
    fixed = file.read(_END64.size)
    if len(fixed) < _END64.size or fixed[:4] != b"PK\x06\x06":
        raise _bad(where, "its directory is damaged")
    *_, count, size, offset = _END64.unpack(fixed)
    return count, size, offset


def _large(extra: bytes, full: int, packed: int, start: int, where: str, name: str) -> tuple[int, int, int]:
    """The values that need 64 bits, from the extra field that has them."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        position += 4
        if kind == 1:
            wanted = [value == _SEE_64 for value in (full, packed, start)]
            if size < 8 * sum(wanted) or position + size > len(extra):
                break
            values = iter(struct.unpack_from(f"<{sum(wanted)}Q", extra, position))
            full, packed, start = (
                next(values) if is_wanted else value
                for value, is_wanted in zip((full, packed, start), wanted, strict=True)
            )
            return full, packed, start
        position += size
    raise _bad(where, "its size is missing", name)


def _read(file: BinaryIO, entry: _Entry, limit: int, where: str) -> bytes:
    if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        raise _bad(where, "it is encrypted, or compressed with what JSON is not compressed with", entry.name)
    if entry.size > limit:
        raise _bad(where, f"it has {entry.size} bytes; at most {limit} are read", entry.name)
    file.seek(entry.offset)
    fixed = file.read(_LOCAL.size)
    if len(fixed) < _LOCAL.size or fixed[:4] != _FILE:
        raise _bad(where, "it is not where the directory says", entry.name)
    *_, name_size, extra_size = _LOCAL.unpack(fixed)
    file.seek(name_size + extra_size, os.SEEK_CUR)
    content = file.read(entry.packed)
    if entry.method == _DEFLATED:
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = decoder.decompress(content, entry.size + 1)
        except zlib.error as error:
            raise _bad(where, f"it is damaged: {error}", entry.name) from error
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise _bad(where, "it is damaged: size or CRC are not as the directory says", entry.name)
    return content


def _bad(where: str, why: str, name: str = "") -> IndexFormatError:
    shown = f"{where}: {name!r}" if name else where
    return IndexFormatError(f"{shown} cannot be unpacked: {why}", file=where, entry=name)
