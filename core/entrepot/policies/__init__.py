"""Policies: what is known of a package, and what scanners say of it, leads to which outcome.

The records are in ``records``, those that are always there in ``builtin``; ``reading`` makes them of tables of
``entrepot.toml``. What follows from them for one package is ``entrepot.pipeline.policy``.
"""

from entrepot.policies.builtin import BUILT_IN, SOFT, STRICT
from entrepot.policies.records import (
    ACTIONS,
    NEVER,
    SEVERITIES,
    UNKNOWN_SEVERITY,
    Ignored,
    ListEntry,
    OnChange,
    PolicySettings,
    Rules,
    SizeLimit,
    VulnerabilityRules,
)

__all__ = [
    "ACTIONS",
    "BUILT_IN",
    "Ignored",
    "ListEntry",
    "NEVER",
    "OnChange",
    "PolicySettings",
    "Rules",
    "SEVERITIES",
    "SOFT",
    "STRICT",
    "SizeLimit",
    "UNKNOWN_SEVERITY",
    "VulnerabilityRules",
]
