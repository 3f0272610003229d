"""Tar archives from outside: every header checked, nothing unpacked, nothing kept but what is needed to check.

It reads what dpkg's own extractor reads, since that is what will meet the archive on a client: v7 and ustar headers
with GNU's long names and base-256 numbers, no pax headers, no sparse files. What dpkg and other tools would see
differently (data behind the end mark, content of members that have none) is refused, so that nobody can show a scanner
one package and a client another.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NoReturn

from entrepot.errors import PackageError
from entrepot_plugins.shared.unpacked import CHUNK, Unpacked, shown

BLOCK = 512
LONGEST_NAME = 4096
"""Of a member or a link's target, in bytes (PATH_MAX of Linux)."""

_END = bytes(BLOCK)
_CONTROL_CHARACTERS = re.compile(rb"[\x00-\x1f\x7f]")
_OCTAL = re.compile(rb"[ \x00]*([0-7]*)[ \x00]*")


class Kind(Enum):
    """What a member is, by the type flag of its header."""

    FILE = "0"
    HARD_LINK = "1"
    SYMBOLIC_LINK = "2"
    CHARACTER_DEVICE = "3"
    BLOCK_DEVICE = "4"
    FOLDER = "5"
    FIFO = "6"


_KINDS = {kind.value.encode(): kind for kind in Kind} | {b"\0": Kind.FILE, b"7": Kind.FILE}
_LONG_NAME, _LONG_LINK = b"L", b"K"


@dataclass(frozen=True, slots=True)
class TarMember:
    """One member. ``name`` is relative, without ``.``, ``..`` or a slash at its end, and empty for the root itself."""

    name: bytes
    kind: Kind
    size: int
    mode: int
    target: bytes
    """Where a link points to: as it stands for a symbolic link, a member's name for a hard link."""
    header: bytes = field(repr=False)

    @property
    def owner(self) -> bytes:
        """The owner's name; its number where there is none."""
        return self._name(265) or self._id(108)

    @property
    def group(self) -> bytes:
        """The group's name; its number where there is none."""
        return self._name(297) or self._id(116)

    def _name(self, at: int) -> bytes:
        return _text(self.header[at : at + 32]) if self.header[257:262] == b"ustar" else b""

    def _id(self, at: int) -> bytes:
        octal = _OCTAL.fullmatch(self.header[at : at + 8])
        return b"%d" % int(octal[1] or b"0", 8) if octal else b""


class Tarball:
    """Goes over the members of a tar archive. ``where`` is how messages name it.

    ``PackageError`` for anything damaged, and for names that lead elsewhere: absolute, with ``..``, with control
    characters, or through a symbolic link of the same archive. Symbolic links themselves may point anywhere, as they do
    in Debian (policy 10.5).
    """

    def __init__(self, stream: Unpacked, where: str, *, max_members: int) -> None:
        self._stream = stream
        self._where = where
        self._max_members = max_members
        self._unread = 0
        self._padding = 0
        self._current: TarMember | None = None
        self._links: set[int] = set()
        """Hashes of the names that are symbolic links: a few bytes each, however long a hostile name is."""

    def __iter__(self) -> Iterator[TarMember]:
        count = 0
        while (member := self._next()) is not None:
            count += 1
            if count > self._max_members:
                raise PackageError(f"{self._where}: has more than {self._max_members} members")
            self._current = member
            yield member
            if not self._stream.skip(self._unread + self._padding):
                raise PackageError(f"{self._where}: is cut short in {shown(member.name)}")
            self._unread = self._padding = 0
        self._check_end()

    def content(self, limit: int) -> bytes:
        """The content of the member that was handed out last."""
        if self._unread > limit:
            raise PackageError(f"{self._where}: has a member of {self._unread} bytes where at most {limit} are allowed")
        data = self._stream.read(self._unread)
        self._unread -= len(data)
        return data

    def chunks(self) -> Iterator[bytes]:
        """The same in chunks, however large it is; to be read before the next member is asked for."""
        return self._chunks(self._current)

    def _chunks(self, member: TarMember | None) -> Iterator[bytes]:
        while self._unread:
            if member is None or member is not self._current:
                raise RuntimeError("the content of a member is to be read before the next one is asked for")
            data = self._stream.read(min(CHUNK, self._unread))
            if not data:
                raise PackageError(f"{self._where}: is cut short in {shown(member.name)}")
            self._unread -= len(data)
            yield data

    def _next(self) -> TarMember | None:
        long_name: bytes | None = None
        long_target: bytes | None = None
        while (header := self._header()) is not None:
            flag = header[156:157]
            size = self._number(header[124:136], "size")
            if flag == _LONG_NAME:
                long_name = self._long(size)
            elif flag == _LONG_LINK:
                long_target = self._long(size)
            else:
                return self._member(header, size, long_name, long_target)
        if long_name is not None or long_target is not None:
            raise PackageError(f"{self._where}: ends after a long name")
        return None

    def _header(self) -> bytes | None:
        header = self._stream.read(BLOCK)
        if header == _END:
            return None
        if len(header) < BLOCK:
            raise PackageError(f"{self._where}: is cut short: it has no end mark")
        claimed = _OCTAL.fullmatch(header[148:156])
        # The sum takes its own eight bytes for blanks.
        if not claimed or int(claimed[1] or b"-1", 8) != _sum(header) - sum(header[148:156]) + 8 * 0x20:
            raise PackageError(f"{self._where}: has a damaged header (its sum is wrong)")
        return header

    def _member(self, header: bytes, size: int, long_name: bytes | None, long_target: bytes | None) -> TarMember:
        name = long_name if long_name is not None else self._short_name(header)
        kind = _KINDS.get(header[156:157])
        if kind is None:
            self._refuse(name, f"is of type '{shown(header[156:157])}', which dpkg does not read")
        if kind is Kind.FILE and name.endswith(b"/"):
            kind = Kind.FOLDER
        if kind is not Kind.FILE and size:
            self._refuse(name, f"is a {kind.name.lower().replace('_', ' ')}, yet has content")
        clean = self._relative(name, name)
        target = long_target if long_target is not None else _text(header[157:257])
        if kind is Kind.HARD_LINK:
            target = self._relative(name, target)
        elif kind is Kind.SYMBOLIC_LINK and (not target or _CONTROL_CHARACTERS.search(target)):
            self._refuse(name, f"is a symbolic link to '{shown(target)}'")
        if not clean and kind is not Kind.FOLDER:
            self._refuse(name, "takes the place of the root folder")
        self._check_links(clean, kind, target)
        self._unread, self._padding = size, -size % BLOCK
        return TarMember(clean, kind, size, self._number(header[100:108], "mode"), target, header)

    @staticmethod
    def _short_name(header: bytes) -> bytes:
        name = _text(header[:100])
        if header[257:263] == b"ustar\0" and header[345:346] != b"\0":
            return _text(header[345:500]) + b"/" + name
        return name

    def _relative(self, member: bytes, name: bytes) -> bytes:
        """A name without ``.`` and needless slashes."""
        if not name or name.startswith(b"/"):
            self._refuse(member, f"has the absolute name '{shown(name)}'" if name else "has an empty name")
        if _CONTROL_CHARACTERS.search(name):
            self._refuse(member, "has control characters in its name")
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            self._refuse(member, f"leads out of the package: '{shown(name)}'")
        return b"/".join(parts)

    def _check_links(self, name: bytes, kind: Kind, target: bytes) -> None:
        links = self._links
        if links:
            slash = 0
            while slash >= 0:
                slash = name.find(b"/", slash + 1)
                if hash(name if slash < 0 else name[:slash]) in links:
                    self._refuse(name, "would be written through a symbolic link of the same archive")
        if kind is Kind.SYMBOLIC_LINK or (kind is Kind.HARD_LINK and hash(target) in links):
            links.add(hash(name))

    def _long(self, size: int) -> bytes:
        if size > LONGEST_NAME + 1:
            raise PackageError(f"{self._where}: has a name of {size} bytes")
        data = self._stream.read(size)
        if len(data) < size or not self._stream.skip(-size % BLOCK):
            raise PackageError(f"{self._where}: is cut short in a long name")
        return _text(data)

    def _number(self, text: bytes, what: str) -> int:
        if text[0] == 0x80:  # GNU: binary, big-endian; 0xff begins a negative one, which nothing here can be
            number = int.from_bytes(text[1:], "big")
        else:
            octal = _OCTAL.fullmatch(text)
            number = int(octal[1] or b"0", 8) if octal else -1
        if not 0 <= number < 1 << 63:
            raise PackageError(f"{self._where}: has a damaged header: its {what} is '{shown(text)}'")
        return number

    def _check_end(self) -> None:
        # tar pads to its record size with zeros. Anything else is content that some readers would see.
        while data := self._stream.read(CHUNK):
            if data.count(0) != len(data):
                raise PackageError(f"{self._where}: has data behind its end mark")

    def _refuse(self, name: bytes, problem: str) -> NoReturn:
        raise PackageError(f"{self._where}: {shown(name) or '(no name)'} {problem}", member=shown(name))


def _sum(header: bytes) -> int:
    """The sum of a block's bytes.

    The lower half of Adler-32 is one more than the sum, modulo a prime that the sum of half a block does not reach;
    it takes a tenth of the time of ``sum``.
    """
    half = BLOCK // 2
    return (zlib.adler32(header[:half]) & 0xFFFF) + (zlib.adler32(header[half:]) & 0xFFFF) - 2


def _text(field: bytes) -> bytes:
    """A text field of a header: up to its first NUL."""
    return field.partition(b"\0")[0]
