"""Looking after a workspace: tasks, the audit log, plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from entrepot.services.tasks import recover_if_needed

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def tasks(workspace: Workspace, limit: int) -> Sequence[dict[str, Any]]:
    """The newest tasks; those whose process is gone are ended first."""
    recover_if_needed(workspace)
    return workspace.catalog.tasks.list(limit)


def task(workspace: Workspace, task_id: int) -> dict[str, Any]:
    """One task; ended first if its process is gone."""
    recover_if_needed(workspace)
    return workspace.catalog.tasks.get(task_id)


def audit(workspace: Workspace, limit: int) -> Sequence[dict[str, Any]]:
    """The newest entries of the audit log."""
    return list(workspace.catalog.audit.list(limit))


def verify_audit(workspace: Workspace) -> int:
    """Follows the chain of the audit log and answers its length; ``AuditError`` where it is broken."""
    return workspace.catalog.audit.verify()


def plugins(workspace: Workspace) -> dict[str, Any]:
    """What every plugin registered, and those that could not be loaded."""
    loaded = workspace.plugins
    offers = [
        {"plugin": plugin, "kind": hook.removeprefix("register_"), "name": name}
        for (hook, name), plugin in sorted(loaded.origins.items(), key=lambda item: (item[1], item[0]))
    ]
    return {"offers": offers, "broken": [{"plugin": item.name, "error": item.error} for item in loaded.broken]}
