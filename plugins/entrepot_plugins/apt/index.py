"""Reads APT repositories: what changed since the last time, verified before anybody sees it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from entrepot.contracts import VERBATIM, IndexUpdate, ReadContext
from entrepot.errors import DigestError, MissingError
from entrepot.models import (
    SOURCE_ARCHITECTURE,
    Available,
    Described,
    Extra,
    IndexPart,
    RawEntry,
    RemoteFile,
    Source,
    SourceDraft,
    SourceKey,
)
from entrepot.progress import ProgressEvent
from entrepot_plugins.shared.signatures import source_keys

from . import entry, fetch, layout, root, stanzas, verbatim
from .draft import check_draft
from .layout import Place, WantedIndex
from .root import Root

TRIES = 3
"""How often the roots are read again because what they list is not (or no longer) what the server has."""
PART_FIELDS = ("key", "digest", "component", "architecture", "kind")


@dataclass
class _Reading:
    """One distribution as it is now: the state to remember, its parts, and the jobs that fetch them."""

    state: dict[str, Any]
    parts: list[IndexPart] = field(default_factory=list)
    unchanged: bool = False
    jobs: list[fetch.Job] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    extra_parts: list[IndexPart] = field(default_factory=list)
    verbatim: verbatim.Wanted | None = None

    @property
    def content(self) -> tuple[object, list[IndexPart]]:
        """What is the same as long as the upstream is; its ETags may differ from server to server."""
        return self.state.get("sha256"), self.parts

    def remember_parts(self) -> None:
        """Puts the parts into the state, so that they are known while the root does not change."""
        self.state["parts"] = [
            [getattr(part, name) for name in PART_FIELDS] for part in (*self.parts, *self.extra_parts)
        ]


class AptIndexReader:
    """Reads Release files and the Packages and Sources indexes that they list. Stateless; see ``IndexReader``."""

    def check(self, source: SourceDraft) -> SourceDraft:
        """The draft in its usual form; ``UsageError`` for what cannot be an APT source."""
        return check_draft(source)

    def keys(self, keyring: bytes, now: dt.datetime) -> Sequence[SourceKey]:
        """The OpenPGP keys that a source is verified with."""
        return source_keys(keyring, now)

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        """What changed since ``seen``; None if nothing did, which costs one small request per distribution.

        Roots are compared by what their server says of them *and* by their digest: some servers give neither an ETag
        nor a modification time. Other options of the source are a change, too. An upstream that changes while it is
        read is read again, up to ``TRIES`` times.
        """
        recipe = _recipe(context)
        before: Mapping[str, Any] = seen.get("distributions", {})
        conditional = not context.force and seen.get("recipe") == recipe
        readings = _read(context, before, known, conditional=conditional)
        if all(reading.unchanged for reading in readings.values()):
            return None
        for attempt in range(1, TRIES + 1):
            jobs = [job for reading in readings.values() for job in reading.jobs if _needed(context, job, known)]
            outcome = fetch.fetch(context, jobs)
            if not outcome.wrong and not outcome.missing:
                _keep(context, readings, known, outcome)
            if not outcome.wrong and not outcome.missing:
                return _update(recipe, readings)
            again = _read(context, before, known, conditional=False)
            if [reading.content for reading in again.values()] == [reading.content for reading in readings.values()]:
                if not outcome.wrong:
                    readings = _without_missing(context, readings, outcome)
                    _keep(context, readings, known, outcome)
                if not outcome.wrong:
                    return _update(recipe, readings)
                if attempt == TRIES:
                    raise outcome.wrong[0]
            readings = again
        raise MissingError(
            f"{context.source.name} changed {TRIES} times while it was read",
            hint="its mirror is being updated; sync again in some minutes",
        )

    def entries(self, context: ReadContext, part: IndexPart) -> Iterator[RawEntry]:
        """The packages of a part that ``refresh`` fetched, streamed; the whole checked at its end."""
        return fetch.entries(context, part)

    def describe(self, raw: bytes, part: IndexPart) -> Described:
        """Columns of one stanza; ``IndexFormatError`` naming part and entry."""
        return entry.describe(raw, part)

    def files(self, raw: bytes, package: Available) -> Sequence[RemoteFile]:
        """The .deb or .udeb; or the .dsc and what belongs to it."""
        return entry.files(raw, package)

    def fields(self, raw: bytes) -> Sequence[tuple[str, str]]:
        """Every field of a stanza in order."""
        return stanzas.fields(raw)

    def field(self, raw: bytes, name: str) -> str:
        """One field of a stanza."""
        return stanzas.one(raw, name)

    def extras(self, context: ReadContext, part: IndexPart) -> Iterator[Extra]:
        """The indexes of a distribution, as they came."""
        yield verbatim.read(context, part)

    def urls(self, source: Source, seen: Mapping[str, Any], path: str) -> Sequence[str]:
        """The URL of a file of a source, quoted as apt quotes it."""
        return [layout.url(source.url, path)]


def _recipe(context: ReadContext) -> str:
    """A digest of all that decides what is read of a source, and whom it is believed from."""
    source = context.source
    keys = context.keyring.read_bytes() if source.verify and context.keyring else b""
    told = [
        source.url,
        source.distributions,
        source.components,
        source.architectures,
        source.verify,
        sorted((name, value) for name, value in source.options.items() if value),
        hashlib.sha256(keys).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _needed(context: ReadContext, job: fetch.Job, known: Mapping[str, str]) -> bool:
    return context.force or known.get(job.part.key) != job.part.digest


def _read(
    context: ReadContext, before: Mapping[str, Any], known: Mapping[str, str], *, conditional: bool
) -> dict[str, _Reading]:
    """Every distribution of the source, several at a time."""
    names = list(dict.fromkeys(context.source.distributions))

    def one(name: str) -> _Reading:
        return _read_one(context, Place.of(name), before.get(name, {}), known, conditional=conditional)

    context.progress(ProgressEvent("sync.release", "Fetching Release files...", "running", 0, len(names), "files"))
    with ThreadPoolExecutor(max_workers=max(1, min(len(names), context.transfer.concurrency))) as pool:
        readings = dict(zip(names, pool.map(one, names), strict=True))
    done = ProgressEvent("sync.release", "Fetched Release files", "completed", len(names), len(names), "files")
    context.progress(done)
    return readings


def _read_one(
    context: ReadContext, place: Place, seen: Mapping[str, Any], known: Mapping[str, str], *, conditional: bool
) -> _Reading:
    remembered = _remembered(place, seen)
    # What the catalog does not hold (any more) can only be fetched with the digests of a Release at hand.
    held = conditional and bool(seen) and all(known.get(part.key) == part.digest for part in remembered)
    found = root.read(context, place, seen, conditional=held and not seen.get("volatile"))
    if found is None:
        extra_parts = [part for part in remembered if part.kind == verbatim.KIND]
        parts = [part for part in remembered if part.kind != verbatim.KIND]
        return _Reading(dict(seen), parts, unchanged=True, extra_parts=extra_parts)
    if _unlisted(found):
        reading = _without_release(context, place)
        reading.unchanged = held and reading.parts == remembered
    else:
        reading = _planned(context, found)
    reading.state |= found.state
    reading.remember_parts()
    return reading


def _unlisted(found: Root) -> bool:
    """Nothing is listed: there is no Release, or one of a flat repository that says no more than its name."""
    return found.release is None or (found.place.flat and not found.release.files and found.signed_by is None)


def _planned(context: ReadContext, found: Root) -> _Reading:
    assert found.release is not None
    plan = layout.plan(context.source, found.place, found.release)
    warnings = plan.warnings + _naming(context, found)
    jobs = []
    for wanted in plan.wanted:
        part = fetch.make_part(context, found.place, wanted, wanted.digest, found.signed_by)
        jobs.append(fetch.Job(part, found.place, wanted, found.release.acquire_by_hash))
    reading = _Reading({}, [job.part for job in jobs], jobs=jobs, warnings=warnings)
    if context.source.flag(VERBATIM) and context.store is not None:
        more = verbatim.further(context.source.options, context.source.name)
        reading.verbatim = verbatim.wanted(found, plan, jobs, more)
        reading.extra_parts.append(reading.verbatim.part)
    return reading


def _keep(
    context: ReadContext, readings: Mapping[str, _Reading], known: Mapping[str, str], outcome: fetch.Outcome
) -> None:
    """Keeps the indexes of distributions as they came, where the catalog does not have them so."""
    for reading in readings.values():
        wanted = reading.verbatim
        if wanted is None or (not context.force and known.get(wanted.part.key) == wanted.part.digest):
            continue
        try:
            reading.warnings += verbatim.keep(context, wanted)
        except DigestError as error:
            outcome.wrong.append(error)


def _naming(context: ReadContext, found: Root) -> list[str]:
    """A signed Release of another suite under this name is how one suite is passed off as another."""
    release, name = found.release, found.place.distribution
    if release is None or found.place.flat or not (release.suite or release.codename):
        return []
    known = {release.suite, release.codename}
    if name in known or name.partition("/")[0] in known or name.replace("/", "-") in known:
        return []
    says = " / ".join(dict.fromkeys(text for text in (release.suite, release.codename) if text))
    return [f"{context.source.name}: the Release file of {name!r} says that it is {says!r}"]


def _without_release(context: ReadContext, place: Place) -> _Reading:
    # Its indexes change without anything else telling, so an unchanged root says nothing: volatile.
    reading = _Reading({"volatile": True})
    for kind, name in layout.flat_indexes(context.source):
        architecture = SOURCE_ARCHITECTURE if kind == layout.SOURCE else ""
        part = fetch.fetch_unlisted(context, place, WantedIndex(name, "", architecture, kind))
        if part:
            reading.parts.append(part)
        elif kind == layout.BINARY or not reading.parts:
            raise MissingError(
                f"{context.source.name} has no distribution {place.distribution!r}: there is neither a Release file "
                f"nor a {name} file at {layout.url(context.source.url, place.folder)}",
                hint="check the URL and the name; the name of a flat repository ends in a slash",
            )
        else:
            reading.warnings.append(f"{context.source.name}: {place.distribution} has no Sources")
    return reading


def _remembered(place: Place, seen: Mapping[str, Any]) -> list[IndexPart]:
    return [
        IndexPart(
            distribution=place.distribution, signed_by=seen.get("signed_by"), **dict(zip(PART_FIELDS, row, strict=True))
        )
        for row in seen.get("parts", ())
    ]


def _without_missing(
    context: ReadContext, readings: dict[str, _Reading], outcome: fetch.Outcome
) -> dict[str, _Reading]:
    """The readings without the indexes that the server lacks, if the source can do without; else the first's error."""
    if not context.source.flag("ignore_missing_indices"):
        raise outcome.missing[0][1]
    gone = {job.part.key: error for job, error in outcome.missing}
    for reading in readings.values():
        lacking = [gone[part.key] for part in reading.parts if part.key in gone]
        if lacking:
            reading.warnings += [error.message for error in lacking]
            reading.parts = [part for part in reading.parts if part.key not in gone]
            reading.remember_parts()
            # The next sync looks again, even if the root has not changed until then.
            reading.state["volatile"] = True
    return readings


def _update(recipe: str, readings: Mapping[str, _Reading]) -> IndexUpdate:
    return IndexUpdate(
        state={"recipe": recipe, "distributions": {name: reading.state for name, reading in readings.items()}},
        parts=[part for reading in readings.values() for part in reading.parts],
        warnings=list(dict.fromkeys(text for reading in readings.values() for text in reading.warnings)),
        extra_parts=[part for reading in readings.values() for part in reading.extra_parts],
    )
