"""repomd.xml: what a repository consists of, with digests (https://createrepo.baseurl.org, and what yum made of it)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entrepot.errors import IndexFormatError

from . import documents
from .entry import checked_digest
from .locations import resolve

LIMIT = 4 << 20
"""Bytes of a repomd.xml; real ones have some thousand."""
LARGEST = 4 << 30
"""Bytes of a file that it lists, as it is transferred; no real one has a hundredth of it."""
STRONG = frozenset(("sha256", "sha384", "sha512"))
PACKAGES = ("primary", "filelists", "other")
_NUMBER = re.compile(r"([0-9]{1,18})(?:\.[0-9]*)?")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")


@dataclass(frozen=True, slots=True)
class Record:
    """One file of repodata. ``location`` is as ``locations.resolve`` has it; sizes are None where it does not say."""

    type: str
    location: str
    algorithm: str
    digest: str
    size: int | None = None
    open_algorithm: str = ""
    open_digest: str = ""
    open_size: int | None = None
    timestamp: int = 0

    @property
    def content(self) -> str:
        """What changes whenever the content does: the digest of the plain text, where it is told."""
        if self.open_digest:
            return f"{self.open_algorithm}:{self.open_digest}"
        return f"packed:{self.algorithm}:{self.digest}"

    @property
    def weak(self) -> bool:
        """Nothing better than SHA-1 is known of it."""
        return self.algorithm not in STRONG


@dataclass(frozen=True, slots=True)
class Repomd:
    """A parsed repomd.xml. ``records`` are by type; of a type that stands twice the first."""

    revision: str
    records: Mapping[str, Record]

    @property
    def age(self) -> tuple[int, int]:
        """What grows from one state of a repository to the next: the newest file's time, and the revision's number."""
        newest = max((record.timestamp for record in self.records.values()), default=0)
        return newest, _number(self.revision) or 0


def parse(content: bytes, *, name: str) -> Repomd:
    """A repomd.xml from its text; ``IndexFormatError`` naming it as ``name``.

    Sizes, times and open checksums may be missing. A record without location or checksum is an error: what it lists
    could not be told from anything else.
    """
    root = documents.parse(content, name=name, root="repomd")
    records: dict[str, Record] = {}
    for element in root:
        if documents.local_name(element) != "data":
            continue
        type_ = element.get("type", "")
        try:
            record = _record(element, type_)
        except ValueError as error:
            raise IndexFormatError(f"{name} has a record that cannot be used, {type_[:80]!r}: {error}") from error
        records.setdefault(type_, record)
    return Repomd(documents.child_text(root, "revision"), records)


def _record(element: Any, type_: str) -> Record:
    if not _TYPE.fullmatch(type_):
        raise ValueError("it has no type" if not type_ else "its type is no name")
    children = {documents.local_name(child): child for child in reversed(element)}
    location, checksum, opened = (children.get(tag) for tag in ("location", "checksum", "open-checksum"))
    if location is None or checksum is None:
        raise ValueError("it has no location" if location is None else "it has no checksum")
    algorithm, digest = _checksum(checksum)
    open_algorithm, open_digest = _checksum(opened) if opened is not None and (opened.text or "").strip() else ("", "")
    base = location.get("{http://www.w3.org/XML/1998/namespace}base", "")
    size = _size(children.get("size"))
    if size is not None and size > LARGEST:
        raise ValueError(f"it has {size} bytes, and no more than {LARGEST} are read")
    return Record(
        type=type_,
        location=resolve(location.get("href", "").strip(), base.strip()),
        algorithm=algorithm,
        digest=digest,
        size=size,
        open_algorithm=open_algorithm,
        open_digest=open_digest,
        open_size=_size(children.get("open-size")),
        timestamp=_number(documents.child_text(element, "timestamp")) or 0,
    )


def _checksum(element: Any) -> tuple[str, str]:
    return checked_digest(element.get("type", ""), (element.text or "").strip())


def _size(element: Any) -> int | None:
    text = (element.text or "").strip() if element is not None else ""
    if not text:
        return None
    number = _number(text)
    if number is None:
        raise ValueError(f"its {documents.local_name(element)} is no number, {text[:40]!r}")
    return number


def _number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text)
    return int(match[1]) if match else None
