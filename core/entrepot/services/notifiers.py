"""Those who are told of events: what is still to be told to them, and why it was not."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Notice
from entrepot.errors import NotFoundError, UsageError
from entrepot.services.delivering import Delivery, deliver, try_delivery
from entrepot.services.event_documents import trial_document
from entrepot.services.records import record

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

PATIENCE = 600.0
"""Seconds for which ``notify run`` tells, at the most."""
TEST_SECONDS = 30.0


def notifiers(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """Every notifier of the settings, and those that are not there any more and were not told everything."""
    known = workspace.catalog.outbox.summaries()
    kinds = {name: settings.kind for name, settings in workspace.settings.notify.items()}
    rows = []
    for name in sorted({*kinds, *(name for name, row in known.items() if row["waiting"] or row["given_up"])}):
        settings = workspace.settings.notify.get(name)
        row = known.get(name, {})
        rows.append(
            {
                "name": name,
                "kind": settings.kind if settings else None,
                "events": list(settings.events) if settings else [],
                "distributions": list(settings.distributions) if settings else [],
                "waiting": row.get("waiting", 0),
                "given_up": row.get("given_up", 0),
                "next_at": row.get("next_at"),
                "delivered": row.get("delivered", 0),
                "delivered_at": row.get("delivered_at"),
                "failed_at": row.get("failed_at"),
                "error": row.get("error"),
                "problem": _problem(workspace, name),
            }
        )
    return rows


def _problem(workspace: Workspace, name: str) -> str | None:
    """Why nothing can be told to it, whatever its receiver does."""
    settings = workspace.settings.notify.get(name)
    if settings is None:
        return "it is not in the settings any more"
    if settings.kind not in workspace.plugins.notifiers:
        return f"no plugin has notifiers of kind {settings.kind!r}"
    return None


def pending(workspace: Workspace, name: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """What is still to be told, or was given up."""
    return workspace.catalog.outbox.list(name, limit)


def deliver_now(workspace: Workspace, names: Sequence[str] = ()) -> Sequence[Delivery]:
    """Tells what is due, however long that takes within reason."""
    _require(workspace, names)
    return deliver(workspace, PATIENCE, names)


def deliver_at_end(workspace: Workspace) -> Sequence[Delivery]:
    """What a command does at its end, within the time that the settings give; nothing where it only read a copy."""
    settings = workspace.settings
    if workspace.read_only or not settings.notify or not settings.notify_seconds:
        return ()
    if workspace.is_remote and not (workspace.session.has_written or workspace.lasting):
        # Who only looked at a workspace on a storage waits for no writer: the next one that ends tells it.
        return ()
    workspace.pause()
    return deliver(workspace, settings.notify_seconds)


def retry(workspace: Workspace, names: Sequence[str] = ()) -> Sequence[Delivery]:
    """Tells now what waits for its next try and what was given up."""
    _require(workspace, names)
    chosen = names or list(workspace.settings.notify)
    with workspace.catalog.transaction():
        if count := workspace.catalog.outbox.again(chosen, workspace.now()):
            record(workspace, "notify.retry", ", ".join(chosen), {"events": count})
    return deliver(workspace, PATIENCE, chosen)


def drop(workspace: Workspace, name: str) -> dict[str, Any]:
    """Forgets what a notifier was still to be told, one that is not in the settings any more included."""
    catalog = workspace.catalog
    with catalog.transaction():
        if name not in workspace.settings.notify and name not in catalog.outbox.summaries():
            raise _unknown(workspace, name)
        dropped = catalog.outbox.drop(name)
        record(workspace, "notify.drop", name, {"events": dropped})
    return {"notifier": name, "dropped": dropped}


def attempt(workspace: Workspace, name: str) -> dict[str, Any]:
    """Sends a document of type ``test`` and answers it; ``DeliveryError`` says why it did not arrive."""
    _require(workspace, [name])
    number = f"evt_{uuid.uuid4().hex}"
    document = trial_document(number, workspace.actor, workspace.now())
    try_delivery(workspace, name, Notice(number, "test", document), TEST_SECONDS)
    return {"notifier": name, "document": document}


def _require(workspace: Workspace, names: Sequence[str]) -> None:
    if not workspace.settings.notify:
        raise UsageError("nobody is told of anything", hint="add a table [notify.NAME] to entrepot.toml")
    for name in names:
        if name not in workspace.settings.notify:
            raise _unknown(workspace, name)


def _unknown(workspace: Workspace, name: str) -> NotFoundError:
    known = ", ".join(workspace.settings.notify) or "none"
    return NotFoundError(f"the settings have no notifier {name!r}", hint=f"known: {known}")
