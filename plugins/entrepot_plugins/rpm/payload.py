"""The payload of a package, walked from end to end: a cpio archive of the "new ASCII" kind, or rpm's own of it.

cpio(5) has the former; the latter (``07070X``, for files of 4 GiB and in every package of version 6) names a file by
its number in the header. Every member has to be one that the header lists, as rpm has it: what a scanner saw and what
a client installs is the same then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from entrepot.errors import PackageError
from entrepot_plugins.rpm.filelist import FileList
from entrepot_plugins.shared.unpacked import CHUNK, Unpacked, shown

COMPRESSIONS = {"gzip": ".gz", "bzip2": ".bz2", "lzma": ".lzma", "xz": ".xz", "zstd": ".zst", "none": ""}
"""PAYLOADCOMPRESSOR, and what ``Unpacked`` calls it."""
_LONGEST_NAME = 4096
_MAGICS = (b"070701", b"070702")
_NUMBERED = b"07070X"
_TRAILER = b"TRAILER!!!"
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{8}")
_REST = 104
"""Bytes of a header of cpio after its magic: thirteen numbers."""


def compression_of(compressor: str, beginning: bytes, where: str) -> str:
    """The suffix of a payload's compression. Where the header does not say, it is gzip or none at all."""
    if not compressor:
        return "" if beginning.startswith(b"0707") else ".gz"
    if compressor not in COMPRESSIONS:
        raise PackageError(f"{where}: is compressed with {shown(compressor)}; {', '.join(COMPRESSIONS)} can be read")
    return COMPRESSIONS[compressor]


class Payload:
    """Goes over the members of a payload. ``where`` is how messages name it.

    Iteration gives each member's number in the header's list of files, and its size; ``content`` reads it.
    """

    def __init__(self, stream: Unpacked, files: FileList, where: str) -> None:
        self._stream = stream
        self._files = files
        self._where = where
        self._numbers = {_plain(path): number for number, path in enumerate(files.paths)}
        self._sizes: list[int] | None = None
        self._at = 0
        self._unread = 0
        self._count = 0
        self._number = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for _ in range(len(self._files.paths) + 1):
            member = self._next()
            if member is None:
                self._check_end()
                return
            number, self._unread = member
            self._number = number
            self._count += 1
            yield member
            self._skip(self._unread, number)
            self._unread = 0
            self._pad()
        raise PackageError(f"{self._where}: has more members than the header has files")

    def content(self) -> Iterator[bytes]:
        """The content of the member that was handed out last, in chunks; a link's target is its content.

        It is to be read before the next member is asked for.
        """
        return self._chunks(self._count, self._number)

    def _chunks(self, count: int, number: int) -> Iterator[bytes]:
        while self._unread:
            if count != self._count:
                raise RuntimeError("the content of a member is to be read before the next one is asked for")
            data = self._stream.read(min(CHUNK, self._unread))
            if not data:
                raise PackageError(f"{self._where}: is cut short in {shown(self._files.paths[number])}")
            self._at += len(data)
            self._unread -= len(data)
            yield data

    def _next(self) -> tuple[int, int] | None:
        magic = self._read(6)
        if magic == _NUMBERED:
            number = self._field(self._read(8))
            self._pad()
            if number >= len(self._files.paths):
                raise PackageError(f"{self._where}: has a member {number}; the header has {len(self._files.paths)}")
            if self._sizes is None:
                self._sizes = self._files.stored_sizes()
            return number, self._sizes[number]
        if magic not in _MAGICS:
            raise PackageError(f"{self._where}: has '{shown(magic)}' where a member should begin")
        rest = self._read(_REST)
        size, length = self._field(rest[48:56]), self._field(rest[88:96])
        if not 1 < length <= _LONGEST_NAME:
            raise PackageError(f"{self._where}: has a name of {length} bytes")
        name = self._read(length)
        self._pad()
        if not name.endswith(b"\0") or b"\0" in name[:-1]:
            self._refuse(name, "has a name with an end in its midst, or with none")
        if name[:-1] == _TRAILER:
            return None
        return self._listed(name[:-1], size), size

    def _listed(self, name: bytes, size: int) -> int:
        if b".." in name.split(b"/"):
            self._refuse(name, "leads out of the package")
        number = self._numbers.get(_plain(name))
        if number is None:
            self._refuse(name, "is not among the files that the header lists")
        # A hard link has no content of its own, a folder never has.
        if size and size != self._files.sizes[number]:
            self._refuse(name, f"has {size} bytes; the header says {self._files.sizes[number]}")
        return number

    def _field(self, text: bytes) -> int:
        if not _HEXADECIMAL.fullmatch(text):
            raise PackageError(f"{self._where}: has '{shown(text)}' where a number should be")
        return int(text, 16)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise PackageError(f"{self._where}: is cut short: it has no end mark")
        self._at += size
        return data

    def _skip(self, size: int, number: int) -> None:
        if not self._stream.skip(size):
            raise PackageError(f"{self._where}: is cut short in {shown(self._files.paths[number])}")
        self._at += size

    def _pad(self) -> None:
        self._read(-self._at % 4)

    def _check_end(self) -> None:
        # Other programs than rpm fill a block of 512 bytes with zeros. Anything else is content that nobody expects.
        while data := self._stream.read(CHUNK):
            if data.count(0) != len(data):
                raise PackageError(f"{self._where}: has data behind its end mark")

    def _refuse(self, name: bytes, problem: str) -> NoReturn:
        raise PackageError(f"{self._where}: {shown(name)} {problem}", member=shown(name))


def _plain(name: bytes) -> bytes:
    """A name without what packages of different ages put in front: ``./usr/x``, ``/usr/x``, ``usr/x``."""
    return name.removeprefix(b".").lstrip(b"/") if name.startswith((b"./", b"/")) else name
