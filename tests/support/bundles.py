"""Bundles for tests: made by one workspace and applied by another, or with something wrong in them.

::

    sender, receiver = Depot(tmp_path / "sender", key), Depot(tmp_path / "receiver", other_key)
    bundle = send(sender, tmp_path / "first")
    result = receive(receiver, bundle, keyring)
    hostile = altered(bundle, tmp_path / "hostile", sender.workspace, lambda document: document["packages"].pop())
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from entrepot.bundles import ArchiveReader, ArchiveWriter
from entrepot.bundles.manifest import MANIFEST, SIGNATURE
from entrepot.services import bundle_applying, bundle_making
from entrepot.services.bundle_applying import Applied, ApplyRequest
from entrepot.services.bundle_making import MakeRequest
from entrepot.services.mirroring import MirrorResult
from entrepot.workspace import Workspace
from support.workspaces import Depot

LARGEST = 1 << 30


def send(sender: Depot, path: Path, distribution: str = "example/stable", **more: Any) -> Path:
    """Makes a bundle, and answers where it is."""
    bundle_making.make(sender.workspace, path, MakeRequest(distribution, **more))
    return path


def receive(receiver: Depot, path: Path, keyring: Path | None, to: str = "example/prod", **more: Any) -> Applied:
    """Applies a bundle."""
    return bundle_applying.apply(receiver.workspace, path, ApplyRequest(to, keyring=keyring, **more))


def mirrored(applied: Applied) -> MirrorResult:
    """What became of the distribution that the packages of a bundle went to."""
    assert applied.mirror is not None
    return applied.mirror


def contents(path: Path) -> dict[str, bytes]:
    """The members of a bundle, by name, in their order."""
    names, found = [MANIFEST, SIGNATURE], {}
    reader = ArchiveReader(io.BytesIO(path.read_bytes()), str(path))
    for name in names:
        found[name] = reader.whole(name, LARGEST)
        if name == MANIFEST:
            document = json.loads(found[name])
            names += [item["name"] for item in document["members"]]
            names += [f"files/{item['sha256']}" for item in document["payload"]]
    reader.end()
    return found


def packed(path: Path, members: Mapping[str, bytes], workspace: Workspace) -> Path:
    """Writes members as they are."""
    with path.open("wb") as file:
        writer = ArchiveWriter(file, workspace.now())
        for name, content in members.items():
            writer.add(name, len(content), [content] if content else [])
        writer.close()
    return path


def altered(
    bundle: Path,
    path: Path,
    workspace: Workspace,
    change: Callable[[dict[str, Any]], object] = lambda _: None,
    members: Mapping[str, bytes] | None = None,
) -> Path:
    """A copy whose manifest is changed and signed again, with other content of some members as the manifest says."""
    found = contents(bundle) | dict(members or {})
    document = json.loads(found[MANIFEST])
    for item in document["members"]:
        content = found[item["name"]]
        item |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change(document)
    found[MANIFEST] = json.dumps(document).encode()
    repository = workspace.catalog.repositories.get("example")
    signer = workspace.signer(repository)
    assert signer is not None
    found[SIGNATURE] = signer.detach(found[MANIFEST], now=workspace.now())
    return packed(path, found, workspace)
