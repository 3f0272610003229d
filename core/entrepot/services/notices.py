"""Events: plugins hear of them at once, and those whom the settings name by way of the outbox."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

from entrepot.services.event_documents import distribution_of, document, subject_of

if TYPE_CHECKING:
    from entrepot.events import Event
    from entrepot.workspace import Workspace


def tell(workspace: Workspace, hook: str, event: Event) -> None:
    """Tells an event by the name of its hook; inside the transaction of what it tells, where there is one.

    For notifiers it is written down there, and so never lost and never told of what did not happen. Plugins are called
    when the transaction is over.
    """
    catalog = workspace.catalog
    if names := _notifiers(workspace, hook, event):
        now, number = workspace.now(), f"evt_{uuid.uuid4().hex}"
        content = document(number, hook, event, workspace.actor, now)
        with catalog.transaction():
            catalog.outbox.add(names, number, hook, subject_of(event), content, now)
    catalog.afterwards(partial(workspace.plugins.tell, hook, event))


def listens(workspace: Workspace, *hooks: str) -> bool:
    """Whether anybody hears of one of these: what there is to tell may cost something to find out."""
    return any(workspace.plugins.listens(hook) for hook in hooks) or any(
        settings.hears(hook) for settings in workspace.settings.notify.values() for hook in hooks
    )


def _notifiers(workspace: Workspace, hook: str, event: Event) -> list[str]:
    known = workspace.plugins.notifiers
    distribution = distribution_of(event)
    names = []
    for name, settings in workspace.settings.notify.items():
        factory = known.get(settings.kind)
        # What nobody can deliver is kept, too: the plugin may be back tomorrow.
        can = factory is None or not factory.hears or hook in factory.hears
        if can and settings.wants(hook, distribution.path if distribution else None):
            names.append(name)
    return names
