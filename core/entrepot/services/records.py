"""Who did what: one line of the audit log for every change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def record(workspace: Workspace, action: str, subject: str, detail: Mapping[str, object]) -> None:
    """Adds a line; inside the transaction of what it tells. ``detail`` has no secrets."""
    workspace.catalog.audit.append(workspace.actor, workspace.origin, action, subject, detail, workspace.now())


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The detail of a changed setting: what differs, as it was and as it is."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }
