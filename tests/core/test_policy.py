"""From verdicts to a decision: the tables of the policies, and what holds for every policy there can be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.catalog.imports import StoredVerdict
from entrepot.errors import SettingsError
from entrepot.models import Decision, Outcome, Status, Verdict
from entrepot.pipeline.policy import SEVERITY, Case, outcome_of
from entrepot.pipeline.policy import decide as decide_about
from entrepot.policies import SOFT, STRICT, PolicySettings
from entrepot.settings import load_settings

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SCANNERS = ("alpha", "beta", "gamma")


def verdict(scanner: str, status: Status) -> StoredVerdict:
    """What a scanner says."""
    return StoredVerdict(scanner, "1", scanner, Verdict(status, f"because_{status}"))


def decide(policy: PolicySettings, verdicts: Sequence[StoredVerdict]) -> Decision:
    """What a policy makes of verdicts about an upload that could not be read."""
    return decide_about(policy, Case(verdicts, None, "", NOW))


rules = st.dictionaries(st.sampled_from(Status), st.sampled_from(Outcome))
policies = st.builds(
    PolicySettings,
    st.just("any"),
    rules,
    st.dictionaries(st.sampled_from(SCANNERS), rules, max_size=2),
)
verdicts = st.lists(st.builds(verdict, st.sampled_from(SCANNERS), st.sampled_from(Status)), max_size=5)


@pytest.mark.parametrize(
    ("status", "soft", "strict"),
    [
        (Status.PASS, Outcome.PUBLISH, Outcome.PUBLISH),
        (Status.WARN, Outcome.PUBLISH, Outcome.REVIEW),
        (Status.SKIPPED, Outcome.PUBLISH, Outcome.REVIEW),
        (Status.REVIEW, Outcome.REVIEW, Outcome.REVIEW),
        (Status.ERROR, Outcome.REVIEW, Outcome.REJECT),
        (Status.BLOCK, Outcome.REJECT, Outcome.REJECT),
    ],
)
def test_the_two_policies_that_are_always_there(status: Status, soft: Outcome, strict: Outcome) -> None:
    assert decide(SOFT, [verdict("alpha", status)]).outcome is soft
    assert decide(STRICT, [verdict("alpha", status)]).outcome is strict


def test_a_table_has_a_row_for_every_status_and_who_is_absent_counts_as_one_that_failed() -> None:
    assert set(SOFT.default) == set(STRICT.default) == set(Status) - {Status.ABSENT}
    for policy in (SOFT, STRICT):
        assert outcome_of(policy, "alpha", Status.ABSENT) is policy.default[Status.ERROR]


def test_the_most_severe_verdict_decides_and_every_one_is_a_reason() -> None:
    decision = decide(
        SOFT,
        [verdict("alpha", Status.PASS), verdict("beta", Status.REVIEW), verdict("gamma", Status.BLOCK)],
    )
    assert decision.outcome is Outcome.REJECT
    assert decision.policy == "soft"
    assert decision.reasons == (
        "gamma: block leads to reject: because_block (policies.soft.block)",
        "beta: review leads to pending_review: because_review (policies.soft.review)",
    )


def test_what_nothing_inspected_is_held() -> None:
    decision = decide(SOFT, [])
    assert (decision.outcome, decision.reasons) == (
        Outcome.REVIEW,
        ("no scanner inspected it: leads to pending_review (policies.soft)",),
    )


def test_a_status_without_a_rule_is_held() -> None:
    assert outcome_of(PolicySettings("empty", {}), "alpha", Status.PASS) is Outcome.REVIEW


def test_the_rules_of_a_scanner_come_before_the_default_ones() -> None:
    policy = PolicySettings("mine", SOFT.default, {"beta": {Status.WARN: Outcome.REJECT}})
    assert decide(policy, [verdict("alpha", Status.WARN), verdict("beta", Status.PASS)]).outcome is Outcome.PUBLISH
    assert decide(policy, [verdict("beta", Status.WARN)]).outcome is Outcome.REJECT


@given(verdicts)
def test_the_strict_policy_never_admits_more_than_the_soft_one(said: list[StoredVerdict]) -> None:
    soft, strict = decide(SOFT, said).outcome, decide(STRICT, said).outcome
    assert SEVERITY.index(strict) >= SEVERITY.index(soft)


@given(policies, verdicts, st.data())
def test_a_policy_with_one_stricter_rule_never_admits_more(
    policy: PolicySettings, said: list[StoredVerdict], data: st.DataObject
) -> None:
    status = data.draw(st.sampled_from(Status))
    before = outcome_of(policy, "any", status)
    stricter = data.draw(st.sampled_from(SEVERITY[SEVERITY.index(before) :]))
    changed = PolicySettings(policy.name, {**policy.default, status: stricter}, policy.scanners)
    assert SEVERITY.index(decide(changed, said).outcome) >= SEVERITY.index(decide(policy, said).outcome)


@given(policies, verdicts, st.builds(verdict, st.just("delta"), st.sampled_from(Status)))
def test_one_verdict_more_never_admits_more(
    policy: PolicySettings, said: list[StoredVerdict], further: StoredVerdict
) -> None:
    if said:
        after = decide(policy, [*said, further]).outcome
        assert SEVERITY.index(after) >= SEVERITY.index(decide(policy, said).outcome)


@given(policies, verdicts, st.sampled_from(SCANNERS))
def test_with_an_error_nothing_is_published(policy: PolicySettings, said: list[StoredVerdict], scanner: str) -> None:
    assert decide(policy, [*said, verdict(scanner, Status.ERROR)]).outcome is not Outcome.PUBLISH


def as_toml(table: Mapping[Status, Outcome]) -> str:
    """Rules as somebody writes them."""
    return "".join(f'{status} = "{outcome}"\n' for status, outcome in table.items())


@given(rules, rules, verdicts, st.sampled_from(SCANNERS), st.sampled_from(["soft", "strict"]))
def test_no_policy_that_can_be_written_publishes_with_an_error(
    tmp_path_factory: pytest.TempPathFactory,
    default: Mapping[Status, Outcome],
    of_alpha: Mapping[Status, Outcome],
    said: list[StoredVerdict],
    scanner: str,
    parent: str,
) -> None:
    path = tmp_path_factory.getbasetemp() / "policy.toml"
    text = f'[policies.mine]\ninherits = "{parent}"\n{as_toml(default)}[policies.mine.alpha]\n{as_toml(of_alpha)}'
    path.write_text(text)
    unknown = [table.get(status) for table in (default, of_alpha) for status in (Status.ERROR, Status.ABSENT)]
    if Outcome.PUBLISH in unknown:
        with pytest.raises(SettingsError, match=r"(error|absent) must not be publish"):
            load_settings(path)
    else:
        policy = load_settings(path).policy("mine")
        assert decide(policy, [*said, verdict(scanner, Status.ERROR)]).outcome is not Outcome.PUBLISH


def test_a_scanner_that_is_named_and_did_not_answer_counts_as_one_that_failed(tmp_path: Path) -> None:
    policy = PolicySettings("mine", SOFT.default, {"antivirus": {}})
    decision = decide(policy, [verdict("alpha", Status.PASS)])
    assert decision.outcome is Outcome.REVIEW
    assert decision.reasons == (
        "antivirus: absent leads to pending_review: the policy asks for it, and no scanner of this name answered"
        " (policies.mine.error)",
    )
    assert decide(policy, [verdict("antivirus", Status.PASS)]).outcome is Outcome.PUBLISH
