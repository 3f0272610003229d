"""A workspace on a storage: what is there, who changes it, its earlier generations."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.catalog.database import to_text, write_back
from entrepot.catalog.logged import Logged
from entrepot.errors import ConflictError, NotFoundError, UsageError
from entrepot.publish.lease import LeaseDocument
from entrepot.publish.parallel import each
from entrepot.remote.chunks import AT_ONCE
from entrepot.remote.copies import small_files
from entrepot.remote.layout import DATABASES, Generation, Made
from entrepot.services.records import record
from entrepot.services.tasks import recover
from entrepot.settings import SETTINGS_FILE, load_settings
from entrepot.workspace import Workspace, write_private


@dataclass(frozen=True, slots=True)
class HomeView:
    """A workspace on a storage as it is now. ``lease`` is None where nobody changes it."""

    url: str
    folder: Path
    generation: Generation
    lease: LeaseDocument | None

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        held = self.lease
        return {
            "url": self.url,
            "cache": str(self.folder),
            "generation": generation_json(self.generation.made),
            "databases": {name: stored.size for name, stored in self.generation.databases.items()},
            "files": sorted(self.generation.files),
            "kept": len(self.generation.history) + 1,
            "lease": {
                "host": held.host,
                "pid": held.pid,
                "expires": to_text(held.expires) if held.expires else None,
            }
            if held
            else None,
        }


def generation_json(made: Made) -> dict[str, Any]:
    """A generation for ``--json``."""
    return {"number": made.number} | made.as_json()


def show(workspace: Workspace) -> HomeView:
    """What is on the storage, and who has the lease."""
    generation = _newest(workspace)
    lease = workspace.session.lease().read()
    return HomeView(workspace.url, workspace.session.folder, generation, lease if lease.expires else None)


def generations(workspace: Workspace) -> Sequence[Made]:
    """The generations that are kept, the newest first."""
    newest = _newest(workspace)
    return [newest.made, *newest.history]


def restore(workspace: Workspace, number: int, *, dry_run: bool = False) -> tuple[Made, Made]:
    """Makes a new generation that is what an older one was; answers the older one and the one that is the newest then.

    Published trees stay as they are. What the catalog knew of them is old now, so all their publications count as
    begun and not ended: the next one writes everything but packages anew.
    """
    newest = _newest(workspace)
    if number == newest.made.number:
        raise ConflictError(f"generation {number} is the newest already")
    if dry_run:
        return workspace.session.generations.numbered(newest, number).made, newest.made
    old = workspace.session.restore(number)
    with workspace.catalog.transaction():
        recover(workspace)
        _doubt_trees(workspace)
        record(workspace, "home.restore", workspace.url, {"generation": number, "before": newest.made.number})
    workspace.commit()
    return old.made, _newest(workspace).made


def _doubt_trees(workspace: Workspace) -> None:
    catalog, publications = workspace.catalog, workspace.catalog.publications
    for repository in catalog.repositories.list():
        for target in repository.targets:
            snapshots = catalog.snapshots.published(target)
            for distribution in catalog.repositories.distributions(repository):
                of_it = [snapshot for snapshot in snapshots if snapshot.distribution_id == distribution.id]
                for snapshot in (None, *of_it):
                    if last := publications.latest(target, distribution, snapshot):
                        known = (last.version, last.settings_digest, last.identity)
                        publications.start(target, distribution, *known, workspace.now(), snapshot)


def doubt(workspace: Workspace) -> Sequence[str]:
    """Makes all publications count as begun and not ended: after a backup came back, trees may be ahead of the catalog.

    Answers the URLs of the trees. The next publication of each distribution writes everything but packages anew.
    """
    urls = [target.url for repository in workspace.catalog.repositories.list() for target in repository.targets]
    with workspace.catalog.transaction():
        recover(workspace)
        _doubt_trees(workspace)
        record(workspace, "home.doubt", workspace.url, {"trees": urls})
    return urls


def sweep_generations(workspace: Workspace) -> int:
    """Removes what only generations have that are not kept, after a grace; answers how many objects."""
    if not workspace.is_remote:
        return 0
    workspace.commit()
    return workspace.session.sweep()


def fetch(workspace: Workspace, folder: Path) -> Mapping[str, Any]:
    """Makes a workspace in a folder, which must not be there yet or be empty, of what one on a storage is now."""
    newest = _newest(workspace)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(f"{folder} is there already, and is not an empty folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    copied = Workspace(folder)
    try:
        origin, target = workspace.store.storage, copied.store.storage
        artifacts = list(workspace.store.files())
        each(origin, AT_ONCE, lambda info: target.copy(origin, info.key, info.key), artifacts)
        for path, file in small_files(workspace.home):
            write_private(folder / path, file.read_bytes())
        # At last: without a catalog it is no workspace.
        for name in reversed([name for name in DATABASES if name in newest.databases]):
            with Logged(workspace.session.path(name)) as database:
                database.copy(folder / name)
            (folder / name).chmod(0o600)
        copied.create()
        with copied.catalog.transaction():
            record(copied, "home.fetch", copied.url, {"from": workspace.url, "generation": newest.made.number})
    finally:
        copied.close()
    size = sum(info.size for info in artifacts)
    number = newest.made.number
    return {
        "home": str(folder),
        "from": workspace.url,
        "generation": number,
        "artifacts": len(artifacts),
        "bytes": size,
    }


def adopt(workspace: Workspace, folder: Path) -> Mapping[str, Any]:
    """Makes a workspace on a storage of one in a folder, which stays as it is and must not be changed meanwhile."""
    if not workspace.is_remote:
        raise UsageError(f"{workspace.url} is a folder", hint="--home s3://BUCKET/PREFIX")
    if workspace.exists():
        raise ConflictError(f"there is a workspace in {workspace.url} already")
    source = Workspace(folder)
    try:
        source.catalog  # noqa: B018 - makes it what this release wants, or says that there is none
        origin, target = source.store.storage, workspace.store.storage
        artifacts = list(source.store.files())
        each(target, AT_ONCE, lambda info: target.copy(origin, info.key, info.key), artifacts)
    finally:
        source.close()
    workspace.session.begin()
    for name in DATABASES:
        if (folder / name).exists():
            write_back(folder / name)
            shutil.copyfile(folder / name, workspace.home / name)
    for path, file in small_files(folder):
        (workspace.home / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(workspace.home / path, file.read_bytes())
    workspace.create()
    with workspace.catalog.transaction():
        record(workspace, "home.adopt", workspace.url, {"folder": str(folder), "artifacts": len(artifacts)})
    workspace.commit()
    size = sum(info.size for info in artifacts)
    return {"home": workspace.url, "from": str(folder), "artifacts": len(artifacts), "bytes": size}


def break_lease(workspace: Workspace) -> LeaseDocument:
    """Takes the lease from whoever has it, who then cannot keep what was done; answers who that was."""
    _newest(workspace)
    held = workspace.session.break_lease()
    if held is None:
        raise ConflictError("nobody has the lease of this workspace")
    with workspace.catalog.transaction():
        record(workspace, "home.break_lease", workspace.url, {"host": held.host, "pid": held.pid})
    workspace.commit()
    return held


def read_settings(workspace: Workspace) -> str:
    """The text of the settings; empty where there are none."""
    workspace.catalog  # noqa: B018 - where there is no workspace, say so
    path = workspace.home / SETTINGS_FILE
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write_settings(workspace: Workspace, path: Path) -> None:
    """Takes the settings of a file, if they can be used; ``SettingsError`` names what cannot."""
    load_settings(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}") from error
    with workspace.catalog.transaction():
        write_private(workspace.home / SETTINGS_FILE, data)
        record(workspace, "home.settings", workspace.url, {"bytes": len(data)})


def _newest(workspace: Workspace) -> Generation:
    if not workspace.is_remote:
        raise UsageError(f"{workspace.url} is a folder, and has no generations", hint="--home s3://BUCKET/PREFIX")
    workspace.catalog  # noqa: B018 - where there is no workspace, say so
    newest = workspace.session.newest
    assert newest is not None
    return newest
