"""The elements of primary, filelists and other of one package: made from its header, and read as the index has them."""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.parsers import expat

from entrepot.errors import PackageError
from entrepot_plugins.rpm.library import createrepo
from entrepot_plugins.rpm.raw import Fragments
from entrepot_plugins.rpm.structure import Parts
from entrepot_plugins.rpm.tags import Tag
from entrepot_plugins.shared.unpacked import shown

CHANGELOG_ENTRIES = 10
"""How many a repository has of each package, as createrepo has it; the newest."""
_PRIMARY_FILE = re.compile(rb"/etc/|.*bin/|/usr/lib/sendmail\Z", re.DOTALL)


def is_primary_file(path: bytes) -> bool:
    """Whether primary lists a file, so that it can be required without filelists: createrepo's own rule."""
    return _PRIMARY_FILE.match(path) is not None


def from_header(parts: Parts, sha256: str, file_name: str, where: str) -> Fragments:
    """What createrepo says of a package, with ``file_name`` as its location.

    It sees a file that has the headers and no payload, after ``structure`` has checked them. What depends on the
    machine is set: the untranslated texts are taken, and the time of the file is that of the build.
    """
    library = createrepo()
    with tempfile.NamedTemporaryFile(prefix="entrepot-", suffix=".rpm") as file:
        file.write(parts.front + parts.header.blob)
        file.flush()
        try:
            package = library.package_from_rpm(file.name, library.SHA256, file_name, None, CHANGELOG_ENTRIES)
        except library.CreaterepoCError as error:
            reason = shown(str(error).replace(file.name, "").rpartition(": ")[2])
            raise PackageError(f"{where}: its header cannot be read: {reason}") from error
    package.pkgId = sha256
    package.size_package = parts.size
    package.time_file = package.time_build
    for tag, name in ((Tag.SUMMARY, "summary"), (Tag.DESCRIPTION, "description"), (Tag.GROUP, "rpm_group")):
        if parts.header.count(tag) > 1:
            setattr(package, name, parts.header.text(tag))
    try:
        texts = library.xml_dump(package)
    except library.CreaterepoCError as error:
        raise PackageError(f"{where}: no index can have what its header says: {shown(str(error))}") from error
    elements = [text.strip().encode("utf-8") for text in texts[:3]]
    for element in elements:
        _check_well_formed(element, where)
    return Fragments(*elements)


def _check_well_formed(element: bytes, where: str) -> None:
    # One malformed element would make a whole repository unreadable.
    try:
        parser = expat.ParserCreate("utf-8")
        parser.Parse(element, True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise PackageError(f"{where}: no index can have what its header says: {error}") from error


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
