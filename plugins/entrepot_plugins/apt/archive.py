"""The container of a .deb, read as if everybody who makes them were an enemy.

What the standard library and python-debian offer trusts the sizes that an archive claims. Here every claim is checked
against what is really there, and whatever is wrong is a ``PackageError`` that names file and member. The specification
is deb(5); ``shared/unpacked.py`` takes the compression off, and ``tarball.py`` reads what comes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from entrepot.errors import PackageError
from entrepot_plugins.shared.unpacked import CHUNK, shown

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
AR_MEMBERS = 64
"""Three are needed, signatures add a few."""


@dataclass(frozen=True, slots=True)
class ArMember:
    """One member of an ar archive: ``size`` bytes of the file, from ``offset``."""

    name: str
    offset: int
    size: int


def ar_members(file: BinaryIO, size: int, where: str) -> list[ArMember]:
    """The members of an ar archive (common format, short names), all of whose ``size`` bytes must be accounted for."""
    file.seek(0)
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise PackageError(f"{where}: not a Debian package: it does not begin as an ar archive does")
    members: list[ArMember] = []
    position = len(AR_MAGIC)
    while position < size:
        if len(members) == AR_MEMBERS:
            raise PackageError(f"{where}: has more than {AR_MEMBERS} members")
        file.seek(position)
        header = file.read(AR_HEADER)
        after = f"after {members[-1].name}" if members else "at its start"
        if len(header) < AR_HEADER or header[58:] != b"`\n":
            raise PackageError(f"{where}: has {size - position} bytes {after} that are no member of an ar archive")
        name = header[:16].rstrip(b" ").removesuffix(b"/")
        claimed = header[48:58].rstrip(b" ")
        if not re.fullmatch(rb"[A-Za-z0-9._-]+", name) or not claimed.isdigit():
            raise PackageError(f"{where}: has a damaged member header {after}: '{shown(header[:58])}'")
        member = ArMember(name.decode("ascii"), position + AR_HEADER, int(claimed))
        if member.offset + member.size > size:
            raise PackageError(
                f"{where}: member {member.name} is cut short: it should have {member.size} bytes, "
                f"the file has {size - member.offset}"
            )
        members.append(member)
        # Members begin at even offsets; some tools leave the last padding byte out.
        position = member.offset + member.size + member.size % 2
    return members


def member_bytes(file: BinaryIO, member: ArMember) -> Iterator[bytes]:
    """The content of a member as it is stored, in chunks."""
    file.seek(member.offset)
    left = member.size
    while left:
        data = file.read(min(CHUNK, left))
        if not data:
            raise OSError("the file became shorter while it was read")
        left -= len(data)
        yield data
