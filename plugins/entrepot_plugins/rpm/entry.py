"""One package of an index: what the catalog says of it, and the file to fetch for it.

``describe`` runs once for every new package of an index (60,000 in a large one), so the element is not parsed: one
match is enough for what createrepo writes, and what others write is found as bytes. ``fragments`` cut or wrote the
elements, so they are of the plain kind.
"""

from __future__ import annotations

import re

from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE, Available, Described, IndexPart, RemoteFile
from entrepot_plugins.shared.sources import unusable

from .locations import resolve
from .raw import primary_of
from .version import RpmVersions, evr

SOURCES = frozenset((b"src", b"nosrc"))
ALGORITHMS = {
    "sha": "sha1",
    "sha1": "sha1",
    "md5": "md5",
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
}
"""Types of checksums in repodata, and the names that hashlib has for them. ``sha`` is what yum called SHA-1."""
DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}

_ATTRIBUTES = re.compile(rb"""([\w:.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")
_PROVIDED = re.compile(rb'<rpm:entry name="([^"]*)"')
_FILES = re.compile(rb"<file(?:\s[^>]*)?>([^<]*)</file>")
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#x([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));")
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~^@%{}-]*")
_ARCHITECTURE = re.compile(r"[A-Za-z0-9_]+")
_SOURCE_FILE = re.compile(r"(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm")
CONTROL = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
_key = RpmVersions().key


def _child(name: str, value: str) -> str:
    return rf"(?:<{name}>{value}</{name}>|<{name}\s*/>)\s*"


_USUAL = re.compile(
    (
        r'<package type="rpm">\s*<name>([A-Za-z0-9_][A-Za-z0-9._+-]*)</name>\s*<arch>([A-Za-z0-9_]+)</arch>\s*'
        r'<version epoch="([0-9]*)" ver="([^"&]+)" rel="([^"&]+)"\s*/>\s*'
        r'<checksum type="sha256" pkgid="YES">([0-9a-f]{64})</checksum>\s*'
        + _child("summary", "([^<]*)")
        + _child("description", "([^<]*)")
        + _child("packager", "[^<]*")
        + _child("url", "[^<]*")
        + r'<time [^<>]*/>\s*<size package="([0-9]{1,18})"[^<>]*/>\s*<location href="([^"&<>]+)"\s*/>\s*<format>\s*'
        + _child("rpm:license", "[^<]*")
        + _child("rpm:vendor", "[^<]*")
        + _child("rpm:group", "([^<]*)")
        + _child("rpm:buildhost", "[^<]*")
        + _child("rpm:sourcerpm", "([^<]*)")
    ).encode()
)
"""An element as createrepo writes it, up to where its relations start."""


def describe(raw: bytes, part: IndexPart) -> Described:
    """The columns of one entry; ``IndexFormatError`` naming part and entry."""
    element = primary_of(raw)
    usual = _USUAL.match(element)
    try:
        return _describe_usual(element, usual) if usual else _describe(element)
    except ValueError as error:
        name = _shown(_text(element, b"name")[:80]) or repr(element[:60])[1:]
        raise IndexFormatError(
            f"{part.key} has an entry that cannot be used, {name}: {error}",
            file=part.key,
        ) from error


def _describe_usual(element: bytes, match: re.Match[bytes]) -> Described:
    values = b"\0".join(match.groups(b""))
    text = values.decode("utf-8", "replace")
    if b"&" in values:
        text = _unescaped(text)
    name, arch, epoch, version, release, digest, summary, description, size, href, group, source = text.split("\0")
    full = evr(epoch, version, release)
    is_source = arch in ("src", "nosrc")
    source_file = None if is_source else _SOURCE_FILE.fullmatch(source.strip())
    return Described(
        name,
        full,
        _key(full),
        SOURCE_ARCHITECTURE if is_source else arch,
        source_file[1] if source_file else name,
        _line(group),
        int(size),
        digest,
        resolve(href),
        _line(summary),
        # createrepo has files after the relations, so that most of an element is not looked at for them.
        _provides(element, name, match.end(), element.rfind(b"</rpm:")),
        _lines(description),
    )


def _describe(element: bytes) -> Described:
    name = _text(element, b"name")
    if not _NAME.fullmatch(name):
        raise ValueError(f"its name is {name[:80]!r}" if name else "it has no name")
    version = version_of(element)
    architecture = _text(element, b"arch")
    if not _ARCHITECTURE.fullmatch(architecture):
        raise ValueError(f"its arch is {architecture[:80]!r}" if architecture else "it has no arch")
    source = architecture in ("src", "nosrc")
    algorithm, digest = _checksum(element)
    source_file = _SOURCE_FILE.fullmatch(_text(element, b"rpm:sourcerpm"))
    return Described(
        name,
        version,
        _key(version),
        SOURCE_ARCHITECTURE if source else architecture,
        source_file[1] if source_file and not source else name,
        _line(_text(element, b"rpm:group")),
        _size(element) or 0,
        digest if algorithm == "sha256" else "",
        location_of(element),
        _line(_text(element, b"summary")),
        _provides(element, name, 0, 0),
        _text(element, b"description"),
    )


def version_of(element: bytes) -> str:
    """``[epoch:]version-release`` of an element; ``ValueError`` if it lacks them."""
    attributes = _attributes(element, b"version")
    epoch, version, release = (attributes.get(name, "") for name in ("epoch", "ver", "rel"))
    if not version or not release:
        raise ValueError("it has no version and release")
    return evr(epoch, version, release)


def location_of(element: bytes) -> str:
    """Where the package is: relative to the source's root, or an absolute URL. ``ValueError`` for what is not safe."""
    attributes = _attributes(element, b"location")
    return resolve(attributes.get("href", ""), attributes.get("xml:base", ""))


def files(raw: bytes, package: Available) -> list[RemoteFile]:
    """The file of an entry, under the name that its name, version and architecture give it.

    ``IndexFormatError`` naming the entry for paths that leave the repository, and for entries without a digest.
    """
    element = primary_of(raw)
    try:
        algorithm, digest = _checksum(element)
        path = location_of(element)
        size = _size(element)
        architecture = _text(element, b"arch")
        version = package.version.rpartition(":")[2]
        name = f"{package.name}-{version}.{architecture}.rpm"
        if "/" in name or not name.isprintable():
            raise ValueError(f"its file name would be {name!r}")
    except ValueError as error:
        raise unusable(package, error) from error
    return [RemoteFile(path, name, size, {algorithm: digest})]


def checked_digest(type_: str, text: str) -> tuple[str, str]:
    """The algorithm by hashlib's name, and the digest in lower case; ``ValueError`` for what is none."""
    algorithm = ALGORITHMS.get(type_.lower(), "")
    if not algorithm:
        raise ValueError(f"it has a checksum of an unknown type, {type_[:40]!r}")
    if not re.fullmatch(f"[0-9a-fA-F]{{{DIGITS[algorithm]}}}", text):
        raise ValueError(f"it has a {algorithm} that is none, {text[:140]!r}")
    return algorithm, text.lower()


def _checksum(element: bytes) -> tuple[str, str]:
    text = _text(element, b"checksum")
    if not text:
        raise ValueError("it has no checksum")
    return checked_digest(_attributes(element, b"checksum").get("type", ""), text)


def _size(element: bytes) -> int | None:
    text = _attributes(element, b"size").get("package", "")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,18}", text):
        raise ValueError(f"it has a size that is no number, {text[:40]!r}")
    return int(text)


def _provides(element: bytes, name: str, start: int, files_from: int) -> str:
    """The names it provides besides its own, and the files that primary has of it: what a requirement may name.

    They are looked for from the two places on.
    """
    start = element.find(b"<rpm:provides>", start)
    end = element.find(b"</rpm:provides>", start)
    found = _PROVIDED.findall(element, start, end) if 0 <= start < end else []
    found += _FILES.findall(element, max(files_from, 0))
    joined = b"\n".join(found)
    text = joined.decode("utf-8", "replace")
    names = dict.fromkeys(_unescaped(text).split("\n") if b"&" in joined else text.split("\n"))
    names.pop(name, None)
    names.pop("", None)
    result = " ".join(names)
    if result.count(" ") >= len(names) or not result.isprintable():
        return " ".join(item for item in names if " " not in item and item.isprintable())
    return result


def _text(element: bytes, tag: bytes) -> str:
    """The text of a child, without blanks around it, control characters replaced; empty if there is none."""
    match = re.search(rb"<%b(?:\s[^>]*?)?(?<!/)>([^<]*)" % re.escape(tag), element)
    return _lines(_unescaped(match[1].decode("utf-8", "replace"))) if match else ""


def _lines(text: str) -> str:
    text = text.strip()
    return text if text.replace("\n", "").isprintable() else text.translate(CONTROL)


def _line(text: str) -> str:
    text = text.strip()
    return text if text.isprintable() else _shown(" ".join(text.split()))


def _attributes(element: bytes, tag: bytes) -> dict[str, str]:
    """The attributes of the first child of this name."""
    match = re.search(rb"<%b((?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*/?>" % re.escape(tag), element)
    return {
        name.decode(): _unescaped((double or single).decode("utf-8", "replace"))
        for name, double, single in _ATTRIBUTES.findall(match[1] if match else b"")
    }


def _unescaped(text: str) -> str:
    """Text with its references (XML 1.0, 4.6) resolved; one that means no character stays as it is."""

    def character(match: re.Match[str]) -> str:
        decimal, hexadecimal, name = match.groups()
        if name:
            return _CHARACTERS[name]
        code = int(decimal) if decimal else int(hexadecimal, 16)
        return chr(code) if 0x20 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF or code in (9, 10) else match[0]

    return _REFERENCE.sub(character, text)


def _shown(text: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)
