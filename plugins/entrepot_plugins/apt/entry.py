"""One stanza of a Packages or Sources index: what the catalog says of it, and the files to fetch for it.

Runs once for every new package of an index (63,000 in Debian's main), so the usual case is decided by one regular
expression; everything unusual is looked at closely, and refused by name if it is hostile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE, Available, Described, IndexPart, RemoteFile
from entrepot_plugins.shared.sources import unusable

from .layout import SOURCE
from .stanzas import Stanza, excerpt, needle, text
from .version import version_key

_PLAIN = r"[A-Za-z0-9+~_%][A-Za-z0-9+.~_%:-]*"
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9+.\-_~]*")
_ARCHITECTURE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*")
_PLAIN_PATH = re.compile(f"{_PLAIN}(?:/{_PLAIN})*".encode())
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029]")
_SIZE = re.compile(rb"[0-9]{1,18}")
_PROVIDED = re.compile(r"(?:^|,)\s*([A-Za-z0-9][A-Za-z0-9+.\-_~]*)")
_DIGESTS = {
    algorithm: re.compile(rb"[0-9A-Fa-f]{%d}" % size)
    for algorithm, size in (("sha512", 128), ("sha256", 64), ("sha1", 40), ("md5", 32))
}
_BINARY_DIGESTS = tuple(
    (needle(name), name.lower().removesuffix("sum")) for name in ("SHA512", "SHA256", "SHA1", "MD5sum")
)
_SOURCE_TABLES = (
    (needle("Checksums-Sha512"), "sha512"),
    (needle("Checksums-Sha256"), "sha256"),
    (needle("Checksums-Sha1"), "sha1"),
    (needle("Files"), "md5"),
)
_COLUMNS = tuple(
    needle(name) for name in ("Package", "Version", "Architecture", "Size", "SHA256", "Filename", "Source", "Section")
)
_USUAL_FIELDS = {
    "Package": r"[A-Za-z0-9][A-Za-z0-9+.\-_~]*",
    "Version": r"[0-9A-Za-z.+:~-]+",
    "Architecture": r"[A-Za-z0-9][A-Za-z0-9-]*",
    "Size": r"[0-9]{1,18}",
    "SHA256": r"[0-9a-f]{64}",
    "Filename": rf"{_PLAIN}(?:/{_PLAIN})*",
    "Source": r"[A-Za-z0-9+.\-_~]*(?: \([^()\n]*\))?",
    "Section": r"[a-z0-9/-]*",
    "Description": r".*(?:\n[ \t].*)*",
    "Provides": r".*(?:\n[ \t].*)*",
}
"""The fields of the columns, and what their values are where nothing is remarkable about them."""
_REQUIRED = 6
"""So many of them, the first ones, are in every usual stanza."""


def _usual_stanza() -> re.Pattern[bytes]:
    """Matches a whole stanza in which each of these fields is there once at most, written and filled as usual.

    The fields come in any order; other lines are skipped if they cannot be one of them in other capitals. Nothing is
    ever tried twice (``*+``), so that a stanza of a million lines costs no memory.
    """
    names = "|".join(_USUAL_FIELDS)
    initials = "".join(sorted({name[0] for name in _USUAL_FIELDS}))
    fields = "|".join(
        rf"{name}: (?({group})(?!))({value})\n" for group, (name, value) in enumerate(_USUAL_FIELDS.items(), 1)
    )
    others = rf"(?:[^{initials}{initials.lower()}\n]|(?!(?:{names}):)[{initials}][a-z]+[:-]|SHA(?:1|512):).*\n"
    return re.compile(f"(?:{fields}|{others})*+".encode())


_USUAL = _usual_stanza()
_DESCRIPTION, _PROVIDES, _DIRECTORY, _FILENAME, _SIZE_FIELD = map(
    needle, ("Description", "Provides", "Directory", "Filename", "Size")
)
_STRONG = frozenset(("sha512", "sha256"))


def describe(raw: bytes, part: IndexPart) -> Described:
    """The columns of one entry; ``IndexFormatError`` naming part and entry."""
    try:
        return _describe_source(raw) if part.kind == SOURCE else _describe_binary(raw)
    except ValueError as error:
        identity = Stanza(raw).lines(_COLUMNS[:2])
        entry = " ".join(excerpt(value) for value in identity if value) or excerpt(raw)
        raise IndexFormatError(
            f"{part.key} has an entry that cannot be used, {entry}: {error}", file=part.key
        ) from error


def _describe_binary(raw: bytes) -> Described:
    if usual := _USUAL.fullmatch(raw + b"\n"):
        *columns, description, provides = usual.groups(b"")
        if all(columns[:_REQUIRED]):
            return _described(b"\n".join(columns).decode("ascii").split("\n"), description.strip(), provides)
    stanza = Stanza(raw)
    return _described(_unusual(stanza.lines(_COLUMNS)), stanza.value(_DESCRIPTION), stanza.value(_PROVIDES))


def _described(columns: Sequence[str], description: bytes, provides: bytes) -> Described:
    name, version, architecture, size, sha256, path, source, section = columns
    summary = description.partition(b"\n")[0]
    return Described(
        name,
        version,
        version_key(version),
        architecture,
        source.partition(" ")[0] if source else name,
        section,
        int(size),
        sha256,
        path,
        text(summary),
        provided_names(provides.decode("utf-8", "replace")) if provides else "",
        # The summary has a column of its own, and would count twice in a search.
        description.decode("utf-8", "replace") if len(description) > len(summary) else "",
        source.partition("(")[2].partition(")")[0].strip() if "(" in source else "",
    )


def provided_names(provides: str) -> str:
    """The names in a Provides field, without versions and qualifiers, separated by one space."""
    return " ".join(dict.fromkeys(_PROVIDED.findall(provides)))


def _unusual(columns: list[bytes]) -> tuple[str, ...]:
    """The columns, each looked at for itself; ``ValueError`` naming the first that cannot be used."""
    package, raw_version, architecture, size, sha256, path, source, section = columns
    name, version = _identity(package, raw_version)
    if not _ARCHITECTURE.fullmatch(architecture):
        raise ValueError(f"its Architecture is {excerpt(architecture)}" if architecture else "it has no Architecture")
    return (
        name,
        version,
        architecture.decode("ascii"),
        str(_size(size or b"0")),
        _digest(sha256, "sha256") if sha256 else "",
        safe_path(path),
        text(source),
        text(section),
    )


def _identity(package: bytes, version: bytes) -> tuple[str, str]:
    if not _NAME.fullmatch(package):
        raise ValueError(f"its Package is {excerpt(package)}" if package else "it has no Package field")
    if not version:
        raise ValueError("it has no Version field")
    if b"/" in version:
        raise ValueError("its Version has a slash")
    return package.decode("ascii"), version.decode("utf-8", "replace")


def _describe_source(raw: bytes) -> Described:
    stanza = Stanza(raw)
    columns = stanza.lines(_COLUMNS)
    name, version = _identity(columns[0], columns[1])
    files = _source_files(stanza)
    main = files[0]
    return Described(
        name,
        version,
        version_key(version),
        SOURCE_ARCHITECTURE,
        source_name=name,
        section=text(columns[-1]),
        size=sum(file.size or 0 for file in files),
        sha256=main.digests.get("sha256", ""),
        location=main.path,
    )


def files(raw: bytes, package: Available) -> list[RemoteFile]:
    """The files of an entry, the .deb or the .dsc first. Of their digests only the strong ones, if there are any.

    ``IndexFormatError`` naming the entry for paths that leave the repository, and for entries without any digest.
    """
    stanza = Stanza(raw)
    try:
        return _source_files(stanza) if package.kind == SOURCE else [_binary_file(stanza)]
    except ValueError as error:
        raise unusable(package, error) from error


def _binary_file(stanza: Stanza) -> RemoteFile:
    filename, size, *values = stanza.lines((_FILENAME, _SIZE_FIELD, *(field for field, _ in _BINARY_DIGESTS)))
    path = safe_path(filename)
    digests = {
        algorithm: _digest(value, algorithm)
        for (_, algorithm), value in zip(_BINARY_DIGESTS, values, strict=True)
        if value
    }
    return RemoteFile(path, path.rpartition("/")[2], _size(size) if size else None, _strongest(digests, path))


def _source_files(stanza: Stanza) -> list[RemoteFile]:
    directory = stanza.value(_DIRECTORY)
    folder = "" if directory in (b"", b".", b"./") else safe_path(directory.rstrip(b"/")) + "/"
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for field, algorithm in _SOURCE_TABLES:
        for digest, size, name in _table(stanza.value(field), field):
            known, digests = found.setdefault(name, (size, {}))
            if known != size:
                raise ValueError(f"it gives {name!r} two sizes, {known} and {size}")
            digests.setdefault(algorithm, _digest(digest, algorithm))
    result = [
        RemoteFile(folder + name, name, size, _strongest(digests, name)) for name, (size, digests) in found.items()
    ]
    main = [file for file in result if file.name.endswith(".dsc")]
    if len(main) != 1:
        raise ValueError(f"it names {len(main)} .dsc files instead of one")
    return [*main, *(file for file in result if file is not main[0])]


def _table(value: bytes, field: bytes) -> Iterator[tuple[bytes, int, str]]:
    for line in value.split(b"\n"):
        words = line.split(maxsplit=2)
        if not words:
            continue
        if len(words) != 3:
            raise ValueError(f"its {_title(field)} has a malformed line, {excerpt(line)}")
        name = safe_path(words[2].rstrip())
        if "/" in name:
            raise ValueError(f"its {_title(field)} names a file with a slash, {name!r}")
        yield words[0], _size(words[1]), name


def _title(field: bytes) -> str:
    return field[1:-1].decode("ascii").title()


def safe_path(raw: bytes) -> str:
    """A path of an index, relative to the repository: a leading ``./`` and other dots between slashes are left out.

    ``ValueError`` for a path that is empty or absolute, has ``..``, a backslash or control characters, or has no file.
    """
    if _PLAIN_PATH.fullmatch(raw):
        return raw.decode("ascii")
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"it has a path that is not UTF-8, {excerpt(raw)}") from None
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or parts[-1] in ("", ".") or _UNSAFE.search(path):
        raise ValueError(f"it has an unsafe path, {excerpt(raw)}" if raw else "it has no Filename field")
    return "/".join(part for part in parts if part != ".")


def _size(raw: bytes) -> int:
    if not _SIZE.fullmatch(raw):
        raise ValueError(f"it has a size that is no number, {excerpt(raw)}")
    return int(raw)


def _digest(raw: bytes, algorithm: str) -> str:
    if not _DIGESTS[algorithm].fullmatch(raw):
        raise ValueError(f"it has a {algorithm} that is none, {excerpt(raw)}")
    return raw.decode("ascii").lower()


def _strongest(digests: dict[str, str], name: str) -> dict[str, str]:
    if not digests:
        raise ValueError(f"it gives no digest of {name!r}")
    return {name: value for name, value in digests.items() if name in _STRONG} or digests
