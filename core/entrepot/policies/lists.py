"""The lists ``deny`` and ``allow`` of a policy."""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.models import Outcome
from entrepot.policies.files import read_globs
from entrepot.policies.records import ListEntry
from entrepot.policies.table import Table
from entrepot.toml_places import dotted

FIELDS = (
    "package",
    "version",
    "architecture",
    "kind",
    "section",
    "source_package",
    "licence",
    "maintainer",
    "source",
)
"""What an entry can be about, each a glob."""


def read_deny(table: Table) -> tuple[ListEntry, ...]:
    """The entries of ``deny``."""
    return tuple(_entries(table, "deny", ("outcome",)))


def read_allow(table: Table, inherited: tuple[ListEntry, ...] | None) -> tuple[ListEntry, ...] | None:
    """The entries of ``allow``, in place of those that are inherited."""
    return tuple(_entries(table, "allow", ())) if "allow" in table.values else inherited


def _entries(table: Table, name: str, more: tuple[str, ...]) -> Iterator[ListEntry]:
    for index, value in table.entries(name):
        values = _written_out(value) if isinstance(value, str) else value
        if not isinstance(values, dict):
            raise Table(table.file, (*table.key, name), {}).error(
                index, 'must be a table like { package = "telnetd*" }, or a text, which is the package or "@FILE"'
            )
        entry = Table(table.file, (*table.key, name, index), values)
        entry.refuse_unknown((*FIELDS, "file", "reason", *more))
        fields = {key: entry.text(key, "") for key in FIELDS if key in values}
        if not fields and "file" not in values:
            raise entry.error(None, f"must have at least one of {', '.join((*FIELDS, 'file'))}")
        if "package" in values and "file" in values:
            raise entry.error("file", "has the packages: there cannot be a package besides")
        outcome = entry.choice("outcome", (Outcome.REVIEW, Outcome.REJECT), Outcome.REJECT)
        listed = read_globs(entry, "file", entry.text("file", "")) if "file" in values else None
        yield ListEntry(dotted(entry.key), fields, entry.text("reason", ""), Outcome(outcome), listed)


def _written_out(text: str) -> dict[str, str]:
    return {"file": text[1:]} if text.startswith("@") else {"package": text}
