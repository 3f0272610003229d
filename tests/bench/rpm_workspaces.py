"""Our command line on workspaces for RPM, and versions of distributions made without any package file."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.peers import Entrepot
from entrepot.catalog.publications import ManifestEntry
from entrepot.catalog.versions import Addition
from entrepot.models import Distribution, IndexPart, PackageFile, PackageInfo, Phase, Sha256, SourceDraft
from entrepot.services.repositories import create_distribution, create_repository
from entrepot.services.sources import add_source
from entrepot.workspace import Workspace
from entrepot_plugins.rpm.raw import Fragments, pack
from support.rpms import make_rpm

COMPONENT = "main"
DISTRIBUTION = "example/el9/x86_64"
PART = IndexPart("packages", "", "", COMPONENT, "", "binary", None)


class RpmEntrepot(Entrepot):
    """Our command line, with the repository ``example`` for RPM once there is a place to publish it to."""

    def follow_rpm(self, url: str) -> None:
        """Adds the source ``upstream``, which is not signed."""
        draft = SourceDraft(name="upstream", format="rpm", url=url, verify=False)
        with self.opened() as workspace:
            add_source(workspace, draft)

    def distribute_rpm(self, publish_to: str = "") -> None:
        """Makes the distribution ``el9/x86_64``, which is published to ``folder/tree`` or the URL."""
        with self.opened() as workspace:
            create_repository(workspace, "example", format_name="rpm", publish_to=publish_to or str(self.tree))
            create_distribution(workspace, DISTRIBUTION, architectures=["x86_64"])

    def filled(self, packages: Iterable[Fragments], publish_to: str = "") -> RpmEntrepot:
        """The same, with version 1 of the distribution made of these packages; their files count as published."""
        self.distribute_rpm(publish_to)
        with self.opened() as workspace:
            fill(workspace, packages)
        return self

    def upload(self, *paths: Path) -> None:
        """Brings packages in, and does not publish them."""
        self.run("upload", "--no-publish", "--to", DISTRIBUTION, *paths)

    def copied(self, name: str) -> RpmEntrepot:
        """The same workspace once more; it publishes to a tree of its own."""
        copy = RpmEntrepot(self.folder / name, self.gnupg)
        shutil.copyfile(self.home / "catalog.db", copy.home / "catalog.db")
        copy.publish_to(copy.tree)
        return copy

    @property
    def tree(self) -> Path:
        """Where it publishes to."""
        return self.folder / "tree"


def fill(workspace: Workspace, packages: Iterable[Fragments]) -> None:
    """Makes a version of the distribution of these packages; their files count as published wherever it goes."""
    catalog, now = workspace.catalog, workspace.now()
    distribution = catalog.repositories.distribution(DISTRIBUTION)
    repository = catalog.repositories.get(distribution.repository)
    with catalog.transaction():
        additions = [_addition(workspace, distribution, package) for package in packages]
        catalog.versions.create(distribution, additions, (), "filled", now)
        files = [
            (addition.location, file) for addition in additions for file in catalog.packages.files(addition.package_id)
        ]
        entries = [
            ManifestEntry(f"{location}/{file.name}", Phase.PAYLOAD, file.size, file.sha256) for location, file in files
        ]
        for target in repository.targets:
            catalog.publications.save(target, None, entries, now)


def _addition(workspace: Workspace, distribution: Distribution, package: Fragments) -> Addition:
    raw = pack(*package)
    format_ = workspace.format("rpm")
    row = format_.index.describe(raw, PART)
    info = PackageInfo(
        format="rpm",
        kind="binary",
        name=row.name,
        version=row.version,
        version_key=row.version_key,
        architecture=row.architecture,
        source_name=row.source_name,
        summary=row.summary,
        section=row.section,
        raw=raw,
        files=(PackageFile(row.location.rpartition("/")[2], row.size, Sha256(row.sha256)),),
        provides=row.provides,
    )
    package_id = workspace.catalog.packages.add(info, workspace.now())
    return Addition(package_id, info, COMPONENT, format_.tree.location(info, distribution, COMPONENT))


def write_rpms(folder: Path, packages: int) -> list[Path]:
    """So many tiny packages."""
    folder.mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_write_rpm, [folder] * packages, range(packages), chunksize=500))


def _write_rpm(folder: Path, number: int) -> Path:
    return make_rpm(folder, f"tiny{number:05}", arch="x86_64")
