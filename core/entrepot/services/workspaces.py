"""Making a workspace, and the keys that it signs with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.services.records import record
from entrepot.workspace import Workspace, home_of, utc_now

if TYPE_CHECKING:
    from entrepot.contracts import SignerFactory


@contextmanager
def open_workspace(
    home: str | Path,
    *,
    actor: str = "",
    origin: str = "",
    clock: Callable[[], dt.datetime] = utc_now,
    extra_plugins: Sequence[tuple[str, object]] = (),
) -> Iterator[Workspace]:
    """A workspace for one piece of work: ``home`` is a folder or a URL (``s3://bucket/prefix``).

    At the end of the context what was done is kept: all transactions that ended, also where the context ends with an
    error, as in a folder. On a storage that is one new generation, or nothing; ``BusyError`` where another command was
    there first for longer than ``[home] wait``, or took over what took too long.
    """
    place = home if isinstance(home, Path) else home_of(home)
    workspace = Workspace(place, actor=actor, origin=origin, clock=clock, extra_plugins=extra_plugins)
    try:
        try:
            yield workspace
        finally:
            workspace.commit()
    finally:
        workspace.close()


def initialise(workspace: Workspace, key_name: str | None = None) -> dict[str, Any]:
    """Makes a workspace, and with ``key_name`` a signing key of that user id unless there is a key already."""
    fresh = not workspace.exists()
    workspace.create()
    if fresh:
        with workspace.catalog.transaction():
            record(workspace, "workspace.create", workspace.url, {})
    key = None
    if key_name is not None:
        held = list_keys(workspace)
        key = held[0]["fingerprint"] if held else generate_key(workspace, key_name)
    return {"home": workspace.url, "created": fresh, "key": key}


def generate_key(workspace: Workspace, user_id: str) -> str:
    """Makes a signing key and answers its fingerprint."""
    factory, settings = _signer(workspace)
    fingerprint = factory.generate(user_id, settings, workspace.home)
    with workspace.catalog.transaction():
        record(workspace, "key.generate", fingerprint, {"user_id": user_id})
    return fingerprint


def import_key(workspace: Workspace, path: Path) -> str:
    """Takes a secret key from a file and answers its fingerprint."""
    factory, settings = _signer(workspace)
    fingerprint = factory.import_key(path, settings, workspace.home)
    with workspace.catalog.transaction():
        record(workspace, "key.import", fingerprint, {})
    return fingerprint


def list_keys(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """The keys that can sign: fingerprint and user id."""
    factory, settings = _signer(workspace)
    return [{"fingerprint": key.fingerprint, "key": str(key)} for key in factory.keys(settings, workspace.home)]


def export_key(workspace: Workspace, key: str | None) -> bytes:
    """The public part of a key, armored."""
    factory, settings = _signer(workspace)
    return factory.open(key, settings, workspace.home).public_key


def _signer(workspace: Workspace) -> tuple[SignerFactory, Mapping[str, Any]]:
    name = workspace.settings.default_signer
    return workspace.plugins.signer(name), workspace.settings.signers.get(name, {})
