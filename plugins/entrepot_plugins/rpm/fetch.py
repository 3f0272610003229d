"""Fetches what repomd.xml lists to a folder, and reads it from there: what ``refresh`` leaves for the rest of a sync.

Each file is kept as it came, and beside them a few words in JSON on what they are, so that reading needs nothing else.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

from entrepot.contracts import ReadContext
from entrepot.errors import DigestError, IndexFormatError, MissingError, NotFoundError, TransferError
from entrepot_plugins.shared.compression import decompress, default_limit, suffix_of
from entrepot_plugins.shared.sources import Meter

from .locations import url
from .repomd import Record

ZCHUNK = b"\0ZCK1"
_NOTE = "repodata.json"
logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What could not be fetched from any mirror: because none has it, or because it is not what repomd.xml says."""

    missing: dict[str, MissingError] = field(default_factory=dict)
    wrong: list[TransferError] = field(default_factory=list)


def fetch(context: ReadContext, urls: Sequence[str], records: Sequence[Record]) -> Outcome:
    """Fetches several files at a time, each from the first mirror that has it as it should be."""
    outcome = Outcome()
    waiting = [record for record in records if not _file(context, record).exists()]
    if waiting:
        meter = Meter(context, sum(record.size or 0 for record in waiting), len(waiting))
        with ThreadPoolExecutor(max_workers=max(1, min(len(waiting), context.transfer.concurrency))) as pool:
            futures = {pool.submit(_fetch_one, context, urls, record, meter): record for record in waiting}
            try:
                for future in as_completed(futures):
                    try:
                        future.result()
                    except MissingError as error:
                        outcome.missing[futures[future].type] = error
                    except TransferError as error:
                        outcome.wrong.append(error)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        meter.end("failed" if outcome.missing or outcome.wrong else "completed")
    present = {record.type: asdict(record) for record in records if record.type not in outcome.missing}
    (context.folder / _NOTE).write_text(json.dumps(present), "utf-8")
    return outcome


def _fetch_one(context: ReadContext, urls: Sequence[str], record: Record, meter: Meter) -> None:
    """``MissingError`` if no mirror has the file; otherwise what the last one that has it did wrong."""
    problem: TransferError | None = None
    for base in urls:
        try:
            context.transfer.download(
                url(base, record.location),
                _file(context, record),
                size=record.size,
                digests={record.algorithm: record.digest},
                on_bytes=meter.add,
            )
        except TransferError as error:
            logger.info("%s; the next mirror is tried", error)
            if problem is None or not isinstance(error, MissingError):
                problem = error
        else:
            return
    assert problem is not None  # there is at least one mirror
    if isinstance(problem, MissingError):
        raise MissingError(
            f"{context.source.name} lacks {record.location}, which its repomd.xml lists",
            hint="the repository is being updated, or broken; sync again in some minutes",
            file=record.location,
        ) from problem
    raise problem


def fetched(context: ReadContext) -> dict[str, Record]:
    """What ``fetch`` left, by type."""
    try:
        note = json.loads((context.folder / _NOTE).read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"{context.source.name}: no index was fetched") from error
    return {type_: Record(**fields) for type_, fields in note.items()}


def held(context: ReadContext, record: Record) -> Path | None:
    """Where a file is that was fetched; None if it was not."""
    path = _file(context, record)
    return path if path.exists() else None


def title(context: ReadContext, record: Record) -> str:
    """A file as messages name it."""
    return f"{context.source.name}: {record.location}"


def packed(context: ReadContext, record: Record, limit: int) -> bytes | None:
    """A fetched file as it came; None if it has more than ``limit`` bytes, which repomd.xml need not tell."""
    path = _file(context, record)
    return path.read_bytes() if path.stat().st_size <= limit else None


def content(context: ReadContext, record: Record) -> Iterator[bytes]:
    """A fetched file, decompressed, in chunks; checked against repomd.xml at its end."""
    path, name = _file(context, record), title(context, record)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(ZCHUNK):
        raise IndexFormatError(f"{name} is of the kind zchunk, which is not read", file=name)
    limit = default_limit(path.stat().st_size)
    chunks = decompress(path, suffix_of(start, record.location), limit=min(limit, record.open_size or limit), name=name)
    if record.open_digest:
        return _checked(chunks, record, name)
    return chunks


def _checked(chunks: Iterator[bytes], record: Record, name: str) -> Iterator[bytes]:
    found = hashlib.new(record.open_algorithm, usedforsecurity=False)
    total = 0
    for chunk in chunks:
        found.update(chunk)
        total += len(chunk)
        yield chunk
    if found.hexdigest() != record.open_digest or record.open_size not in (None, total):
        expected = f"{record.open_size} bytes with" if record.open_size is not None else "the digest"
        raise DigestError(
            f"{name} is not what repomd.xml says when decompressed: {total} bytes with the {record.open_algorithm} "
            f"{found.hexdigest()} instead of {expected} {record.open_digest}",
            file=name,
        )


def _file(context: ReadContext, record: Record) -> Path:
    # By its digest, so that what is left of an older state is never taken for a part of a newer one.
    return context.folder / hashlib.sha256(f"{record.type} {record.digest}".encode()).hexdigest()[:32]
