"""Looking after a workspace: tasks, the audit log, plugins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.errors import UsageError
from entrepot.services.tasks import recover_if_needed

if TYPE_CHECKING:
    from entrepot.catalog.audit import AuditHead
    from entrepot.workspace import Workspace


def tasks(workspace: Workspace, limit: int) -> Sequence[dict[str, Any]]:
    """The newest tasks; those whose process is gone are ended first."""
    recover_if_needed(workspace)
    return workspace.catalog.tasks.list(limit)


def task(workspace: Workspace, task_id: int) -> dict[str, Any]:
    """One task; ended first if its process is gone."""
    recover_if_needed(workspace)
    return workspace.catalog.tasks.get(task_id)


def tasks_about(workspace: Workspace, kind: str, subject: str, limit: int) -> Sequence[dict[str, Any]]:
    """The newest tasks of a kind about one thing: the syncs of a source, say."""
    recover_if_needed(workspace)
    return workspace.catalog.tasks.about(kind, subject, limit)


def audit(workspace: Workspace, limit: int) -> Sequence[dict[str, Any]]:
    """The newest entries of the audit log."""
    return list(workspace.catalog.audit.list(limit))


def verify_audit(workspace: Workspace, known: str = "") -> AuditHead:
    """Follows the chain of the audit log to its anchor and answers its end; ``AuditError`` where it is broken.

    ``known`` is a digest that was noted elsewhere, which the log has to have.
    """
    return workspace.catalog.audit.verify(known)


def anchor_audit(workspace: Workspace, reason: str) -> AuditHead:
    """Gives the audit log a new key where the old one is lost, by an entry with the reason; answers the log's end."""
    if not reason.strip():
        raise UsageError("a new anchor needs a reason", hint="say what became of the key with --reason")
    with workspace.catalog.transaction():
        return workspace.catalog.audit.anchor(workspace.actor, workspace.origin, reason, workspace.now())


def audit_head(workspace: Workspace) -> AuditHead:
    """Where the audit log ends now."""
    return workspace.catalog.audit.head()


def export_audit(workspace: Workspace, since: str | None = None) -> Iterator[str]:
    """Entries as lines of JSON, streamed; after an id or from a day or moment on, where that is given."""
    if since is None or since.isdecimal():
        return workspace.catalog.audit.export(since=int(since) if since else None)
    try:
        moment = dt.datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(f"{since!r} is no id and no date", hint="write 42, 2026-03-01 or 2026-03-01T12:00Z") from None
    return workspace.catalog.audit.export(not_before=moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))


def verify_export(path: Path, known: str = "") -> AuditHead:
    """Follows an export, without a workspace; ``AuditError`` where it is broken."""
    from entrepot.catalog.audit import verify_lines

    try:
        with path.open(encoding="utf-8") as lines:
            return verify_lines(lines, str(path), known)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", path=str(path)) from error


def plugins(workspace: Workspace) -> dict[str, Any]:
    """What every plugin registered, and those that could not be loaded."""
    loaded = workspace.plugins
    offers = [
        {"plugin": plugin, "kind": hook.removeprefix("register_"), "name": name}
        for (hook, name), plugin in sorted(loaded.origins.items(), key=lambda item: (item[1], item[0]))
    ]
    return {"offers": offers, "broken": [{"plugin": item.name, "error": item.error} for item in loaded.broken]}
