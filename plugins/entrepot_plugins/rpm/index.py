"""Reads RPM repositories: what changed since the last time, verified before anybody sees it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from entrepot.contracts import VERBATIM, IndexEntry, IndexUpdate, ReadContext
from entrepot.errors import IndexFormatError, MissingError, TrustError
from entrepot.models import (
    SOURCE_ARCHITECTURE,
    Available,
    Described,
    Extra,
    IndexPart,
    RemoteFile,
    Source,
    SourceDraft,
    SourceKey,
)
from entrepot.progress import ProgressEvent
from entrepot_plugins.shared.signatures import source_keys

from . import entry, fetch, fields, images, locations, metadata, mirrors, modules, root, verbatim
from .draft import check_draft
from .fragments import Document, Join
from .repomd import PACKAGES, Record
from .root import Root

TRIES = 3
"""How often repomd.xml is read again because what it lists is not (or no longer) what the server has."""
NOARCH = "noarch"
BINARY, SOURCE, EXTRA = "binary", "source", "extra"
KEPT_LIMIT = 32 << 20
"""Bytes of a file that is kept as it is; it is in memory as a whole."""
FILE = "file:"
READ_EXTRAS = {"updateinfo": metadata.advisories, "group": metadata.comps, "modules": modules.modules}
_COMPRESSIONS = ("", "_gz", "_xz", "_zst", "_bz2")
_LEFT_OUT = ("_db", "_zck")
"""Endings of the types of what is the same in another form: databases for yum, zchunk."""
_LISTS = frozenset(("filelists-ext",))
"""Further lists of the packages, which say what filelists says."""
_SOURCES_NOTE = "sources.json"
PART_FIELDS = ("key", "digest", "architecture", "kind")


@dataclass
class _Plan:
    """What of a repository is read: the parts, the files that they are in, and what to tell a person."""

    parts: list[IndexPart] = field(default_factory=list)
    extra_parts: list[IndexPart] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def all_parts(self) -> list[IndexPart]:
        return [*self.parts, *self.extra_parts]


class RpmIndexReader:
    """Reads repomd.xml and the files that it lists. Stateless; see ``IndexReader``."""

    def check(self, source: SourceDraft) -> SourceDraft:
        """The draft in its usual form; ``UsageError`` for what cannot be an RPM source."""
        return check_draft(source)

    def keys(self, keyring: bytes, now: dt.datetime) -> Sequence[SourceKey]:
        """The OpenPGP keys that a source is verified with."""
        return source_keys(keyring, now)

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        """What changed since ``seen``; None if nothing did, which costs one small request (two with a list of mirrors).

        An upstream that changes while it is read is read again, up to ``TRIES`` times.
        """
        recipe = _recipe(context)
        held = all(known.get(key) == digest for key, digest in seen.get("parts", ()))
        conditional = not context.force and seen.get("recipe") == recipe and held and bool(seen.get("parts"))
        context.progress(ProgressEvent("sync.release", "Fetching repomd.xml...", "running", 0, 1, "files"))
        found = root.read(context, seen, conditional=conditional and not seen.get("volatile"))
        context.progress(ProgressEvent("sync.release", "Fetched repomd.xml", "completed", 1, 1, "files"))
        if found is None:
            return None
        for attempt in range(1, TRIES + 1):
            plan = _plan(context, found)
            wanted = _changed(context, plan, known)
            outcome = fetch.fetch(context, found.urls, wanted)
            if not outcome.wrong and not outcome.missing:
                return _update(context, recipe, found, plan, known)
            again = root.read(context, seen, conditional=False)
            assert again is not None  # nothing was asked for on a condition
            if again.sha256 == found.sha256:
                if not outcome.wrong:
                    return _without(context, recipe, found, plan, known, outcome)
                if attempt == TRIES:
                    raise outcome.wrong[0]
            found = again
        raise MissingError(
            f"{context.source.name} changed {TRIES} times while it was read",
            hint="the repository is being updated; sync again in some minutes",
        )

    def entries(self, context: ReadContext, part: IndexPart) -> Iterator[IndexEntry]:
        """The packages of one kind, streamed, of the architectures that the source asks for."""
        sources = part.kind == SOURCE
        note = context.folder / _SOURCES_NOTE
        if sources and note.exists() and not json.loads(note.read_text("utf-8")):
            return  # the binary packages were read before, and there was no other among them
        records = fetch.fetched(context)
        primary, *others = (
            Document(kind, fetch.title(context, record), partial(fetch.content, context, record)) if record else None
            for kind, record in ((kind, records.get(kind)) for kind in PACKAGES)
        )
        assert primary is not None  # there is no part without it
        chosen = {name.encode() for name in context.source.architectures}
        chosen |= {NOARCH.encode()} if chosen else set()
        count = 0
        for found in Join(primary, others, context.folder).entries():
            architecture = found.architecture
            is_source = architecture in entry.SOURCES
            count += is_source
            if is_source == sources and (sources or not chosen or architecture in chosen):
                yield found
        if not sources:
            note.write_text(json.dumps(count), "utf-8")

    def extras(self, context: ReadContext, part: IndexPart) -> Iterator[Extra]:
        """Advisories, groups, modules; the installer's files; or a file of another type, as it came."""
        if part.key == images.KEY:
            yield images.read(context)
            return
        if part.key == verbatim.KEY:
            yield verbatim.read(context)
            return
        record = fetch.fetched(context)[part.key]
        base = _base(record.type)
        if base in READ_EXTRAS:
            name = fetch.title(context, record)
            yield from READ_EXTRAS[base](partial(fetch.content, context, record), name=name)
            return
        content = fetch.packed(context, record, KEPT_LIMIT)
        if content is None:
            return
        data = {
            "name": record.location.rpartition("/")[2],
            "checksum": f"{record.algorithm}:{record.digest}",
            "open_checksum": f"{record.open_algorithm}:{record.open_digest}" if record.open_digest else "",
            "size": record.size,
            "open_size": record.open_size,
        }
        yield Extra(f"{FILE}{record.type}", record.type, record.type, data, content)

    def describe(self, raw: bytes, part: IndexPart) -> Described:
        """Columns of one package; ``IndexFormatError`` naming part and entry."""
        return entry.describe(raw, part)

    def files(self, raw: bytes, package: Available) -> Sequence[RemoteFile]:
        """The .rpm."""
        return entry.files(raw, package)

    def fields(self, raw: bytes) -> Sequence[tuple[str, str]]:
        """Everything that primary, filelists and other say of a package."""
        return fields.fields(raw)

    def urls(self, source: Source, seen: Mapping[str, Any], path: str) -> Sequence[str]:
        """The URLs of a file, at every mirror that the last sync knew."""
        return list(dict.fromkeys(locations.url(base, path) for base in mirrors.known(source, seen)))


def _recipe(context: ReadContext) -> str:
    """A digest of all that decides what is read of a source, and whom it is believed from."""
    source = context.source
    keys = context.keyring.read_bytes() if source.flag("repo_gpgcheck") and context.keyring else b""
    told = [
        source.url,
        source.architectures,
        sorted((name, value) for name, value in source.options.items() if value),
        hashlib.sha256(keys).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _plan(context: ReadContext, found: Root) -> _Plan:
    records = found.repomd.records
    if "primary" not in records:
        raise IndexFormatError(
            f"repomd.xml of {context.source.name} lists no primary, and so no packages: it lists "
            f"{', '.join(records) or 'nothing'}",
            source=context.source.name,
        )
    plan = _Plan()
    packages = [records[kind] for kind in PACKAGES if kind in records]
    for kind in PACKAGES:
        if kind not in records:
            plan.warnings.append(f"{context.source.name} has no {kind}: it says less of its packages than others do")
    plan.records += packages
    architectures = context.source.architectures
    # What the other two say is made from the same packages; that they are there at all makes another entry of each.
    shape = "+".join((packages[0].content, *(record.type for record in packages[1:]), *sorted(architectures)))
    if not architectures or set(architectures) != {SOURCE_ARCHITECTURE}:
        plan.parts.append(_part("packages", shape, BINARY, found, ""))
    if not architectures or SOURCE_ARCHITECTURE in architectures:
        plan.parts.append(_part("sources", shape, SOURCE, found, SOURCE_ARCHITECTURE))
    for type_, record in records.items():
        base = _base(type_)
        alternative = base != type_ and any(base + ending in records for ending in _before(type_, base))
        if base in PACKAGES or type_.endswith(_LEFT_OUT) or type_ in _LISTS or alternative:
            continue
        if base not in READ_EXTRAS and (record.size or 0) > KEPT_LIMIT:
            plan.warnings.append(
                f"{context.source.name}: {type_} is left out: it has {record.size} bytes, and {KEPT_LIMIT} are kept"
            )
            continue
        plan.records.append(record)
        plan.extra_parts.append(_part(type_, record.content, EXTRA, found, ""))
    weak = [record.type for record in plan.records if record.weak]
    if weak and not context.source.flag("allow_weak"):
        raise TrustError(
            f"repomd.xml of {context.source.name} gives only MD5 or SHA-1 digests of {', '.join(weak)}",
            hint="accept them with --allow-weak, if you have to",
            source=context.source.name,
        )
    return plan


def _base(type_: str) -> str:
    """``group`` for ``group_gz``: the same content in another compression."""
    for ending in _COMPRESSIONS[1:]:
        if type_.endswith(ending) and type_.removesuffix(ending) in (*READ_EXTRAS, *PACKAGES):
            return type_.removesuffix(ending)
    return type_


def _before(type_: str, base: str) -> Sequence[str]:
    """The endings that are read rather than that of ``type_``."""
    return _COMPRESSIONS[: _COMPRESSIONS.index(type_.removeprefix(base))]


def _part(key: str, digest: str, kind: str, found: Root, architecture: str) -> IndexPart:
    return IndexPart(
        key=key,
        digest=digest,
        distribution="",
        component="main",
        architecture=architecture,
        kind=kind,
        signed_by=found.signed_by,
    )


def _changed(context: ReadContext, plan: _Plan, known: Mapping[str, str]) -> list[Record]:
    """The files that hold what the catalog does not."""
    changed = {part.key for part in plan.all_parts if context.force or known.get(part.key) != part.digest}
    packages = any(part.key in changed for part in plan.parts)
    return [record for record in plan.records if (packages if record.type in PACKAGES else record.type in changed)]


def _without(
    context: ReadContext, recipe: str, found: Root, plan: _Plan, known: Mapping[str, str], outcome: fetch.Outcome
) -> IndexUpdate:
    """The update without what no mirror has; the packages themselves must be there."""
    if "primary" in outcome.missing:
        raise outcome.missing["primary"]
    records = {type_: record for type_, record in found.repomd.records.items() if type_ not in outcome.missing}
    rest = _plan(context, replace(found, repomd=replace(found.repomd, records=records)))
    rest.warnings = [*plan.warnings, *(error.message for error in outcome.missing.values())]
    return _update(context, recipe, found, rest, known, lacking=tuple(outcome.missing))


def _update(
    context: ReadContext,
    recipe: str,
    found: Root,
    plan: _Plan,
    known: Mapping[str, str],
    *,
    lacking: Sequence[str] = (),
) -> IndexUpdate:
    """What a source says now; the installer's files are fetched here, since all else is known to be whole."""
    if context.source.flag("images"):
        part = images.fetch(context, found.urls, None if context.force else known.get(images.KEY))
        plan.extra_parts += [part] if part else []
        plan.warnings += [] if part else [f"{context.source.name} has no .treeinfo, and so no files of an installer"]
    if context.source.flag(VERBATIM) and context.store is not None:
        plan.extra_parts.append(verbatim.keep(context, found, None if context.force else known.get(verbatim.KEY)))
    parts = [[part.key, part.digest] for part in plan.all_parts]
    # What is lacking is looked for again by the next sync, even if repomd.xml does not change until then.
    return IndexUpdate(
        state=found.state | {"recipe": recipe, "parts": parts, "volatile": bool(lacking)},
        parts=plan.parts,
        warnings=list(dict.fromkeys(plan.warnings)),
        extra_parts=plan.extra_parts,
    )
