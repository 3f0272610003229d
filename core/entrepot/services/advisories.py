"""Vulnerability data for offline use: add, update, list, remove."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from entrepot.advisories import Advisory, Feed, RawAdvisory
from entrepot.catalog.database import to_text
from entrepot.contracts import AdvisoryFormat, Validators
from entrepot.errors import BatchError, BusyError, EntrepotError, IndexFormatError, NotFoundError, UsageError
from entrepot.models import Connection, Secrets, SyncCounts, by_hand
from entrepot.progress import Progress, ProgressEvent, Task, silent
from entrepot.services.names import check_name
from entrepot.services.records import record
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from collections.abc import Iterable

    from entrepot.workspace import Workspace

REPORT_EVERY = 2000
"""Records between two progress events."""
DOWNLOAD_LIMIT = 4 << 30
"""Bytes of one download; all ecosystems of OSV together have about one GB."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FeedView:
    """A feed with what there is of it."""

    feed: Feed
    ecosystems: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        feed = self.feed
        return {
            "name": feed.name,
            "format": feed.format,
            "location": feed.location,
            "records": feed.records,
            "ecosystems": list(self.ecosystems),
            "last_update": to_text(feed.checked_at) if feed.checked_at else None,
            "last_change": to_text(feed.changed_at) if feed.changed_at else None,
        }


@dataclass(frozen=True, slots=True)
class FeedResult:
    """How an update ended. ``counts`` is None where nothing had changed, and nothing was read."""

    feed: Feed
    counts: SyncCounts | None

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        counts = self.counts or SyncCounts(unchanged=self.feed.records)
        return {"name": self.feed.name, "format": self.feed.format, "records": self.feed.records, **asdict(counts)}


def add_feed(
    workspace: Workspace, name: str, location: str, progress: Progress = silent, *, format_name: str | None = None
) -> FeedResult:
    """Adds vulnerability data and reads it: a file or folder of this machine, or a URL.

    Without ``format_name`` the form is the one that recognises it. Nothing is added if it cannot be read.
    """
    check_name("feed", name)
    location = _location(location)
    if format_name is not None:
        workspace.plugins.advisory_format(format_name)
    workspace.catalog.advisories.require_free(name)
    with running(workspace, "advisories", name, progress) as task, _fetched(workspace, location, None, task) as got:
        assert got is not None
        path, validators = got
        format_ = _choose(workspace, path, format_name, location)
        with workspace.catalog.transaction():
            feed = workspace.catalog.advisories.add(name, format_.name, location)
            record(workspace, "advisories.add", name, {"location": location, "format": format_.name})
            return _load(workspace, feed, format_, path, validators, task)


def update_feed(workspace: Workspace, name: str, progress: Progress = silent, *, force: bool = False) -> FeedResult:
    """Reads a feed again, if its URL or file says that it changed, or with ``force``; only new records are written."""
    feed = workspace.catalog.advisories.get(name)
    if by_hand(feed.location):
        raise UsageError(f"{name} cannot be updated: it comes in bundles", hint="use `entrepot bundle apply FILE`")
    format_ = workspace.plugins.advisory_format(feed.format)
    seen = Validators(feed.etag, feed.last_modified)
    if force or feed.generation != format_.generation:
        seen = Validators()
    with (
        running(workspace, "advisories", name, progress) as task,
        _fetched(workspace, feed.location, seen, task) as got,
    ):
        with workspace.catalog.transaction():
            if workspace.catalog.advisories.get(name) != feed:
                raise BusyError(
                    f"{name!r} was updated or changed by another command in the meantime",
                    hint="nothing was written; update again",
                )
            if got is not None:
                result = _load(workspace, feed, format_, got[0], got[1], task)
                detail = asdict(result.counts) if result.counts else {}
                record(workspace, "advisories.update", name, {"location": feed.location, **detail})
                return result
            feed = replace(feed, checked_at=workspace.now())
            workspace.catalog.advisories.save(feed)
        task.progress(ProgressEvent("advisories.read", "Nothing changed", "completed", feed.records, unit="records"))
        return FeedResult(feed, None)


def update_feeds(
    workspace: Workspace, names: Sequence[str], progress: Progress = silent, *, force: bool = False
) -> Sequence[FeedResult]:
    """Updates several feeds, every one if none is named; ``BatchError`` names those that failed."""
    names = names or updatable(workspace)
    results, failures = [], []
    for name in names:
        try:
            results.append(update_feed(workspace, name, progress, force=force))
        except EntrepotError as error:
            if len(names) == 1:
                raise
            failures.append((name, error))
    if failures:
        raise BatchError(f"{len(failures)} of {len(names)} feeds could not be updated", failures, results=results)
    return results


def updatable(workspace: Workspace) -> Sequence[str]:
    """The names of the feeds that can be read again; others come in bundles."""
    return [feed.name for feed in workspace.catalog.advisories.list() if not by_hand(feed.location)]


def list_feeds(workspace: Workspace) -> Sequence[FeedView]:
    """Every feed, by name."""
    table = workspace.catalog.advisories
    return [FeedView(feed, table.ecosystems(feed)) for feed in table.list()]


def formats(workspace: Workspace) -> Sequence[str]:
    """The names of the forms of data that can be read."""
    return sorted(workspace.plugins.advisory_formats)


def remove_feed(workspace: Workspace, name: str) -> Feed:
    """Removes a feed with all it said."""
    feed = workspace.catalog.advisories.get(name)
    with workspace.catalog.transaction():
        workspace.catalog.advisories.remove(feed)
        record(workspace, "advisories.remove", name, {"location": feed.location})
    return feed


# ------------------------------------------------------------------------------------------------------- reading


def _load(
    workspace: Workspace, feed: Feed, format_: AdvisoryFormat, path: Path, validators: Validators, task: Task
) -> FeedResult:
    """Makes the catalog say what the data at ``path`` says, inside the caller's transaction."""
    table = workspace.catalog.advisories

    # Asked for some versions of each record: to find a format takes longer than to make a key.
    orders = cache(lambda name: workspace.format(name).versions)

    def key(format_name: str, version: str) -> bytes:
        return orders(format_name).key(version)

    def describe(raw: RawAdvisory) -> Advisory:
        return format_.describe(raw, key)

    records = _salted(format_.advisories(path), format_.generation)
    counts = table.replace(feed, _counted(records, task.progress), describe)
    counts += table.replace_facts(feed, _counted(format_.facts(path), task.progress))
    if not counts.total:
        # An empty answer of a broken mirror would make everything look as if nothing were known against it.
        raise IndexFormatError(
            f"{feed.location} has no record", hint="what was there before stays; is it the right file?", file=str(path)
        )
    changed = counts.added or counts.changed or counts.removed
    feed = replace(
        feed,
        generation=format_.generation,
        etag=validators.etag,
        last_modified=validators.last_modified,
        records=counts.total,
        checked_at=workspace.now(),
        changed_at=workspace.now() if changed else feed.changed_at,
    )
    table.save(feed)
    task.progress(ProgressEvent("advisories.read", "Read", "completed", counts.total, counts.total, "records"))
    return FeedResult(feed, counts)


def _counted(records: Iterable[T], progress: Progress) -> Iterator[T]:
    for count, item in enumerate(records, 1):
        if not count % REPORT_EVERY:
            progress(ProgressEvent("advisories.read", "Reading", "running", count, unit="records"))
        yield item


def _salted(records: Iterable[RawAdvisory], generation: str) -> Iterator[RawAdvisory]:
    """The records under digests that are others when what is read out of them is."""
    salt = generation.encode()
    for item in records:
        digest = hashlib.blake2b(item.digest, digest_size=16, key=salt[:64]).digest()
        yield RawAdvisory(digest, item.raw, item.where)


def _choose(workspace: Workspace, path: Path, format_name: str | None, location: str) -> AdvisoryFormat:
    if format_name is not None:
        return workspace.plugins.advisory_format(format_name)
    formats = workspace.plugins.advisory_formats
    found = [format_ for format_ in formats.values() if format_.recognises(path)]
    if len(found) == 1:
        return found[0]
    fitting = f"could be {' or '.join(format_.name for format_ in found)}" if found else "is of no form that is known"
    raise UsageError(f"{location} {fitting}", hint=f"say which with --format: {', '.join(formats)}", location=location)


def _location(text: str) -> str:
    """A URL as it is, a path as an absolute one."""
    from entrepot.transfer.urls import redact, split_user

    parts = urlsplit(text)
    if parts.scheme in ("http", "https"):
        if split_user(text)[1]:
            raise UsageError(f"{redact(text)} has a user name", hint="data is fetched without credentials")
        return text
    if parts.scheme == "file":
        return str(Path(unquote(parts.path)).absolute())
    return str(Path(text).expanduser().absolute())


@contextmanager
def _fetched(
    workspace: Workspace, location: str, seen: Validators | None, task: Task
) -> Iterator[tuple[Path, Validators] | None]:
    """The data as a file or folder of this machine, with what tells whether it changes; None if it did not."""
    if not location.startswith(("http:", "https:")):
        path = Path(location)
        found = _state_of(path)
        yield None if seen is not None and found.etag and found.etag == seen.etag else (path, found)
        return
    from entrepot.transfer import open_transfer

    workspace.pause()
    with workspace.scratch() as folder, open_transfer(Connection(), Secrets(), source_url=location) as transfer:
        # Its name tells the form of a file that starts like many others.
        path = folder / (Path(unquote(urlsplit(location).path)).name.replace("\0", "")[-100:] or "data")
        fetched = _Bytes(task.progress)
        validators = transfer.download_changed(
            location, path, limit=DOWNLOAD_LIMIT, validators=seen, on_bytes=fetched.take
        )
        yield None if validators is None else (path, validators)


def _state_of(path: Path) -> Validators:
    """Of a file: what is another when it is written again. A folder says nothing; its files have to be looked at."""
    try:
        status = path.stat()
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    if path.is_dir():
        return Validators()
    return Validators(f"{status.st_size:x}-{status.st_ino:x}-{status.st_mtime_ns:x}")


class _Bytes:
    """Tells how much of a download is here."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def take(self, count: int) -> None:
        self._done += count
        self._progress(ProgressEvent("advisories.fetch", "Downloading", "running", self._done, unit="bytes"))
