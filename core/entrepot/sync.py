"""Sync: what a source offers now becomes what the catalog says it offers, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from entrepot.errors import BusyError
from entrepot.models import Described, Extra, IndexPart, Source, SyncCounts
from entrepot.progress import ProgressEvent

if TYPE_CHECKING:
    from entrepot.catalog import Catalog
    from entrepot.catalog.sources import SourceState
    from entrepot.contracts import IndexEntry, IndexReader, IndexUpdate, ReadContext

REPORT_EVERY = 2000
"""Packages between two progress events."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How a sync ended. ``counts`` is None where the source had not changed, and nothing was read or written."""

    source: Source
    counts: SyncCounts | None
    packages: int
    warnings: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        counts = self.counts or SyncCounts(unchanged=self.packages)
        return {
            "source": self.source.name,
            "changed_upstream": self.counts is not None,
            "packages": self.packages,
            **asdict(counts),
            "warnings": list(self.warnings),
        }


def sync(
    catalog: Catalog, index: IndexReader, context: ReadContext, on_change: Callable[[SyncCounts], None] = lambda _: None
) -> SyncResult:
    """Brings what changed at a source into the catalog.

    Everything is fetched and checked before the first row changes. ``BusyError`` if the source was synced or changed by
    another command in the meantime. ``on_change`` is called inside the transaction that changes something.
    """
    source = context.source
    before = catalog.sources.state(source)
    known = {} if context.force else {key: digest for key, (_, digest, _) in catalog.sources.indexes(source).items()}
    context.progress(ProgressEvent("sync.release", "Fetching index..."))
    update = index.refresh(context, before.state, known)
    if update is None:
        with catalog.transaction():
            _require_unchanged(catalog, source, before)
            catalog.sources.save_state(source, replace(before, checked_at=context.now))
        context.progress(ProgressEvent("sync.index", "Nothing changed", "completed", before.packages, before.packages))
        return SyncResult(source, None, before.packages)
    with catalog.transaction():
        _require_unchanged(catalog, source, before)
        counts = _write(catalog, index, context, update)
        packages = counts.total
        catalog.sources.save_state(source, _changed(before, update, packages, context))
        on_change(counts)
    context.progress(ProgressEvent("sync.index", "Index updated", "completed", packages, packages, "packages"))
    warnings = list(update.warnings)
    if not packages:
        warnings.append(f"{source.name} offers no package: check its URL, distributions, components and architectures")
    return SyncResult(source, counts, packages, warnings)


def _write(catalog: Catalog, index: IndexReader, context: ReadContext, update: IndexUpdate) -> SyncCounts:
    source = context.source
    held = dict(catalog.sources.indexes(source))
    first_id = catalog.available.next_id()
    counts = SyncCounts()
    for part in update.parts:
        row_id, digest, packages = held.pop(part.key, (0, "", 0))
        if digest == part.digest and not context.force:
            catalog.sources.touch_index(row_id, part.signed_by)
            counts += SyncCounts(unchanged=packages)
            continue
        row_id = catalog.sources.save_index(source, part, 0, context.now)
        entries = _counted(index.entries(context, part), context, counts.total)

        def describe(raw: bytes, part: IndexPart = part) -> Described:
            return index.describe(raw, part)

        changes = catalog.available.replace(row_id, entries, describe, context.now)
        catalog.sources.save_index(source, part, changes.total, context.now)
        counts += changes
    for part in update.extra_parts:
        row_id, digest, _ = held.pop(part.key, (0, "", 0))
        if digest != part.digest or context.force:
            row_id = catalog.sources.save_index(source, part, 0, context.now)
            extras = _with_artifacts(catalog, index.extras(context, part), context)
            catalog.extras.replace(row_id, extras)
    for row_id, digest, _ in held.values():
        if digest:
            counts += SyncCounts(removed=catalog.available.vanish(row_id, context.now))
            catalog.extras.clear(row_id)
            catalog.sources.drop_index(row_id)
    catalog.available.index_text(first_id)
    return counts


def _with_artifacts(catalog: Catalog, extras: Iterator[Extra], context: ReadContext) -> Iterator[Extra]:
    """The same; their files are noted as being in the private store."""
    for extra in extras:
        catalog.packages.add_artifacts(extra.files, context.now)
        yield extra


def _counted(entries: Iterator[IndexEntry], context: ReadContext, before: int) -> Iterator[IndexEntry]:
    for count, entry in enumerate(entries, before + 1):
        if not count % REPORT_EVERY:
            context.progress(ProgressEvent("sync.index", "Processing packages...", "running", count, unit="packages"))
        yield entry


def _require_unchanged(catalog: Catalog, source: Source, before: SourceState) -> None:
    """What was read belongs to the source as it was; to write it to another would hide what has to be read again."""
    catalog.sources.get(source.name)
    if catalog.sources.state(source).generation != before.generation:
        raise BusyError(
            f"{source.name!r} was synced or changed by another command in the meantime",
            hint="nothing was written; sync again",
        )


def _changed(before: SourceState, update: IndexUpdate, packages: int, context: ReadContext) -> SourceState:
    return replace(
        before,
        generation=before.generation + 1,
        state=update.state,
        packages=packages,
        checked_at=context.now,
        changed_at=context.now,
    )
