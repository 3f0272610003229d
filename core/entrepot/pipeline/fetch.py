"""Fetching: from files that an index names to files on this machine, checked against what the index says."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrepot.contracts import Format, Transfer
from entrepot.errors import DigestError, MissingError, TransferError
from entrepot.models import Available, RemoteFile, Sha256, Source
from entrepot.store import ArtifactStore, file_sha256

logger = logging.getLogger(__name__)

STRONG = ("sha512", "sha384", "sha256")
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Fetching:
    """One package that is to be fetched. ``folder`` is its own, and where an earlier try left what it had.

    ``seen`` is what the last sync of the source saw, ``keyring`` its keys.
    """

    available: Available
    source: Source
    raw: bytes
    files: tuple[RemoteFile, ...]
    folder: Path
    seen: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keyring: Path | None = None

    @classmethod
    def of(
        cls,
        format_: Format,
        source: Source,
        available: Available,
        raw: bytes,
        parent: Path,
        seen: Mapping[str, Any],
        keyring: Path | None,
    ) -> Fetching:
        """What there is to fetch for an available package. ``IndexFormatError`` for file names that are not safe."""
        files = tuple(format_.index.files(raw, available))
        identity = hashlib.blake2b(digest_size=16)
        for file in files:
            identity.update(f"{source.url} {file.path} {sorted(file.digests.items())}\n".encode())
        return cls(available, source, raw, files, parent / identity.hexdigest(), seen, keyring)

    @property
    def size(self) -> int:
        """Bytes of all files together, as far as the index tells."""
        return sum(file.size or 0 for file in self.files)


def fetch(
    fetching: Fetching,
    format_: Format,
    transfer: Transfer,
    store: ArtifactStore,
    limit: int,
    on_bytes: Callable[[int], None],
) -> Sequence[Path]:
    """Fetches the files of a package into its folder and answers their paths, the main one first.

    What is in the private store already, or was left whole by an earlier try, is not asked for again. ``MissingError``
    says that upstream dropped the package and what to do. A file without a strong digest is refused unless the source
    was told to allow weak ones.
    """
    fetching.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = []
    for file in fetching.files:
        _check(file, fetching, limit)
        path = fetching.folder / file.name
        paths.append(path)
        if _is_here(file, path, store):
            on_bytes(path.stat().st_size)
            continue
        urls = format_.index.urls(fetching.source, fetching.seen, file.path)
        try:
            _download(urls, path, file, transfer, limit, on_bytes)
        except MissingError as error:
            raise MissingError(
                f"{fetching.source.name} no longer has {file.path}: upstream dropped "
                f"{fetching.available.name} {fetching.available.version}",
                hint=f"run `entrepot sync {fetching.source.name}` and choose a version that is there now",
                **error.data,
            ) from error
    return paths


def _download(
    urls: Sequence[str], path: Path, file: RemoteFile, transfer: Transfer, limit: int, on_bytes: Callable[[int], None]
) -> None:
    """From the first of several mirrors that has the file as the index describes it."""
    *others, last = urls
    for url in others:
        try:
            transfer.download(url, path, size=file.size, digests=file.digests, limit=limit, on_bytes=on_bytes)
        except TransferError as error:
            logger.info("%s; the next mirror is tried", error)
        else:
            return
    transfer.download(last, path, size=file.size, digests=file.digests, limit=limit, on_bytes=on_bytes)


def discard(fetching: Fetching) -> None:
    """Removes what was fetched."""
    try:
        # Few plain files, which ``rmtree`` takes as long for as fetching them did.
        for name in os.listdir(fetching.folder):
            os.unlink(fetching.folder / name)
        os.rmdir(fetching.folder)
    except OSError:
        shutil.rmtree(fetching.folder, ignore_errors=True)


def _is_here(file: RemoteFile, path: Path, store: ArtifactStore) -> bool:
    """Whether the file is at ``path`` without a request: from an earlier try, or now from the private store."""
    sha256 = Sha256(file.digests.get("sha256", "").lower())
    if not SHA256.fullmatch(sha256):
        return False
    if path.is_file() and path.stat().st_size == file.size and file_sha256(path) == sha256:
        return True
    size = store.size(sha256)
    # An index whose size is not that of the content it names is wrong somewhere: the download then says so.
    if size is None or file.size not in (None, size):
        return False
    store.copy_out(sha256, path)
    return True


def _check(file: RemoteFile, fetching: Fetching, limit: int) -> None:
    where = f"{fetching.source.name}: {fetching.available.name} {fetching.available.version}: {file.path}"
    if not any(name in file.digests for name in STRONG) and not fetching.source.flag("allow_weak"):
        raise DigestError(f"{where}: the index gives no digest stronger than {', '.join(file.digests) or 'none'}")
    if file.size is not None and file.size > limit:
        raise TransferError(f"{where}: {file.size} bytes are more than the {limit} that the settings allow")
