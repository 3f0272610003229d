"""Compression in pieces that are made apart and, put one after the other, are one file that every client reads.

What "one file" means differs, and clients differ in what they read (apt 2.6, dnf 4.14 and createrepo_c 1.2 were tried):

- gz: members (RFC 1952, 2.2), and zst: frames (RFC 8878, 3); any number of them is a valid file.
- xz: apt and dnf refuse several *streams*, so each piece is a *block*, and all blocks share one stream header, one
  index and one footer (The .xz File Format 1.2.1, 2 to 4).
- bz2 is not offered: apt stops after the first of several streams, and blocks of one stream are not byte-aligned.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import zstandard

from entrepot.errors import UsageError


@dataclass(frozen=True, slots=True)
class Extent:
    """Sizes of an encoded piece, in bytes. ``unpadded`` is ``size`` without what only aligns the next piece."""

    plain: int
    size: int
    unpadded: int


class Encoder(Protocol):
    """Encodes one piece. After ``finish``, ``padding`` is how many of its bytes only align the next piece."""

    padding: int

    def feed(self, data: bytes) -> bytes:
        """Takes more of the piece, hands over what is ready."""
        ...

    def finish(self) -> bytes:
        """Hands over the rest."""
        ...


class Codec(Protocol):
    """One way to compress in pieces. ``tag`` names it with its parameters: other parameters, other bytes."""

    name: str
    tag: str
    start: bytes
    """What stands before the first piece."""

    def encoder(self) -> Encoder:
        """A new encoder, for one piece."""
        ...

    def end(self, pieces: Sequence[Extent], /) -> bytes:
        """What stands after the last piece."""
        ...


@dataclass(frozen=True, slots=True)
class Levels:
    """How hard to compress.

    The defaults are for publishing often. 20,000 packages of a real index (15.8 MB) in pieces of 512, in seconds of CPU
    and bytes: gz 6 0.3 s, 4.06 MB (gz 1: 0.14 s, 4.77 MB); zst 9 0.18 s, 3.70 MB (zst 19: 6.3 s, 3.47 MB); xz 1 0.75 s,
    3.96 MB (xz 6: 2.9 s, 3.42 MB, and not in pieces 9 s, 3.04 MB).
    """

    gz: int = 6
    xz: int = 1
    zst: int = 9

    def __post_init__(self) -> None:
        for name, level, low, top in (("gz", self.gz, 1, 9), ("xz", self.xz, 0, 9), ("zst", self.zst, 1, 19)):
            if not low <= level <= top:
                raise UsageError(f"a {name} level is between {low} and {top}, not {level}", level=level)


class _Zlib(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _MemberEncoder:
    """For formats where a piece is a whole file of its own."""

    def __init__(self, compressor: _Zlib) -> None:
        self.padding = 0
        self.feed = compressor.compress
        self.finish = compressor.flush


class _PlainCompressor:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class PlainCodec:
    """No compression."""

    name = ""
    tag = "plain"
    start = b""

    def encoder(self) -> Encoder:
        return _MemberEncoder(_PlainCompressor())

    def end(self, _pieces: Sequence[Extent], /) -> bytes:
        return b""


class GzipCodec:
    """Gzip members without name and time, so that the same text gives the same bytes."""

    name = "gz"
    start = b""

    def __init__(self, level: int) -> None:
        self.tag = f"gz{level}"
        self._level = level

    def encoder(self) -> Encoder:
        return _MemberEncoder(zlib.compressobj(self._level, zlib.DEFLATED, 16 + zlib.MAX_WBITS))

    def end(self, pieces: Sequence[Extent], /) -> bytes:
        # A file of no members at all is no gzip file.
        return b"" if pieces else self.encoder().finish()


class ZstdCodec:
    """Zstandard frames with a checksum."""

    name = "zst"
    start = b""

    def __init__(self, level: int) -> None:
        self.tag = f"zst{level}"
        self._level = level

    def encoder(self) -> Encoder:
        return _MemberEncoder(zstandard.ZstdCompressor(level=self._level, write_checksum=True).compressobj())

    def end(self, pieces: Sequence[Extent], /) -> bytes:
        return b"" if pieces else self.encoder().finish()


_XZ_FLAGS = b"\x00\x04"  # CRC64, what xz itself writes
_XZ_HEADER_SIZE = 12
_XZ_FOOTER_SIZE = 12
_XZ_DICTIONARY = 1 << 20
"""A piece is rarely larger, and higher presets would otherwise want up to 674 MB of memory, on clients up to 64 MB."""


class XzCodec:
    """Blocks of one xz stream."""

    name = "xz"
    start = b"\xfd7zXZ\x00" + _XZ_FLAGS + struct.pack("<I", zlib.crc32(_XZ_FLAGS))

    def __init__(self, preset: int) -> None:
        self.tag = f"xz{preset}"
        self._preset = preset

    def encoder(self) -> Encoder:
        return _XzBlockEncoder(self._preset)

    def end(self, pieces: Sequence[Extent], /) -> bytes:
        """The index of all blocks and the stream's footer. A piece without text has no block."""
        blocks = [piece for piece in pieces if piece.size]
        index = bytearray(b"\x00")
        index += _xz_number(len(blocks))
        for block in blocks:
            index += _xz_number(block.unpadded)
            index += _xz_number(block.plain)
        index += bytes(-len(index) % 4)
        index += struct.pack("<I", zlib.crc32(index))
        backward = struct.pack("<I", len(index) // 4 - 1) + _XZ_FLAGS
        return bytes(index) + struct.pack("<I", zlib.crc32(backward)) + backward + b"YZ"


class _XzBlockEncoder:
    """Takes the one block out of a stream: what liblzma writes without its stream header, index and footer."""

    def __init__(self, preset: int) -> None:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": _XZ_DICTIONARY}]
        self._compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)
        self._header_left = _XZ_HEADER_SIZE
        self.padding = 0

    def feed(self, data: bytes) -> bytes:
        return self._without_header(self._compressor.compress(data))

    def finish(self) -> bytes:
        # Index and footer are made after the end of the block, hence all in this last output.
        rest = self._compressor.flush()
        (stored,) = struct.unpack_from("<I", rest, len(rest) - _XZ_FOOTER_SIZE + 4)
        index_at = len(rest) - _XZ_FOOTER_SIZE - (stored + 1) * 4
        blocks, at = _xz_read_number(rest, index_at + 1)
        if blocks:
            unpadded, _ = _xz_read_number(rest, at)
            self.padding = -unpadded % 4
        return self._without_header(rest[:index_at])

    def _without_header(self, data: bytes) -> bytes:
        cut = min(self._header_left, len(data))
        self._header_left -= cut
        return data[cut:]


def _xz_number(value: int) -> bytes:
    """A multibyte integer of the xz format (1.2): seven bits a byte, lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _xz_read_number(data: bytes, at: int) -> tuple[int, int]:
    """The multibyte integer at ``at`` and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


COMPRESSIONS = ("gz", "xz", "zst")
"""What indexes can be compressed with."""


def make_codec(compression: str, levels: Levels) -> Codec:
    """The codec of a compression (``""``: plain); ``UsageError`` for one that is not offered."""
    match compression:
        case "":
            return PlainCodec()
        case "gz":
            return GzipCodec(levels.gz)
        case "xz":
            return XzCodec(levels.xz)
        case "zst":
            return ZstdCodec(levels.zst)
    raise UsageError(
        f"indexes cannot be compressed with {compression!r}",
        hint=f"choose from {', '.join(COMPRESSIONS)}",
        compression=compression,
    )
