"""Packages made of the stanzas of an index: tiny .deb files, or rows of a catalog without any file."""

from __future__ import annotations

import lzma
import re
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from entrepot.catalog.publications import ManifestEntry
from entrepot.catalog.versions import Addition
from entrepot.models import IndexPart, PackageFile, PackageInfo, Phase, Sha256
from entrepot.workspace import Workspace
from support.debs import ar_archive, tar_archive

COMPONENT = "main"
DPKG = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 8 << 20}]
"""Announces the window of ``xz -6``, which dpkg-deb uses and readers make room for, and takes less work to write."""
PART = IndexPart("Packages", "", "stable", COMPONENT, "amd64", "binary", None)
PLACE = re.compile(rb"^(?:Filename|Size|MD5sum|SHA1|SHA256|SHA512|Description-md5):.*\n", re.MULTILINE)


def write_debs(folder: Path, stanzas: Sequence[bytes]) -> list[Path]:
    """A tiny .deb for each stanza, with what the stanza says in its control file."""
    folder.mkdir()
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_write_deb, [folder] * len(stanzas), range(len(stanzas)), stanzas, chunksize=500))


def _write_deb(folder: Path, number: int, stanza: bytes) -> Path:
    control = PLACE.sub(b"", stanza + b"\n")
    path = folder / f"{number:06}.deb"
    parts = {"control.tar.xz": {"control": control}, "data.tar.xz": {"usr/share/doc/note": control[:40]}}
    members = [(name, lzma.compress(tar_archive(files), filters=DPKG)) for name, files in parts.items()]
    path.write_bytes(ar_archive([("debian-binary", b"2.0\n"), *members]))
    return path


def fill(workspace: Workspace, path: str, stanzas: Sequence[bytes], *, file_lists: bool = False) -> None:
    """Adds these packages to a distribution, as one version; their files count as being published already.

    With ``file_lists`` each is known to have a file.
    """
    catalog, now = workspace.catalog, workspace.now()
    distribution = catalog.repositories.distribution(path)
    repository = catalog.repositories.get(distribution.repository)
    with catalog.transaction():
        additions = [_addition(workspace, stanza, file_lists=file_lists) for stanza in stanzas]
        catalog.versions.create(distribution, additions, (), "filled", now)
        files = [
            (addition.location, file) for addition in additions for file in catalog.packages.files(addition.package_id)
        ]
        entries = [
            ManifestEntry(f"{location}/{file.name}", Phase.PAYLOAD, file.size, file.sha256) for location, file in files
        ]
        for target in repository.targets:
            catalog.publications.save(target, None, entries, now)


def _addition(workspace: Workspace, stanza: bytes, *, file_lists: bool) -> Addition:
    row = workspace.format("apt").index.describe(stanza, PART)
    folder, _, name = row.location.rpartition("/")
    info = PackageInfo(
        format="apt",
        kind="binary",
        name=row.name,
        version=row.version,
        version_key=row.version_key,
        architecture=row.architecture,
        source_name=row.source_name,
        summary=row.summary,
        section=row.section,
        raw=re.sub(rb"^Filename:.*\n", b"", stanza, flags=re.MULTILINE),
        files=(PackageFile(name, row.size, Sha256(row.sha256)),),
        provides=row.provides,
        file_list=zlib.compress(f"usr/share/doc/{row.name}/copyright".encode()) if file_lists else None,
    )
    package_id = workspace.catalog.packages.add(info, workspace.now())
    return Addition(package_id, info, COMPONENT, folder)
