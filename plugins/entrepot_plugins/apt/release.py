"""The Release file of a distribution: what it says of itself, and the table of its indexes with sizes and digests.

Follows the Debian repository format (https://wiki.debian.org/DebianRepository/Format), and bears with what real
repositories leave out.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.errors import IndexFormatError

from . import stanzas

LIMIT = 32 << 20
"""Bytes of a Release file; Debian's largest has a quarter of a million."""

TABLES = {"sha512": "sha512", "sha256": "sha256", "sha1": "sha1", "md5sum": "md5"}
"""Fields that are tables of digests, and the algorithm of each, strongest first."""
STRENGTH = tuple(TABLES.values())
STRONG = ("sha512", "sha256")
BY_HASH = {"sha512": "SHA512", "sha256": "SHA256", "sha1": "SHA1", "md5": "MD5Sum"}
_DIGEST = {
    name: re.compile(rf"[0-9a-f]{{{size}}}")
    for name, size in (("sha512", 128), ("sha256", 64), ("sha1", 40), ("md5", 32))
}
_SIZE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that a Release lists. ``path`` is relative to the Release; ``digests`` is by algorithm of hashlib."""

    path: str
    size: int
    digests: Mapping[str, str]

    @property
    def strongest(self) -> tuple[str, str]:
        """Algorithm and digest of the strongest hash that is known of it."""
        return next((name, self.digests[name]) for name in STRENGTH if name in self.digests)

    @property
    def weak(self) -> bool:
        """Nothing better than SHA-1 is known of it."""
        return not any(name in self.digests for name in STRONG)


@dataclass(frozen=True, slots=True)
class Release:
    """A parsed Release. Lists are empty and texts are empty where it does not say."""

    origin: str = ""
    label: str = ""
    suite: str = ""
    codename: str = ""
    date: dt.datetime | None = None
    valid_until: dt.datetime | None = None
    architectures: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    acquire_by_hash: bool = False
    no_support_for_architecture_all: bool = False
    """``No-Support-for-Architecture-all: Packages``: packages of architecture ``all`` are in every ``binary-ARCH``."""
    files: Mapping[str, ListedFile] = field(default_factory=dict)


def parse(content: bytes, *, name: str) -> Release:
    """A Release from its (verified) text; ``IndexFormatError`` naming it as ``name``."""
    parts = list(stanzas.split([content], name=name, limit=LIMIT))
    if len(parts) != 1:
        raise IndexFormatError(f"{name} is no Release file: it has {len(parts)} stanzas instead of one", file=name)
    table = stanzas.mapping(parts[0], name=name)
    known = {"origin", "suite", "codename", "date", "architectures", "components", *TABLES}
    if not known & table.keys():
        raise IndexFormatError(
            f"{name} is no Release file: it starts with {stanzas.excerpt(content)}",
            hint="a proxy, a login page or a wrong URL may have answered instead of the repository",
            file=name,
        )
    listed: dict[str, tuple[int, dict[str, str]]] = {}
    for field_name, algorithm in TABLES.items():
        _read_table(table.get(field_name, ""), algorithm, listed, name)
    return Release(
        origin=table.get("origin", ""),
        label=table.get("label", ""),
        suite=table.get("suite", ""),
        codename=table.get("codename", ""),
        date=_date(table.get("date", ""), "Date", name),
        valid_until=_date(table.get("valid-until", ""), "Valid-Until", name),
        architectures=_words(table.get("architectures", "")),
        components=_words(table.get("components", "")),
        acquire_by_hash=table.get("acquire-by-hash", "").lower() == "yes",
        no_support_for_architecture_all="packages" in table.get("no-support-for-architecture-all", "").lower().split(),
        files={path: ListedFile(path, size, digests) for path, (size, digests) in listed.items()},
    )


def _read_table(text: str, algorithm: str, listed: dict[str, tuple[int, dict[str, str]]], name: str) -> None:
    pattern = _DIGEST[algorithm]
    for line in text.splitlines():
        if not line.strip():
            continue
        words = line.split(maxsplit=2)
        digest = words[0].lower()
        if len(words) != 3 or not pattern.fullmatch(digest) or not _SIZE.fullmatch(words[1]):
            raise IndexFormatError(
                f"{name} has a malformed line in its table of {algorithm} digests: {line!r}", file=name
            )
        path = words[2].rstrip().removeprefix("./")
        size = int(words[1])
        known_size, digests = listed.setdefault(path, (size, {}))
        if known_size != size:
            raise IndexFormatError(f"{name} gives {path!r} two sizes, {known_size} and {size}", file=name)
        digests.setdefault(algorithm, digest)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split()))


def _date(text: str, what: str, name: str) -> dt.datetime | None:
    if not text.strip():
        return None
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError as error:
        raise IndexFormatError(f"{name} has a {what} that is no date: {text!r}", file=name) from error
    # "-0000" gives a naive time: it says that the zone is unknown, and Release files are in UTC.
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
