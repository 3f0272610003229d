"""A workspace with the toy plugin: it follows a toy upstream and publishes the repository ``shop``.

::

    box = ToyBox(tmp_path)
    box.upstream.add("robot", 2)
    box.sync()
    assert box.bring("robot").results[0].status == "published"
    assert box.tree_files() == {...}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import support.toy
from entrepot.events import ImportResult
from entrepot.models import Connection, Distribution, SourceDraft
from entrepot.progress import Progress, silent
from entrepot.services import imports, repositories, sources, workspaces
from entrepot.sync import SyncResult
from entrepot.workspace import Workspace
from support.toy import ToyUpstream
from support.upstream import Upstream
from support.workspaces import Clock

UNSTEADY = {"checked_at", "created_at"}


class ToyBox:
    """``folder/home`` is the workspace, ``folder/upstream`` what it reads, ``folder/tree`` what it publishes."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: str = "",
        policy: str = "soft",
        components: Sequence[str] = ("main",),
        plugins: Sequence[tuple[str, object]] = (),
    ) -> None:
        self.folder, self.home, self.tree = folder, folder / "home", folder / "tree"
        self.clock = Clock()
        self.upstream = ToyUpstream(folder / "upstream")
        self._plugins = [("toy", support.toy), *plugins]
        self.home.mkdir()
        if settings:
            (self.home / "entrepot.toml").write_text(settings)
        self.workspace = self.opened()
        workspaces.initialise(self.workspace)
        repositories.create_repository(self.workspace, "shop", format_name="toy", publish_to=str(self.tree), sign=False)
        self.distribution = self.distribute("window", policy=policy, components=components)

    def opened(self) -> Workspace:
        """The workspace once more, as another command opens it."""
        return Workspace(self.home, actor="tester", clock=self.clock, extra_plugins=self._plugins)

    def distribute(
        self,
        name: str,
        *,
        policy: str = "soft",
        components: Sequence[str] = ("main",),
        architectures: Sequence[str] = (),
    ) -> Distribution:
        """Makes a distribution of the shop."""
        return repositories.create_distribution(
            self.workspace, f"shop/{name}", components=components, architectures=architectures, policy=policy
        )

    def follow(self, draft: SourceDraft | None = None, **changes: Any) -> None:
        """Adds the source ``box``, which reads the upstream's folder unless a draft says otherwise."""
        self.upstream.write()
        sources.add_source(self.workspace, replace(draft or self.upstream.draft(), **changes))

    def sync(self, name: str = "box", progress: Progress = silent, *, force: bool = False) -> SyncResult:
        """Writes the upstream as it is now, and syncs a source, which is added if it is not there."""
        if name == "box" and not self.workspace.catalog.sources.list():
            self.follow()
        self.upstream.write()
        return sources.sync_source(self.workspace, name, progress, force=force)

    def bring(self, *packages: str, to: str = "shop/window", **more: Any) -> imports.BatchResult:
        """Imports packages of the source ``box``."""
        publish_after = more.pop("publish_after", True)
        request = imports.ImportRequest("box", packages, to, **more)
        return imports.import_packages(self.workspace, request, publish_after=publish_after)

    def one(self, package: str, **more: Any) -> ImportResult:
        """Imports one package and answers what became of it."""
        (result,) = self.bring(package, **more).results
        return result

    def upload(self, *paths: Path, **more: Any) -> imports.BatchResult:
        """Uploads files."""
        return imports.upload(self.workspace, paths, more.pop("to", "shop/window"), **more)

    def members(self, number: int | None = None) -> list[str]:
        """``name=version`` of what is in a version of ``shop/window``, the newest unless another is named."""
        versions = self.workspace.catalog.versions
        number = versions.latest(self.distribution).number if number is None else number
        return [f"{row.name}={row.version}" for row in versions.members(self.distribution, number)]

    def tree_files(self) -> Mapping[str, bytes]:
        """What is published, by path; the lease is not."""
        return {
            path.relative_to(self.tree).as_posix(): path.read_bytes()
            for path in sorted(self.tree.rglob("*"))
            if path.is_file() and not path.relative_to(self.tree).parts[0].startswith(".")
        }

    def dump(self, *left_out: str) -> Mapping[str, str]:
        """A digest of every table's rows, but for tasks, moments of looking, and tables that are left out."""
        database = self.workspace.catalog.database
        digests = {}
        for name in database.table_names():
            if name in ("tasks", *left_out):
                continue
            rows = [{k: v for k, v in row.items() if k not in UNSTEADY} for row in database.table(name).rows]
            digests[name] = hashlib.sha256(repr(rows).encode()).hexdigest()
        return digests

    def check_full_text(self) -> None:
        """Raises where the full-text index is not that of the rows."""
        connection = self.workspace.catalog.database.conn
        connection.execute("INSERT INTO available_fts(available_fts, rank) VALUES('integrity-check', 1)")

    def states(self) -> list[tuple[str, str]]:
        """Name and state of every import, oldest first."""
        rows = self.workspace.catalog.database.query("SELECT name, state FROM imports ORDER BY id")
        return [(row["name"], row["state"]) for row in rows]


@contextmanager
def served_box(folder: Path) -> Iterator[tuple[ToyBox, Upstream]]:
    """A toy box that is synced with ``robot`` and ``ball`` of a server, and the server, which knows of no request."""
    box = ToyBox(folder)
    with Upstream(root=box.upstream.root) as server:
        box.upstream.add("robot", 1)
        box.upstream.add("ball", 1)
        box.follow(box.upstream.draft(server.url), connection=Connection(retries=0))
        box.sync()
        server.forget()
        yield box, server
    box.workspace.close()
