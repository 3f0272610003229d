"""Published trees that are not folders, as folders."""

from __future__ import annotations

from pathlib import Path

from entrepot.contracts import Storage

_PRIVATE = ".entrepot/"


def objects(storage: Storage) -> dict[str, bytes]:
    """All that clients can fetch from a storage, by path."""
    found = {}
    for info in storage.list():
        if not info.key.startswith(_PRIVATE):
            with storage.read(info.key) as stream:
                found[info.key] = stream.read()
    return found


def as_folder(storage: Storage, folder: Path) -> Path:
    """A copy of a storage's objects in a folder, which is made."""
    for path, data in objects(storage).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder
