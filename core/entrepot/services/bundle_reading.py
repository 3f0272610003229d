"""Bundles as they are read: opened, their signature checked, unpacked piece by piece. The catalog stays as it is."""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.bundles import ArchiveReader, Manifest, check_chunks, is_chunked, open_chunks, read_manifest
from entrepot.bundles.manifest import LIMIT, MANIFEST, SIGNATURE, form_of, payload_name
from entrepot.contracts import SignatureVerifier
from entrepot.errors import BatchError, EntrepotError, NotFoundError, PluginError, TrustError, UsageError
from entrepot.models import PackageFile
from entrepot.progress import Progress, ProgressEvent, silent

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

STANDARD_INPUT = "-"
VERIFIER = "gpg"
"""Who checks signatures, which are of OpenPGP whoever made them."""
LONGEST_SIGNATURE = 1 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """What a bundle begins with. ``digest`` is the sha256 of the manifest, which is what a bundle is known by.

    ``signed_by`` is the fingerprint of the key that signed it, where that was checked; ``claims`` are the keys that the
    signature names, which anybody may write.
    """

    manifest: Manifest
    digest: str
    data: bytes
    signature: bytes
    signed_by: str | None = None
    claims: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json``: without the packages."""
        manifest = self.manifest
        return {
            "bundle": self.digest,
            "form": manifest.form,
            "name": manifest.name,
            "format": manifest.format,
            "created_at": manifest.created_at,
            "made_by": manifest.made_by,
            "from": f"{manifest.repository}/{manifest.distribution}",
            "version": manifest.version,
            "query": manifest.query,
            "since": manifest.since.manifest if manifest.since else None,
            "packages": len(manifest.packages),
            "carried": manifest.carried,
            "extras": len(manifest.extras),
            "files": len(manifest.payload),
            "size": manifest.size,
            "advisories": {feed.name: len(feed.advisories) for feed in manifest.feeds},
            "members": [member.name for member in manifest.members],
            "signed": bool(self.signature),
            "claims": list(self.claims),
            "signed_by": self.signed_by,
        }


@contextmanager
def open_bundle(path: Path) -> Iterator[ArchiveReader]:
    """The archive of a bundle: a file, the first of its pieces, what all of them are called, or ``-``."""
    if str(path) == STANDARD_INPUT:
        yield ArchiveReader(sys.stdin.buffer, "standard input")
    elif is_chunked(path):
        with open_chunks(path) as pieces:
            yield ArchiveReader(pieces, str(path))
    else:
        try:
            file = path.open("rb")
        except OSError as error:
            raise NotFoundError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
        with file:
            yield ArchiveReader(file, str(path))


def read_head(reader: ArchiveReader, where: str) -> Head:
    """The manifest and its signature, which is not looked at yet."""
    data = reader.whole(MANIFEST, LIMIT)
    # Before the signature: what is newer may be signed in another way.
    form_of(data, where)
    signature = reader.whole(SIGNATURE, LONGEST_SIGNATURE)
    return Head(read_manifest(data, where), hashlib.sha256(data).hexdigest(), data, signature)


def verifier(workspace: Workspace) -> SignatureVerifier:
    """Who tells whose a signature is."""
    factory = workspace.plugins.signer(VERIFIER)
    if not isinstance(factory, SignatureVerifier):
        raise PluginError(f"the signer {VERIFIER} does not check signatures")
    return factory


def checked(workspace: Workspace, head: Head, keyring: Path | None, where: str) -> str:
    """The fingerprint of the key of ``keyring`` that signed a bundle; ``TrustError`` if none did."""
    if keyring is None:
        raise UsageError(
            f"there are no keys to check {where} with",
            hint="give those of its sender with --keyring FILE, or --no-verify to trust whoever made it",
        )
    if not head.signature:
        raise TrustError(f"{where} is not signed", hint="use --no-verify only for what came by a way that you trust")
    return verifier(workspace).verify(head.data, head.signature, keyring, name=where)


def unpack(
    reader: ArchiveReader,
    manifest: Manifest,
    folder: Path,
    keep: Callable[[PackageFile, Iterator[bytes]], None] | None,
    progress: Progress = silent,
    look: Callable[[Mapping[str, Path]], None] = lambda _: None,
) -> Mapping[str, Path]:
    """Reads all that follows the head: members to files in ``folder``, by name, the payload to ``keep``.

    ``look`` is called between the two: what is wrong already is told before the long rest is read. Without ``keep``
    the payload is read and checked only. ``BundleError`` for what is not as the manifest says.
    """
    done, members = 0, {}

    def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for chunk in chunks:
            done += len(chunk)
            progress(ProgressEvent("bundle.read", "Reading", "running", done, manifest.size, "bytes"))
            yield chunk

    for position, member in enumerate(manifest.members):
        path = folder / f"member-{position}"
        with path.open("wb") as file:
            for chunk in counted(reader.member(member.name, member.size, member.sha256)):
                file.write(chunk)
        members[member.name] = path
    look(members)
    for item in manifest.payload:
        chunks = counted(reader.member(payload_name(item.sha256), item.size, item.sha256))
        if keep is not None:
            keep(item, chunks)
        # Its digest is compared when the last byte was taken, whoever took the others.
        deque(chunks, maxlen=0)
    reader.end()
    progress(ProgressEvent("bundle.read", "Read", "completed", manifest.size, manifest.size, "bytes"))
    return members


def show(workspace: Workspace, path: Path, keyring: Path | None = None, source: str | None = None) -> Head:
    """What a bundle has, and with keys who signed it. Only its beginning is read."""
    with open_bundle(path) as reader:
        head = read_head(reader, str(path))
    if head.signature:
        head = replace(head, claims=verifier(workspace).claims(head.signature))
    keys = keys_for(workspace, head, keyring, source)
    return head if keys is None else replace(head, signed_by=checked(workspace, head, keys, str(path)))


def verify(
    workspace: Workspace,
    path: Path,
    keyring: Path | None = None,
    source: str | None = None,
    progress: Progress = silent,
    *,
    trust: bool = False,
) -> Head:
    """Checks everything: pieces, signature, sizes and digests. With ``trust`` the signature is not asked for."""
    if str(path) != STANDARD_INPUT and is_chunked(path) and (problems := check_chunks(path)):
        raise BatchError(
            f"{len(problems)} pieces of {path} are not as they were made",
            [(str(problem.data.get("path", path.name)), problem) for problem in problems],
        )
    with open_bundle(path) as reader, workspace.scratch() as folder:
        head = read_head(reader, str(path))
        if not trust:
            keys = keys_for(workspace, head, keyring, source)
            head = replace(head, signed_by=checked(workspace, head, keys, str(path)))
        unpack(reader, head.manifest, folder, None, progress)
    return head


def keys_for(workspace: Workspace, head: Head, keyring: Path | None, source: str | None) -> Path | None:
    """The keys that are given, else those of the source that takes these bundles; None where there is none."""
    if keyring is not None:
        return keyring
    try:
        found = workspace.catalog.sources.get(source or head.manifest.name)
    except EntrepotError:
        if source is not None:
            raise
        return None
    return workspace.keyring(found)
