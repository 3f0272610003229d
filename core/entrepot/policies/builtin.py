"""The two policies that are always there. Others inherit from them."""

from __future__ import annotations

from collections.abc import Mapping

from entrepot.models import Outcome, Status
from entrepot.policies.records import PolicySettings, VulnerabilityRules

SOFT = PolicySettings(
    "soft",
    {
        Status.PASS: Outcome.PUBLISH,
        Status.WARN: Outcome.PUBLISH,
        Status.SKIPPED: Outcome.PUBLISH,
        Status.REVIEW: Outcome.REVIEW,
        Status.ERROR: Outcome.REVIEW,
        Status.BLOCK: Outcome.REJECT,
    },
)
"""Lets warnings through, holds what is doubtful, refuses what a scanner blocks. The policy unless another is chosen."""

STRICT = PolicySettings(
    "strict",
    {
        Status.PASS: Outcome.PUBLISH,
        Status.WARN: Outcome.REVIEW,
        Status.SKIPPED: Outcome.REVIEW,
        Status.REVIEW: Outcome.REVIEW,
        Status.ERROR: Outcome.REJECT,
        Status.BLOCK: Outcome.REJECT,
    },
    vulnerabilities=VulnerabilityRules(
        block="high",
        review="low",
        unknown_unfixed="review",
        unfixed="block",
        deferred="block",
        kev="block",
    ),
)
"""Publishes only what every scanner passes."""

BUILT_IN: Mapping[str, PolicySettings] = {policy.name: policy for policy in (SOFT, STRICT)}
