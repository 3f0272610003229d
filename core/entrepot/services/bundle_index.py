"""A bundle as the index of a source: what came with it is synced into the catalog like what a server says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.advisories import Feed
from entrepot.bundles import Feed as ToldFeed
from entrepot.bundles import Listed, Manifest
from entrepot.bundles.manifest import EXTRAS, ROWS
from entrepot.bundles.records import documents, facts_digest, placed, read_extra, read_row
from entrepot.catalog import Catalog
from entrepot.catalog.extras import extra_digest
from entrepot.contracts import IndexReader, IndexUpdate, ReadContext
from entrepot.errors import BundleError, NotFoundError
from entrepot.models import Available, Described, Extra, IndexPart, RemoteFile, Source, SourceDraft

SHOWN = 20
"""Names that a message has."""
EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Texts:
    """Rows and extras that came in a bundle: where in which file, by digest. Their text stays on disk."""

    rows: Mapping[str, int]
    extras: Mapping[str, int]
    paths: Mapping[str, Path]

    @classmethod
    def read(cls, manifest: Manifest, paths: Mapping[str, Path]) -> Texts:
        """Looks through the members; ``BundleError`` for what the manifest does not list, or has another digest."""
        rows: dict[str, int] = {}
        for place, document in _placed(paths, ROWS):
            row = read_row(document, ROWS)
            _same(ROWS, row.digest, hashlib.blake2b(row.raw, digest_size=16).hexdigest())
            rows[row.digest] = place
        extras = {extra_digest(read_extra(document, EXTRAS)).hex(): place for place, document in _placed(paths, EXTRAS)}
        _only(ROWS, rows, {item.row for item in manifest.packages})
        _only(EXTRAS, extras, set(manifest.extras))
        return cls(rows, extras, paths)

    def row(self, digest: str) -> bytes:
        """The text of a package in an index."""
        return read_row(self._at(ROWS, self.rows[digest]), ROWS).raw

    def extra_of(self, digest: str) -> Extra:
        """An extra."""
        return read_extra(self._at(EXTRAS, self.extras[digest]), EXTRAS)

    def told(self, manifest: Manifest) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
        """What the sender's scanners said of packages, by the sha256 of their main file."""
        files = {item.row: item.files[0].sha256 for item in manifest.packages}
        for _, document in _placed(self.paths, ROWS):
            row = read_row(document, ROWS)
            yield files[row.digest], row.verdicts

    def _at(self, name: str, place: int) -> dict[str, Any]:
        return next(documents(self.paths[name], name, place))


def require_base(catalog: Catalog, source: Source | None, manifest: Manifest, texts: Texts) -> None:
    """``NotFoundError`` that says what is missing where a bundle builds on one that was not applied."""
    held = catalog.carried.rows_of(source) if source else set()
    missing = [str(item) for item in manifest.packages if item.row not in texts.rows and item.row not in held]
    for digest in manifest.extras:
        if digest not in texts.extras and catalog.extras.find(bytes.fromhex(digest)) is None:
            missing.append(f"extra {digest}")
    known = {feed.name: feed for feed in catalog.advisories.list()}
    for told in manifest.feeds:
        missing += _lacking(catalog, known.get(told.name), told, texts.paths.get(told.member))
    if not missing:
        return
    if manifest.since is None:
        raise BundleError(f"the bundle lists what it does not carry: {_some(missing)}")
    base = manifest.since
    raise NotFoundError(
        f"the bundle builds on the one of {base.created_at} (manifest {base.manifest}), which was not applied here:"
        f" {len(missing)} missing: {_some(missing)}",
        hint="apply that one first, or have the sender make one without --since",
        since=base.manifest,
        missing=missing,
    )


def _lacking(catalog: Catalog, held: Feed | None, told: ToldFeed, came: Path | None) -> Sequence[str]:
    """What is missing of vulnerability data that earlier bundles carried."""
    here = set(catalog.carried.advisory_digests(held)) if held else set()
    carried, facts = set(), False
    for document in documents(came, told.member) if came else ():
        carried.add(document.get("digest"))
        facts = facts or "fact" in document
    lacking = [item for item in told.advisories if item not in carried and bytes.fromhex(item) not in here]
    missing = [f"{len(lacking)} advisories of {told.name}"] if lacking else []
    if told.facts and not facts and (held is None or facts_digest(catalog.carried.facts(held)) != told.facts):
        missing.append(f"the facts of {told.name}")
    return missing


class BundleIndex:
    """An ``IndexReader`` of one bundle, all of which is on this machine."""

    def __init__(
        self, catalog: Catalog, reader: IndexReader, manifest: Manifest, texts: Texts, state: Mapping[str, Any]
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._manifest = manifest
        self._texts = texts
        self._state = state
        self._parts: dict[str, list[Listed]] = {}
        for item in manifest.packages:
            key = f"{item.component}/{item.kind}-{item.architecture}" + (f"@{item.suite}" if item.suite else "")
            self._parts.setdefault(key, []).append(item)

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        """What the bundle lists; None if it was the last that was applied."""
        if seen.get("bundle") == self._state["bundle"] and not context.force:
            return None
        signed_by = self._state["signed_by"]
        parts = [
            IndexPart(
                key=key,
                digest=_digest(item.row for item in items),
                distribution=items[0].suite,
                component=items[0].component,
                architecture=items[0].architecture,
                kind=items[0].kind,
                signed_by=signed_by,
            )
            for key, items in sorted(self._parts.items())
        ]
        extra = IndexPart(EXTRA, _digest(self._manifest.extras), "", "main", "", EXTRA, signed_by)
        applied = {**seen.get("applied", {}), self._state["bundle"]: self._manifest.created_at}
        state = {**self._state, "applied": applied}
        return IndexUpdate(state, parts, extra_parts=[extra] if self._manifest.extras else [])

    def entries(self, context: ReadContext, part: IndexPart) -> Iterator[_Entry]:
        """The packages of a part."""
        return (_Entry(item, self._texts) for item in self._parts[part.key])

    def extras(self, context: ReadContext, part: IndexPart) -> Iterator[Extra]:
        """All that the bundle lists, whether it carries it or an earlier one did."""
        for digest in self._manifest.extras:
            held = None if digest in self._texts.extras else self._catalog.extras.find(bytes.fromhex(digest))
            yield held or self._texts.extra_of(digest)

    def describe(self, raw: bytes, part: IndexPart) -> Described:
        """As the format does."""
        return self._reader.describe(raw, part)

    def check(self, source: SourceDraft) -> SourceDraft:
        """As the format does."""
        return self._reader.check(source)

    def files(self, raw: bytes, package: Available) -> Sequence[RemoteFile]:
        """As the format does."""
        return self._reader.files(raw, package)

    def fields(self, raw: bytes) -> Sequence[tuple[str, str]]:
        """As the format does."""
        return self._reader.fields(raw)

    def urls(self, source: Source, seen: Mapping[str, Any], path: str) -> Sequence[str]:
        """As the format does."""
        return self._reader.urls(source, seen, path)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An ``IndexEntry`` whose text is read when it is asked for."""

    listed: Listed
    texts: Texts

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.listed.row)

    @property
    def raw(self) -> bytes:
        return self.texts.row(self.listed.row)


def _placed(paths: Mapping[str, Path], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a member, if it came."""
    return placed(paths[name], name) if name in paths else iter(())


def _same(member: str, told: str, found: str) -> None:
    if told != found:
        raise BundleError(f"{member} has {told[:100]!a}, which is {found}", member=member)


def _only(member: str, found: Iterable[str], listed: set[str]) -> None:
    if surplus := set(found) - listed:
        raise BundleError(f"{member} has {min(surplus)}, which the manifest does not list", member=member)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
