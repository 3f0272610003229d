"""Bundles on the sending side: what a version has, and what goes with it, into one file or pieces of it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot import __version__
from entrepot.bundles import ArchiveWriter, Base, ChunkWriter, Manifest, read_manifest
from entrepot.bundles.manifest import LIMIT, MANIFEST, SIGNATURE, payload_name
from entrepot.catalog.database import to_text
from entrepot.contracts import Signer
from entrepot.errors import BundleError, ConflictError, NotFoundError, UsageError
from entrepot.models import Distribution, PackageFile, Repository
from entrepot.progress import Progress, ProgressEvent, silent
from entrepot.query import EVERYTHING, Query
from entrepot.services.bundle_contents import Contents, add_feeds, add_packages, add_scanners, files_of
from entrepot.services.bundle_reading import Head, open_bundle, read_head
from entrepot.services.names import check_name
from entrepot.services.records import record
from entrepot.services.selecting import MirrorRequest
from entrepot.services.tasks import running
from entrepot.store import CHUNK

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

LEAST_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class MakeRequest:
    """What goes into a bundle: the newest version of a distribution, or another one, or what a query means of it.

    ``feeds`` are names of vulnerability data (None: all there is), ``scanners`` those whose files go along. ``since``
    is an earlier bundle, or its manifest: what that listed is left out. ``name`` is what the receiver calls the bundles
    of this distribution. Without ``packages`` it has feeds and files of scanners alone.
    """

    distribution: str
    version: int | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    where: str = ""
    dependencies: bool = False
    feeds: Sequence[str] | None = ()
    scanners: Sequence[str] = ()
    since: Path | None = None
    sign_with: str | None = None
    sign: bool = True
    chunk_size: int | None = None
    name: str | None = None
    packages: bool = True

    def query(self) -> Query:
        """What is asked for as one query, as a mirror reads it."""
        chosen = MirrorRequest("", "", self.include, self.exclude, self.where, dependencies=self.dependencies)
        return chosen.query(files=True)


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was made, or would be; ``files`` are the names of what was written."""

    head: Head
    files: Sequence[str]
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        status = "dry_run" if self.dry_run else "created"
        return {"status": status, "bundle": self.head.as_json(), "written": list(self.files)}


def make(workspace: Workspace, path: Path, request: MakeRequest, progress: Progress = silent) -> Made:
    """Makes a bundle at ``path``; what is there already is never written over. The same content is the same bytes."""
    _require_free(path, request)
    distribution = workspace.catalog.repositories.distribution(request.distribution)
    with running(workspace, "bundle", distribution.path, progress) as task, workspace.scratch() as folder:
        workspace.pause()
        head, contents = _collect(workspace, distribution, request, folder)
        written = _write(workspace, path, request, head, contents, task.progress)
        task.created += written
        manifest = head.manifest
        detail: dict[str, object] = {"bundle": head.digest, "name": path.name, "version": manifest.version}
        detail |= {"packages": len(manifest.packages), "files": len(manifest.payload), "signed_by": head.signed_by}
        with workspace.catalog.transaction():
            record(workspace, "bundle.create", distribution.path, detail)
    return Made(head, written)


def plan(workspace: Workspace, path: Path, request: MakeRequest) -> Made:
    """What ``make`` would do. Nothing is written."""
    _require_free(path, request)
    distribution = workspace.catalog.repositories.distribution(request.distribution)
    with workspace.scratch() as folder:
        head, _ = _collect(workspace, distribution, request, folder)
    return Made(head, (), dry_run=True)


def _collect(
    workspace: Workspace, distribution: Distribution, request: MakeRequest, folder: Path
) -> tuple[Head, Contents]:
    """The manifest, signed, and all that it tells of."""
    repository = workspace.catalog.repositories.get(distribution.repository)
    kind = "" if request.packages else "-data"
    name = request.name or f"{repository.name}-{distribution.name.replace('/', '-')}{kind}"
    check_name("bundle", name)
    signer = _signer(workspace, repository, request)
    base = _base(request.since) if request.since else None
    earlier = base.manifest if base else None
    contents, query, number, wanted = Contents(folder), request.query(), 0, request.version
    if request.packages:
        versions = workspace.catalog.versions
        version = versions.latest(distribution) if wanted is None else versions.get(distribution, wanted)
        number = version.number
        add_packages(workspace, contents, distribution, version, query, earlier)
    elif query != EVERYTHING or wanted is not None:
        raise UsageError("there is nothing to choose where no packages are taken")
    add_feeds(workspace, contents, request.feeds, earlier)
    add_scanners(workspace, contents, request.scanners)
    if not (request.packages or contents.feeds or contents.members):
        raise UsageError("nothing would be in it", hint="take vulnerability data along, or files of a scanner")
    manifest = Manifest(
        name=name,
        format=distribution.format,
        created_at=to_text(workspace.now()),
        made_by=f"entrepot {__version__}",
        repository=repository.name,
        distribution=distribution.name,
        version=number,
        query="" if query == EVERYTHING else str(query),
        packages=tuple(contents.packages),
        extras=tuple(contents.extras),
        extra_files=tuple(contents.extra_files.values()),
        feeds=tuple(contents.feeds),
        members=tuple(member for member, _ in contents.members.values()),
        payload=contents.payload(files_of(earlier) if earlier else set()),
        since=Base(base.digest, base.manifest.created_at) if base else None,
        carried=contents.carried,
    )
    return _signed(workspace, manifest, signer), contents


def _require_free(path: Path, request: MakeRequest) -> None:
    if request.chunk_size is not None and request.chunk_size < LEAST_CHUNK:
        raise UsageError(f"pieces have at least {LEAST_CHUNK} bytes")
    first = path.with_name(f"{path.name}.001") if request.chunk_size else path
    if first.exists() or path.exists():
        raise ConflictError(f"{first if first.exists() else path} is there already", hint="choose another name")
    if not path.absolute().parent.is_dir():
        raise NotFoundError(f"there is no folder {path.absolute().parent}")


def _signer(workspace: Workspace, repository: Repository, request: MakeRequest) -> Signer | None:
    if not request.sign:
        if request.sign_with:
            raise UsageError("--sign-with and --no-sign exclude each other")
        return None
    if request.sign_with:
        name = workspace.settings.default_signer
        settings = workspace.settings.signers.get(name, {})
        return workspace.plugins.signer(name).open(request.sign_with, settings, workspace.home)
    if (signer := workspace.signer(repository)) is None:
        raise UsageError(
            f"{repository.name} signs nothing, and no key is named for the bundle",
            hint="give --sign-with KEY; or --no-sign, and let it come by a way that its receiver trusts",
        )
    return signer


def _base(path: Path) -> Head:
    """An earlier bundle, or its manifest alone."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT) if file.read(1) == b"{" else b""
    except OSError:
        data = b""
    if data:
        data = b"{" + data
        return Head(read_manifest(data, str(path)), hashlib.sha256(data).hexdigest(), data, b"")
    with open_bundle(path) as reader:
        return read_head(reader, str(path))


# --------------------------------------------------------------------------------------------------------- writing


def _signed(workspace: Workspace, manifest: Manifest, signer: Signer | None) -> Head:
    data = manifest.as_bytes()
    if len(data) > LIMIT:
        raise BundleError(f"a manifest of {len(data)} bytes is too long", hint="choose fewer packages")
    # What cannot be read would be found out where nobody can do anything about it.
    read_manifest(data, "the new bundle")
    signature = signer.detach(data, now=workspace.now()) if signer else b""
    fingerprint = signer.fingerprint if signer else None
    return Head(manifest, hashlib.sha256(data).hexdigest(), data, signature, fingerprint)


def _write(
    workspace: Workspace, path: Path, request: MakeRequest, head: Head, contents: Contents, progress: Progress
) -> Sequence[str]:
    """Writes beside the place and moves: who is killed leaves no half of a bundle under its name."""
    folder = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    try:
        if request.chunk_size:
            pieces = ChunkWriter(folder, path, request.chunk_size)
            _archive(workspace, ArchiveWriter(pieces, workspace.now()), head, contents, progress)
            pieces.close()
            files = pieces.files
        else:
            files = [folder / path.name]
            with files[0].open("wb") as file:
                _archive(workspace, ArchiveWriter(file, workspace.now()), head, contents, progress)
        for file_path in files:
            file_path.rename(path.with_name(file_path.name))
        return [file_path.name for file_path in files]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _archive(workspace: Workspace, archive: ArchiveWriter, head: Head, contents: Contents, progress: Progress) -> None:
    total, done = head.manifest.size, 0
    for name, data in ((MANIFEST, head.data), (SIGNATURE, head.signature)):
        archive.add(name, len(data), [data] if data else [])
    for member, place in contents.members.values():
        with place.open("rb") as file:
            archive.add(member.name, member.size, iter(lambda: file.read(CHUNK), b""), member.sha256)
        done += member.size
    for item in head.manifest.payload:
        progress(ProgressEvent("bundle.write", "Writing", "running", done, total, "bytes"))
        _add_artifact(workspace, archive, item)
        done += item.size
    archive.close()
    progress(ProgressEvent("bundle.write", "Written", "completed", total, total, "bytes"))


def _add_artifact(workspace: Workspace, archive: ArchiveWriter, item: PackageFile) -> None:
    with workspace.store.open(item.sha256) as file:
        archive.add(payload_name(item.sha256), item.size, iter(lambda: file.read(CHUNK), b""), item.sha256)
