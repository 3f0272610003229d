"""What is known of vulnerabilities everywhere: those that are exploited (KEV), and how probably they will be (EPSS)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from entrepot.advisories import Advisory, Fact, RawAdvisory
from entrepot.contracts import VersionKeys
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv.fields import RECORD_LIMIT, Fields
from entrepot_plugins.shared.compression import CHUNK, decompress, default_limit, suffix_of
from entrepot_plugins.shared.json_stream import JsonStream

KEV, EPSS = "kev", "epss"

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)
_SCORE = re.compile(r"[01](?:\.[0-9]{1,12})?(?:e-[0-9]{1,3})?", re.ASCII)


class _FactReader:
    """A form that has facts and no advisories."""

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """None."""
        return iter(())

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """Never asked: there are no records."""
        raise AssertionError(record.where)


class KevReader(_FactReader):
    """The catalog of known exploited vulnerabilities, JSON: what it lists is exploited since ``dateAdded`` at least."""

    def recognises(self, path: Path) -> bool:
        """A JSON file that has CVEs as this catalog has them."""
        return b'"cveID"' in _start(path)

    def facts(self, path: Path) -> Iterator[Fact]:
        """The CVEs, each with the day that it was listed."""
        stream = JsonStream(_content(path), name=path.name, limit=RECORD_LIMIT)
        found = False
        for name in stream.members():
            if name != "vulnerabilities":
                stream.value(name)
                continue
            found = True
            for position in stream.items():
                where = f"vulnerabilities[{position}]"
                fields = Fields(stream.value(where)[0], f"{path.name}: {where}")
                identifier = fields.short("cveID", required=True)
                if not _CVE.fullmatch(identifier):
                    raise IndexFormatError(f"{fields.where}: {identifier!r} is no CVE", file=path.name)
                yield Fact(identifier, KEV, fields.short("dateAdded"))
        if not found:
            raise IndexFormatError(f"{path.name} has no list of vulnerabilities", file=path.name)


class EpssReader(_FactReader):
    """Scores of the exploit prediction scoring system, CSV, plain or compressed: ``cve,epss,percentile``."""

    def recognises(self, path: Path) -> bool:
        """A CSV file with the columns of EPSS."""
        return re.match(rb"(?:#.*\r?\n)*cve,epss\b", _start(path)) is not None

    def facts(self, path: Path) -> Iterator[Fact]:
        """The CVEs, each with the probability that it is exploited within 30 days, 0 to 1."""
        header_seen = False
        for number, line in _lines(path):
            if line.startswith("#") or not line:
                continue
            identifier, *columns = line.split(",")
            if not header_seen:
                if [identifier, *columns][:2] != ["cve", "epss"]:
                    raise IndexFormatError(f"{path.name}: line {number} has no columns cve and epss", file=path.name)
                header_seen = True
                continue
            if not _CVE.fullmatch(identifier) or not columns or not _SCORE.fullmatch(columns[0]):
                raise IndexFormatError(f"{path.name}: line {number} is no CVE with a score", file=path.name)
            yield Fact(identifier, EPSS, columns[0])


def _start(path: Path) -> bytes:
    """The first bytes, decompressed."""
    if path.is_dir():
        return b""
    try:
        return next(_content(path), b"")[:65536]
    except IndexFormatError:
        return b""


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        suffix = suffix_of(file.read(8), path.name)
    return decompress(path, suffix, limit=default_limit(path.stat().st_size), name=path.name)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    rest, number = b"", 0
    for chunk in _content(path):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            yield number, _text(line, path, number)
        if len(rest) > CHUNK:
            raise IndexFormatError(f"{path.name}: line {number + 1} has no end", file=path.name)
    if rest:
        yield number + 1, _text(rest, path, number + 1)


def _text(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise IndexFormatError(f"{path.name}: line {number} is not ASCII", file=path.name) from error
