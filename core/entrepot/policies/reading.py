"""The tables ``[policies.NAME]`` of ``entrepot.toml``. A mistake is named with file, line, key and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from entrepot.models import Outcome, Status
from entrepot.policies.builtin import BUILT_IN
from entrepot.policies.lists import read_allow, read_deny
from entrepot.policies.records import OnChange, PolicySettings, Rules, SizeLimit
from entrepot.policies.table import Table
from entrepot.policies.vulnerabilities import read_vulnerabilities
from entrepot.toml_places import SettingsFile

STATUSES = tuple(Status)
KEYS = ("inherits", "on_change", "four_eyes", "max_size", "too_large", "not_allowed", "deny", "allow")
"""What a policy's table takes besides statuses, ``vulnerabilities`` and tables of scanners."""
VULNERABILITIES = "vulnerabilities"


def read_policies(tables: Mapping[str, Mapping[str, Any]], file: SettingsFile) -> Mapping[str, PolicySettings]:
    """The policies of a file with those that are built in; ``SettingsError`` for the first mistake."""
    policies = dict(BUILT_IN)
    for name, values in tables.items():
        table = Table(file, ("policies", name), values)
        policies[name] = _policy(name, table, policies)
    return policies


def _policy(name: str, table: Table, policies: Mapping[str, PolicySettings]) -> PolicySettings:
    # A built-in policy that somebody changes goes on from what it was.
    usual = name if name in BUILT_IN else "soft"
    parent_name = table.text("inherits", usual)
    if parent_name not in policies:
        known = ", ".join(policies)
        raise table.error("inherits", f"names no policy that stands before it: {parent_name!r}; those are {known}")
    parent = policies[parent_name]
    policy = replace(
        parent,
        name=name,
        inherits=parent_name if parent_name != name else parent.inherits,
        default={**parent.default, **_rules(table, [key for key in table.values if key in STATUSES])},
        scanners=_scanners(table, parent),
        vulnerabilities=read_vulnerabilities(table.table(VULNERABILITIES), parent.vulnerabilities),
        deny=(*parent.deny, *read_deny(table)),
        allow=read_allow(table, parent.allow),
        not_allowed=_held(table, "not_allowed", parent.not_allowed),
        size=SizeLimit(table.size("max_size", parent.size.most), _held(table, "too_large", parent.size.outcome)),
        on_change=OnChange(table.choice("on_change", tuple(OnChange), parent.on_change)),
        four_eyes=table.flag("four_eyes", parent.four_eyes),
    )
    for key, value in table.values.items():
        if key not in (*KEYS, *STATUSES) and not isinstance(value, dict):
            raise table.error(key, f"is not known; known are {', '.join(sorted({*KEYS, *STATUSES, VULNERABILITIES}))}")
    return replace(policy, origins=_origins(policy, parent, table))


def _scanners(table: Table, parent: PolicySettings) -> Mapping[str, Rules]:
    scanners = dict(parent.scanners)
    for key, value in table.values.items():
        if isinstance(value, dict) and key not in (*KEYS, *STATUSES, VULNERABILITIES):
            inner = table.table(key)
            scanners[key] = {**scanners.get(key, {}), **_rules(inner, list(inner.values))}
    return scanners


def _rules(table: Table, keys: Sequence[str]) -> Rules:
    rules = {}
    for key in keys:
        if key not in STATUSES:
            raise table.error(key, f"is no verdict; one of {', '.join(STATUSES)}")
        outcome = Outcome(table.choice(key, tuple(Outcome), Outcome.REVIEW))
        if key in (Status.ERROR, Status.ABSENT) and outcome is Outcome.PUBLISH:
            raise table.error(key, "must not be publish: who could not look has not seen that it is fine")
        rules[Status(key)] = outcome
    return rules


def _held(table: Table, key: str, default: Outcome) -> Outcome:
    return Outcome(table.choice(key, (Outcome.REVIEW, Outcome.REJECT), default))


def _origins(policy: PolicySettings, parent: PolicySettings, table: Table) -> Mapping[str, str]:
    """Whose table says what; what the parent has from its own parents stays theirs."""
    own = [key for key, value in table.values.items() if not isinstance(value, dict)]
    own += [f"{key}.{inner}" for key, value in table.values.items() if isinstance(value, dict) for inner in value]
    return {"": parent.origins.get("", parent.name), **parent.origins, **dict.fromkeys(own, policy.name)}
