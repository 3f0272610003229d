"""The table ``[policies.NAME.vulnerabilities]``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import fields

from entrepot.policies.records import ACTIONS, NEVER, SEVERITIES, Ignored, VulnerabilityRules
from entrepot.policies.table import Table
from entrepot.toml_places import dotted

KEYS = tuple(item.name for item in fields(VulnerabilityRules))
_WORDS = tuple(ACTIONS)
_FROM = (*SEVERITIES, NEVER)


def read_vulnerabilities(table: Table, parent: VulnerabilityRules) -> VulnerabilityRules:
    """The thresholds; what is not said is inherited, and ``ignore`` is added to what is."""
    table.refuse_unknown(KEYS)
    return VulnerabilityRules(
        block=table.choice("block", _FROM, parent.block),
        review=table.choice("review", _FROM, parent.review),
        warn=table.choice("warn", _FROM, parent.warn),
        cvss_block=table.number("cvss_block", 10, parent.cvss_block),
        cvss_review=table.number("cvss_review", 10, parent.cvss_review),
        unknown=table.choice("unknown", _WORDS, parent.unknown),
        unknown_unfixed=table.choice("unknown_unfixed", _WORDS, parent.unknown_unfixed),
        unfixed=table.choice("unfixed", _WORDS, parent.unfixed),
        deferred=table.choice("deferred", _WORDS, parent.deferred),
        kev=table.choice("kev", _WORDS, parent.kev),
        epss_review=table.number("epss_review", 1, parent.epss_review),
        epss_block=table.number("epss_block", 1, parent.epss_block),
        ignore=(*parent.ignore, *_ignored(table)),
    )


def _ignored(table: Table) -> Iterator[Ignored]:
    for index, value in table.entries("ignore"):
        values = {"id": value} if isinstance(value, str) else value
        if not isinstance(values, dict):
            raise Table(table.file, (*table.key, "ignore"), {}).error(
                index, 'must be a text like "CVE-2026-1", or a table with an id'
            )
        entry = Table(table.file, (*table.key, "ignore", index), values)
        entry.refuse_unknown(("id", "package", "until", "reason"))
        identifier = entry.text("id", "")
        if not identifier:
            raise entry.error(None, 'must have an id, like "CVE-2026-1"')
        yield Ignored(
            identifier, dotted(entry.key), entry.text("package", "*"), _until(entry), entry.text("reason", "")
        )


def _until(entry: Table) -> dt.datetime | None:
    """A moment; a date is meant with all of its day, in UTC."""
    found = entry.values.get("until")
    if isinstance(found, str):
        try:
            found = dt.date.fromisoformat(found) if len(found) == 10 else dt.datetime.fromisoformat(found)
        except ValueError:
            found = ""
    if found is None:
        return None
    if isinstance(found, dt.datetime):
        return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
    if isinstance(found, dt.date) and found < dt.date.max:
        return dt.datetime.combine(found + dt.timedelta(days=1), dt.time(), dt.UTC)
    raise entry.error("until", "must be a date like 2026-12-31")
