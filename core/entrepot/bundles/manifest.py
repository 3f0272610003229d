"""The manifest: all that a bundle has, by digest. Signed, so that whoever trusts it can check everything else.

Its form has a number. What a released version of Entrepôt wrote stays readable; a form that is not known is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from entrepot.errors import BundleError, EntrepotError
from entrepot.models import PackageFile, Sha256

LATEST = 1
"""The form that is written, and the last that is read."""
LIMIT = 256 << 20
"""Bytes of the longest manifest that is read; 60,000 packages take 30 MB."""
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.asc"
ROWS, EXTRAS = "rows.jsonl", "extras.jsonl"

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_LARGEST = 1 << 60


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive: ``rows.jsonl``, ``advisories/debian.jsonl``, ``scanners/clamav/main.cvd``."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A package of the version. ``row`` is the digest (blake2b, 16 bytes) of its text in an index, with its place.

    ``suite`` is the distribution of the source that it once came from (``bookworm``), or empty.
    """

    name: str
    version: str
    architecture: str
    kind: str
    component: str
    suite: str
    row: str
    files: tuple[PackageFile, ...]

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture}={self.version}"


@dataclass(frozen=True, slots=True)
class Feed:
    """Vulnerability data: ``advisories`` are digests of all its records, ``facts`` that of all its facts.

    ``member`` has those that an earlier bundle did not carry; empty if there are none.
    """

    name: str
    format: str
    generation: str
    advisories: tuple[str, ...]
    facts: str
    member: str


@dataclass(frozen=True, slots=True)
class Base:
    """The bundle that has to be applied before: the sha256 of its manifest, and when it was made."""

    manifest: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle has.

    ``packages`` and ``extras`` (digests) are all that the receiver is to have afterwards, ``members`` and ``payload``
    (files of packages and extras, by sha256) what is in this archive, in this order.
    """

    name: str
    format: str
    created_at: str
    made_by: str
    repository: str
    distribution: str
    version: int
    query: str
    packages: tuple[Listed, ...]
    extras: tuple[str, ...] = ()
    extra_files: tuple[PackageFile, ...] = ()
    feeds: tuple[Feed, ...] = ()
    members: tuple[Member, ...] = ()
    payload: tuple[PackageFile, ...] = ()
    since: Base | None = None
    carried: int = 0
    """Packages whose text is in this archive."""
    form: int = field(default=LATEST)

    @property
    def size(self) -> int:
        """Bytes of all that the archive has besides the manifest."""
        return sum(item.size for item in self.members) + sum(item.size for item in self.payload)

    def as_bytes(self) -> bytes:
        """The manifest as it is written and signed: the same values, the same bytes."""
        document = {"entrepot_bundle": self.form, **{k: v for k, v in asdict(self).items() if k != "form"}}
        return json.dumps(document, ensure_ascii=True, separators=(",", ":"), indent=0).encode() + b"\n"


def form_of(data: bytes, where: str) -> tuple[int, Mapping[str, Any]]:
    """The number of a manifest's form, and the document; ``BundleError`` for what is none or too new."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: its manifest is no JSON: {error}", member=MANIFEST) from error
    form = document.get("entrepot_bundle") if isinstance(document, dict) else None
    if type(form) is not int or form < 1:
        raise BundleError(f"{where}: it has no manifest of a bundle", member=MANIFEST)
    if form > LATEST:
        raise BundleError(
            f"{where} is a bundle of form {form}, and this version of Entrepôt reads forms up to {LATEST}",
            hint="update Entrepôt here, or make the bundle with an older one",
            form=form,
        )
    return form, document


def read_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in ``data``; ``BundleError`` that names what is wrong with it. ``where`` is what the bundle is."""
    form, document = form_of(data, where)
    try:
        found = _manifest(form, _Reader(document, "manifest"))
        _check(found)
    except _WrongError as error:
        raise BundleError(f"{where}: its manifest is not as it has to be: {error}", member=MANIFEST) from error
    return found


class _WrongError(EntrepotError):
    """What is not as it has to be, and where."""


class _Reader:
    """Takes the values of an object, each of its type, each once; nothing else may be in it."""

    def __init__(self, document: object, where: str) -> None:
        if not isinstance(document, dict):
            raise _WrongError(f"{where} is no object")
        self._left = dict(document)
        self._where = where

    def take(self, key: str, kind: type[T]) -> T:
        value = self._left.pop(key, None)
        if type(value) is not kind:
            raise _WrongError(f"{self._where}.{key} is no {kind.__name__}")
        return value

    def text(self, key: str, pattern: re.Pattern[str] | None = None, *, empty: bool = False) -> str:
        value = self.take(key, str)
        if pattern and not pattern.fullmatch(value) and not (empty and not value):
            raise _WrongError(f"{self._where}.{key} is {value[:100]!a}")
        if not value.isprintable() or len(value) > 4096:
            raise _WrongError(f"{self._where}.{key} is no text of one line")
        return value

    def number(self, key: str) -> int:
        value = self.take(key, int)
        if not 0 <= value < _LARGEST:
            raise _WrongError(f"{self._where}.{key} is {value}")
        return value

    def each(self, key: str, read: Callable[[_Reader], T]) -> tuple[T, ...]:
        return tuple(
            self._one(item, f"{self._where}.{key}[{at}]", read) for at, item in enumerate(self.take(key, list))
        )

    def digests(self, key: str) -> tuple[str, ...]:
        values = self.take(key, list)
        for value in values:
            if not isinstance(value, str) or not _DIGEST.fullmatch(value):
                raise _WrongError(f"{self._where}.{key} has {str(value)[:100]!a}")
        if len(set(values)) < len(values):
            raise _WrongError(f"{self._where}.{key} has one twice")
        return tuple(values)

    def maybe(self, key: str, read: Callable[[_Reader], T]) -> T | None:
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return None
        return self._one(self._left.pop(key), f"{self._where}.{key}", read)

    def end(self) -> None:
        if self._left:
            raise _WrongError(f"{self._where}.{min(self._left)[:100]!a} is not known")

    @staticmethod
    def _one(value: object, where: str, read: Callable[[_Reader], T]) -> T:
        reader = _Reader(value, where)
        result = read(reader)
        reader.end()
        return result


def _manifest(form: int, reader: _Reader) -> Manifest:
    reader.take("entrepot_bundle", int)
    found = Manifest(
        form=form,
        name=reader.text("name", _NAME),
        format=reader.text("format", _NAME),
        created_at=reader.text("created_at", _TIME),
        made_by=reader.text("made_by"),
        repository=reader.text("repository"),
        distribution=reader.text("distribution"),
        version=reader.number("version"),
        query=reader.text("query"),
        packages=reader.each("packages", _listed),
        extras=reader.digests("extras"),
        extra_files=reader.each("extra_files", _file),
        feeds=reader.each("feeds", _feed),
        members=reader.each("members", _member),
        payload=reader.each("payload", _file),
        since=reader.maybe("since", _base),
        carried=reader.number("carried"),
    )
    reader.end()
    return found


def _listed(reader: _Reader) -> Listed:
    return Listed(
        name=reader.text("name"),
        version=reader.text("version"),
        architecture=reader.text("architecture"),
        kind=reader.text("kind"),
        component=reader.text("component"),
        suite=reader.text("suite"),
        row=reader.text("row", _DIGEST),
        files=reader.each("files", _file),
    )


def _file(reader: _Reader) -> PackageFile:
    name = reader.text("name")
    return PackageFile(name, reader.number("size"), Sha256(reader.text("sha256", _SHA256)))


def _member(reader: _Reader) -> Member:
    return Member(reader.text("name"), reader.number("size"), reader.text("sha256", _SHA256))


def _feed(reader: _Reader) -> Feed:
    return Feed(
        name=reader.text("name", _NAME),
        format=reader.text("format", _NAME),
        generation=reader.text("generation"),
        advisories=reader.digests("advisories"),
        facts=reader.text("facts", _SHA256, empty=True),
        member=reader.text("member"),
    )


def _base(reader: _Reader) -> Base:
    return Base(reader.text("manifest", _SHA256), reader.text("created_at", _TIME))


def _check(manifest: Manifest) -> None:
    """That it fits together: nothing stands twice, and what is in the archive is something that is told of."""
    _once("packages", [(item.row, item.component) for item in manifest.packages])
    _once("feeds", [item.name for item in manifest.feeds])
    _once("members", [item.name for item in manifest.members])
    _once("payload", [item.sha256 for item in manifest.payload])
    known = {EXTRAS, ROWS, *(feed.member for feed in manifest.feeds if feed.member)}
    for member in manifest.members:
        if member.name not in known and not scanner_file(member.name):
            raise _WrongError(f"nothing is known of its member {member.name[:100]!a}")
    if missing := {feed.member for feed in manifest.feeds if feed.member} - {item.name for item in manifest.members}:
        raise _WrongError(f"it has no member {min(missing)[:100]!a}")
    told = {file.sha256: file.size for package in manifest.packages for file in package.files}
    told |= {file.sha256: file.size for file in manifest.extra_files}
    for file in manifest.payload:
        if told.get(file.sha256) != file.size:
            raise _WrongError(f"no package has its file {file.sha256}")
    for package in manifest.packages:
        if not package.files:
            raise _WrongError(f"{package} has no file")


def _once(what: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise _WrongError(f"something stands twice among its {what}")


def scanner_file(member: str) -> tuple[str, str] | None:
    """Scanner and file name of a member that is a scanner's: ``scanners/clamav/main.cvd``; None for any other."""
    folder, _, rest = member.partition("/")
    scanner, _, name = rest.partition("/")
    found = folder == "scanners" and _NAME.fullmatch(scanner) and _NAME.fullmatch(name)
    return (scanner, name) if found else None


def feed_member(feed: str) -> str:
    """What the member with the data of a feed is called."""
    return f"advisories/{feed}.jsonl"


def payload_name(sha256: str) -> str:
    """What a file of packages is called in the archive."""
    return f"files/{sha256}"
