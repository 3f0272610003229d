"""The elements of primary, filelists and other of one package: made from its header, and read as the index has them."""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.parsers import expat

from entrepot.errors import PackageError
from entrepot_plugins.rpm.filelist import FileList
from entrepot_plugins.rpm.library import createrepo
from entrepot_plugins.rpm.raw import Fragments
from entrepot_plugins.rpm.structure import LEAD, Header, Parts, decoded
from entrepot_plugins.rpm.tags import SigTag, Tag, Type
from entrepot_plugins.rpm.writing import Value, compose_header, padded
from entrepot_plugins.shared.unpacked import shown

CHANGELOG_ENTRIES = 10
"""How many a repository has of each package, as createrepo has it; the newest."""
_TEXTS = (
    *(Tag.NAME, Tag.VERSION, Tag.RELEASE, Tag.ARCH, Tag.SUMMARY, Tag.DESCRIPTION, Tag.GROUP, Tag.LICENSE, Tag.URL),
    *(Tag.BUILDHOST, Tag.VENDOR, Tag.PACKAGER, Tag.SOURCERPM),
)
_NUMBERS = (Tag.EPOCH, Tag.BUILDTIME, Tag.SIZE, Tag.LONGSIZE, Tag.ARCHIVESIZE, Tag.SOURCEPACKAGE)
_LISTS = (
    (Tag.PROVIDENAME, Tag.PROVIDEVERSION, Tag.PROVIDEFLAGS),
    (Tag.REQUIRENAME, Tag.REQUIREVERSION, Tag.REQUIREFLAGS),
    (Tag.CONFLICTNAME, Tag.CONFLICTVERSION, Tag.CONFLICTFLAGS),
    (Tag.OBSOLETENAME, Tag.OBSOLETEVERSION, Tag.OBSOLETEFLAGS),
    (Tag.RECOMMENDNAME, Tag.RECOMMENDVERSION, Tag.RECOMMENDFLAGS),
    (Tag.SUGGESTNAME, Tag.SUGGESTVERSION, Tag.SUGGESTFLAGS),
    (Tag.SUPPLEMENTNAME, Tag.SUPPLEMENTVERSION, Tag.SUPPLEMENTFLAGS),
    (Tag.ENHANCENAME, Tag.ENHANCEVERSION, Tag.ENHANCEFLAGS),
    (Tag.CHANGELOGNAME, Tag.CHANGELOGTEXT, Tag.CHANGELOGTIME),
)
_EPOCH = re.compile(rb"[0-9]{1,10}:")
_PRIMARY_FILE = re.compile(rb"/etc/|.*bin/|/usr/lib/sendmail\Z", re.DOTALL)


def is_primary_file(path: bytes) -> bool:
    """Whether primary lists a file, so that it can be required without filelists: createrepo's own rule."""
    return _PRIMARY_FILE.match(path) is not None


def from_header(parts: Parts, files: FileList, sha256: str, file_name: str, where: str) -> Fragments:
    """What createrepo says of a package, with ``file_name`` as its location.

    Its C library never sees the package: it crashes on headers that lie about the types of their tags, and prints
    what it does not like. It reads a copy that ``_copy`` wrote. The untranslated texts are taken, and the time of the
    file is that of the build, so that the same package has the same elements on every machine.
    """
    library = createrepo()
    with tempfile.NamedTemporaryFile(prefix="entrepot-", suffix=".rpm") as copy:
        copy.write(_copy(parts, files))
        copy.flush()
        try:
            package = library.package_from_rpm(copy.name, library.SHA256, file_name, None, CHANGELOG_ENTRIES)
            package.pkgId = sha256
            package.size_package = parts.size
            package.time_file = package.time_build
            package.rpm_header_start = parts.start
            package.rpm_header_end = parts.payload
            texts = library.xml_dump(package)
        except (library.CreaterepoCError, OSError) as error:
            raise PackageError(f"{where}: no index can have what its header says: {shown(str(error))}") from error
    elements = [text.strip().encode("utf-8") for text in texts[:3]]
    for element in elements:
        _check_well_formed(element, f"{where}: no index can have what its header says")
    return Fragments(*elements)


def _copy(parts: Parts, files: FileList) -> bytes:
    """A package without a payload that has what createrepo reads, in types and lengths that it can rely on."""
    header = parts.header
    values: list[Value] = []
    for tag in _TEXTS:
        if tag in header:
            values.append(Value(tag, Type.STRING, [header.text(tag).encode()]))
    for tag in _NUMBERS:
        if numbers := header.numbers(tag)[:1]:
            values.append(Value(tag, Type.INT64, numbers) if tag is Tag.LONGSIZE else _int32(header, tag, numbers))
    for tags in _LISTS:
        values += _parallel(header, tags)
    values += _file_values(files)
    archive = parts.signature.number(SigTag.LONGARCHIVESIZE) or parts.signature.number(SigTag.PAYLOADSIZE)
    signature = [Value(SigTag.LONGARCHIVESIZE, Type.INT64, [archive])] if archive else []
    return parts.front[:LEAD] + padded(compose_header(SigTag.REGION, signature)) + compose_header(Tag.REGION, values)


def _parallel(header: Header, tags: tuple[Tag, Tag, Tag]) -> Iterator[Value]:
    """Lists of texts, texts and numbers that belong together; of the changelog, what an index shows of it."""
    texts, others, numbers = tags
    counts = {header.count(tag) for tag in tags if tag in header}
    if len(counts) > 1:
        raise PackageError(f"{header.where}: {', '.join(tag.name for tag in tags)} differ in length")
    if not all(tag in header for tag in tags):
        return
    for version in header.strings(others) if numbers is not Tag.CHANGELOGTIME else ():
        if b":" in version and not _EPOCH.match(version):
            raise PackageError(f"{header.where}: {others.name} is '{shown(version)}', whose epoch is no number")
    most = CHANGELOG_ENTRIES if numbers is Tag.CHANGELOGTIME else None
    for tag in (texts, others):
        yield Value(tag, Type.STRING_ARRAY, [decoded(text).encode() for text in header.strings(tag)[:most]])
    yield _int32(header, numbers, header.numbers(numbers)[:most])


def _int32(header: Header, tag: Tag, numbers: Sequence[int]) -> Value:
    if max(numbers) >> 32:
        raise PackageError(f"{header.where}: {tag.name} is {max(numbers)}, which it cannot be")
    return Value(tag, Type.INT32, numbers)


def _file_values(files: FileList) -> Iterator[Value]:
    if not files.paths:
        return
    split = [decoded(path).encode().rpartition(b"/") for path in files.paths]
    folders = {folder + slash: 0 for folder, slash, _ in split}
    folders = {folder: number for number, folder in enumerate(folders)}
    yield Value(Tag.BASENAMES, Type.STRING_ARRAY, [name for _, _, name in split])
    yield Value(Tag.DIRNAMES, Type.STRING_ARRAY, list(folders))
    yield Value(Tag.DIRINDEXES, Type.INT32, [folders[folder + slash] for folder, slash, _ in split])
    yield Value(Tag.FILEMODES, Type.INT16, [mode & 0xFFFF for mode in files.modes])
    yield Value(Tag.FILEFLAGS, Type.INT32, [flags & 0xFFFFFFFF for flags in files.flags])
    yield Value(Tag.FILEDIGESTS, Type.STRING_ARRAY, [b""] * len(split))


def check_upstream(theirs: Fragments, sha256: str, where: str) -> None:
    """``PackageError`` unless each element that an index has of a package is one well-formed element, and of it.

    Sync cuts them out of their documents without parsing them; here they are about to be published.
    """
    for kind, element in zip(Fragments._fields, theirs, strict=True):
        if not element:
            continue
        name, attributes = _check_well_formed(element, f"{where}: its element in the index's {kind} cannot be used")
        if name != "package" or attributes.get("pkgid", sha256).lower() != sha256:
            raise PackageError(f"{where}: its element in the index's {kind} is of another package")


def _check_well_formed(element: bytes, problem: str) -> tuple[str, dict[str, str]]:
    """Name and attributes of an element. One that is malformed would make a whole repository unreadable."""
    found: list[tuple[str, dict[str, str]]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if not found:
            found.append((name, attributes))

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    try:
        parser.Parse(element, True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise PackageError(f"{problem}: {error}") from error
    return found[0]


@dataclass(frozen=True, slots=True)
class Primary:
    """What an element of primary says about which package it is; texts are empty where it does not say it."""

    name: str
    architecture: str
    epoch: str
    version: str
    release: str
    sha256: str
    """The package's identity, where that is a SHA-256."""
    sourcerpm: str
    repeated: tuple[str, ...]
    """Names of elements that there must be one of and are more."""


def read_primary(element: bytes) -> Primary:
    """Reads an element of primary; ``ValueError`` for what is not one."""
    try:
        # Within another element nothing can be declared: no entities, no document type.
        root = ET.fromstring(b'<m xmlns:rpm="rpm">' + element + b"</m>")  # noqa: S314
    except ET.ParseError as error:
        raise ValueError(f"it is no element of XML: {error}") from error
    package = root[0] if len(root) == 1 else root
    found: dict[str, ET.Element] = {}
    repeated: list[str] = []
    for child in (*package, *package.findall("./{*}format/{*}sourcerpm")):
        name = child.tag.rpartition("}")[2]
        if name in found and name in ("name", "arch", "version", "checksum", "sourcerpm"):
            repeated.append(name)
        found.setdefault(name, child)

    def text(name: str) -> str:
        return (found[name].text or "").strip() if name in found else ""

    version = found.get("version", ET.Element("version"))
    checksum = found.get("checksum", ET.Element("checksum"))
    return Primary(
        name=text("name"),
        architecture=text("arch"),
        epoch=version.get("epoch", ""),
        version=version.get("ver", ""),
        release=version.get("rel", ""),
        sha256=text("checksum").lower() if checksum.get("type") == "sha256" else "",
        sourcerpm=text("sourcerpm"),
        repeated=tuple(repeated),
    )
