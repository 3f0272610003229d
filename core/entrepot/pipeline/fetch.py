"""Fetching: from files that an index names to files on this machine, checked against what the index says."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrepot.contracts import Format, Transfer
from entrepot.errors import DigestError, MissingError, TransferError
from entrepot.models import Available, RemoteFile, Source

STRONG = ("sha512", "sha384", "sha256")


@dataclass(frozen=True, slots=True)
class Fetching:
    """One package that is to be fetched. ``folder`` is its own, and where an earlier try left what it had."""

    available: Available
    source: Source
    raw: bytes
    files: tuple[RemoteFile, ...]
    folder: Path

    @classmethod
    def of(cls, format_: Format, source: Source, available: Available, raw: bytes, parent: Path) -> Fetching:
        """What there is to fetch for an available package. ``IndexFormatError`` for file names that are not safe."""
        files = tuple(format_.index.files(raw, available))
        identity = hashlib.blake2b(digest_size=16)
        for file in files:
            identity.update(f"{source.url} {file.path} {sorted(file.digests.items())}\n".encode())
        return cls(available, source, raw, files, parent / identity.hexdigest())

    @property
    def size(self) -> int:
        """Bytes of all files together, as far as the index tells."""
        return sum(file.size or 0 for file in self.files)


def fetch(
    fetching: Fetching, format_: Format, transfer: Transfer, limit: int, on_bytes: Callable[[int], None]
) -> Sequence[Path]:
    """Fetches the files of a package into its folder and answers their paths, the main one first.

    ``MissingError`` says that upstream dropped the package and what to do. A file without a strong digest is refused
    unless the source was told to allow weak ones.
    """
    fetching.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = []
    for file in fetching.files:
        _check(file, fetching, limit)
        path = fetching.folder / file.name
        url = format_.index.url(fetching.source, file.path)
        try:
            transfer.download(url, path, size=file.size, digests=file.digests, limit=limit, on_bytes=on_bytes)
        except MissingError as error:
            raise MissingError(
                f"{fetching.source.name} no longer has {file.path}: upstream dropped "
                f"{fetching.available.name} {fetching.available.version}",
                hint=f"run `entrepot sync {fetching.source.name}` and choose a version that is there now",
                **error.data,
            ) from error
        paths.append(path)
    return paths


def discard(fetching: Fetching) -> None:
    """Removes what was fetched."""
    shutil.rmtree(fetching.folder, ignore_errors=True)


def _check(file: RemoteFile, fetching: Fetching, limit: int) -> None:
    where = f"{fetching.source.name}: {fetching.available.name} {fetching.available.version}: {file.path}"
    if not any(name in file.digests for name in STRONG) and not fetching.source.flag("allow_weak"):
        raise DigestError(f"{where}: the index gives no digest stronger than {', '.join(file.digests) or 'none'}")
    if file.size is not None and file.size > limit:
        raise TransferError(f"{where}: {file.size} bytes are more than the {limit} that the settings allow")
