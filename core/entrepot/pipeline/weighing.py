"""What one vulnerability leads to by a policy's thresholds."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from entrepot.models import Finding, PackageInfo, Scalar, Status
from entrepot.policies import (
    ACTIONS,
    NEVER,
    SEVERITIES,
    Ignored,
    PolicySettings,
    VulnerabilityRules,
)

DEFERRED = frozenset({"no_dsa", "ignored", "postponed"})
"""States by which a vendor says that it does not matter enough to be fixed now."""

WEIGHED = ("score", "state", "epss", "kev")
"""What counts of a finding's data as it is; of ``fixed`` it counts whether there is any."""

_ACTIONS = tuple(ACTIONS)
_ALLOW, _WARN, _REVIEW, _BLOCK = range(len(_ACTIONS))


class Weight(NamedTuple):
    """What a vulnerability leads to, the key of the settings that says so, and which ones it is about."""

    status: Status
    rule: str
    about: str


class _Step(NamedTuple):
    action: int
    key: str
    about: str


def weigh(finding: Finding, policy: PolicySettings, package: PackageInfo | None, now: dt.datetime) -> Weight:
    """The weight of a finding of kind ``vulnerability``.

    How bad it is comes first; that nothing fixes it, or that its vendor defers it, limits that; that it is exploited,
    or will probably be, raises what is left.
    """
    rules = policy.vulnerabilities
    for ignored in rules.ignore:
        if _is_ignored(finding, ignored, package, now):
            why = f" ({ignored.reason})" if ignored.reason else ""
            until = f" until {ignored.until:%Y-%m-%d %H:%M} UTC" if ignored.until else ""
            return Weight(Status.PASS, ignored.rule, f"ignored{until}{why}")
    step = max([_by_severity(finding, rules), *_by_score(finding, rules)], key=lambda step: step.action)
    for most in _limits(finding, rules):
        step = min(step, most, key=lambda step: step.action)
    for least in _floors(finding, rules):
        step = max(step, least, key=lambda step: step.action)
    return Weight(ACTIONS[_ACTIONS[step.action]], policy.rule(f"vulnerabilities.{step.key}"), step.about)


def severity_of(finding: Finding) -> str:
    """One of ``SEVERITIES``; ``unknown`` for any other word."""
    word = finding.severity.lower()
    return word if word in SEVERITIES else "unknown"


def number(value: Scalar) -> float | None:
    """A number out of a finding's data, where numbers may be text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _is_ignored(finding: Finding, ignored: Ignored, package: PackageInfo | None, now: dt.datetime) -> bool:
    if ignored.id.lower() != finding.id.lower() or (ignored.until is not None and now >= ignored.until):
        return False
    names = {package.name, package.source_name} if package else set()
    return ignored.package == "*" or any(fnmatchcase(name, ignored.package) for name in names)


def _by_severity(finding: Finding, rules: VulnerabilityRules) -> _Step:
    severity = severity_of(finding)
    if severity not in SEVERITIES:
        if finding.data.get("fixed"):
            return _Step(_ACTIONS.index(rules.unknown), "unknown", "of unknown severity")
        return _Step(_ACTIONS.index(rules.unknown_unfixed), "unknown_unfixed", "of unknown severity that nothing fixes")
    rank = SEVERITIES.index(severity)
    for action, key, least in (
        (_BLOCK, "block", rules.block),
        (_REVIEW, "review", rules.review),
        (_WARN, "warn", rules.warn),
    ):
        if least != NEVER and rank >= SEVERITIES.index(least):
            worse = "" if least == SEVERITIES[-1] else " or worse"
            return _Step(action, key, f"of severity {least}{worse}")
    return _Step(_ALLOW, "warn", "below every threshold")


def _by_score(finding: Finding, rules: VulnerabilityRules) -> Iterator[_Step]:
    score = number(finding.data.get("score"))
    for action, key, least in (
        (_BLOCK, "cvss_block", rules.cvss_block),
        (_REVIEW, "cvss_review", rules.cvss_review),
    ):
        if score is not None and least is not None and score >= least:
            yield _Step(action, key, f"with a CVSS score of {least:g} or more")


def _limits(finding: Finding, rules: VulnerabilityRules) -> Iterator[_Step]:
    if not finding.data.get("fixed"):
        yield _Step(_ACTIONS.index(rules.unfixed), "unfixed", "that nothing fixes")
    if finding.data.get("state") in DEFERRED:
        yield _Step(_ACTIONS.index(rules.deferred), "deferred", "whose fix the vendor defers")


def _floors(finding: Finding, rules: VulnerabilityRules) -> Iterator[_Step]:
    probability = number(finding.data.get("epss"))
    for action, key, least in (
        (_BLOCK, "epss_block", rules.epss_block),
        (_REVIEW, "epss_review", rules.epss_review),
    ):
        if probability is not None and least is not None and probability >= least:
            yield _Step(action, key, f"with a probability of {least:g} or more to be exploited")
    if finding.data.get("kev") in (True, "true", "yes", "1"):
        yield _Step(_ACTIONS.index(rules.kev), "kev", "known to be exploited")
