"""Reads and writes .treeinfo: what an installer that boots over the network finds in a repository (productmd 1.x).

It is an INI file: sections ``images-ARCH`` and ``stage2`` name files of the installer, ``checksums`` has their digests,
``variant-NAME`` tells of further repositories. Nothing signs it.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from entrepot.errors import IndexFormatError, TrustError

from .entry import checked_digest
from .locations import is_absolute, resolve
from .repomd import STRONG

LIMIT = 1 << 20
MOST_FILES = 200
REPOMD = "repodata/repomd.xml"
_CHECKSUMS = "checksums"
_OURS = frozenset(("repodata", "Packages", ".treeinfo", "treeinfo"))
"""First parts of paths that a published repository has for itself."""
_SECTION = re.compile(r"\[([^\]\n]+)\]\s*")
_ELSEWHERE = ("variant-", "addon-")
_HERE = ("", ".", "./")


@dataclass(frozen=True, slots=True)
class TreeInfo:
    """What it says: ``digests`` are (algorithm, digest) of the installer's files by path, in order of the paths."""

    family: str
    version: str
    architecture: str
    digests: Mapping[str, tuple[str, str]]

    @property
    def title(self) -> str:
        """For people."""
        return " ".join(part for part in (self.family, self.version, self.architecture) if part)


class _Parser(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        """Names are paths, of which every letter counts."""
        return optionstr


def parse(content: bytes, *, name: str, allow_weak: bool = False) -> TreeInfo:
    """A .treeinfo from its text; ``IndexFormatError`` naming it as ``name`` for what cannot be one.

    ``TrustError`` for a file of the installer of which there is no digest, or, unless ``allow_weak``, a weak one only.
    """
    parser = _Parser(delimiters=("=",), comment_prefixes=("#", ";"), default_section="\0")
    try:
        parser.read_string(content.decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise IndexFormatError(f"{name} is malformed: {error}", file=name) from error
    sections = {section: dict(parser.items(section)) for section in parser.sections()}
    try:
        digests = dict(sorted(_digests(sections.get(_CHECKSUMS, {}))))
        wanted = set(_installer_files(sections))
    except ValueError as error:
        raise IndexFormatError(f"{name} names what cannot be used: {error}", file=name) from error
    if len(digests) > MOST_FILES:
        raise IndexFormatError(f"{name} names {len(digests)} files, and no more than {MOST_FILES} are taken", file=name)
    missing = sorted(wanted - set(digests))
    weak = [] if allow_weak else [path for path, (algorithm, _) in digests.items() if algorithm not in STRONG]
    for paths, what in ((missing, "no digest"), (weak, "only MD5 or SHA-1 digests")):
        if paths:
            hint = "leave the installer's files out with --no-images"
            raise TrustError(f"{name} gives {what} of {', '.join(paths[:5])}", hint=hint, file=name)
    general = {**sections.get("general", {}), **sections.get("release", {})}
    architecture = sections.get("tree", {}).get("arch") or general.get("arch", "")
    return TreeInfo(general.get("name") or general.get("family", ""), general.get("version", ""), architecture, digests)


def rewritten(content: bytes, repomd_sha256: str) -> bytes:
    """The same for a repository with another repomd.xml, and without variants that are in repositories elsewhere."""
    kept: list[str] = []
    gone: set[str] = set()
    for section, lines in _blocks(content.decode("utf-8")):
        values = dict(_value(line) for line in lines if "=" in line)
        if section.startswith(_ELSEWHERE) and values.get("repository", "") not in _HERE:
            gone.add(section.partition("-")[2])
        elif section == _CHECKSUMS:
            kept += [f"{REPOMD} = sha256:{repomd_sha256}\n" if _value(line)[0] == REPOMD else line for line in lines]
        else:
            kept += lines
    return "".join(_without(line, gone) for line in kept).encode()


def _digests(checksums: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for path, value in checksums.items():
        if path == REPOMD:
            continue
        algorithm, _, digest = value.strip().partition(":")
        yield _checked(path), checked_digest(algorithm.strip(), digest.strip())


def _installer_files(sections: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for section, values in sections.items():
        if section.startswith("images-") or section == "stage2":
            yield from (_checked(path) for path in values.values())


def _checked(path: str) -> str:
    location = resolve(path.strip())
    if is_absolute(location) or location.partition("/")[0] in _OURS:
        raise ValueError(f"it has a file of the installer at {path[:120]!r}")
    return location


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Sections with their lines, the one with the name first."""
    section = ""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").splitlines(keepends=True):
        if match := _SECTION.fullmatch(line):
            yield section, lines
            section, lines = match[1], []
        lines.append(line)
    yield section, lines


def _value(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()


def _without(line: str, gone: set[str]) -> str:
    """A line that lists variants without those that are gone."""
    name, value = _value(line)
    if name not in ("variants", "addons") or not gone:
        return line
    return f"{name} = {','.join(item for item in value.split(',') if item.strip() not in gone)}\n"
