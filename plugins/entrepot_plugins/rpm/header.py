"""Reads RPM packages of every age that still is around: lead of version 3 and 4, format 4 and 6, binary and source."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from entrepot.contracts import SignatureCheck, Signer
from entrepot.errors import PackageError
from entrepot.models import SOURCE_ARCHITECTURE, Content, PackageFile, PackageInfo, RemoteFile, Sha256
from entrepot_plugins.rpm.contents import members, scripts
from entrepot_plugins.rpm.elements import Primary, check_upstream, from_header, is_primary_file, read_primary
from entrepot_plugins.rpm.filelist import FileList, read_files
from entrepot_plugins.rpm.integrity import Reading, check_headers
from entrepot_plugins.rpm.payload import Payload, compression_of
from entrepot_plugins.rpm.raw import Fragments, pack, unpack
from entrepot_plugins.rpm.resign import resign
from entrepot_plugins.rpm.structure import Header, Limits, Parts, decoded, read_parts
from entrepot_plugins.rpm.tags import Tag
from entrepot_plugins.rpm.version import RpmVersions, evr
from entrepot_plugins.shared.digests import opened
from entrepot_plugins.shared.unpacked import Unpacked, shown

SUFFIX = ".rpm"
_LONGEST_FILE_NAME = 255
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~^@%{}-]*")
_PART = re.compile(r"[A-Za-z0-9._+~^%{}]+")
"""Of a version or a release (rpm's ``rpmCharCheck``)."""
_ARCHITECTURE = re.compile(r"[A-Za-z0-9_]+")
_SOURCE_FILE = re.compile(r"(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm")
_SOURCE_ARCHITECTURES = frozenset({"src", "nosrc"})
_FORMAT = "cpio"


class RpmReader:
    """Reads package files of RPM repositories; ``PackageError`` names the file and its part.

    Every byte is looked at: both headers are checked before any library sees them, digests and sizes are compared with
    what the package says of itself, and the payload is whole, has only files that the header lists, and stays below
    ``limits``.
    """

    suffixes: tuple[str, ...] = (SUFFIX,)

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._versions = RpmVersions()

    def read(self, files: Sequence[Path], upstream: bytes | None) -> PackageInfo:
        """What a package says of itself, and in ``raw`` what an index is to say of it.

        ``raw`` is what upstream says if that is of the very same file (its pkgid is the SHA-256 of it), and made from
        the header otherwise.
        """
        path = _only(files)
        where = shown(path.name)
        with opened(path) as file:
            parts = read_parts(file, os.fstat(file.fileno()).st_size, where, self._limits)
            check_headers(parts)
            file_list = read_files(parts.header, self._limits.payload.members_for(parts.size))
            sha256 = self._walk(file, parts, file_list, where)
        header = parts.header
        name, version, release = (_word(header, tag) for tag in (Tag.NAME, Tag.VERSION, Tag.RELEASE))
        text = evr(header.number(Tag.EPOCH), version, release)
        try:
            version_key = self._versions.key(text)
        except ValueError as error:
            raise PackageError(f"{where}: {error}") from error
        source = is_source(header)
        architecture = _word(header, Tag.ARCH)
        file_name = f"{name}-{version}-{release}.{_file_architecture(header, architecture)}{SUFFIX}"
        if len(file_name) > _LONGEST_FILE_NAME:
            raise PackageError(f"{where}: its file name would have {len(file_name)} characters")
        source_name, source_version = (name, text) if source else _source_of(header)
        return PackageInfo(
            format="rpm",
            kind="source" if source else "binary",
            name=name,
            version=text,
            version_key=version_key,
            architecture=SOURCE_ARCHITECTURE if source else architecture,
            source_name=source_name,
            source_version=source_version,
            module=header.text(Tag.MODULARITYLABEL),
            summary=header.text(Tag.SUMMARY).strip().partition("\n")[0],
            section=header.text(Tag.GROUP),
            licence=_line(header, Tag.LICENSE),
            maintainer=_line(header, Tag.PACKAGER) or _line(header, Tag.VENDOR),
            provides=" ".join(dict.fromkeys(_provided(header, file_list, name))),
            raw=_raw(parts, file_list, sha256, file_name, upstream, where),
            files=(PackageFile(file_name, parts.size, Sha256(sha256)),),
        )

    def contents(self, files: Sequence[Path]) -> Iterator[tuple[Content, Iterator[bytes]]]:
        """The scripts in the header, then the members of the payload."""
        return self._contents(_only(files))

    def _contents(self, path: Path) -> Iterator[tuple[Content, Iterator[bytes]]]:
        where = shown(path.name)
        with opened(path) as file:
            parts = read_parts(file, os.fstat(file.fileno()).st_size, where, self._limits)
            check_headers(parts)
            file_list = read_files(parts.header, self._limits.payload.members_for(parts.size))
            yield from scripts(parts.header)
            _, payload = self._payload(file, parts, file_list, where)
            yield from members(payload, parts.header, file_list, "source" if is_source(parts.header) else "payload")

    def resign(self, files: Sequence[Path], signer: Signer, folder: Path, now: dt.datetime) -> Sequence[Path]:
        """The package with a signature by ``signer`` and no other; header and payload are as they were."""
        path = _only(files)
        out = folder / path.name
        resign(path, signer, out, now, limits=self._limits)
        return [out]

    def disagreements(self, info: PackageInfo, upstream: bytes) -> Sequence[str]:
        """Where the package's own data and the index's contradict each other: name, version, architecture, source."""
        try:
            index = read_primary(unpack(upstream).primary)
        except ValueError as error:
            return [f"the index's entry cannot be read: {shown(str(error))}"]
        architecture = SOURCE_ARCHITECTURE if index.architecture in _SOURCE_ARCHITECTURES else index.architecture
        said = {
            "name": (index.name, info.name),
            "version": (_version_of(index), info.version),
            "architecture": (architecture, info.architecture),
        }
        if info.kind != "source":
            name, version = _source_file(index.sourcerpm)
            said["source package"] = (f"{name} {version}".strip(), f"{info.source_name} {info.source_version}".strip())
        wrong = [
            f"{what} is {shown(theirs) or 'missing'} in the index and {ours or 'missing'} in the package"
            for what, (theirs, ours) in said.items()
            if theirs != ours
        ]
        # Of a repeated element one client may take the first and another one the last.
        return wrong + [f"the index has {what} twice" for what in index.repeated]

    def companions(self, path: Path) -> Sequence[RemoteFile]:
        """None: an RPM package is one file."""
        return ()

    def signature(self, files: Sequence[Path], keyring: Path | None) -> SignatureCheck:
        """What the signatures of the package are worth; see ``signature.check_signature``."""
        from entrepot_plugins.rpm.signature import check_signature

        return check_signature(_only(files), keyring, self._limits)

    def _walk(self, file: BinaryIO, parts: Parts, file_list: FileList, where: str) -> str:
        """Looks at all of the payload; answers the SHA-256 of the file."""
        reading, payload = self._payload(file, parts, file_list, where)
        for _ in payload:
            pass
        return reading.sha256

    def _payload(self, file: BinaryIO, parts: Parts, file_list: FileList, where: str) -> tuple[Reading, Payload]:
        here = f"{where}: payload"
        header = parts.header
        if Tag.PAYLOADFORMAT in header and header.text(Tag.PAYLOADFORMAT) != _FORMAT:
            raise PackageError(f"{here}: is of the format {shown(header.text(Tag.PAYLOADFORMAT))}, not {_FORMAT}")
        beginning = file.read(4)
        reading = Reading(file, parts)
        compression = compression_of(header.text(Tag.PAYLOADCOMPRESSOR), beginning, here)
        stream = Unpacked(reading.chunks(), compression, limit=self._limits.payload.bytes_for(parts.size), where=here)
        return reading, Payload(stream, file_list, here)


def is_source(header: Header) -> bool:
    """Whether a package is one of source code: rpm takes those for it that name no source package."""
    return Tag.SOURCEPACKAGE in header or Tag.SOURCERPM not in header


def _only(files: Sequence[Path]) -> Path:
    where = shown(files[0].name)
    if files[0].suffix != SUFFIX:
        raise PackageError(f"{where}: is no {SUFFIX} file", hint="the name of a file says what it is")
    if len(files) > 1:
        raise PackageError(f"{where}: an RPM package is one file, not {len(files)}")
    return files[0]


def _word(header: Header, tag: Tag) -> str:
    """A part of the package's name, which has to be fit for a file name and a URL."""
    text = header.text(tag)
    pattern = {Tag.NAME: _NAME, Tag.ARCH: _ARCHITECTURE}.get(tag, _PART)
    if not pattern.fullmatch(text) or text in (".", ".."):
        raise PackageError(f"{header.where}: {tag.name} is '{shown(text)}', which it cannot be")
    return text


def _line(header: Header, tag: Tag) -> str:
    """A text on one line."""
    return " ".join(header.text(tag).split())


def _file_architecture(header: Header, architecture: str) -> str:
    if not is_source(header):
        return architecture
    return "nosrc" if Tag.NOSOURCE in header or Tag.NOPATCH in header else "src"


def _source_of(header: Header) -> tuple[str, str]:
    return _source_file(header.text(Tag.SOURCERPM))


def _source_file(file_name: str) -> tuple[str, str]:
    """Name and version of a source package by the name of its file; empty if that is no such name."""
    match = _SOURCE_FILE.fullmatch(file_name)
    return (match[1], match[2]) if match else ("", "")


def _provided(header: Header, file_list: FileList, name: str) -> Iterator[str]:
    """Names that others may require: what it says it provides, and the files that primary lists."""
    paths = filter(is_primary_file, file_list.paths) if not is_source(header) else ()
    for provided in (*map(decoded, header.strings(Tag.PROVIDENAME)), *map(decoded, paths)):
        if provided != name and provided and not re.search(r"\s", provided):
            yield provided


def _version_of(index: Primary) -> str:
    if index.epoch and not (index.epoch.isascii() and index.epoch.isdigit() and len(index.epoch) <= 10):
        return f"{index.epoch}:{index.version}-{index.release}"
    return evr(index.epoch, index.version, index.release)


def _raw(parts: Parts, file_list: FileList, sha256: str, file_name: str, upstream: bytes | None, where: str) -> bytes:
    theirs = Fragments(b"", b"", b"")
    if upstream is not None:
        theirs = unpack(upstream)
        try:
            same = read_primary(theirs.primary).sha256 == sha256
        except ValueError as error:
            raise PackageError(f"{where}: the index's entry cannot be used: {shown(str(error))}") from error
        if not same:
            theirs = Fragments(b"", b"", b"")
        check_upstream(theirs, sha256, where)
        if all(theirs):
            return upstream
    ours = from_header(parts, file_list, sha256, file_name, where)
    # A repository without filelists or other does not make us forget what the package says.
    return pack(*(their or our for their, our in zip(theirs, ours, strict=True)))
