"""OpenVEX documents (https://github.com/openvex/spec, 0.2.0): what somebody says of a vulnerability in a package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from entrepot.advisories import Advisory, Affected, Fact, RawAdvisory
from entrepot.contracts import VersionKeys
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv.fields import RECORD_LIMIT, Fields, one_line, record_digest
from entrepot_plugins.scanners.osv.intervals import UNCOMPARABLE, intervals
from entrepot_plugins.scanners.osv.osv_format import CVE
from entrepot_plugins.shared.compression import decompress, default_limit, suffix_of

NOT_AFFECTED, AFFECTED, FIXED, IN_TRIAGE = "not_affected", "affected", "fixed", "under_investigation"
STATUSES = (NOT_AFFECTED, AFFECTED, FIXED, IN_TRIAGE)
IN_PART = "not_affected_in_part"
"""The state of what is said to be not affected, or fixed, by way of one of its components only: it does not count."""
PREFIX = "pkg:"
"""What the products of statements begin with where ecosystems have a name: ``pkg:deb/debian?distro=bookworm``."""

_FORMATS = {"deb": "apt", "rpm": "rpm"}
_QUALIFIERS = ("arch", "distro")


class OpenVexReader:
    """One document a file; a folder of them is not read.

    | kept of a product | as |
    |---|---|
    | ``pkg:deb`` or ``pkg:rpm`` with a version | that version |
    | the same without a version | every version |
    | with subcomponents | the same; ``not_affected`` and ``fixed`` as ``not_affected_in_part`` |
    | anything else | nothing: it is a statement about another product |
    """

    def recognises(self, path: Path) -> bool:
        """A JSON file that names the context of OpenVEX."""
        if path.is_dir():
            return False
        with path.open("rb") as file:
            start = file.read(65536)
        return start.lstrip().startswith(b"{") and b"openvex.dev/ns" in start

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """One record for each statement, with what the document says for all of them."""
        document = Fields(_document(path), path.name)
        if "openvex.dev/ns" not in document.text("@context"):
            raise IndexFormatError(f"{path.name} is no OpenVEX document", file=path.name)
        shared = {
            "document": document.short("@id", required=True),
            "author": document.short("author", required=True),
            "timestamp": document.short("last_updated") or document.short("timestamp", required=True),
        }
        for position, statement in enumerate(document.objects("statements")):
            value = {name: statement.get(name) for name in sorted(statement.names())}
            raw = json.dumps([shared, value], sort_keys=True).encode()
            yield RawAdvisory(record_digest(raw), raw, f"{path.name}: statements[{position}]")

    def facts(self, path: Path) -> Iterator[Fact]:
        """None: statements are about packages."""
        return iter(())

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """What a statement says; its justification, or else its words, are kept."""
        shared, value = json.loads(record.raw)
        statement = Fields(value, record.where)
        status = statement.short("status", required=True)
        if status not in STATUSES:
            raise IndexFormatError(f"{record.where}: nobody knows the status {status!r}", entry=record.where)
        vulnerability = _vulnerability(statement)
        affected = [run for product in statement.objects("products") for run in _runs(product, status, keys)]
        words = "action_statement" if status == AFFECTED else "impact_statement"
        return Advisory(
            name=_name(shared["document"], record.digest),
            vulnerabilities=(vulnerability[0],),
            aliases=vulnerability,
            modified=statement.short("last_updated") or statement.short("timestamp") or shared["timestamp"],
            summary=one_line(statement.text(words) or statement.text("status_notes")),
            url=shared["document"],
            affected=tuple(dict.fromkeys(affected)),
            issuer=shared["author"],
            justification=statement.short("justification"),
        )


def _document(path: Path) -> object:
    with path.open("rb") as file:
        suffix = suffix_of(file.read(8), path.name)
    content = bytearray()
    for chunk in decompress(path, suffix, limit=default_limit(path.stat().st_size), name=path.name):
        content += chunk
        if len(content) > RECORD_LIMIT:
            raise IndexFormatError(f"{path.name} has more than {RECORD_LIMIT} bytes", file=path.name)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IndexFormatError(f"{path.name} is no JSON: {error}", file=path.name) from error


def _name(document: str, digest: bytes) -> str:
    """Another one for every statement: those of one document are changed one by one."""
    return f"{document}#{hashlib.blake2b(digest, digest_size=6).hexdigest()}"


def _vulnerability(statement: Fields) -> tuple[str, ...]:
    """The names of the vulnerability, a CVE first if it has one. It is text in documents of the first specification."""
    value = statement.get("vulnerability")
    if isinstance(value, str):
        names = [value]
    else:
        inner = statement.inner("vulnerability")
        names = [inner.short("name", required=True), *inner.texts("aliases")]
    names = [name for name in names if name and name.isprintable() and " " not in name and len(name) <= 200]
    if not names:
        raise IndexFormatError(f"{statement.where}: it names no vulnerability", entry=statement.where)
    cves = [match[1] for name in names if (match := CVE.fullmatch(name))]
    return tuple(dict.fromkeys([*cves, *names]))


def _runs(product: Fields, status: str, keys: VersionKeys) -> Iterator[Affected]:
    identifier = product.inner("identifiers").short("purl") or product.short("@id")
    parsed = parse_purl(identifier)
    if parsed is None:
        return
    kind, namespace, name, version, qualifiers = parsed
    format_name = _FORMATS.get(kind)
    if format_name is None:
        return
    if kind == "rpm" and version and qualifiers.get("epoch", "0") != "0":
        version = f"{qualifiers['epoch']}:{version}"
    bounds = "&".join(f"{key}={qualifiers[key]}" for key in _QUALIFIERS if qualifiers.get(key))
    ecosystem = f"{PREFIX}{kind}/{namespace}" + (f"?{bounds}" if bounds else "")
    state = status
    if product.objects("subcomponents") and status in (NOT_AFFECTED, FIXED):
        state = IN_PART
    base = Affected(ecosystem, name, state=state)
    if not version:
        yield base
        return
    for run in intervals([("introduced", version), ("last_affected", version)], partial(keys, format_name), base):
        # A version that is none fits no package, and must not be taken for every version.
        if run.end_key is not None and run.state != UNCOMPARABLE:
            yield run


def parse_purl(text: str) -> tuple[str, str, str, str, dict[str, str]] | None:
    """Type, namespace, name, version and qualifiers of a package URL; None for what is none."""
    if not text.startswith(PREFIX):
        return None
    from packageurl import PackageURL

    try:
        found: Any = PackageURL.from_string(text)
    except ValueError:
        return None
    return found.type, found.namespace or "", found.name, found.version or "", dict(found.qualifiers or {})
