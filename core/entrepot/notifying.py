"""Who is told of events: the tables ``[notify.NAME]``.

::

    [notify.ops]
    kind = "webhook"
    url = "https://hooks.example.org/entrepot"
    secret = {env = "OPS_WEBHOOK_SECRET"}
    events = ["tree_published", "advisory_matched"]
    distributions = ["apps", "base/stable"]

What is not read here is handed to the plugin of that kind as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot.toml_places import SettingsFile

EVENTS = (
    "source_synced",
    "import_decided",
    "package_imported",
    "package_worsened",
    "advisory_matched",
    "version_created",
    "tree_published",
)
"""The names of the hooks that are told of something, which are the types of events."""
KEYS = ("kind", "events", "distributions")


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """One that is told. ``events`` and ``distributions`` (paths, or names of repositories): all where empty."""

    name: str
    kind: str
    events: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the plugin of its kind reads."""

    def hears(self, event: str) -> bool:
        """Whether it is told of such events at all."""
        return not self.events or event in self.events

    def wants(self, event: str, distribution: str | None) -> bool:
        """Whether it is to be told. An event that is of no distribution is for those who hear of all of them."""
        if not self.hears(event):
            return False
        if not self.distributions:
            return True
        return distribution is not None and bool({distribution, distribution.partition("/")[0]} & {*self.distributions})


def read_notifiers(tables: Mapping[str, Mapping[str, Any]], file: SettingsFile) -> Mapping[str, NotifierSettings]:
    """The notifiers by name; ``SettingsError`` names the line of what is wrong with them."""
    found = {}
    for name, table in tables.items():
        kind = table.get("kind")
        if not isinstance(kind, str) or not kind:
            raise file.error(("notify", name, "kind"), "must say what kind of notifier it is, as a text")
        events = _texts(table, name, "events", file)
        for position, event in enumerate(events):
            if event not in EVENTS:
                raise file.error(("notify", name, "events", position), f"must be one of {', '.join(EVENTS)}")
        distributions = _texts(table, name, "distributions", file)
        own = {key: value for key, value in table.items() if key not in KEYS}
        found[name] = NotifierSettings(name, kind, events, distributions, own)
    return found


def _texts(table: Mapping[str, Any], name: str, key: str, file: SettingsFile) -> tuple[str, ...]:
    texts = table.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise file.error(("notify", name, key), "must be a list of texts")
    return tuple(texts)
