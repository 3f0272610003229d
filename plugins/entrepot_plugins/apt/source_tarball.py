"""Tar archives of source packages: whatever GNU tar, which unpacks them, reads.

They come from anywhere and are never installed, so names that lead elsewhere are no reason to refuse one; a scanner is
to see them. Beyond what ``tarball.py`` reads there are pax headers and sparse files. A sparse file's content is what
the archive has of it, its map included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from entrepot.errors import PackageError
from entrepot_plugins.apt.tarball import BLOCK, LONGEST_NAME, Kind, Tarball, TarMember
from entrepot_plugins.shared.unpacked import CHUNK, shown

LONGEST_PAX_HEADER = 1 << 20
_KEPT = frozenset({"path", "linkpath", "size", "GNU.sparse.name"})
_LINKS = (Kind.HARD_LINK, Kind.SYMBOLIC_LINK)
_SPARSE = b"S"
_MORE = 482
"""Where a sparse file's header says that its map goes on in the next block; in such a block it is at 504."""


class SourceTarball(Tarball):
    """Goes over the members of an archive; names are as they stand, but for ``.`` and needless slashes."""

    _shared: Mapping[str, bytes] = {}
    """What pax headers say of every member that follows."""

    def _next(self) -> TarMember | None:
        own: dict[str, bytes] = {}
        while (header := self._header()) is not None:
            flag = header[156:157]
            size = self._number(header[124:136], "size")
            if flag == b"L":
                own["path"] = self._long(size)
            elif flag == b"K":
                own["linkpath"] = self._long(size)
            elif flag in (b"x", b"X"):
                own |= self._records(size)
            elif flag == b"g":
                self._shared = {**self._shared, **self._records(size)}
            else:
                return self._listed(header, size, {**self._shared, **own})
        return None

    def _header(self) -> bytes | None:
        header = self._stream.read(BLOCK)
        if not header or header == bytes(BLOCK):
            return None
        if len(header) < BLOCK:
            raise PackageError(f"{self._where}: is cut short")
        without_sum = header[:148] + b" " * 8 + header[156:]
        # Some tars of old take bytes for signed numbers.
        sums = (sum(without_sum), sum(byte - 256 * (byte > 127) for byte in without_sum))
        if self._number(header[148:156], "sum") not in sums:
            raise PackageError(f"{self._where}: has a damaged header (its sum is wrong)")
        return header

    def _listed(self, header: bytes, size: int, said: Mapping[str, bytes]) -> TarMember:
        name = said.get("GNU.sparse.name") or said.get("path") or self._short_name(header)
        flag = header[156:157]
        try:
            kind = Kind(flag.decode("latin-1"))
        except ValueError:  # what is of no known type is extracted as a file
            kind = Kind.FILE
        if kind is Kind.FILE and name.endswith(b"/"):
            kind = Kind.FOLDER
        if "size" in said:
            if not re.fullmatch(rb"[0-9]{1,18}", said["size"]):
                self._refuse(name, f"has the size '{shown(said['size'])}'")
            size = int(said["size"])
        if kind is Kind.HARD_LINK:
            size = 0  # of what it links to
        elif kind is not Kind.FILE and size:
            self._refuse(name, f"is a {kind.name.lower().replace('_', ' ')}, yet has content")
        if flag == _SPARSE:
            self._skip_map(header[_MORE])
        target = (said.get("linkpath") or header[157:257].partition(b"\0")[0]) if kind in _LINKS else b""
        clean = b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))
        self._unread, self._padding = size, -size % BLOCK
        return TarMember(clean, kind, size, self._number(header[100:108], "mode"), target, header)

    def _skip_map(self, more: int) -> None:
        while more:
            block = self._stream.read(BLOCK)
            if len(block) < BLOCK:
                raise PackageError(f"{self._where}: is cut short in the map of a sparse file")
            more = block[504]

    def _records(self, size: int) -> dict[str, bytes]:
        """Those records of a pax header that tell where content is and what it is called (POSIX pax, "extended")."""
        if size > LONGEST_PAX_HEADER:
            raise PackageError(f"{self._where}: has a pax header of {size} bytes")
        data = self._stream.read(size)
        if len(data) < size or not self._stream.skip(-size % BLOCK):
            raise PackageError(f"{self._where}: is cut short in a pax header")
        found: dict[str, bytes] = {}
        at = 0
        while at < size and data[at] != 0:
            match = re.compile(rb"([0-9]{1,7}) ([^=\n]+)=").match(data, at)
            end = at + int(match[1]) if match else 0
            if match is None or not match.end() < end <= size or data[end - 1 : end] != b"\n":
                raise PackageError(f"{self._where}: has a damaged pax header")
            keyword = match[2].decode("utf-8", "replace")
            if keyword in _KEPT:
                value = data[match.end() : end - 1]
                if len(value) > LONGEST_NAME:
                    raise PackageError(f"{self._where}: has a name of {len(value)} bytes")
                found[keyword] = value
            at = end
        return found

    def _check_end(self) -> None:
        # GNU tar reads no further. The rest is unpacked all the same, so that limits and damage are noticed.
        while self._stream.read(CHUNK):
            pass
