"""Reads Debian packages: .deb, .udeb and .ddeb here (deb(5)), .dsc in ``dsc.py``."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import SignatureCheck, Signer
from entrepot.errors import PackageError, UsageError
from entrepot.models import SOURCE_ARCHITECTURE, Content, PackageInfo, RemoteFile, UnpackingLimits
from entrepot_plugins.apt import dsc
from entrepot_plugins.apt.archive import ArMember, ar_members, member_bytes
from entrepot_plugins.apt.contents import control_part, describe, other_member, source_contents
from entrepot_plugins.apt.control import Field, Stanza, compose, file_name, parse_stanza
from entrepot_plugins.apt.copyright import LONGEST_COPYRIGHT, copyright_path, licence_expression
from entrepot_plugins.apt.entry import provided_names
from entrepot_plugins.apt.pool import source_of
from entrepot_plugins.apt.signature import check_signature
from entrepot_plugins.apt.tarball import Kind, Tarball, TarMember
from entrepot_plugins.shared.digests import Digests, measure, opened
from entrepot_plugins.shared.unpacked import Unpacked, shown

_BINARY_SUFFIXES = (".deb", ".udeb", ".ddeb")
_SOURCE_SUFFIX = ".dsc"
_CONTROL_COMPRESSIONS = ("", ".gz", ".xz", ".zst")
_DATA_COMPRESSIONS = (*_CONTROL_COMPRESSIONS, ".bz2", ".lzma")
_FORMAT_MEMBER = 64
"""Longest ``debian-binary``, in bytes: it says ``2.0`` and a line end, and may once say a little more."""
_PLACE = frozenset({"filename", "size", "md5sum", "sha1", "sha256", "sha512"})
"""Fields of an index that say where a file lies and what its bytes are: never taken over, always our own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a package may cost to read. Sizes are bytes after unpacking; members are counted."""

    control_file: int = 1 << 20
    control_members: int = 1000
    control_unpacked: int = 64 << 20
    data: UnpackingLimits = field(default_factory=UnpackingLimits)


class DebReader:
    """Reads package files of APT repositories; ``PackageError`` names the file and its member.

    Every byte of a binary package is looked at: the ar archive has ``debian-binary``, ``control.tar`` and ``data.tar``
    and nothing else but members that begin with ``_`` (signatures), both tar archives are whole, name nothing outside
    of the package, and stay below ``limits``.
    """

    suffixes: tuple[str, ...] = (*_BINARY_SUFFIXES, _SOURCE_SUFFIX)

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def read(self, files: Sequence[Path], upstream: bytes | None) -> PackageInfo:
        """What a package says of itself, and in ``raw`` what an index is to say of it.

        ``raw`` of a binary package is upstream's stanza, or else that of its control file, with size and digests of
        the file itself and without ``Filename``; of a source package the stanza of a Sources index without
        ``Directory``. Like a stanza that was split from an index, it has no line end after its last line.
        """
        if self._is_source(files):
            return dsc.read_source(files, upstream)
        return self._read_binary(files[0], upstream)

    def contents(self, files: Sequence[Path]) -> Iterator[tuple[Content, Iterator[bytes]]]:
        """The members of ``control.tar`` and ``data.tar``, and members of the outer archive that dpkg leaves out.

        Of a source package the .dsc, the members of its tarballs, and its other files.
        """
        if self._is_source(files):
            return source_contents(files, self._limits.data)
        return self._binary_contents(files[0])

    def disagreements(self, info: PackageInfo, upstream: bytes) -> Sequence[str]:
        """Where the package's own data and the index's contradict each other: name, version, architecture, source."""
        index = parse_stanza(upstream, "the index's entry", lenient=True)
        said = {"Package": (index.get("Package"), info.name), "Version": (index.get("Version"), info.version)}
        if info.architecture != SOURCE_ARCHITECTURE:
            fields = {field: index.get(field) for field in ("Package", "Version", "Source")}
            source, source_version = source_of(fields)
            said["Architecture"] = (index.get("Architecture"), info.architecture)
            said["Source"] = (source, info.source_name)
            said["version of the source"] = (source_version, info.source_version or source_version)
        wrong = [
            f"{field} is {shown(theirs) or 'missing'} in the index and {ours} in the package"
            for field, (theirs, ours) in said.items()
            if theirs != ours
        ]
        # Of a repeated field one client may take the first and another one the last.
        twice = [f"the index has {field} twice" for field in said if field.lower() in index.repeated()]
        return wrong + twice

    def companions(self, path: Path) -> Sequence[RemoteFile]:
        """The files that a .dsc names, which lie beside it; none for a binary package."""
        return dsc.companions(path) if path.suffix == _SOURCE_SUFFIX else ()

    def _is_source(self, files: Sequence[Path]) -> bool:
        suffix = files[0].suffix
        if suffix == _SOURCE_SUFFIX:
            return True
        if suffix not in _BINARY_SUFFIXES:
            expected = ", ".join(self.suffixes)
            raise PackageError(
                f"{shown(files[0].name)}: is none of {expected}", hint="the name of a file says what it is"
            )
        if len(files) > 1:
            raise PackageError(f"{shown(files[0].name)}: a binary package is one file, not {len(files)}")
        return False

    def _read_binary(self, path: Path, upstream: bytes | None) -> PackageInfo:
        where = shown(path.name)
        with opened(path) as file:
            digests = measure(file)
            control, licence, paths = self._look(file, digests.size, where)
        name = control.package_name("Package")
        version, version_key = control.version()
        architecture = control.architecture()
        source_name, source_version = control.source()
        index = parse_stanza(upstream, f"{where}: the index's entry", lenient=True) if upstream is not None else None
        kind = _kind(path, control, index)
        suffix = ".udeb" if kind == "udeb" else path.suffix
        return PackageInfo(
            format="apt",
            kind=kind,
            name=name,
            version=version,
            version_key=version_key,
            architecture=architecture,
            source_name=source_name,
            summary=control.get("Description").partition("\n")[0],
            section=(index or control).get("Section") or control.get("Section"),
            raw=_raw(control, index, digests),
            files=(digests.file(file_name(name, version, f"_{architecture}{suffix}", where)),),
            source_version=source_version,
            provides=provided_names((index or control).get("Provides")),
            licence=licence,
            maintainer=control.line("Maintainer"),
            file_list=zlib.compress(b"\n".join(sorted(paths))),
        )

    def signature(self, files: Sequence[Path], keyring: Path | None) -> SignatureCheck:
        """What signatures inside of a .deb, or that of a .dsc, are worth; clients ask only the index that names it."""
        return check_signature(files, keyring)

    def resign(self, files: Sequence[Path], signer: Signer, folder: Path, now: dt.datetime) -> Sequence[Path]:
        """``UsageError``: see ``signature``."""
        raise UsageError("packages of APT are not signed themselves", hint="the Release file that names them is")

    def _look(self, file: BinaryIO, size: int, where: str) -> tuple[Stanza, str, list[bytes]]:
        """The control file, the licence and the paths of files and links, after all of the package was looked at."""
        control, data, _ = _parts(file, size, where)
        text: bytes | None = None
        for tarball, member in self._control_members(file, control, where):
            if member.name == b"control":
                text = tarball.content(self._limits.control_file)
        here = f"{where}: {control.name}"
        if text is None:
            raise PackageError(f"{here}: has no file control")
        stanza = parse_stanza(text, f"{here}: control")
        licence = ""
        copyright_file = copyright_path(stanza.get("Package"))
        paths = []
        tarball = self._data(file, data, where)
        for member in tarball:
            if member.kind is not Kind.FOLDER:
                paths.append(member.name)
            if member.name == copyright_file and member.size <= LONGEST_COPYRIGHT:
                licence = licence_expression(tarball.content(LONGEST_COPYRIGHT))
        return stanza, licence, paths

    def _binary_contents(self, path: Path) -> Iterator[tuple[Content, Iterator[bytes]]]:
        where = shown(path.name)
        with opened(path) as file:
            control, data, others = _parts(file, os.fstat(file.fileno()).st_size, where)
            for tarball, member in self._control_members(file, control, where):
                yield describe(member, control_part(member)), tarball.chunks()
            tarball = self._data(file, data, where)
            for member in tarball:
                yield describe(member, "payload"), tarball.chunks()
            for other in others:
                yield other_member(file, other)

    def _control_members(self, file: BinaryIO, control: ArMember, where: str) -> Iterator[tuple[Tarball, TarMember]]:
        """The files of ``control.tar``, which has nothing else."""
        limits = self._limits
        here, tarball = _tarball(file, control, where, limits.control_unpacked, limits.control_members)
        seen: set[bytes] = set()
        for member in tarball:
            if member.kind is Kind.FOLDER and not member.name:
                continue
            if member.kind is not Kind.FILE or b"/" in member.name:
                raise PackageError(f"{here}: {shown(member.name)} is not a plain file of the control archive")
            if member.name in seen:
                raise PackageError(f"{here}: has {shown(member.name)} twice")
            seen.add(member.name)
            yield tarball, member

    def _data(self, file: BinaryIO, data: ArMember, where: str) -> Tarball:
        limits = self._limits.data
        return _tarball(file, data, where, limits.bytes_for(data.size), limits.members_for(data.size))[1]


def _tarball(file: BinaryIO, member: ArMember, where: str, unpacked: int, members: int) -> tuple[str, Tarball]:
    here = f"{where}: {member.name}"
    compression = member.name.partition(".tar")[2]
    stream = Unpacked(member_bytes(file, member), compression, limit=unpacked, where=here)
    return here, Tarball(stream, here, max_members=members)


def _parts(file: BinaryIO, size: int, where: str) -> tuple[ArMember, ArMember, list[ArMember]]:
    """The members ``control.tar`` and ``data.tar``, and others that may only be where older programs leave them out."""
    members = ar_members(file, size, where)
    if not members or members[0].name != "debian-binary":
        found = members[0].name if members else "nothing"
        raise PackageError(f"{where}: begins with {found}, not with debian-binary")
    text = b"".join(member_bytes(file, members[0])) if members[0].size <= _FORMAT_MEMBER else b""
    if not re.match(rb"2\.[0-9]+\n", text):
        raise PackageError(f"{where}: debian-binary is '{shown(text)}', only version 2 can be read")
    parts = [member for member in members[1:] if not member.name.startswith("_")]
    expected = (("control.tar", _CONTROL_COMPRESSIONS), ("data.tar", _DATA_COMPRESSIONS))
    for index, (name, compressions) in enumerate(expected):
        found = parts[index].name if index < len(parts) else "nothing"
        if found not in [name + compression for compression in compressions]:
            known = ", ".join(compression or "none" for compression in compressions)
            raise PackageError(f"{where}: has {found} where {name} should be (compressions: {known})")
    if len(parts) > len(expected):
        raise PackageError(f"{where}: has a member {parts[2].name}, which no Debian package has")
    return parts[0], parts[1], [member for member in members if member.name.startswith("_")]


def _kind(path: Path, control: Stanza, index: Stanza | None) -> str:
    """``udeb`` for what only the installer takes, ``binary`` for all others; what is said most plainly counts."""
    if path.suffix == ".udeb":
        return "udeb"
    for stanza in (index, control):
        if stanza and (said := stanza.get("Package-Type")):
            return "udeb" if said == "udeb" else "binary"
    section = control.get("Section").rpartition("/")[2]
    return "udeb" if section == "debian-installer" else "binary"


def _raw(control: Stanza, index: Stanza | None, digests: Digests) -> bytes:
    stanza = _with_description(index, control) if index else control
    extra = f"Size: {digests.size}\nMD5sum: {digests.md5}\nSHA256: {digests.sha256}"
    return compose(stanza, without=_PLACE, extra=extra.encode("ascii"))


def _with_description(index: Stanza, control: Stanza) -> Stanza:
    """The index's stanza with the package's full description, where it only has the first line of the very same.

    Debian keeps the rest in Translation files, under the MD5 of all of it, its last line end included. We publish none.
    """
    known = index.get("Description-md5").lower()
    if not known or "\n" in index.get("Description"):
        return index
    for full in control.fields:
        if full.name.lower() == "description":
            text = full.raw[len(full.name) + 1 :].strip() + b"\n"
            if hashlib.md5(text, usedforsecurity=False).hexdigest() != known:
                return index
            fields = [
                Field(item.name, full.raw) if item.name.lower() == "description" else item for item in index.fields
            ]
            return Stanza(fields, index.where)
    return index
