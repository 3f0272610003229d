"""Files of a source that are neither packages nor read as indexes: kept in the private store, each once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from entrepot.contracts import VERBATIM, ReadContext
from entrepot.errors import MissingError, TransferError
from entrepot.models import Extra, PackageFile, Sha256
from entrepot_plugins.shared.digests import measure, opened
from entrepot_plugins.shared.openpgp import armored_keys

logger = logging.getLogger(__name__)


def keep_file(context: ReadContext, path: Path, name: str) -> PackageFile:
    """A file of this machine, checked by the caller, under the name that it has at the source; it stays where it is."""
    assert context.store is not None
    with opened(path) as file:
        found = measure(file)
    context.store.add(path, found.sha256)
    return found.file(name)


def keep_bytes(context: ReadContext, content: bytes, name: str) -> PackageFile:
    """The same for what is in memory."""
    path = _scratch(context, name, hashlib.sha256(content).hexdigest())
    path.write_bytes(content)
    kept = keep_file(context, path, name)
    path.unlink()
    return kept


def keep_remote(
    context: ReadContext,
    urls: Sequence[str],
    name: str,
    digest: tuple[str, str],
    *,
    size: int | None = None,
    limit: int,
) -> PackageFile:
    """A file from the first of several URLs that has it as it should be; not asked for if it is kept already.

    ``digest`` is algorithm and value. ``MissingError`` if it is at none of them, else what the last one did wrong.
    """
    assert context.store is not None
    algorithm, value = digest
    if algorithm == "sha256" and (held := context.store.size(value)) is not None and size in (None, held):
        return PackageFile(name, held, Sha256(value))
    path = _scratch(context, name, value)
    problem: TransferError | None = None
    for url in urls:
        try:
            context.transfer.download(url, path, size=size, digests={algorithm: value}, limit=limit)
        except TransferError as error:
            logger.info("%s; the next place is tried", error)
            if problem is None or not isinstance(error, MissingError):
                problem = error
            continue
        kept = keep_file(context, path, name)
        path.unlink()
        return kept
    assert problem is not None  # there is at least one URL
    raise problem


def note_index(
    context: ReadContext,
    note: Path,
    name: str,
    files: Sequence[PackageFile],
    details: Mapping[str, object],
    *,
    signed: bool,
) -> None:
    """Leaves for ``noted_index`` what makes an upstream's own index: its files, and with what clients verify it."""
    keys = armored_keys(context.keyring.read_bytes()).decode() if signed and context.keyring else ""
    document = {"name": name, "files": [asdict(file) for file in files], "keys": keys, "details": dict(details)}
    note.write_text(json.dumps(document), "utf-8")


def noted_index(note: Path, title: str) -> Extra:
    """What ``note_index`` left."""
    document = json.loads(note.read_text("utf-8"))
    files = tuple(PackageFile(file["name"], file["size"], Sha256(file["sha256"])) for file in document["files"])
    data = {"files": len(files), "size": sum(file.size for file in files), "keys": document["keys"]}
    raw = json.dumps({"files": [[file.name, file.sha256] for file in files], **document["details"]}, indent=1)
    return Extra(VERBATIM, document["name"], title, data, raw.encode(), files=files)


def _scratch(context: ReadContext, name: str, digest: str) -> Path:
    return context.folder / f"{hashlib.sha256(f'{name} {digest}'.encode()).hexdigest()[:32]}.kept"
