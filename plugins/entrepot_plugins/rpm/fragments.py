"""The packages of primary, filelists and other, cut out of them as bytes and joined.

An index of 60,000 packages has more than 300 MB of XML, and from one sync to the next nearly none of it changes. So
documents are cut where packages end, without being parsed: five times faster than any XML parser. That is right as long
as a document is of the plain kind that every known generator writes; one that is not (comments, CDATA, other prefixes
or encodings, single quotes ...) is parsed, and its packages are written in the plain form.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from entrepot.errors import IndexFormatError

from . import documents
from .companions import Companion
from .library import library
from .raw import pack

COMMON = "http://linux.duke.edu/metadata/common"
RPM = "http://linux.duke.edu/metadata/rpm"
ROOTS = {
    "primary": ("metadata", COMMON),
    "filelists": ("filelists", "http://linux.duke.edu/metadata/filelists"),
    "other": ("otherdata", "http://linux.duke.edu/metadata/other"),
}
"""Root and namespace of each document."""

OPEN, CLOSE = b"<package ", b"</package>"
HEAD_LIMIT = 1 << 16
BATCH = 100

_ATTRIBUTE = rb"""([\w:.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?(<\?xml\s[^?>]*\?>)?\s*<(metadata|filelists|otherdata)((?:\s+" + _ATTRIBUTE + rb")*)\s*(/?)>\s*"
)
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([^"']*)""")
_QUOTED = re.compile(rb"""<[^<>"']*(?:"[^"]*"[^<>"']*)*'""")
"""A tag with a single quote outside of double ones: what ``='`` in a text is not."""
_PKGID = re.compile(rb"""<checksum(?=[^>]*\spkgid\s*=)[^>]*>\s*([^<\s]*)""")
_OWN_PKGID = re.compile(rb"""<package\s[^>]*?\bpkgid\s*=\s*"([^"]*)\"""")
_ARCHITECTURE = re.compile(rb"<arch\s*>\s*([^<\s]*)")


class _NotPlainError(Exception):
    """A document that cannot be cut as bytes."""


@dataclass(frozen=True, slots=True)
class Document:
    """One of the three. ``open`` gives its content from its start, decompressed, checked when it ends."""

    kind: str
    name: str
    open: Callable[[], Iterator[bytes]]


class Entry:
    """One package of primary. What the other documents say of it is looked up when ``raw`` is asked for."""

    __slots__ = ("_element", "_index", "_join", "digest")

    def __init__(self, digest: bytes, element: bytes, index: int, join: Join) -> None:
        self.digest = digest
        self._element = element
        self._index = index
        self._join = join

    @property
    def raw(self) -> bytes:
        """Its elements, packed for the catalog."""
        return self._join.pack(self._element, self._index)

    @property
    def architecture(self) -> bytes:
        """``<arch>`` as it came; empty if it has none."""
        at = self._element.find(b"<arch>") + 6
        if at >= 6:
            return self._element[at : self._element.find(b"<", at)]
        match = _ARCHITECTURE.search(self._element)
        return match[1] if match else b""


class Join:
    """The documents of a repository, side by side; ``folder`` takes what has to be sorted."""

    def __init__(self, primary: Document, others: Sequence[Document | None], folder: Path) -> None:
        self._primary = primary
        self._others = [
            Companion(partial(batches, document), pkgid_of, folder / document.kind) if document else None
            for document in others
        ]
        # A package that gains filelists is another one to the catalog, though primary says the same of it.
        self._salt = bytes(other is not None for other in others)

    def entries(self) -> Iterator[Entry]:
        """Every package, in the order of primary.

        An entry's digest is that of its element in primary: that has the digest of the package's file, which filelists
        and other are made from.
        """
        blake2b, salt = hashlib.blake2b, self._salt
        index = 0
        for batch in batches(self._primary):
            for element in batch:
                yield Entry(blake2b(element, digest_size=16, salt=salt).digest(), element, index, self)
                index += 1

    def pack(self, element: bytes, index: int) -> bytes:
        """A package's elements. ``IndexFormatError`` if primary does not say which package it is."""
        at = element.find(b' pkgid="YES">') + 13
        pkgid = element[at : element.find(b"<", at)] if at >= 13 else b""
        if not pkgid:
            match = _PKGID.search(element)
            pkgid = match[1] if match else b""
        if not pkgid:
            raise IndexFormatError(
                f"{self._primary.name} has a package without a pkgid, which starts with {element[:80]!r}",
                file=self._primary.name,
            )
        filelists, other = (other.find(index, pkgid) if other else b"" for other in self._others)
        return pack(element, filelists, other)


def pkgid_of(element: bytes) -> bytes:
    """The digest by which an element of filelists or other names its package; empty if it has none."""
    if element.startswith(b'<package pkgid="'):
        return element[16 : element.find(b'"', 16)]
    match = _OWN_PKGID.match(element)
    return match[1] if match else b""


def batches(document: Document) -> Iterator[list[bytes]]:
    """The complete ``<package>`` elements of a document, in UTF-8, some at a time.

    ``IndexFormatError`` if it is malformed or has another number of packages than it says.
    """
    done = 0
    try:
        for batch in _cut(document):
            done += len(batch)
            yield batch
    except _NotPlainError:
        # What was cut out before the first oddity is right, and came already.
        parsed = islice(_parse(document), done, None)
        while batch := list(islice(parsed, BATCH)):
            yield batch


def _cut(document: Document) -> Iterator[list[bytes]]:
    chunks = document.open()
    head = rest = b""
    match = None
    for chunk in chunks:
        head += chunk
        match = _HEAD.match(head)
        if match or len(head) > HEAD_LIMIT:
            break
    declared = _check_head(match, document)
    assert match is not None
    rest = head[match.end() :]
    found = 0
    for data in _joined(rest, chunks, document):
        batch = _split(data)
        found += len(batch)
        yield batch
    if declared is not None and declared != found:
        raise _miscounted(document, declared, found)


def _check_head(match: re.Match[bytes] | None, document: Document) -> int | None:
    """The number of packages that the root tells, if it does; ``_NotPlainError`` unless all is as expected."""
    root, namespace = ROOTS[document.kind]
    if match is None or match[2].decode() != root or match[7]:
        raise _NotPlainError
    encoding = _ENCODING.search(match[1] or b"")
    if encoding and encoding[1].lower() not in (b"utf-8", b"us-ascii"):
        raise _NotPlainError
    attributes = {name: double or single for name, double, single in _ATTRIBUTES.findall(match[3])}
    count = attributes.pop(b"packages", None)
    if not attributes.items() <= {(b"xmlns", namespace.encode()), (b"xmlns:rpm", RPM.encode())}:
        raise _NotPlainError
    return _count(count.decode("ascii", "replace") if count is not None else None)


def _count(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,12}", text) else None


def _miscounted(document: Document, declared: int, found: int) -> IndexFormatError:
    return IndexFormatError(
        f"{document.name} says that it has {declared} packages, and has {found}",
        hint="it was changed after it was made; its owner has to make it again",
        file=document.name,
    )


def _joined(rest: bytes, chunks: Iterator[bytes], document: Document) -> Iterator[bytes]:
    """The stream in pieces that each end where a package does; the last thing in it must be the end of the root."""
    held: list[bytes] = []
    size = 0
    before = b""
    for chunk in chain((rest,), chunks):
        held.append(chunk)
        size += len(chunk)
        end = chunk.rfind(CLOSE)
        if end < 0 and CLOSE in before + chunk[: len(CLOSE) - 1]:  # the mark is cut in two
            held = [b"".join(held)]
            end = held[0].rfind(CLOSE)
        before = (before + chunk)[1 - len(CLOSE) :] if len(chunk) < len(CLOSE) else chunk[1 - len(CLOSE) :]
        if end < 0:
            if size > documents.ELEMENT_LIMIT:
                raise IndexFormatError(
                    f"{document.name} has an element of more than {documents.ELEMENT_LIMIT} bytes, "
                    f"which starts with {held[0][:80]!r}",
                    file=document.name,
                )
            continue
        last = held.pop()
        end += len(CLOSE)
        yield b"".join((*held, last[:end]))
        held = [last[end:]]
        size = len(last) - end
    if b"".join(held).strip() != b"</%s>" % ROOTS[document.kind][0].encode():
        raise _NotPlainError


def _split(data: bytes) -> list[bytes]:
    """Whole packages as a list; ``_NotPlainError`` where a parser has to look."""
    # Comments, CDATA, DOCTYPE, processing instructions; NUL, which separates elements in the catalog.
    if b"\0" in data or _has(data, b"<", b"!") or _has(data, b"<", b"?"):
        raise _NotPlainError
    parts = data.split(CLOSE)
    parts.pop()
    if data.count(OPEN) != len(parts):
        raise _NotPlainError
    elements = [part.lstrip() + CLOSE for part in parts]
    for element in elements:
        if not element.startswith(OPEN):
            raise _NotPlainError
    if _has(data, b"=", b"'") and any(b"='" in element and _QUOTED.search(element) for element in elements):
        raise _NotPlainError
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            # Old generators copied what packages said in Latin-1 or worse; a parser would refuse all of the document.
            return [element.decode("utf-8", "replace").encode() for element in elements]
    return elements


def _has(data: bytes, first: bytes, second: bytes) -> bool:
    """Whether two characters follow each other. One that is rare is found ten times faster than both together."""
    at = data.find(second)
    while at >= 0:
        if data[at - 1 : at] == first:
            return True
        at = data.find(second, at + 1)
    return False


# ------------------------------------------------------------------------------------------- the way of the parser


def _parse(document: Document) -> Iterator[bytes]:
    root, namespace = ROOTS[document.kind]
    etree = library("lxml.etree")
    stream = documents.elements(document.open(), name=document.name, root=root, wanted=frozenset(("package",)))
    declared = _count(next(stream).get("packages"))
    found = 0
    plain = _Plain(etree, namespace)
    for found, element in enumerate(stream, 1):  # noqa: B007
        yield plain.text(element)
    if declared is not None and declared != found:
        raise _miscounted(document, declared, found)


class _Plain:
    """Writes elements as they stand in a document of the plain kind, whatever prefixes theirs had."""

    def __init__(self, etree: Any, namespace: str) -> None:
        self._etree = etree
        self._prefixes = {None: namespace, "rpm": RPM}
        self._namespace = namespace
        self._declarations = re.compile(rb' xmlns(?::rpm)?="(?:%s|%s)"' % (namespace.encode(), RPM.encode()))

    def text(self, element: Any) -> bytes:
        """One element, complete, without the declarations that its document's root has."""
        copy = self._etree.Element(self._tag(element), dict(element.attrib), nsmap=self._prefixes)
        self._fill(copy, element)
        text: bytes = self._etree.tostring(copy, encoding="UTF-8", xml_declaration=False, with_tail=False)
        end = text.index(b">")
        return self._declarations.sub(b"", text[:end]) + text[end:]

    def _fill(self, copy: Any, element: Any) -> None:
        copy.text = element.text
        for child in element:
            if isinstance(child.tag, str):
                namespace = child.nsmap.get(child.prefix)
                own = {child.prefix: namespace} if namespace not in (None, *self._prefixes.values()) else None
                added = self._etree.SubElement(copy, self._tag(child), dict(child.attrib), nsmap=own)
                added.tail = child.tail
                self._fill(added, child)

    def _tag(self, element: Any) -> str:
        tag: str = element.tag
        return tag if tag.startswith("{") else f"{{{self._namespace}}}{tag}"
