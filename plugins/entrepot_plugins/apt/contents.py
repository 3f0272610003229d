"""What is inside packages, for scanners: the members of a .deb, and of the tarballs of a source package."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from entrepot.models import Content, ContentKind, UnpackingLimits
from entrepot_plugins.apt.archive import ArMember, member_bytes
from entrepot_plugins.apt.dsc import companion_paths
from entrepot_plugins.apt.source_tarball import SourceTarball
from entrepot_plugins.apt.tarball import Kind, TarMember
from entrepot_plugins.shared.digests import opened
from entrepot_plugins.shared.unpacked import CHUNK, Unpacked, shown

SCRIPTS = frozenset({b"preinst", b"postinst", b"prerm", b"postrm", b"config", b"isinstallable", b"menutest"})
"""Members of ``control.tar`` that are run: by dpkg, debconf, and, the last two, Debian's installer."""
_KINDS = {kind: ContentKind[kind.name] for kind in Kind}
_TARBALL = re.compile(r".*\.tar(|\.gz|\.xz|\.bz2|\.lzma|\.zst)")
_PLAIN_MODE = 0o644


def describe(member: TarMember, part: str, prefix: str = "") -> Content:
    """A member as scanners know it."""
    return Content(
        part=part,
        path=prefix + (os.fsdecode(member.name) or "."),
        kind=_KINDS[member.kind],
        size=member.size,
        mode=member.mode & 0o7777,
        target=os.fsdecode(member.target) if member.kind in (Kind.SYMBOLIC_LINK, Kind.HARD_LINK) else "",
        owner=os.fsdecode(member.owner),
        group=os.fsdecode(member.group),
    )


def control_part(member: TarMember) -> str:
    """``script`` for what is run, ``control`` for what is read."""
    return "script" if member.name in SCRIPTS else "control"


def other_member(file: BinaryIO, member: ArMember) -> tuple[Content, Iterator[bytes]]:
    """A member of the outer archive that older programs leave out: a signature."""
    return Content("control", member.name, ContentKind.FILE, member.size, _PLAIN_MODE), member_bytes(file, member)


def source_contents(files: Sequence[Path], limits: UnpackingLimits) -> Iterator[tuple[Content, Iterator[bytes]]]:
    """The .dsc itself as ``control``; the members of its tarballs, and its other files as they are, as ``source``.

    ``limits`` are for each tarball.
    """
    companions = companion_paths(files)
    with opened(files[0]) as file:
        yield _whole(file, files[0].name, "control")
    for path in companions:
        with opened(path) as file:
            match = _TARBALL.fullmatch(path.name)
            if match is None:
                yield _whole(file, path.name, "source")
                continue
            where = shown(f"{files[0].name}: {path.name}")
            size = os.fstat(file.fileno()).st_size
            stream = Unpacked(_chunks(file), match[1], limit=limits.bytes_for(size), where=where)
            tarball = SourceTarball(stream, where, max_members=limits.members_for(size))
            for member in tarball:
                yield describe(member, "source", f"{path.name}/"), tarball.chunks()


def _whole(file: BinaryIO, name: str, part: str) -> tuple[Content, Iterator[bytes]]:
    size = os.fstat(file.fileno()).st_size
    return Content(part, name, ContentKind.FILE, size, _PLAIN_MODE), _chunks(file)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data
