"""Records of the OSV schema (https://ossf.github.io/osv-schema/, 1.7): a ZIP archive, a folder, or one file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

from entrepot.advisories import Advisory, Affected, Fact, RawAdvisory
from entrepot.contracts import VersionKeys
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv.ecosystems import format_of
from entrepot_plugins.scanners.osv.fields import RECORD_LIMIT, Fields, is_short, one_line, record_digest
from entrepot_plugins.scanners.osv.intervals import Event, intervals
from entrepot_plugins.scanners.osv.severity import best_vector, vendor_word
from entrepot_plugins.shared.compression import decompress, default_limit, suffix_of
from entrepot_plugins.shared.json_stream import JsonStream
from entrepot_plugins.shared.zipped import MAGIC, zip_members

CVE = re.compile(r"(?:.*-)?(CVE-[0-9]{4}-[0-9]{4,19})", re.ASCII)
"""A CVE, or a vendor's own record of one: ``UBUNTU-CVE-2021-3782``."""

_NO_VULNERABILITY = re.compile(r"[A-Z]{2}[BE]A-", re.ASCII)
"""Bug fixes and enhancements of the RPM world: ``ALBA-2021:4378``, ``RHEA-2024:1``."""
_WORD_IN_SUMMARY = re.compile(r"(Critical|Important|Moderate|Low|None): ")
_MODULE_IN_SUMMARY = re.compile(r"(?:^|: )([\w.+-]+:[\w.+-]+) ")
_MODULAR = re.compile(r"\.module[_+]")
_EVENTS = frozenset(("introduced", "fixed", "last_affected", "limit"))
_HEAD = re.compile(rb"\s*[\[{]", re.ASCII)


class OsvReader:
    """OSV, as every distribution of Linux that takes part publishes it."""

    def recognises(self, path: Path) -> bool:
        """A ZIP archive; a folder; a JSON file whose first record has an id and says what it affects."""
        if path.is_dir():
            return True
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(MAGIC):
            return True
        if suffix_of(start, path.name) or not _HEAD.match(start):
            return False
        if b"openvex.dev/ns" in start:
            return False  # what it says of itself has the words of an advisory, too
        return b'"id"' in start and (b'"modified"' in start or b'"schema_version"' in start or b'"affected"' in start)

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """Every record of every JSON file."""
        if path.is_dir():
            yield from _of_folder(path)
            return
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith(MAGIC):
            for name, content in zip_members(path, suffix=".json", limit=RECORD_LIMIT):
                yield RawAdvisory(record_digest(content), content, f"{path.name}: {name!r}")
            return
        yield from _of_file(path, suffix_of(start, path.name))

    def facts(self, path: Path) -> Iterator[Fact]:
        """None: OSV has advisories."""
        return iter(())

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """What a record says. Enumerated ``versions`` are read only where a package has no range."""
        try:
            value = json.loads(record.raw)
        except (ValueError, RecursionError) as error:
            raise IndexFormatError(f"{record.where} is no JSON: {error}", entry=record.where) from error
        fields = Fields(value, record.where)
        name = fields.short("id", required=True)
        fields = Fields(value, f"{record.where} ({name})")
        summary = fields.text("summary")
        withdrawn = fields.short("withdrawn")
        vulnerabilities = _vulnerabilities(name, fields)
        vectors, word = _severities(fields.objects("severity"))
        vector, score = best_vector(vectors)
        in_summary = _WORD_IN_SUMMARY.match(summary)
        affected = [run for package in fields.objects("affected") for run in _affected(package, summary, keys)]
        if withdrawn or not vulnerabilities:
            affected = []
        return Advisory(
            name=name,
            vulnerabilities=vulnerabilities,
            aliases=tuple(alias for alias in fields.texts("aliases") if " " not in alias),
            modified=fields.short("modified"),
            withdrawn=withdrawn,
            severity=word
            or vendor_word(fields.inner("database_specific").get("severity"))
            or (vendor_word(in_summary[1]) if in_summary else ""),
            score=score,
            vector=vector,
            summary=one_line(summary or fields.text("details")),
            url=_url(fields.objects("references")),
            # Some records list a package once for each of its architectures.
            affected=tuple(dict.fromkeys(affected)),
        )


def _of_folder(folder: Path) -> Iterator[RawAdvisory]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            where = repr(str(path.relative_to(folder)))
            if not name.endswith(".json") or path.is_symlink() or not path.is_file():
                continue
            try:
                if path.stat().st_size > RECORD_LIMIT:
                    raise IndexFormatError(f"{where} has more than {RECORD_LIMIT} bytes", file=str(path))
                content = path.read_bytes()
            except OSError as error:
                raise IndexFormatError(f"{where} cannot be read: {error}", file=str(path)) from error
            yield RawAdvisory(record_digest(content), content, where)


def _of_file(path: Path, suffix: str) -> Iterator[RawAdvisory]:
    """One record, an array of them, or one after the other."""
    limit = default_limit(path.stat().st_size)
    stream = JsonStream(decompress(path, suffix, limit=limit, name=path.name), name=path.name, limit=RECORD_LIMIT)
    position = 0
    while not stream.starts_with(""):
        in_array = stream.items() if stream.starts_with("[") else iter([position])
        for _ in in_array:
            _, text = stream.value(f"record {position}")
            raw = text.encode("utf-8", "surrogatepass")
            yield RawAdvisory(record_digest(raw), raw, f"{path.name}: record {position}")
            position += 1


def _vulnerabilities(name: str, fields: Fields) -> tuple[str, ...]:
    """The CVEs that a record is, or is about; its id where there is none, nothing for what is only a bug fix.

    ``related`` counts where nothing else does: advisories of the RPM world list there what they fix.
    """
    for names in ([name, *fields.texts("aliases"), *fields.texts("upstream")], fields.texts("related")):
        found = [match[1] for text in names if (match := CVE.fullmatch(text))]
        if found:
            return tuple(dict.fromkeys(found))
    return () if _NO_VULNERABILITY.match(name) else (name.replace(" ", "_"),)


def _severities(severities: Sequence[Fields]) -> tuple[Sequence[str], str]:
    """CVSS vectors, and a vendor's word."""
    vectors, word = [], ""
    for severity in severities:
        kind, score = severity.short("type"), severity.short("score")
        if kind.startswith("CVSS_V"):
            vectors.append(score)
        else:
            word = word or vendor_word(score)
    return vectors, word


def _url(references: Sequence[Fields]) -> str:
    by_kind: dict[str, str] = {}
    for reference in references:
        url = reference.text("url")
        if url.startswith(("https://", "http://")) and len(url) <= 1000 and url.isprintable():
            by_kind.setdefault(reference.short("type"), url)
    return by_kind.get("ADVISORY") or next(iter(by_kind.values()), "")


def _affected(fields: Fields, summary: str, keys: VersionKeys) -> Iterator[Affected]:
    package = fields.inner("package")
    ecosystem = package.short("ecosystem")
    format_name = format_of(ecosystem)
    if format_name is None:
        return
    name = package.short("name", required=True)
    key = partial(keys, format_name)
    base = Affected(ecosystem, name, severity=_severity_of(fields))
    module = _module_of(package)
    has_range = False
    for range_ in fields.objects("ranges"):
        if range_.short("type") not in ("ECOSYSTEM", "SEMVER"):
            continue
        has_range = True
        events = _events(range_)
        if not any(kind == "introduced" for kind, _ in events):
            raise IndexFormatError(f"{range_.where}: no event says where it begins", entry=range_.where)
        if module or any(".module" in version and _MODULAR.search(version) for _, version in events):
            yield from intervals(events, key, base._replace(module=module or _module_in(summary)))
        else:
            yield from intervals(events, key, base)
    if not has_range:
        for version in fields.texts("versions"):
            yield from intervals([("introduced", version), ("last_affected", version)], key, base)


def _severity_of(fields: Fields) -> str:
    """The vendor's word for one package."""
    word = _severities(fields.objects("severity"))[1]
    if word or fields.get("ecosystem_specific") is None:
        return word
    specific = fields.inner("ecosystem_specific")
    return vendor_word(specific.get("severity")) or vendor_word(specific.get("urgency"))


def _events(range_: Fields) -> Sequence[Event]:
    """The events of a range. There are millions of them: they are looked at without any detour."""
    found: list[Event] = []
    for position, event in enumerate(range_.values("events")):
        fine = isinstance(event, dict)
        for kind, version in event.items() if isinstance(event, dict) else ():
            if kind in _EVENTS:
                fine = fine and isinstance(version, str) and version != "" and is_short(version)
                found.append((kind, version))
        if not fine:
            _wrong_event(range_, position)
    return found


def _wrong_event(range_: Fields, position: int) -> None:
    """Raises what is wrong with an event."""
    event = range_.objects("events")[position]
    for kind in event.names():
        if kind in _EVENTS:
            event.short(kind, required=True)


def _module_of(package: Fields) -> str:
    """The module in a package URL: ``pkg:rpm/redhat/nodejs?arch=src&rpmmod=nodejs:18``."""
    _, _, query = package.short("purl").partition("?")
    return parse_qs(query).get("rpmmod", [""])[0] if "rpmmod=" in query else ""


def _module_in(summary: str) -> str:
    """The module of a package whose release says that it is of one; summaries name it: ``Low: nginx:1.24 update``."""
    match = _MODULE_IN_SUMMARY.search(summary)
    return match[1] if match else "*"
