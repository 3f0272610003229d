"""Who did what: one line of the audit log for every change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def record(workspace: Workspace, action: str, subject: str, detail: Mapping[str, object]) -> None:
    """Adds a line; inside the transaction of what it tells. ``detail`` has no secrets."""
    workspace.catalog.audit.append(workspace.actor, action, subject, detail, workspace.now())
