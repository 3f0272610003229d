"""Reads source packages: a .dsc (policy 5.4) and the files that it names.

A .dsc may be clear-signed by who uploaded it. Here only the payload is read; what the signature is worth, the module
``signature`` says. The file itself is kept and published as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from entrepot.errors import PackageError
from entrepot.models import SOURCE_ARCHITECTURE, PackageInfo, RemoteFile
from entrepot_plugins.apt.control import LONGEST_FILE_NAME, Stanza, compose, file_name, parse_stanza
from entrepot_plugins.shared.digests import Digests, measure, opened
from entrepot_plugins.shared.unpacked import shown

LONGEST_DSC = 4 << 20
MOST_FILES = 100
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_END = b"-----END PGP SIGNATURE-----"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_:-]*")
_REPLACED = frozenset({"package", "directory", "files", "checksums-sha1", "checksums-sha256", "checksums-sha512"})


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of ``Files`` or ``Checksums-*``."""

    name: str
    size: int
    digest: str


def companions(path: Path) -> tuple[RemoteFile, ...]:
    """The files that a .dsc names, which lie beside it."""
    stanza = _read_dsc(path)[0]
    return tuple(
        RemoteFile(path=item.name, name=item.name, size=item.size, digests={"sha256": item.digest})
        for item in _listed(stanza)
    )


def companion_paths(files: Sequence[Path]) -> list[Path]:
    """Of the files of a source package those that its .dsc names, in its order, as far as names and sizes tell."""
    stanza = _read_dsc(files[0])[0]
    return list(_matched(files[1:], _listed(stanza), stanza.where))


def read_source(files: Sequence[Path], upstream: bytes | None) -> PackageInfo:
    """A source package: the .dsc first, then every file that it names and no other."""
    where = shown(files[0].name)
    stanza, main = _read_dsc(files[0])
    name = stanza.package_name("Source")
    version, version_key = stanza.version()
    found = {file_name(name, version, ".dsc", where): main, **_measured(files[1:], stanza)}
    published = stanza
    if upstream is not None:
        published = parse_stanza(upstream, f"{where}: the index's entry", lenient=True)
    return PackageInfo(
        format="apt",
        kind="source",
        name=name,
        version=version,
        version_key=version_key,
        architecture=SOURCE_ARCHITECTURE,
        source_name=name,
        summary="",
        section=published.get("Section"),
        raw=_raw(name, published, found, without=_REPLACED if upstream is not None else _REPLACED | {"source"}),
        files=tuple(digests.file(file) for file, digests in found.items()),
        source_version=version,
        maintainer=stanza.line("Maintainer"),
    )


def _read_dsc(path: Path) -> tuple[Stanza, Digests]:
    where = shown(path.name)
    with opened(path) as file:
        digests = measure(file)
        if digests.size > LONGEST_DSC:
            raise PackageError(f"{where}: has {digests.size} bytes, at most {LONGEST_DSC} are read")
        file.seek(0)
        text = file.read(LONGEST_DSC)
    return parse_stanza(signed_text(text, where), where), digests


def signed_text(text: bytes, where: str) -> bytes:
    """What a clear-signed text says (RFC 9580, 7), or the text itself; nothing may stand around the signed part."""
    lines = [line.rstrip(b" \t\r") for line in text.strip().split(b"\n")]
    if lines[0] != _SIGNED:
        return text
    if lines[-1] != _SIGNATURE_END or lines.count(_SIGNATURE) != 1 or b"" not in lines:
        raise PackageError(f"{where}: its signature is damaged, or something stands around the signed text")
    start = lines.index(b"")
    if any(not line.startswith(b"Hash:") for line in lines[1:start]):
        raise PackageError(f"{where}: its signed text has unknown headers")
    return b"\n".join(line.removeprefix(b"- ") for line in lines[start + 1 : lines.index(_SIGNATURE)])


def _listed(stanza: Stanza, field: str = "Checksums-Sha256", digits: int = 64) -> list[Listed]:
    """The files that a field of the .dsc names; their names are safe to use as such."""
    where = stanza.where
    if field not in stanza:
        raise PackageError(f"{where}: has no {field}", hint="sources from before 2009 have to be rebuilt", field=field)
    found: list[Listed] = []
    prefix = f"{stanza.package_name('Source')}_"
    for line in filter(None, map(str.strip, stanza.get(field).split("\n"))):
        digest, _, rest = line.partition(" ")
        size, _, name = rest.strip().partition(" ")
        name = name.strip()
        if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", digest) or not re.fullmatch("[0-9]{1,18}", size):
            raise PackageError(f"{where}: {field} has the line '{shown(line)}'", field=field)
        fits = _FILE_NAME.fullmatch(name) and name.startswith(prefix) and not name.endswith(".dsc")
        if not fits or len(name) > LONGEST_FILE_NAME:
            raise PackageError(f"{where}: {field} names '{shown(name)}', which cannot be a file of it", field=field)
        if name in [other.name for other in found]:
            raise PackageError(f"{where}: {field} names {name} twice", field=field)
        found.append(Listed(name, int(size), digest.lower()))
        if len(found) > MOST_FILES:
            raise PackageError(f"{where}: {field} names more than {MOST_FILES} files", field=field)
    if not found:
        raise PackageError(f"{where}: {field} names no file", field=field)
    return found


def _measured(paths: Sequence[Path], stanza: Stanza) -> dict[str, Digests]:
    """The files that a .dsc names, in its order, with what they really are."""
    where = stanza.where
    listed = _listed(stanza)
    found: dict[str, Digests] = {}
    for item, path in zip(listed, _matched(paths, listed, where), strict=True):
        with opened(path) as file:
            digests = measure(file)
        if (digests.size, digests.sha256) != (item.size, item.digest):
            raise PackageError(f"{where}: {item.name} is not the file that it names: its size or SHA256 differs")
        found[item.name] = digests
    if "Files" in stanza:
        for item in _listed(stanza, "Files", 32):
            digests_or_none = found.get(item.name)
            if not digests_or_none or (digests_or_none.size, digests_or_none.md5) != (item.size, item.digest):
                raise PackageError(f"{where}: Files and Checksums-Sha256 disagree about {item.name}", field="Files")
    return found


def _matched(paths: Sequence[Path], listed: Sequence[Listed], where: str) -> list[Path]:
    """The files that came, in the order of the list, which has to name all of them and no other."""
    given = {path.name: path for path in paths}
    names = [item.name for item in listed]
    if missing := sorted(set(names) - set(given)):
        raise PackageError(f"{where}: names {missing[0]}, which is not there", missing=missing)
    if unknown := sorted(set(given) - set(names)):
        raise PackageError(f"{where}: does not name {shown(unknown[0])}, which came with it")
    return [given[name] for name in names]


def _raw(name: str, stanza: Stanza, files: dict[str, Digests], *, without: frozenset[str]) -> bytes:
    """The stanza of a Sources index, without ``Directory``."""
    md5 = "".join(f"\n {digests.md5} {digests.size} {file}" for file, digests in files.items())
    sha256 = "".join(f"\n {digests.sha256} {digests.size} {file}" for file, digests in files.items())
    rest = compose(stanza, without=without, extra=f"Files:{md5}\nChecksums-Sha256:{sha256}".encode("ascii"))
    return f"Package: {name}\n".encode("ascii") + rest
