"""Packages that somebody puts into a folder or a bucket: taken, inspected, published, and moved by what became of them.

::

    incoming/apt/stable/hello_1.0_amd64.deb            REPOSITORY/DISTRIBUTION/FILE, or .../COMPONENT/FILE
    accepted/apt/stable/hello_1.0_amd64.deb            it is in
    held/apt/stable/hello_1.0_amd64.deb                it waits for a review
    rejected/apt/stable/hello_1.0_amd64.deb            the policy refused it, or it is no package
    reports/rejected/apt/stable/hello_1.0_amd64.deb.json     ... and why

Who takes holds a lease, and takes all that waits, until nothing is left: what comes in together is one version of each
distribution and one publication. What was taken is moved when it is published and kept, so that a command that is
killed costs a second look at the same files and nothing else.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from entrepot.contracts import ObjectInfo, ObjectMeta, PackageReader, Storage
from entrepot.errors import EntrepotError, NotFoundError, UsageError
from entrepot.events import ImportResult
from entrepot.models import Distribution, ImportState
from entrepot.pipeline.admit import fitting_component
from entrepot.progress import Progress, silent
from entrepot.publish.lease import Lease, Subject
from entrepot.services.imports import upload
from entrepot.services.publishing import publish
from entrepot.store import CHUNK

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

INCOMING = "incoming/"
ACCEPTED, HELD, REJECTED = "accepted", "held", "rejected"
REPORTS = "reports"
"""A folder of their own: beside what was moved, ``X.json`` would be written over by what is said of ``X``."""
INCOMPLETE, WAITING = "incomplete", "waiting"
SUBJECT = Subject(
    ".entrepot/incoming.json", "what comes in is being taken by", "others are", "another command took the lease over"
)
MOST = 1000
"""Objects that are taken in one go, and so are at most one version of a distribution each time."""
ROOM = 3
"""How many times their size files may need on disk while they are looked at."""
LONGEST = 250
"""Bytes of the name of an object that has room for a suffix."""
ENDS = {
    ImportState.PUBLISHED.value: ACCEPTED,
    ImportState.ALREADY_PUBLISHED.value: ACCEPTED,
    ImportState.PENDING_REVIEW.value: HELD,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an object: ``accepted``, ``held``, ``rejected``, or it is left where it is.

    ``incomplete`` is one that waits for another file, ``waiting`` one that was not looked at: there was no time.
    """

    key: str
    outcome: str
    message: str = ""
    distribution: str = ""
    result: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and its report."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Intake:
    """All that was taken. ``publications`` has one for each distribution, or why there is none."""

    objects: Sequence[Taken]
    publications: Sequence[Mapping[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the answer of a function."""
        return {
            "objects": [taken.as_json() for taken in self.objects],
            "publications": [dict(publication) for publication in self.publications],
        }


@dataclass(frozen=True, slots=True)
class _File:
    """An object that is on this machine now."""

    info: ObjectInfo
    path: Path


Group = tuple[str, str | None]
"""Path of a distribution, and a component of it."""


def take(
    workspace: Workspace,
    progress: Progress = silent,
    *,
    has_time: Callable[[], bool] = lambda: True,
    dry_run: bool = False,
) -> Intake:
    """Takes what is in ``incoming/``. Once ``has_time`` says no, nothing more is begun, and the rest is ``waiting``.

    ``BusyError`` if another command is at it for longer than ``[incoming] wait``.
    """
    settings = workspace.settings.incoming
    if not settings.url:
        raise UsageError("nothing is taken in", hint="set `url` of [incoming] in entrepot.toml")
    with closing(workspace.storage(settings.url)) as storage:
        if dry_run:
            return Intake([_foreseen(workspace, info) for info in _waiting(storage)])
        # Whoever takes may wait for the workspace, and so nobody who has that may wait for who takes.
        workspace.pause()
        with Lease(storage, workspace.clock, settings.wait, subject=SUBJECT) as lease:
            return _Taker(workspace, storage, lease, progress, has_time).take()


def waits_at(workspace: Workspace, bucket: str, key: str) -> str | None:
    """The key, as ``take`` tells it, of an object of an S3 bucket; None for one that is never taken."""
    url = workspace.settings.incoming.url
    place, _, folder = url.removeprefix("s3://").partition("/")
    prefix = f"{folder.strip('/')}/".lstrip("/")
    inner = key.removeprefix(prefix)
    inside = url.startswith("s3://") and bucket == place and key.startswith(prefix) and inner.startswith(INCOMING)
    return inner if inside and not inner.endswith("/") else None


def _waiting(storage: Storage) -> Iterable[ObjectInfo]:
    # A folder is an object of no bytes to those who make one with a console.
    return (info for info in storage.list(INCOMING) if not info.key.endswith("/"))


def _foreseen(workspace: Workspace, info: ObjectInfo) -> Taken:
    try:
        path, component = _destination(workspace, info.key)
    except EntrepotError as error:
        return Taken(info.key, REJECTED, str(error))
    return Taken(info.key, WAITING, f"goes to component {component}" if component else "", path)


def _destination(workspace: Workspace, key: str) -> Group:
    """What the folders of a key name; ``UsageError``, ``NotFoundError`` if that is nothing."""
    repository, _, rest = key.removeprefix(INCOMING).partition("/")
    folders = rest.split("/")[:-1]
    if not folders:
        raise UsageError(f"{key} names no distribution", hint=f"{INCOMING}REPOSITORY/DISTRIBUTION/FILE")
    paths = {item.path: item for item in workspace.catalog.repositories.distributions()}
    path, outer = f"{repository}/{'/'.join(folders)}", f"{repository}/{'/'.join(folders[:-1])}"
    if path in paths:
        return path, None
    if outer in paths:
        fitting_component(paths[outer], folders[-1], ())
        return outer, folders[-1]
    raise NotFoundError(f"there is no distribution {path}")


@dataclass
class _Taker:
    workspace: Workspace
    storage: Storage
    lease: Lease
    progress: Progress
    has_time: Callable[[], bool]
    taken: list[Taken] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    publications: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self) -> Intake:
        while self.has_time():
            found = [info for info in _waiting(self.storage) if (info.key, info.etag) not in self.seen][:MOST]
            if not found:
                break
            self.seen |= {(info.key, info.etag) for info in found}
            self._round(found)
        told = {taken.key for taken in self.taken}
        left = [Taken(info.key, WAITING, "there was no time left") for info in _waiting(self.storage)]
        return Intake([*self.taken, *(item for item in left if item.key not in told)], self.publications)

    def _round(self, found: Sequence[ObjectInfo]) -> None:
        groups: dict[Group, list[ObjectInfo]] = {}
        for info in found:
            try:
                groups.setdefault(_destination(self.workspace, info.key), []).append(info)
            except EntrepotError as error:
                self._move(info, Taken(info.key, REJECTED, str(error)))
        ended: list[tuple[ObjectInfo, Taken]] = []
        for (path, component), infos in groups.items():
            if not self.has_time():
                self.seen -= {(info.key, info.etag) for info in infos}
                continue
            with self.workspace.scratch() as folder:
                ended += self._batch(path, component, self._fetch(infos, folder))
        came = [taken.distribution for _, taken in ended if taken.outcome == ACCEPTED]
        self.publications += [self._publish(path) for path in dict.fromkeys(came)]
        # Only what is kept may go.
        self.workspace.pause()
        self.lease.confirm()
        for info, taken in ended:
            self._move(info, taken)

    def _fetch(self, infos: Sequence[ObjectInfo], folder: Path) -> Sequence[_File]:
        """Puts objects on this machine, as many as there is time and room for; the others have another turn."""
        files: list[_File] = []
        limit = self.workspace.settings.max_package_size
        for info in infos:
            if info.size > limit:
                self._move(info, Taken(info.key, REJECTED, f"it is larger than the {limit} bytes of the settings"))
                continue
            room = shutil.disk_usage(folder).free > info.size * ROOM
            if files and not (room and self.has_time()):
                self.seen.discard((info.key, info.etag))
                continue
            path = folder / Path(info.key).name
            try:
                with self.storage.read(info.key) as stream, path.open("xb") as file:
                    whole = _copy(stream, file, info.size)
            except NotFoundError:
                # Somebody took it away since it was listed, which is no reason to leave the others.
                continue
            if whole:
                files.append(_File(info, path))
            else:
                # It is another one by now, which has a turn of its own.
                path.unlink()
        return files

    def _batch(self, path: str, component: str | None, files: Sequence[_File]) -> Iterator[tuple[ObjectInfo, Taken]]:
        """Brings files into one distribution: one version. What became of each is to be moved."""
        distribution = self.workspace.catalog.repositories.distribution(path)
        reader = self.workspace.format(distribution.format).packages
        packages = self._packages(distribution, reader, files)
        paths = [file.path for package in packages for file in package]
        if not packages:
            return
        batch = upload(
            self.workspace,
            list(dict.fromkeys(paths)),
            path,
            self.progress,
            component=component,
            publish_after=False,
        )
        self.workspace.pause()
        self.lease.confirm()
        for package, result in zip(packages, batch.results, strict=True):
            for file in package:
                yield file.info, _ended(file.info.key, path, result)

    def _packages(
        self, distribution: Distribution, reader: PackageReader, files: Sequence[_File]
    ) -> Sequence[Sequence[_File]]:
        """Main files, each with the files that it names. What is not whole yet waits for the rest."""
        here = {file.path.name: file for file in files}
        whole, claimed = [], set()
        for file in files:
            if not file.path.name.endswith(reader.suffixes):
                continue
            claimed.add(file.path.name)
            try:
                names = [companion.name for companion in reader.companions(file.path)]
            except EntrepotError as error:
                self._move(file.info, Taken(file.info.key, REJECTED, str(error), distribution.path))
                continue
            claimed.update(names)
            if missing := [name for name in names if name not in here]:
                self._wait_for(file.info, f"names {missing[0]}, which is not there", distribution)
            else:
                whole.append([file, *(here[name] for name in names)])
        for name in here:
            if name not in claimed:
                wanted = f"is no package of format {distribution.format}, and none names it"
                self._wait_for(here[name].info, wanted, distribution)
        return whole

    def _wait_for(self, info: ObjectInfo, why: str, distribution: Distribution) -> None:
        age = self.workspace.now() - info.modified
        over = age > dt.timedelta(hours=self.workspace.settings.incoming.hours)
        taken = Taken(info.key, REJECTED if over else INCOMPLETE, f"it {why}", distribution.path)
        if over:
            self._move(info, taken)
        else:
            self.taken.append(taken)

    def _move(self, info: ObjectInfo, taken: Taken) -> None:
        """Puts an object where it belongs now, and writes down what is to be said of it."""
        now = self.storage.stat(info.key)
        if now is None or now.etag != info.etag:
            # Somebody has put another one there meanwhile: that one has its own turn.
            return
        target = f"{taken.outcome}/{info.key.removeprefix(INCOMING)}"
        self.storage.copy(self.storage, info.key, target)
        if len(target.rpartition("/")[2].encode()) <= LONGEST and len(target.encode()) <= LONGEST * 4:
            report = json.dumps(taken.as_json(), indent=2, ensure_ascii=False).encode()
            self.storage.write(f"{REPORTS}/{target}.json", report, meta=ObjectMeta(content_type="application/json"))
        self.storage.delete(info.key)
        self.taken.append(taken)

    def _publish(self, path: str) -> Mapping[str, Any]:
        if not self.workspace.settings.incoming.publish:
            return {"distribution": path, "status": "not_asked"}
        try:
            return publish(self.workspace, path, self.progress).as_json()
        except EntrepotError as error:
            # The packages are in: publishing can be done again without them.
            return {"distribution": path, "status": "failed", "error": str(error)}


def _copy(stream: BinaryIO, file: BinaryIO, size: int) -> bool:
    """Copies what was listed with a size; False where it has another one: no more than that is read."""
    left = size
    while left >= 0 and (chunk := stream.read(min(CHUNK, left + 1))):
        left -= len(chunk)
        file.write(chunk)
    return left == 0


def _ended(key: str, path: str, result: ImportResult) -> Taken:
    outcome = ENDS.get(result.status, REJECTED)
    why = result.message or "; ".join(result.reasons)
    return Taken(key, outcome, why, path, result.as_json())
