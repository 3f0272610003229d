"""What vulnerabilities lead to: thresholds, in the order in which they are asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from entrepot.models import Finding, Outcome, Status
from entrepot.pipeline.explain import actions_of, pipeline_words
from entrepot.pipeline.policy import decide
from entrepot.pipeline.weighing import weigh
from entrepot.policies import SOFT, STRICT, Ignored, PolicySettings, VulnerabilityRules
from support.cases import NOW, case, package, verdict, vulnerability


def soft(**thresholds: Any) -> PolicySettings:
    """The soft policy with other thresholds."""
    return replace(SOFT, vulnerabilities=VulnerabilityRules(**thresholds))


@pytest.mark.parametrize(
    ("finding", "thresholds", "status", "key"),
    [
        (vulnerability(severity="critical"), {}, Status.BLOCK, "block"),
        (vulnerability(severity="CRITICAL"), {}, Status.BLOCK, "block"),
        (vulnerability(severity="high"), {}, Status.REVIEW, "review"),
        (vulnerability(severity="medium"), {}, Status.WARN, "warn"),
        (vulnerability(severity="negligible"), {}, Status.WARN, "warn"),
        (vulnerability(severity="low"), {"warn": "medium"}, Status.PASS, "warn"),
        (vulnerability(severity="critical"), {"block": "never"}, Status.REVIEW, "review"),
        (vulnerability(severity="critical"), {"block": "never", "review": "never"}, Status.WARN, "warn"),
        (vulnerability(severity="low"), {"block": "low"}, Status.BLOCK, "block"),
        (vulnerability(severity="unknown"), {}, Status.REVIEW, "unknown"),
        (vulnerability(severity="mauve"), {}, Status.REVIEW, "unknown"),
        (vulnerability(severity="unknown"), {"unknown": "block"}, Status.BLOCK, "unknown"),
        (vulnerability(severity="unknown", fixed=""), {}, Status.WARN, "unknown_unfixed"),
        (vulnerability(severity="unknown", fixed=""), {"unknown_unfixed": "review"}, Status.REVIEW, "unknown_unfixed"),
        (vulnerability(severity="medium", score="8.1"), {"cvss_block": 8.0}, Status.BLOCK, "cvss_block"),
        (vulnerability(severity="medium", score=8), {"cvss_review": 8.0}, Status.REVIEW, "cvss_review"),
        (vulnerability(severity="medium", score="7.9"), {"cvss_block": 8.0}, Status.WARN, "warn"),
        (vulnerability(severity="medium", score="nan"), {"cvss_block": 0.0}, Status.WARN, "warn"),
        (vulnerability(severity="medium", score="much"), {"cvss_block": 0.0}, Status.WARN, "warn"),
        (vulnerability(severity="unknown", score="9.9"), {"cvss_block": 9.0}, Status.BLOCK, "cvss_block"),
        (vulnerability(severity="critical", fixed=""), {}, Status.REVIEW, "unfixed"),
        (vulnerability(severity="critical", fixed=""), {"unfixed": "allow"}, Status.PASS, "unfixed"),
        (vulnerability(severity="critical", fixed=""), {"unfixed": "block"}, Status.BLOCK, "block"),
        (vulnerability(severity="critical", state="no_dsa"), {}, Status.REVIEW, "deferred"),
        (vulnerability(severity="critical", state="postponed"), {"deferred": "warn"}, Status.WARN, "deferred"),
        (vulnerability(severity="critical", state="vulnerable"), {}, Status.BLOCK, "block"),
        (vulnerability(severity="medium", kev=True), {}, Status.REVIEW, "kev"),
        (vulnerability(severity="medium", kev=False), {}, Status.WARN, "warn"),
        (vulnerability(severity="medium", kev=True, fixed=""), {"kev": "block"}, Status.BLOCK, "kev"),
        (vulnerability(severity="medium", kev=True), {"kev": "allow"}, Status.WARN, "warn"),
        (vulnerability(severity="medium", epss="0.4"), {"epss_review": 0.4}, Status.REVIEW, "epss_review"),
        (vulnerability(severity="medium", epss="0.4"), {"epss_review": 0.5}, Status.WARN, "warn"),
        (
            vulnerability(severity="medium", epss="0.4"),
            {"epss_block": 0.1, "epss_review": 0.1},
            Status.BLOCK,
            "epss_block",
        ),
    ],
)
def test_thresholds_decide_what_a_vulnerability_leads_to(
    finding: Finding, thresholds: dict[str, Any], status: Status, key: str
) -> None:
    weight = weigh(finding, soft(**thresholds), package(), NOW)
    assert (weight.status, weight.rule) == (status, f"policies.soft.vulnerabilities.{key}")


@pytest.mark.parametrize(
    ("ignored", "status"),
    [
        (Ignored("CVE-2026-1", "r"), Status.PASS),
        (Ignored("cve-2026-1", "r"), Status.PASS),
        (Ignored("CVE-2026-2", "r"), Status.BLOCK),
        (Ignored("CVE-2026-1", "r", until=NOW + dt.timedelta(seconds=1)), Status.PASS),
        (Ignored("CVE-2026-1", "r", until=NOW), Status.BLOCK),
        (Ignored("CVE-2026-1", "r", package="hell*"), Status.PASS),
        (Ignored("CVE-2026-1", "r", package="hello-source"), Status.PASS),
        (Ignored("CVE-2026-1", "r", package="goodbye"), Status.BLOCK),
    ],
)
def test_what_is_ignored_is_allowed_as_long_as_it_is_said(ignored: Ignored, status: Status) -> None:
    finding = vulnerability(severity="critical", kev=True)
    assert weigh(finding, soft(ignore=(ignored,)), package(), NOW).status is status


@pytest.mark.parametrize(
    ("severity", "policy", "outcome", "word"),
    [
        ("critical", SOFT, Outcome.REJECT, "findings_blocked"),
        ("high", SOFT, Outcome.REVIEW, "findings_review"),
        ("medium", SOFT, Outcome.PUBLISH, "findings_allowed"),
        ("high", STRICT, Outcome.REJECT, "findings_blocked"),
        ("negligible", STRICT, Outcome.REVIEW, "findings_review"),
    ],
)
@pytest.mark.parametrize("status", [Status.PASS, Status.WARN, Status.REVIEW, Status.BLOCK])
def test_thresholds_take_the_place_of_what_any_scanner_thinks_of_vulnerabilities(
    severity: str, policy: PolicySettings, outcome: Outcome, word: str, status: Status
) -> None:
    stored = verdict("theirs", status, vulnerability(severity=severity))
    decision = decide(policy, case([stored]))
    assert decision.outcome is outcome
    assert pipeline_words([stored], decision.rulings) == {"theirs": word}


def test_a_scanner_that_has_other_findings_too_is_believed_as_well() -> None:
    other = Finding("setuid", "high", "a file is set-uid")
    decision = decide(SOFT, case([verdict("theirs", Status.BLOCK, vulnerability(severity="low"), other)]))
    assert decision.outcome is Outcome.REJECT
    assert decision.rulings[0].findings == ("setuid",)
    assert decision.reasons == ("theirs: block leads to reject: a file is set-uid (policies.soft.block)",)


def test_a_scanner_that_failed_half_way_has_failed_whatever_it_found() -> None:
    stored = verdict("osv", Status.ERROR, vulnerability(severity="low"), reason="error")
    decision = decide(SOFT, case([stored]))
    assert decision.outcome is Outcome.REVIEW
    assert pipeline_words([stored], decision.rulings) == {"osv": "error"}


def test_a_rule_of_the_scanner_says_what_its_thresholds_lead_to() -> None:
    policy = replace(SOFT, scanners={"osv": {Status.BLOCK: Outcome.REVIEW}})
    decision = decide(policy, case([verdict("osv", Status.WARN, vulnerability(severity="critical"))]))
    assert decision.outcome is Outcome.REVIEW
    assert decision.rulings[0].rule == "policies.soft.vulnerabilities.block, policies.soft.osv.block"


def test_every_rule_that_applies_is_told_with_its_vulnerabilities() -> None:
    findings = [
        vulnerability("CVE-1", "critical", score="9.8"),
        vulnerability("CVE-2", "critical", fixed=""),
        vulnerability("CVE-3", "low", kev=True),
        vulnerability("CVE-4", "low"),
    ]
    stored = verdict("osv", Status.WARN, *findings)
    decision = decide(SOFT, case([stored]))
    assert decision.reasons == (
        "osv: block leads to reject: 1 vulnerability of severity critical: CVE-1 (critical, CVSS 9.8, fixed in 2.0)"
        " (policies.soft.vulnerabilities.block)",
        "osv: review leads to pending_review: 1 vulnerability known to be exploited: CVE-3 (low, fixed in 2.0)"
        " (policies.soft.vulnerabilities.kev)",
        "osv: review leads to pending_review: 1 vulnerability that nothing fixes: CVE-2 (critical, not fixed)"
        " (policies.soft.vulnerabilities.unfixed)",
    )
    assert actions_of([stored], decision.rulings) == ("block", "review", "review", "warn")
