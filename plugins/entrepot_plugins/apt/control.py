"""Stanzas out of packages: parsed strictly, each field kept as the bytes it came in.

Index stanzas are read elsewhere, by the ten thousand and forgivingly. Here it is one stanza at a time, out of a file
that may want to pass for something else, and what is written back must be what was read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from entrepot.errors import PackageError
from entrepot_plugins.apt.pool import source_of
from entrepot_plugins.apt.version import DebianVersions
from entrepot_plugins.shared.unpacked import shown

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_FIELD_NAME = re.compile(rb"[!\"$-,.-9;-~][!-9;-~]*")  # policy 5.1: printable ASCII, no colon, no # or - in front
_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # policy 5.6.1, 5.6.7
_VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9][A-Za-z0-9.+~:-]*")  # policy 5.6.12
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_NOT_OF_A_BINARY = ("any", "source")
LONGEST_FILE_NAME = 255


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``raw`` is all of its lines as they came, each with its line end."""

    name: str
    raw: bytes

    @property
    def value(self) -> str:
        """What follows the colon, without the blanks around it; further lines keep the blank they begin with."""
        return self.raw[len(self.name) + 1 :].strip().decode("utf-8", "replace")


class Stanza:
    """The fields of one stanza, in their order; looked up without regard to case, the first one where it is twice."""

    def __init__(self, fields: Sequence[Field], where: str) -> None:
        self.fields = tuple(fields)
        self.where = where
        self._first: dict[str, Field] = {}
        for item in fields:
            self._first.setdefault(item.name.lower(), item)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._first

    def get(self, name: str) -> str:
        """The value of a field; empty where there is none."""
        found = self._first.get(name.lower())
        return found.value if found else ""

    def line(self, name: str) -> str:
        """The value of a field on one line, blanks together; empty where there is none."""
        return " ".join(self.get(name).split())

    def repeated(self) -> tuple[str, ...]:
        """Names of fields that occur more than once, in lower case."""
        if len(self.fields) == len(self._first):
            return ()
        names = [item.name.lower() for item in self.fields]
        return tuple(sorted({name for name in names if names.count(name) > 1}))

    def package_name(self, field: str) -> str:
        """A field that names a package; ``PackageError`` for one that policy does not admit."""
        return self._checked(field, self.get(field), _PACKAGE_NAME)

    def version(self) -> tuple[str, bytes]:
        """``Version`` and the key that it is sorted by."""
        version = self._checked("Version", self.get("Version"), _VERSION)
        try:
            return version, DebianVersions().key(version)
        except ValueError as error:
            raise PackageError(f"{self.where}: {error}", field="Version") from error

    def architecture(self) -> str:
        """``Architecture`` of a binary package: one name."""
        text = self.get("Architecture")
        return self._checked("Architecture", "" if text in _NOT_OF_A_BINARY else text, _ARCHITECTURE, text)

    def source(self) -> tuple[str, str]:
        """Name and version of the source package that a binary package was built from."""
        text = self.get("Source")
        name, version = source_of({"Package": self.get("Package"), "Version": self.get("Version"), "Source": text})
        if text:
            self._checked("Source", name, _PACKAGE_NAME, text)
            self._checked("Source", version, _VERSION, text)
        return name, version

    def _checked(self, field: str, value: str, pattern: re.Pattern[str], text: str | None = None) -> str:
        if pattern.fullmatch(value):
            return value
        if field not in self:
            raise PackageError(f"{self.where}: has no {field}", field=field)
        raise PackageError(f"{self.where}: {field} is '{shown(value if text is None else text)}'", field=field)


def parse_stanza(text: bytes, where: str, *, lenient: bool = False) -> Stanza:
    """The one stanza in ``text``; ``PackageError`` naming ``where`` and the line for anything else.

    No second stanza, no line that is neither field nor continuation, no control characters, no field twice. Lines may
    end in CR LF, which become LF, and blank lines around the stanza are dropped. ``lenient`` is for what an index that
    we took says: fields may be repeated, comments are dropped, and a line of blanks continues a field, as apt has it.
    """
    text = text.replace(b"\r\n", b"\n").rstrip(b" \t\n")
    if match := _FORBIDDEN.search(text):
        number = text.count(b"\n", 0, match.start()) + 1
        raise PackageError(f"{where}: line {number} has control characters")
    fields: list[Field] = []
    lines: list[bytes] = []
    ended = False
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line or (not lenient and not line.strip(b" \t")):
            ended = bool(lines)
            continue
        if lenient and line.startswith(b"#"):
            continue
        if ended:
            raise PackageError(f"{where}: line {number} begins a second stanza")
        if line[0] not in b" \t":
            if not _FIELD_NAME.fullmatch(line.partition(b":")[0]) or b":" not in line:
                raise PackageError(f"{where}: line {number} is no field: '{shown(line)}'")
            if lines:
                fields.append(_field(lines))
                lines = []
        elif not lines:
            raise PackageError(f"{where}: line {number} continues nothing")
        lines.append(line + b"\n")
    if not lines:
        raise PackageError(f"{where}: is empty")
    fields.append(_field(lines))
    stanza = Stanza(fields, where)
    if not lenient and (repeated := stanza.repeated()):
        raise PackageError(f"{where}: has the field {shown(repeated[0])} twice", field=repeated[0])
    return stanza


def _field(lines: Sequence[bytes]) -> Field:
    return Field(lines[0].partition(b":")[0].decode("ascii"), b"".join(lines))


def compose(stanza: Stanza, *, without: Collection[str], extra: bytes) -> bytes:
    """The stanza as an index has it: ``Package`` first, the others as they came but for those in ``without``
    (lower case), then ``extra``, which ends without a line end, as stanzas do that were split from an index."""
    kept = [item for item in stanza.fields if item.name.lower() not in without]
    kept.sort(key=lambda item: item.name.lower() != "package")
    return b"".join(item.raw for item in kept) + extra


def file_name(name: str, version: str, rest: str, where: str) -> str:
    """``<name>_<version without epoch><rest>``, as Debian names a package's files; all parts are checked already."""
    result = f"{name}_{version.partition(':')[2] if ':' in version else version}{rest}"
    if len(result) > LONGEST_FILE_NAME:
        raise PackageError(f"{where}: name and version are too long for a file's name")
    return result
