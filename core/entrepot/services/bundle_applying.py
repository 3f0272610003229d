"""Bundles on the receiving side: checked, taken as what a source offers, and brought in like everything else.

A bundle is believed as far as its signature goes: that its packages, index rows, advisories and signature files are
those that the sender has. What follows from them is decided here, by this side's policy and scanners; what the sender's
scanners said is kept for people to read.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.advisories import Advisory, RawAdvisory
from entrepot.bundles import ArchiveReader, Feed, Manifest
from entrepot.bundles.manifest import scanner_file
from entrepot.bundles.records import documents, line_of, read_advisory, read_fact
from entrepot.contracts import ReadContext
from entrepot.errors import BundleError, ConflictError, NotFoundError, TrustError, UsageError
from entrepot.events import ImportResult, SourceSynced
from entrepot.models import BUNDLE_SCHEME, Distribution, PackageFile, Source, SourceDraft, SyncCounts
from entrepot.progress import Progress, Task, silent
from entrepot.services.bundle_index import BundleIndex, Texts, require_base
from entrepot.services.bundle_reading import Head, checked, open_bundle, read_head, unpack
from entrepot.services.imports import stored_result
from entrepot.services.mirroring import MirrorResult, mirror, plan_mirror
from entrepot.services.names import check_name
from entrepot.services.notices import tell
from entrepot.services.records import record
from entrepot.services.selecting import MirrorRequest
from entrepot.services.sources import add_source
from entrepot.services.tasks import running
from entrepot.sync import sync
from entrepot.transfer.by_hand import NoTransfer

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

DATABASES = "scanner-data"
"""Folder of this machine in the workspace where files for scanners come to, one folder for each scanner."""


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """How a bundle is applied. ``distribution``: where its packages go, needed where it has some. ``source``: what it
    is called here, as its sender calls it unless given.

    ``keyring``: keys of the sender, needed where the source is not known yet. ``trust``: do without a signature.
    ``older``: it may be older than what was applied last. ``exact``: what bundles brought before and this one does not
    list goes. ``again``: what the policy refused before is tried again.
    """

    distribution: str | None = None
    source: str | None = None
    keyring: Path | None = None
    trust: bool = False
    older: bool = False
    exact: bool = False
    again: bool = False
    component: str | None = None
    publish: bool = True


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a bundle. ``results`` has every package that was not in yet, ``feeds`` what changed of advisories.

    ``mirror`` says what changed in the distribution, or, of a dry run, would; None where no packages go anywhere.
    """

    head: Head
    source: str
    mirror: MirrorResult | None
    results: Sequence[ImportResult]
    feeds: Mapping[str, SyncCounts]
    scanners: Sequence[str]
    dry_run: bool = False

    @property
    def failed(self) -> Sequence[ImportResult]:
        """Those that did not come in and do not wait either."""
        return [result for result in self.results if result.is_out]

    @property
    def waiting(self) -> Sequence[ImportResult]:
        """Those that wait for review."""
        return [result for result in self.results if result.waits]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        changed = self.scanners or any(item.added or item.changed or item.removed for item in self.feeds.values())
        status = "dry_run" if self.dry_run else "changed" if changed else "unchanged"
        return (self.mirror.as_json() if self.mirror else {"status": status}) | {
            "bundle": self.head.as_json(),
            "source": self.source,
            "results": [result.as_json() for result in self.results],
            "advisories": {name: asdict(counts) for name, counts in self.feeds.items()},
            "scanners": list(self.scanners),
        }


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A bundle that is checked, with the source that takes it (None: it is made) and what came besides packages."""

    workspace: Workspace
    request: ApplyRequest
    head: Head
    distribution: Distribution | None
    name: str
    source: Source | None
    dry: bool = False

    @property
    def manifest(self) -> Manifest:
        return self.head.manifest

    def check_order(self) -> None:
        """``TrustError`` for a bundle that is older than what was applied last: whoever replays one hides a fix."""
        if self.source is None or self.request.older:
            return
        last = self.workspace.catalog.sources.state(self.source).state
        if last.get("bundle") != self.head.digest and str(last.get("created_at", "")) > self.manifest.created_at:
            raise TrustError(
                f"the bundle is of {self.manifest.created_at}, and that of {last['created_at']} was applied before it",
                hint="to go back in time, say so with --older",
            )

    def check_feeds(self) -> None:
        """``ConflictError`` where advisories would take the place of data that came in another way."""
        held = {feed.name: feed for feed in self.workspace.catalog.advisories.list()}
        for feed in self.manifest.feeds:
            if feed.name in held and held[feed.name].location != self.location:
                raise ConflictError(
                    f"there is vulnerability data called {feed.name!r} already, which did not come with {self.name}",
                    hint=f"remove it first with `entrepot advisories remove {feed.name}`",
                    name=feed.name,
                )

    @property
    def subject(self) -> str:
        """What a task says that it is about."""
        return self.distribution.path if self.distribution else self.name

    @property
    def location(self) -> str:
        """Where what it brings is said to come from."""
        return f"{BUNDLE_SCHEME}:{self.name}"

    def check_again(self, texts: Texts) -> None:
        """The same once more where nobody else writes: while a long bundle is read, others may be applied."""
        if _source(self.workspace, self.name) != self.source:
            raise ConflictError(
                f"another command made or changed the source {self.name} while the bundle was read",
                hint="apply the bundle again",
            )
        self.check_order()
        self.check_feeds()
        require_base(self.workspace.catalog, self.source, self.manifest, texts)

    def record(self, texts: Texts) -> tuple[Source, Mapping[str, SyncCounts]]:
        """Makes the catalog say what the bundle says; inside the caller's transaction."""
        workspace, head = self.workspace, self.head
        self.check_again(texts)
        source = self.source or self._made()
        state = {"bundle": head.digest, "created_at": self.manifest.created_at, "signed_by": head.signed_by}
        index = BundleIndex(
            workspace.catalog, workspace.format(self.manifest.format).index, self.manifest, texts, state
        )
        with workspace.scratch() as folder:
            keyring, nothing = workspace.keyring(source), NoTransfer(source.name)
            context = ReadContext(source, nothing, keyring, folder, workspace.now(), silent, store=workspace.store)
            counts = sync(workspace.catalog, index, context).counts
        workspace.catalog.carried.tell(source, texts.told(self.manifest))
        feeds = {feed.name: self._load(feed, texts.paths.get(feed.member)) for feed in self.manifest.feeds}
        detail = {"bundle": head.digest, "signed_by": head.signed_by, "created_at": self.manifest.created_at}
        tell(workspace, "source_synced", SourceSynced(source, counts))
        record(workspace, "bundle.apply", source.name, detail | {"packages": len(self.manifest.packages)})
        return source, feeds

    def _made(self) -> Source:
        # What is taken back in the end must leave no file behind.
        keyring = self.request.keyring.read_bytes() if self.request.keyring and not self.dry else None
        draft = SourceDraft(self.name, self.manifest.format, self.location, verify=keyring is not None, keyring=keyring)
        return add_source(self.workspace, draft).source

    def _load(self, told: Feed, path: Path | None) -> SyncCounts:
        table, now = self.workspace.catalog.advisories, self.workspace.now()
        feed = next((feed for feed in table.list() if feed.name == told.name), None)
        feed = feed or table.add(told.name, told.format, self.location)
        counts = table.replace(feed, _advisories(told, path), _describe)
        if not told.facts or any("fact" in document for document in _documents(path, told.member)):
            counts += table.replace_facts(
                feed, (read_fact(item, told.member) for item in _documents(path, told.member) if "fact" in item)
            )
        changed = counts.added or counts.changed or counts.removed
        table.save(
            replace(
                feed,
                generation=told.generation,
                records=len(told.advisories) or counts.total or feed.records,
                checked_at=now,
                changed_at=now if changed else feed.changed_at,
            )
        )
        return counts


def apply(workspace: Workspace, path: Path, request: ApplyRequest, progress: Progress = silent) -> Applied:
    """Checks a bundle, takes what it brings into the catalog, and brings its packages into a distribution.

    Nothing is changed if anything of it is not as its manifest says. Applied again, it goes on where it was stopped.
    """
    with open_bundle(path) as reader, workspace.scratch() as folder:
        arrival = _arrival(workspace, request, read_head(reader, str(path)), str(path))
        with running(workspace, "bundle", arrival.subject, progress) as task:
            workspace.pause()
            texts = _read(arrival, reader, folder, task, keep=True)
            with workspace.catalog.transaction():
                source, feeds = arrival.record(texts)
            task.created.append(f"source {source.name}")
            scanners = _install(workspace, texts.paths, folder)
    if (wanted := _mirror_request(arrival)) is None:
        return Applied(arrival.head, source.name, None, (), feeds, scanners)
    result = mirror(workspace, wanted, progress, publish_after=request.publish)
    return Applied(arrival.head, source.name, result, _results(workspace, source, result), feeds, scanners)


def plan(workspace: Workspace, path: Path, request: ApplyRequest, progress: Progress = silent) -> Applied:
    """What ``apply`` would do: the whole bundle is checked, and nothing is kept."""
    with open_bundle(path) as reader, workspace.scratch() as folder:
        arrival = replace(_arrival(workspace, request, read_head(reader, str(path)), str(path)), dry=True)
        texts = _read(arrival, reader, folder, Task(0, progress), keep=False)
        with workspace.catalog.rehearsal():
            _, feeds = arrival.record(texts)
            wanted = _mirror_request(arrival)
            planned = plan_mirror(workspace, wanted) if wanted else None
    return Applied(arrival.head, arrival.name, planned, (), feeds, sorted(_scanners(texts.paths)), dry_run=True)


def _arrival(workspace: Workspace, request: ApplyRequest, head: Head, where: str) -> _Arrival:
    """All that can be known of a bundle from its beginning, checked."""
    manifest, name = head.manifest, request.source or head.manifest.name
    check_name("source", name)
    distribution = None
    if request.distribution is not None:
        distribution = workspace.catalog.repositories.distribution(request.distribution)
    elif manifest.packages:
        raise UsageError(f"{where} has packages", hint="say where they go with --to DIST")
    source = _source(workspace, name)
    if source is not None and not source.by_hand:
        raise ConflictError(
            f"there is a source called {name!r} already, which is no bundles' source",
            hint="call the bundles otherwise with --source NAME",
        )
    keyring = _keyring(workspace, request, source)
    trust = request.trust if source is None else not source.verify
    if not trust:
        head = replace(head, signed_by=checked(workspace, head, keyring, where))
    if distribution is not None and manifest.format != distribution.format:
        raise UsageError(
            f"{where} has {manifest.format} packages, {distribution.path} takes {distribution.format} ones"
        )
    if source is not None and source.format != manifest.format:
        raise ConflictError(f"bundles of {name} had {source.format} packages, {where} has {manifest.format} ones")
    if source is not None and not manifest.packages and workspace.catalog.carried.rows_of(source):
        raise ConflictError(
            f"bundles of {name} had packages, and {where} has none, which would take them away",
            hint="call it otherwise with --source NAME",
        )
    arrival = _Arrival(workspace, request, head, distribution, name, source)
    arrival.check_order()
    arrival.check_feeds()
    return arrival


def _source(workspace: Workspace, name: str) -> Source | None:
    return next((item for item in workspace.catalog.sources.list() if item.name == name), None)


def _keyring(workspace: Workspace, request: ApplyRequest, source: Source | None) -> Path | None:
    """The keys to check with. Those of a source that is known are changed by ``source set`` and nothing else."""
    if request.keyring is not None and request.trust:
        raise UsageError("--keyring and --no-verify exclude each other")
    held = workspace.keyring(source) if source else None
    if source is None or request.keyring is None:
        return held or request.keyring
    if held is None or held.read_bytes() != request.keyring.read_bytes():
        raise ConflictError(
            f"{source.name} has other keys than {request.keyring}",
            hint=f"if they are to change: `entrepot source set {source.name} --keyring FILE`",
        )
    return held


def _read(arrival: _Arrival, reader: ArchiveReader, folder: Path, task: Task, *, keep: bool) -> Texts:
    """Reads a bundle to its end; with ``keep`` its files go into the private store, which no publication shows."""
    workspace, manifest = arrival.workspace, arrival.manifest
    found: list[Texts] = []

    def look(paths: Mapping[str, Path]) -> None:
        found.append(Texts.read(manifest, paths))
        require_base(workspace.catalog, arrival.source, manifest, found[0])

    def store(item: PackageFile, chunks: Iterator[bytes]) -> None:
        if workspace.store.size(item.sha256) == item.size:
            return
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            workspace.store.add(Path(file.name), item.sha256)

    limit = workspace.settings.max_package_size
    for item in manifest.payload:
        if item.size > limit:
            raise BundleError(f"{item.name} has {item.size} bytes, more than the {limit} that the settings allow")
    unpack(reader, manifest, folder, store if keep else None, task.progress, look)
    return found[0]


def _mirror_request(arrival: _Arrival) -> MirrorRequest | None:
    request = arrival.request
    if request.distribution is None:
        return None
    return MirrorRequest(
        source=arrival.name,
        distribution=request.distribution,
        exact=request.exact,
        again=request.again,
        component=request.component,
    )


def _results(workspace: Workspace, source: Source, result: MirrorResult) -> Sequence[ImportResult]:
    """Where every package stands that was not in before: those that came now, and those that were held back before."""
    plan = result.plan
    imports = workspace.catalog.carried.imports_of(source, plan.distribution, [*plan.ahead, *plan.held])
    found = [stored_result(workspace, import_id) for import_id in imports]
    return [*found, *(item for item in result.not_in if item.import_id is None)]


# ------------------------------------------------------------------------------------------------------ advisories


def _documents(path: Path | None, member: str) -> Iterator[dict[str, Any]]:
    return documents(path, member) if path else iter(())


def _advisories(told: Feed, path: Path | None) -> Iterator[RawAdvisory]:
    """The records of a feed in the order of the manifest; without text where an earlier bundle carried it."""
    came = {item["digest"]: item for item in _documents(path, told.member) if isinstance(item.get("digest"), str)}
    for digest in told.advisories:
        raw = line_of(came[digest]) if digest in came else b""
        yield RawAdvisory(bytes.fromhex(digest), raw, told.member)


def _describe(raw: RawAdvisory) -> Advisory:
    if not raw.raw:
        raise NotFoundError(f"{raw.where} does not have {raw.digest.hex()}", hint="apply the bundles before it first")
    return read_advisory(json.loads(raw.raw), raw.where)[1]


# -------------------------------------------------------------------------------------------------------- scanners


def _scanners(paths: Mapping[str, Path]) -> Mapping[str, Mapping[str, Path]]:
    """Files by scanner and name."""
    found: dict[str, dict[str, Path]] = {}
    for member, path in paths.items():
        if place := scanner_file(member):
            found.setdefault(place[0], {})[place[1]] = path
    return found


def _install(workspace: Workspace, paths: Mapping[str, Path], folder: Path) -> Sequence[str]:
    """Puts the files of scanners where they are looked for: of each its whole folder, in one step."""
    found = _scanners(paths)
    for scanner, files in found.items():
        fresh = folder / f"{scanner}.new"
        fresh.mkdir(mode=0o755)
        for name, path in files.items():
            shutil.move(path, fresh / name)
        place = workspace.local / DATABASES / scanner
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            place.rename(folder / f"{scanner}.old")
        fresh.rename(place)
    return sorted(found)
