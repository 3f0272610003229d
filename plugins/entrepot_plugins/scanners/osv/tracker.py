"""The JSON of the Debian security tracker: source package -> CVE -> release -> status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from entrepot.advisories import Advisory, Affected, Fact, RawAdvisory
from entrepot.contracts import VersionKeys
from entrepot.errors import IndexFormatError
from entrepot_plugins.scanners.osv.ecosystems import debian_release
from entrepot_plugins.scanners.osv.fields import RECORD_LIMIT, Fields, one_line, record_digest
from entrepot_plugins.scanners.osv.intervals import intervals
from entrepot_plugins.scanners.osv.osv_format import CVE
from entrepot_plugins.scanners.osv.severity import vendor_word
from entrepot_plugins.shared.compression import decompress, default_limit, suffix_of
from entrepot_plugins.shared.json_stream import JsonStream

_NOT_DSA = {"": "no_dsa", "ignored": "ignored", "postponed": "postponed"}


class DebianTrackerReader:
    """The whole tracker in one document, which is read one CVE of one package at a time.

    What a release says leads to what is kept of it:

    | status | kept |
    |---|---|
    | ``resolved``, a fixed version | every older one is affected |
    | ``resolved``, fixed version ``0`` | nothing: the release never was affected |
    | ``open`` | every version is affected, with the state ``ignored``, ``postponed``, ``no_dsa``, ``end_of_life`` |
    | ``undetermined`` | every version, with the state ``undetermined`` |
    """

    def recognises(self, path: Path) -> bool:
        """A JSON file whose first record has releases."""
        if path.is_dir():
            return False
        with path.open("rb") as file:
            start = file.read(65536)
        return start.lstrip().startswith(b"{") and b'"releases"' in start and b'"CVE-' in start

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """One record for each CVE of each source package."""
        with path.open("rb") as file:
            suffix = suffix_of(file.read(8), path.name)
        limit = default_limit(path.stat().st_size)
        stream = JsonStream(decompress(path, suffix, limit=limit, name=path.name), name=path.name, limit=RECORD_LIMIT)
        for package in stream.members():
            for identifier in stream.members():
                _, text = stream.value(f"{package} {identifier}")
                raw = json.dumps([package, identifier]).encode() + b"\n" + text.encode("utf-8", "surrogatepass")
                yield RawAdvisory(record_digest(raw), raw, f"{path.name}: {package} {identifier}")

    def facts(self, path: Path) -> Iterator[Fact]:
        """None: the tracker has advisories."""
        return iter(())

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """What the tracker says of one CVE in one package."""
        head, _, text = record.raw.partition(b"\n")
        package, identifier = json.loads(head)
        if len(package) > 200 or len(identifier) > 200 or not (package + identifier).isprintable() or " " in identifier:
            raise IndexFormatError(f"{record.where!r} is no package and CVE", entry=record.where)
        fields = Fields(json.loads(text), record.where)
        match = CVE.fullmatch(identifier)
        return Advisory(
            name=identifier,
            vulnerabilities=(match[1] if match else identifier,),
            summary=one_line(fields.text("description")),
            affected=tuple(_affected(package, fields, keys)),
        )


def _affected(package: str, fields: Fields, keys: VersionKeys) -> Iterator[Affected]:
    if fields.get("releases") == []:
        return  # what wrote it has one type for an empty list and an empty object
    releases = fields.inner("releases")
    for codename in releases.names():
        release = releases.inner(codename)
        status, fixed = release.short("status"), release.short("fixed_version")
        urgency = release.short("urgency")
        base = Affected(
            debian_release(codename), package, severity=vendor_word(urgency), state=_state(status, urgency, release)
        )
        events = [("introduced", "0")]
        if status == "resolved":
            if not fixed:
                raise IndexFormatError(f"{release.where}: resolved, but not by which version", entry=release.where)
            events.append(("fixed", fixed))
        elif status not in ("open", "undetermined"):
            raise IndexFormatError(f"{release.where}: nobody knows the status {status!r}", entry=release.where)
        yield from intervals(events, partial(keys, "apt"), base)


def _state(status: str, urgency: str, release: Fields) -> str:
    if status == "undetermined":
        return status
    if status != "open":
        return ""
    if urgency == "end-of-life":
        return "end_of_life"
    if release.get("nodsa") is None:
        return ""
    return _NOT_DSA.get(release.short("nodsa_reason"), "no_dsa")
