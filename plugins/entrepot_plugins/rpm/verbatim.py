"""Upstream's own repodata, kept as it came: repomd.xml, its signature, and every file that it lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from entrepot.contracts import VERBATIM, ReadContext, TreeFile, VersionView
from entrepot.errors import ConflictError, IndexFormatError, MissingError
from entrepot.models import Extra, IndexPart, PackageFile, Phase
from entrepot_plugins.shared.compression import content_type
from entrepot_plugins.shared.keeping import keep_bytes, keep_file, keep_remote, note_index, noted_index

from . import fetch
from .images import installer_files
from .locations import is_absolute, url
from .mirrors import REPOMD
from .repomd import LARGEST, Record
from .repomd_writer import XML
from .root import SIGNATURE_LIMIT, Root

KEY = REPOMD
"""Of the part that it is; no record of repomd.xml can be called so."""
SIGNATURE, PUBLIC_KEY = f"{REPOMD}.asc", f"{REPOMD}.key"
_OWN_NAME = re.compile(r"repodata/[0-9a-f]{40,128}-[^/]+")
"""Files that are called by their digests never change."""


def keep(context: ReadContext, root: Root, known: str | None) -> IndexPart:
    """Has all of it in the private store, unless it is what ``known`` is the digest of, and leaves a note for ``read``.

    ``IndexFormatError`` for a repository whose files are in several places.
    """
    part = IndexPart(KEY, f"sha256:{root.sha256}", "", "main", "", "extra", root.signed_by)
    if known == part.digest:
        return part
    records = list(root.repomd.records.values())
    for record in records:
        if is_absolute(record.location):
            raise IndexFormatError(
                f"{context.source.name} has {record.type} at {record.location}, outside of itself",
                hint="such a repository cannot be published verbatim",
            )
    with ThreadPoolExecutor(max_workers=max(1, context.transfer.concurrency)) as pool:
        try:
            files = list(pool.map(lambda record: _kept(context, root, record), records))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    files.append(keep_bytes(context, root.content, REPOMD))
    for name in (SIGNATURE, PUBLIC_KEY):
        try:
            found = context.transfer.get(url(root.urls[0], name), limit=SIGNATURE_LIMIT)
        except MissingError:
            continue
        assert found is not None  # nothing was asked for on a condition
        files.append(keep_bytes(context, found.content, name))
    note_index(context, _note(context), "", files, {}, signed=root.signed_by is not None)
    return part


def read(context: ReadContext) -> Extra:
    """What ``keep`` left."""
    return noted_index(_note(context), f"{context.source.name}: repodata")


def _note(context: ReadContext) -> Path:
    return context.folder / "verbatim.json"


def _kept(context: ReadContext, root: Root, record: Record) -> PackageFile:
    there = fetch.held(context, record)
    if there is not None:
        return keep_file(context, there, record.location)
    urls = [url(base, record.location) for base in root.urls]
    digest = (record.algorithm, record.digest)
    return keep_remote(context, urls, record.location, digest, size=record.size, limit=LARGEST)


# ------------------------------------------------------------------------------------------------- in a tree


def tree_files(version: VersionView, folder: str) -> Iterator[TreeFile]:
    """Upstream's files in ``folder``, as they came, each in its phase; nothing for a distribution that is empty."""
    for extra in version.extras(VERBATIM):
        yield from installer_files(version, folder, None)
        for file in extra.files:
            yield _placed(version, folder, file)
        return
    if version.groups():
        raise ConflictError(
            f"version {version.number} of {version.distribution.path} has packages and no index of an upstream",
            hint="mirror the source that they are of; or publish indexes of its own, with --no-verbatim",
        )


def _placed(version: VersionView, folder: str, file: PackageFile) -> TreeFile:
    phase = Phase.IMMUTABLE if _OWN_NAME.fullmatch(file.name) else Phase.INDEX
    phase = {REPOMD: Phase.ENTRY, SIGNATURE: Phase.SIGNATURE, PUBLIC_KEY: Phase.SIGNATURE}.get(file.name, phase)
    kind = XML if file.name == REPOMD else content_type(file.name.rpartition(".")[2])
    return TreeFile(f"{folder}/{file.name}", phase, file.size, file.sha256, version.artifact(file.sha256), kind)
