"""The installer's files of a repository: fetched with its .treeinfo, kept, and put into a tree again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from entrepot.contracts import ReadContext, TreeFile, VersionView
from entrepot.errors import MissingError, TransferError
from entrepot.models import Extra, IndexPart, PackageFile, Phase, Sha256
from entrepot.progress import ProgressEvent
from entrepot.publish.bodies import BytesBody
from entrepot_plugins.shared.keeping import keep_remote

from . import treeinfo
from .locations import url

KEY = ".treeinfo"
"""Of the part that it is; no record of repomd.xml can be called so."""
KIND = "treeinfo"
NAMES = (".treeinfo", "treeinfo")
LARGEST = 8 << 30
"""Bytes of one file of an installer; real ones have one or two thousand million."""
_NOTE = "treeinfo.json"
_TEXT = "text/plain; charset=utf-8"
logger = logging.getLogger(__name__)


def fetch(context: ReadContext, urls: Sequence[str], known: str | None) -> IndexPart | None:
    """Fetches .treeinfo and all that it lists, unless it is the one with the digest ``known``; None if there is none.

    Files go to the private store, each from the first mirror that has it as .treeinfo says; ``TransferError`` if none
    has.
    """
    content = _text(context, urls)
    if content is None or context.store is None:
        return None
    info = treeinfo.parse(content, name=_title(context), allow_weak=context.source.flag("allow_weak"))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if known != digest:
        files = []
        for count, (path, (algorithm, value)) in enumerate(info.digests.items()):
            _tell(context, f"Fetching {path}...", count, len(info.digests))
            files.append(_kept(context, urls, path, (algorithm, value)))
        _tell(context, "Fetched the installer's files", len(files), len(files), "completed")
        note = {"title": info.title, "text": content.decode("utf-8"), "files": [asdict(file) for file in files]}
        (context.folder / _NOTE).write_text(json.dumps(note), "utf-8")
    return IndexPart(KEY, digest, "", "main", info.architecture, "extra", None)


def read(context: ReadContext) -> Extra:
    """What ``fetch`` left."""
    note = json.loads((context.folder / _NOTE).read_text("utf-8"))
    files = tuple(PackageFile(file["name"], file["size"], Sha256(file["sha256"])) for file in note["files"])
    data = {"files": [file.name for file in files], "size": sum(file.size for file in files)}
    return Extra(KIND, NAMES[0], note["title"], data, note["text"].encode(), files=files)


def installer_files(version: VersionView, folder: str, repomd: bytes | None) -> Iterator[TreeFile]:
    """The installer's files of a version in ``folder``, and .treeinfo, which agrees with ``repomd``, or is upstream's.

    Each file is there under its digest, too: that is written before anything changes that clients read, and under the
    plain name it is then a copy.
    """
    for extra in version.extras(KIND):
        for file in extra.files:
            path = f"{folder}/images/by-hash/SHA256/{file.sha256}"
            body = version.artifact(file.sha256)
            yield TreeFile(path, Phase.IMMUTABLE, file.size, file.sha256, body)
            yield TreeFile(f"{folder}/{file.name}", Phase.INDEX, file.size, file.sha256, body, copy_of=path)
        text = extra.raw
        if repomd is not None:
            text = treeinfo.rewritten(text, hashlib.sha256(repomd).hexdigest())
        for name in NAMES:
            digest = hashlib.sha256(text).hexdigest()
            yield TreeFile(f"{folder}/{name}", Phase.INDEX, len(text), digest, BytesBody(text), _TEXT)
        return  # a repository has one: where two sources have some, the first by name and digest it is


def _text(context: ReadContext, urls: Sequence[str]) -> bytes | None:
    """From the first mirror that has one; None if those that answer have none."""
    problem: TransferError | None = None
    for base in urls:
        for name in NAMES:
            try:
                fetched = context.transfer.get(url(base, name), limit=treeinfo.LIMIT)
            except MissingError:
                continue
            except TransferError as error:
                logger.info("%s; the next mirror is tried", error)
                problem = error
                break
            assert fetched is not None  # nothing was asked for on a condition
            return fetched.content
        else:
            return None
    assert problem is not None  # there is at least one mirror
    raise problem


def _kept(context: ReadContext, urls: Sequence[str], path: str, digest: tuple[str, str]) -> PackageFile:
    """A file in the private store, fetched unless it is there."""
    try:
        return keep_remote(context, [url(base, path) for base in urls], path, digest, limit=LARGEST)
    except TransferError as error:
        error.hint = "sync again later, or leave the installer's files out with --no-images"
        raise


def _tell(context: ReadContext, message: str, done: int, total: int, state: str = "running") -> None:
    context.progress(ProgressEvent("sync.images", message, state, done, total, "files"))


def _title(context: ReadContext) -> str:
    return f"{context.source.name}: {NAMES[0]}"
