"""The indexes of a distribution: which there are, where they are, and how a package stands in each.

Whatever an index says of a package depends on that package alone, so that unchanged parts of it are kept from one
publication to the next. Hence the lines of Contents are in the order of packages, and a path that several packages have
is there once for each of them; and a description that two architectures share is in Translation-en twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from entrepot.contracts import VersionView
from entrepot.errors import UsageError
from entrepot.models import Distribution, PublishedEntry
from entrepot_plugins.apt.layout import ALL, BINARY, SOURCE, UDEB
from entrepot_plugins.apt.stanzas import Stanza, needle

_DESCRIPTION = re.compile(rb"^Description:[ \t]*(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_DESCRIPTION_MD5 = re.compile(rb"^Description-md5:.*\n?", re.IGNORECASE | re.MULTILINE)
_PACKAGE, _SECTION = needle("Package"), needle("Section")
_WORD = re.compile(rb"[!-+\--~]+")
"""Without blanks and commas."""


EntryText = Callable[[PublishedEntry], bytes]


@dataclass(frozen=True, slots=True)
class Index:
    """One index. ``path`` is relative to the Release file, without compression; ``compressions`` None: as usual."""

    component: str
    kind: str
    architectures: tuple[str, ...]
    path: str
    entry: EntryText
    file_lists: bool = False
    compressions: tuple[str, ...] | None = None


def has_contents(distribution: Distribution) -> bool:
    """Whether it has Contents indexes."""
    return bool(distribution.options.get("contents"))


def indexes(version: VersionView, components: Mapping[str, str], architectures: Sequence[str]) -> Iterator[Index]:
    """Every index that a client may ask for, the empty ones too: one that is missing is an error on the client.

    ``components`` are names and folders; ``architectures`` are those that the Release file names.
    """
    options = version.distribution.options
    kinds = {kind for _, kind, _ in version.groups()}
    if unknown := kinds - {BINARY, UDEB, SOURCE}:
        raise UsageError(f"APT has no index for packages of the kind {', '.join(sorted(unknown))}")
    translated = bool(options.get("translations"))
    udebs = UDEB in kinds or bool(options.get("udebs"))
    for component, folder in components.items():
        for architecture in architectures:
            members = tuple(dict.fromkeys((architecture, ALL)))
            entry = short_text if translated else binary_text
            yield Index(component, BINARY, members, f"{folder}/binary-{architecture}/Packages", entry)
            if udebs:
                path = f"{folder}/debian-installer/binary-{architecture}/Packages"
                yield Index(component, UDEB, members, path, binary_text)
        if SOURCE in kinds or SOURCE in version.distribution.architectures:
            yield Index(component, SOURCE, (SOURCE,), f"{folder}/source/Sources", source_text)
        if translated:
            members = tuple(dict.fromkeys((*architectures, ALL)))
            path, best = f"{folder}/i18n/Translation-en", _best(version.distribution.compressions)
            yield Index(component, BINARY, members, path, translation_text, compressions=best)
        if has_contents(version.distribution):
            yield from _contents(component, folder, BINARY, architectures)
            if udebs:
                yield from _contents(component, folder, UDEB, architectures)


def _best(compressions: Sequence[str]) -> tuple[str, ...]:
    """The one that all clients of today read and that is smallest: each more is two requests of every publication."""
    return ("xz",) if not compressions or "xz" in compressions else tuple(compressions[:1])


def _contents(component: str, folder: str, kind: str, architectures: Sequence[str]) -> Iterator[Index]:
    prefix = "Contents-" if kind == BINARY else f"Contents-{kind}-"
    for architecture in architectures:
        path = f"{folder}/{prefix}{architecture}"
        yield Index(component, kind, (architecture,), path, contents_text, file_lists=True, compressions=("gz",))


def binary_text(published: PublishedEntry) -> bytes:
    """A stanza of Packages, with its place."""
    return b"%s\nFilename: %s/%s\n\n" % (published.raw, published.location.encode(), published.files[0].name.encode())


def source_text(published: PublishedEntry) -> bytes:
    """A stanza of Sources, with its place."""
    return b"%s\nDirectory: %s\n\n" % (published.raw, published.location.encode())


def short_text(published: PublishedEntry) -> bytes:
    """A stanza of Packages whose long description is in Translation-en, under the MD5 that it names."""
    described = _described(published.raw)
    if described is None:
        return binary_text(published)
    description, md5 = described
    place = f"Filename: {published.location}/{published.files[0].name}"
    rest = _DESCRIPTION_MD5.sub(b"", published.raw + b"\n")
    line = b"Description: %s\nDescription-md5: %s" % (description.partition(b"\n")[0], md5)
    # A function, since a description may have what looks like a reference to a group.
    return _DESCRIPTION.sub(lambda _: line, rest, count=1) + place.encode() + b"\n\n"


def binary_text_beside(published: PublishedEntry) -> bytes:
    """As ``binary_text``, in an index of a snapshot."""
    return binary_text(_beside(published))


def source_text_beside(published: PublishedEntry) -> bytes:
    """As ``source_text``, in an index of a snapshot."""
    return source_text(_beside(published))


def short_text_beside(published: PublishedEntry) -> bytes:
    """As ``short_text``, in an index of a snapshot."""
    return short_text(_beside(published))


def _beside(published: PublishedEntry) -> PublishedEntry:
    """From ``snapshots/NAME``, which is a root for clients, packages are two folders further up."""
    return replace(published, location=f"../../{published.location}")


BESIDE: Mapping[EntryText, EntryText] = {
    binary_text: binary_text_beside,
    source_text: source_text_beside,
    short_text: short_text_beside,
}
"""How the indexes below ``snapshots/NAME`` are written; all others are the same there."""


def translation_text(published: PublishedEntry) -> bytes:
    """A stanza of Translation-en."""
    described = _described(published.raw)
    if described is None:
        return b""
    (name,) = Stanza(published.raw).lines((_PACKAGE,))
    description, md5 = described
    return b"Package: %s\nDescription-md5: %s\nDescription-en: %s\n\n" % (name, md5, description)


def contents_text(published: PublishedEntry) -> bytes:
    """Lines of Contents: a path, a blank, section and name."""
    name, section = Stanza(published.raw).lines((_PACKAGE, _SECTION))
    owner = b"%s/%s" % (section, name) if _WORD.fullmatch(section) else name
    return b"".join(b"%s %s\n" % (path, owner) for path in published.file_list.split(b"\n") if path)


def _described(raw: bytes) -> tuple[bytes, bytes] | None:
    """The description as it stands and its MD5, as apt makes it; None where only an upstream has the whole of it."""
    found = _DESCRIPTION.search(raw)
    if found is None:
        return None
    description = found[1].strip()
    if b"\n" not in description and _DESCRIPTION_MD5.search(raw):
        return None
    return description, hashlib.md5(description + b"\n", usedforsecurity=False).hexdigest().encode()
