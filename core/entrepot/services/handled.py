"""Events that were handled, so that one that comes again is not done again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def answer(workspace: Workspace, event: str) -> dict[str, Any] | None:
    """What was answered to an event; None where it was not handled, or more than two weeks ago."""
    found: dict[str, Any] | None = workspace.catalog.handled.answer(event)
    return found


def note(workspace: Workspace, event: str, answer: Mapping[str, Any]) -> None:
    """Notes that an event was handled."""
    with workspace.catalog.transaction():
        workspace.catalog.handled.note(event, dict(answer), workspace.now())
