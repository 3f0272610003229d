"""What the header of a package says of its files, checked: names stay inside, and all of its tables fit together.

rpm keeps files as parallel arrays (names, folders, modes, sizes ...), and its readers index one with the numbers of
another. So every array is of one length here, and every index is in range, before anybody else reads them.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from entrepot.errors import PackageError
from entrepot_plugins.rpm.structure import Header, name_of
from entrepot_plugins.rpm.tags import Tag
from entrepot_plugins.shared.unpacked import shown

_CONTROL = re.compile(rb"[\x01-\x1f\x7f]")
_PER_FILE = (
    *(Tag.FILESIZES, Tag.LONGFILESIZES, Tag.FILEMODES, Tag.FILERDEVS, Tag.FILEMTIMES, Tag.FILEDIGESTS),
    *(Tag.FILELINKTOS, Tag.FILEFLAGS, Tag.FILEUSERNAME, Tag.FILEGROUPNAME, Tag.FILEVERIFYFLAGS),
    *(Tag.FILEDEVICES, Tag.FILEINODES, Tag.FILELANGS, Tag.FILECAPS),
)
_GHOST = 1 << 6
"""Of FILEFLAGS: the package owns the file and does not have it."""


@dataclass(frozen=True, slots=True)
class FileList:
    """The files of a package: full paths as the header has them, with sizes and modes of the same order."""

    paths: Sequence[bytes] = field(repr=False)
    sizes: Sequence[int] = field(repr=False)
    modes: Sequence[int] = field(repr=False)
    flags: Sequence[int] = field(repr=False)
    inodes: Sequence[tuple[int, int]] = field(repr=False)
    """Device and inode on the machine that built the package: files that share them are hard links of one."""

    def stored_sizes(self) -> list[int]:
        """How many bytes of each file are in a payload that does not say it itself (``07070X``).

        Of hard links the last has the content.
        """
        links = self.hard_links()
        return [
            0 if number in links else size if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else 0
            for number, (size, mode) in enumerate(zip(self.sizes, self.modes, strict=True))
        ]

    def hard_links(self) -> dict[int, int]:
        """Numbers of files that are hard links of others, each with the number of the one that has the content."""
        last = {place: number for number, place in enumerate(self.inodes) if self._linkable(number)}
        return {
            number: last[place]
            for number, place in enumerate(self.inodes)
            if self._linkable(number) and last[place] != number
        }

    def _linkable(self, number: int) -> bool:
        return bool(self.inodes) and stat.S_ISREG(self.modes[number]) and not self.flags[number] & _GHOST


def read_files(header: Header, limit: int) -> FileList:
    """The files of a package of which at most ``limit`` are allowed."""
    paths = list(_paths(header, limit))
    for tag in _PER_FILE:
        if tag in header and header.count(tag) != len(paths):
            raise PackageError(f"{header.where}: {name_of(tag)} has {header.count(tag)} values for {len(paths)} files")
    nothing = (0,) * len(paths)
    devices, inodes = header.numbers(Tag.FILEDEVICES), header.numbers(Tag.FILEINODES)
    return FileList(
        paths=paths,
        sizes=header.numbers(Tag.LONGFILESIZES) or header.numbers(Tag.FILESIZES) or nothing,
        modes=header.numbers(Tag.FILEMODES) or nothing,
        flags=header.numbers(Tag.FILEFLAGS) or nothing,
        inodes=list(zip(devices, inodes, strict=True)) if devices and inodes else (),
    )


def _paths(header: Header, limit: int) -> Iterator[bytes]:
    where = header.where
    if header.count(Tag.BASENAMES) > limit or header.count(Tag.OLDFILENAMES) > limit:
        raise PackageError(f"{where} has more than {limit} files", limit=limit)
    old = header.strings(Tag.OLDFILENAMES)
    if Tag.BASENAMES not in header:
        for path in old:
            _check_folder(path, where)
            yield path
        return
    names, folders = header.strings(Tag.BASENAMES), header.strings(Tag.DIRNAMES)
    places = header.numbers(Tag.DIRINDEXES)
    if old or len(places) != len(names) or not folders or max(places) >= len(folders):
        raise PackageError(f"{where}: BASENAMES, DIRNAMES and DIRINDEXES do not fit together")
    for folder in folders:
        _check_folder(folder, where)
        if folder and not folder.endswith(b"/"):
            _refuse(folder, where, "is no folder, though DIRNAMES has it")
    for name, place in zip(names, places, strict=True):
        if b"/" in name or name in (b".", b"..") or _CONTROL.search(name) or not (name or folders[place] == b"/"):
            _refuse(folders[place] + name, where, "is not the name of a file")
        yield folders[place] + name


def _check_folder(path: bytes, where: str) -> None:
    if _CONTROL.search(path):
        _refuse(path, where, "has control characters in its name")
    if b".." in path.split(b"/"):
        _refuse(path, where, "leads out of the package")


def _refuse(path: bytes, where: str, problem: str) -> NoReturn:
    raise PackageError(f"{where}: {shown(path) or '(no name)'} {problem}", member=shown(path))
