"""Fetches indexes to a folder, and reads them from there: what ``refresh`` leaves for ``entries``.

Each index is one file as it came, and beside it a few words in JSON on what it is, so that reading needs nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.contracts import ReadContext
from entrepot.errors import DigestError, IndexFormatError, MissingError, NotFoundError
from entrepot.models import IndexPart, RawEntry
from entrepot_plugins.shared.compression import SUFFIXES, decompress, default_limit
from entrepot_plugins.shared.sources import Meter

from . import stanzas
from .layout import ALL, Place, WantedIndex, url
from .release import BY_HASH, ListedFile

LARGEST = 4 << 30
"""Bytes of a compressed index; no real one has a hundredth of it."""
_ARCHITECTURE = stanzas.needle("Architecture")


@dataclass(frozen=True, slots=True)
class Job:
    """An index to fetch: what it will be to the catalog, where it is, and what the Release says of it."""

    part: IndexPart
    place: Place
    wanted: WantedIndex
    by_hash: bool = False

    @property
    def size(self) -> int:
        """Bytes of the file that is tried first."""
        return next(iter(self.wanted.files.values())).size if self.wanted.files else 0


@dataclass
class Outcome:
    """What could not be fetched: because it is not there, or because it is not what the Release says."""

    missing: list[tuple[Job, MissingError]] = field(default_factory=list)
    wrong: list[DigestError] = field(default_factory=list)


def fetch(context: ReadContext, jobs: Sequence[Job]) -> Outcome:
    """Fetches several indexes at a time. Any error but those of ``Outcome`` ends it at once."""
    outcome = Outcome()
    waiting = [job for job in jobs if not _note(context, job.part).exists()]
    if not waiting:
        return outcome
    meter = Meter(context, sum(job.size for job in waiting), len(waiting))
    state = "failed"
    with ThreadPoolExecutor(max_workers=max(1, context.transfer.concurrency)) as pool:
        futures = {pool.submit(_fetch_one, context, job, meter): job for job in waiting}
        try:
            for future in as_completed(futures):
                try:
                    future.result()
                except MissingError as error:
                    outcome.missing.append((futures[future], error))
                except DigestError as error:
                    outcome.wrong.append(error)
            state = "failed" if outcome.missing or outcome.wrong else "completed"
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    meter.end(state)
    return outcome


def _fetch_one(context: ReadContext, job: Job, meter: Meter) -> None:
    """The first compression that the server has; ``MissingError`` if it has none of those that the Release lists."""
    plain = job.wanted.files.get("")
    if plain and plain.size == 0:
        _file(context, job.part).write_bytes(b"")
        return _save(context, job.part, "", plain, 0)
    for suffix, listed in job.wanted.files.items():
        if listed.size > LARGEST:
            raise IndexFormatError(
                f"{context.source.name}: {job.part.key}{suffix} has {listed.size} bytes by its Release, "
                f"and no more than {LARGEST} are read"
            )
        for path in _paths(job, suffix, listed):
            try:
                context.transfer.download(
                    url(context.source.url, path),
                    _file(context, job.part),
                    size=listed.size,
                    digests=dict([listed.strongest]),
                    on_bytes=meter.add,
                )
            except MissingError:
                continue
            return _save(context, job.part, suffix, plain, listed.size)
    tried = ", ".join(
        f"Packages{suffix}" if job.part.kind != "source" else f"Sources{suffix}" for suffix in job.wanted.files
    )
    raise MissingError(
        f"{context.source.name} lacks {job.part.key}, which its Release file lists (tried: {tried})",
        hint="go on without it with --ignore-missing-indices",
        file=job.part.key,
    )


def _paths(job: Job, suffix: str, listed: ListedFile) -> list[str]:
    """By its digest first: that name cannot change its content in the middle of a mirror's update."""
    path = job.wanted.path + suffix
    return [job.place.path(name) for name in ([by_hash(path, listed)] if job.by_hash else []) + [path]]


def by_hash(path: str, listed: ListedFile) -> str:
    """The name by which clients ask for a file that a Release lists at ``path``: by its strongest digest."""
    algorithm, digest = listed.strongest
    folder = path.rpartition("/")[0]
    return f"{folder + '/' if folder else ''}by-hash/{BY_HASH[algorithm]}/{digest}"


def held(context: ReadContext, part: IndexPart) -> tuple[str, Path] | None:
    """The suffix of the file that was fetched for a part, and where that is; None if none was."""
    try:
        note = json.loads(_note(context, part).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return note["suffix"], _file(context, part)


def fetch_unlisted(context: ReadContext, place: Place, wanted: WantedIndex) -> IndexPart | None:
    """An index of a repository without a Release: the first compression there is, known by its own digest."""
    path = _unlisted(context, wanted)
    for suffix in SUFFIXES:
        path.unlink(missing_ok=True)
        try:
            where = url(context.source.url, place.path(wanted.path + suffix))
            context.transfer.download(where, path, size=None, digests={}, limit=LARGEST)
        except MissingError:
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
        part = make_part(context, place, wanted, f"{suffix[1:] or 'plain'}:sha256:{digest}", None)
        path.replace(_file(context, part))
        _save(context, part, suffix, None, size)
        return part
    return None


def make_part(context: ReadContext, place: Place, wanted: WantedIndex, digest: str, signed_by: str | None) -> IndexPart:
    """What the catalog knows an index by."""
    # What is taken of a flat index depends on the source's architectures, so they are part of what it is.
    chosen = ",".join(sorted(context.source.architectures)) if place.flat else ""
    return IndexPart(
        key=place.path(wanted.path),
        digest=f"{digest} {chosen}".rstrip(),
        distribution=place.distribution,
        component=wanted.component,
        architecture=wanted.architecture,
        kind=wanted.kind,
        signed_by=signed_by,
    )


def entries(context: ReadContext, part: IndexPart) -> Iterator[RawEntry]:
    """The stanzas of an index that was fetched, with digests; the whole is checked against the Release at its end."""
    try:
        note = json.loads(_note(context, part).read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"{context.source.name}: {part.key} was not fetched") from error
    name = f"{context.source.name}: {part.key}"
    limit = default_limit(note["size"]) if note["plain_size"] is None else note["plain_size"]
    chunks = decompress(_file(context, part), note["suffix"], limit=limit, name=name)
    if note["plain_size"] is not None:
        chunks = _checked(chunks, note["plain_size"], note["algorithm"], note["digest"], name)
    chosen = frozenset(context.source.architectures) | {ALL} if note["filtered"] else frozenset()
    blake2b = hashlib.blake2b
    for raw in stanzas.split(chunks, name=name):
        if chosen and _architecture(raw) not in chosen:
            continue
        yield RawEntry(blake2b(raw, digest_size=16).digest(), raw)


def _architecture(raw: bytes) -> str:
    return stanzas.Stanza(raw).lines((_ARCHITECTURE,))[0].decode("ascii", "replace")


def _checked(chunks: Iterator[bytes], size: int, algorithm: str, digest: str, name: str) -> Iterator[bytes]:
    found = hashlib.new(algorithm, usedforsecurity=False)
    total = 0
    for chunk in chunks:
        found.update(chunk)
        total += len(chunk)
        yield chunk
    if total != size or found.hexdigest() != digest:
        raise DigestError(
            f"{name} is not what its Release file says when decompressed: {total} bytes with the {algorithm} "
            f"{found.hexdigest()} instead of {size} bytes with {digest}",
            file=name,
        )


def _stem(part: IndexPart) -> str:
    # With its digest, so that what is left of an older content is never taken for a part of a newer one.
    return hashlib.sha256(f"{part.key}\0{part.digest}".encode()).hexdigest()[:32]


def _file(context: ReadContext, part: IndexPart) -> Path:
    return context.folder / f"{_stem(part)}.index"


def _note(context: ReadContext, part: IndexPart) -> Path:
    return context.folder / f"{_stem(part)}.json"


def _unlisted(context: ReadContext, wanted: WantedIndex) -> Path:
    return context.folder / f"{hashlib.sha256(wanted.path.encode()).hexdigest()[:32]}.unlisted"


def _save(context: ReadContext, part: IndexPart, suffix: str, plain: ListedFile | None, size: int) -> None:
    algorithm, digest = plain.strongest if plain else ("", "")
    note = {
        "suffix": suffix,
        "size": size,
        "plain_size": plain.size if plain else None,
        "algorithm": algorithm,
        "digest": digest,
        "filtered": bool(context.source.architectures) and part.kind != "source" and not part.architecture,
    }
    _note(context, part).write_text(json.dumps(note), "utf-8")
