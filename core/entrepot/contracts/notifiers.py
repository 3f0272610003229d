"""Telling others what happened: whatever is asked to is told at least once, after the fact, and may be down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """An event as it is told. ``id`` is the same however often that is tried, and so is ``document``."""

    id: str
    event: str
    """The type, which is the name of its hook; ``test`` where somebody only tries whether telling works."""
    document: Mapping[str, Any]
    """What there is to tell, as ``entrepot notify schema`` describes it; made of what JSON has, without secrets."""


class Notifier(Protocol):
    """Tells one receiver."""

    together: int
    """How many notices it takes at once, at the most."""

    def deliver(self, notices: Sequence[Notice], seconds: float) -> None:
        """Tells all of them, oldest first, within so many seconds; called from a thread of its own.

        Any error means that none counts as told, and all are tried again later: a ``DeliveryError`` may say when, or
        that it is of no use. Its message is kept and shown, so it has no secret in it.
        """
        ...


class NotifierFactory(Protocol):
    """Opens notifiers of one kind (``webhook``)."""

    kind: str
    hears: Collection[str]
    """The events that it can make anything of; empty for all."""

    def open(self, name: str, settings: Mapping[str, Any], home: Path) -> AbstractContextManager[Notifier]:
        """The notifier of the table ``[notify.NAME]``, without asking its receiver anything.

        ``SettingsError`` for settings that cannot be used; relative paths in them are below ``home``.
        """
        ...
