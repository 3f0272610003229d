"""What holds for every policy and every case there can be."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Finding, Outcome, Status, Verdict, Waiver
from entrepot.pipeline.explain import pipeline_words
from entrepot.pipeline.policy import SEVERITY, Case, Decisions, Outcomes, allowed, decide
from entrepot.policies import (
    ACTIONS,
    NEVER,
    SEVERITIES,
    SOFT,
    STRICT,
    Ignored,
    ListEntry,
    PolicySettings,
    SizeLimit,
    VulnerabilityRules,
)
from entrepot.policies.files import GlobFile, Line
from support.cases import NOW, SHA256, case, package, vulnerability

SCANNERS = ("alpha", "beta", "osv")
NAMES = ("CVE-1", "CVE-2", "odd")
COVERS = [f"{scanner}/{name}" for scanner in SCANNERS for name in (*NAMES, "because", "absent")]
COVERS += ["policy/not_allowed", "policy/too_large", "policy/deny package 'hello'", "policy/uninspected"]

vulnerabilities = st.builds(
    vulnerability,
    st.sampled_from(NAMES),
    st.sampled_from([*SEVERITIES, "unknown"]),
    fixed=st.sampled_from(["", "2.0"]),
    score=st.sampled_from(["", "3.1", "9.8"]),
    epss=st.sampled_from(["", "0.01", "0.9"]),
    kev=st.booleans(),
    state=st.sampled_from(["", "no_dsa"]),
)
findings = vulnerabilities | st.builds(Finding, st.sampled_from(NAMES), st.just("low"), st.just("it is odd"))
verdicts = st.builds(
    lambda scanner, status, found: StoredVerdict(scanner, "1", scanner, Verdict(status, "because", findings=found)),
    st.sampled_from(SCANNERS),
    st.sampled_from(Status),
    st.lists(findings, max_size=3).map(tuple),
)
waivers = st.builds(
    Waiver,
    st.integers(1, 3),
    st.just(1),
    st.sampled_from([SHA256, "b" * 64]),
    st.frozensets(st.sampled_from(COVERS), max_size=8),
    st.sampled_from([None, NOW, NOW + dt.timedelta(1)]),
    st.just("alice"),
    st.just("it is fine"),
)
cases = st.builds(
    lambda said, known, source, given: case(said, package=known, source=source, waivers=given),
    st.lists(verdicts, max_size=4),
    st.sampled_from([package(), package(name="telnetd"), None]),
    st.sampled_from(["", "debian"]),
    st.lists(waivers, max_size=2),
)
rules = st.dictionaries(st.sampled_from(Status), st.sampled_from(Outcome))
actions = st.sampled_from(list(ACTIONS))
severities = st.sampled_from([*SEVERITIES, NEVER])
thresholds = st.builds(
    VulnerabilityRules,
    block=severities,
    review=severities,
    warn=severities,
    cvss_block=st.sampled_from([None, 3.0, 9.0]),
    cvss_review=st.sampled_from([None, 3.0, 9.0]),
    unknown=actions,
    unknown_unfixed=actions,
    unfixed=actions,
    deferred=actions,
    kev=actions,
    epss_review=st.sampled_from([None, 0.5]),
    epss_block=st.sampled_from([None, 0.5]),
    ignore=st.lists(st.builds(Ignored, st.sampled_from(NAMES), st.just("r")), max_size=1).map(tuple),
)
listed = st.builds(
    lambda names, globs: GlobFile(
        "list.txt", {name: Line(1, name, "") for name in names}, tuple(Line(2, glob, "") for glob in globs)
    ),
    st.lists(st.sampled_from(["hello", "telnetd", "other"]), max_size=2),
    st.lists(st.sampled_from(["hel*", "[!h]*", "*"]), max_size=2),
)
entries = st.builds(
    lambda fields, file: ListEntry("policies.any.deny[0]", fields, file=file),
    st.sampled_from([{"package": "hello"}, {"package": "*"}, {"source": ""}, {"licence": "MIT"}]),
    st.none() | listed,
)
# Rules by status are each at least as severe as those of milder ones: what worse vulnerabilities lead to is worse.
ordered = st.lists(st.sampled_from(SEVERITY), min_size=4, max_size=4).map(
    lambda found: dict(
        zip((Status.PASS, Status.WARN, Status.REVIEW, Status.BLOCK), sorted(found, key=SEVERITY.index), strict=True)
    )
)
policies = st.builds(
    PolicySettings,
    st.just("any"),
    st.builds(lambda some, more: {**some, **more}, rules, ordered),
    st.dictionaries(st.sampled_from(SCANNERS), ordered, max_size=2),
    thresholds,
    deny=st.lists(entries, max_size=2).map(tuple),
    allow=st.none() | st.lists(entries, max_size=2).map(tuple),
    size=st.builds(SizeLimit, st.sampled_from([None, 1, 10_000])),
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rank(policy: PolicySettings, about: Case) -> int:
    """How severe a decision is."""
    return SEVERITY.index(decide(policy, about).outcome)


@st.composite
def tightened(draw: st.DrawFn, policy: PolicySettings) -> PolicySettings:
    """A policy with one thing that is stricter, whatever it is."""
    weights = policy.vulnerabilities
    change = draw(st.sampled_from(["rule", "severity", "score", "action", "ignore", "deny", "allow", "size"]))
    if change == "severity":
        key = draw(st.sampled_from(["block", "review", "warn"]))
        words = [*SEVERITIES, NEVER]
        lower: Any = draw(st.sampled_from(words[: words.index(getattr(weights, key)) + 1]))
        return replace(policy, vulnerabilities=replace(weights, **{key: lower}))
    if change == "score":
        key = draw(st.sampled_from(["cvss_block", "cvss_review", "epss_block", "epss_review"]))
        zero: Any = 0.0
        return replace(policy, vulnerabilities=replace(weights, **dict.fromkeys([key], zero)))
    if change == "action":
        key = draw(st.sampled_from(["unknown", "unknown_unfixed", "unfixed", "deferred", "kev"]))
        words = list(ACTIONS)
        worse: Any = draw(st.sampled_from(words[words.index(getattr(weights, key)) :]))
        return replace(policy, vulnerabilities=replace(weights, **{key: worse}))
    if change == "ignore":
        return replace(policy, vulnerabilities=replace(weights, ignore=()))
    if change == "deny":
        return replace(policy, deny=(*policy.deny, draw(entries)))
    if change == "allow":
        return replace(policy, allow=(policy.allow or ())[:1])
    if change == "size":
        return replace(policy, size=SizeLimit(1, policy.size.outcome))
    key = draw(st.sampled_from([Status.BLOCK, Status.ERROR, Status.SKIPPED]))
    return replace(policy, default={**policy.default, key: Outcome.REJECT})


@QUICK
@given(cases)
def test_the_strict_policy_never_admits_more_than_the_soft_one(about: Case) -> None:
    assert rank(STRICT, about) >= rank(SOFT, about)


@QUICK
@given(policies, cases, st.data())
def test_a_policy_that_is_stricter_in_one_thing_never_admits_more(
    policy: PolicySettings, about: Case, data: st.DataObject
) -> None:
    assert rank(data.draw(tightened(policy)), about) >= rank(policy, about)


@QUICK
@given(policies, cases, st.sampled_from([Status.ERROR, Status.ABSENT]))
def test_who_could_not_look_never_counts_as_a_pass(policy: PolicySettings, about: Case, status: Status) -> None:
    failed = StoredVerdict("broken", "1", "broken", Verdict(status, "because"))
    assert decide(policy, replace(about, verdicts=[*about.verdicts, failed])).outcome is not Outcome.PUBLISH


@QUICK
@given(policies, cases)
def test_a_scanner_that_is_named_and_says_nothing_never_counts_as_a_pass(policy: PolicySettings, about: Case) -> None:
    named = replace(policy, scanners={**policy.scanners, "missing": {Status.ABSENT: Outcome.PUBLISH}})
    assert decide(named, about).outcome is not Outcome.PUBLISH


@QUICK
@given(policies, cases)
def test_waivers_never_reject_more(policy: PolicySettings, about: Case) -> None:
    assert rank(policy, about) <= rank(policy, replace(about, waivers=()))


@QUICK
@given(policies, cases)
def test_waivers_that_are_over_or_for_another_artifact_change_nothing(policy: PolicySettings, about: Case) -> None:
    idle = [item for item in about.waivers if not item.holds(NOW) or item.sha256 != SHA256]
    assert rank(policy, replace(about, waivers=idle)) == rank(policy, replace(about, waivers=()))


@QUICK
@given(policies, cases, st.randoms())
def test_the_order_of_verdicts_and_waivers_does_not_matter(policy: PolicySettings, about: Case, random: Any) -> None:
    said, given_ = list(about.verdicts), list(about.waivers)
    random.shuffle(said)
    random.shuffle(given_)
    assert decide(policy, replace(about, verdicts=said, waivers=given_)) == decide(policy, about)


@QUICK
@given(policies, cases)
def test_a_decision_is_its_most_severe_ruling_and_every_reason_names_its_rule(
    policy: PolicySettings, about: Case
) -> None:
    decision = decide(policy, about)
    assert decision.outcome == max((ruling.outcome for ruling in decision.rulings), key=SEVERITY.index)
    severe = [ruling for ruling in decision.rulings if ruling.outcome is not Outcome.PUBLISH]
    assert len(decision.reasons) == len(severe)
    assert all(ruling.rule in reason for ruling, reason in zip(severe, decision.reasons, strict=True))


@QUICK
@given(policies, st.lists(cases, min_size=1, max_size=4))
def test_decisions_that_are_made_once_are_those_that_are_made_anew(policy: PolicySettings, about: list[Case]) -> None:
    decisions = Decisions(policy)
    for each in [*about, *about]:
        assert decisions.of(each) == decide(policy, each)


@given(policies, st.lists(cases, min_size=1, max_size=4))
def test_an_outcome_without_words_is_that_of_the_decision(policy: PolicySettings, about: list[Case]) -> None:
    outcomes = Outcomes(policy)
    for each in about:
        assert outcomes.of(each) == decide(policy, each).outcome
        assert outcomes.of(replace(each, waivers=())) == decide(policy, replace(each, waivers=())).outcome


@QUICK
@given(policies, cases)
def test_the_words_for_what_passes_are_those_of_the_decision(policy: PolicySettings, about: Case) -> None:
    each_once = list({stored.scanner: stored for stored in about.verdicts}.values())
    permissive = replace(policy, default=dict.fromkeys(Status, Outcome.PUBLISH), scanners={})
    for chosen in (policy, permissive):
        decision = decide(chosen, replace(about, verdicts=each_once))
        if decision.outcome is Outcome.PUBLISH:
            assert allowed(each_once) == pipeline_words(each_once, decision.rulings)
