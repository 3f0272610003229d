"""Deny- and allow-lists, sizes, waivers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Finding, Outcome, Status
from entrepot.pipeline.explain import actions_of
from entrepot.pipeline.policy import decide
from entrepot.policies import SOFT, ListEntry, SizeLimit
from support.cases import case, package, verdict, vulnerability, waiver

FINE = [verdict("alpha", Status.PASS)]


def entry(outcome: Outcome = Outcome.REJECT, /, **fields: str) -> ListEntry:
    """An entry of a list."""
    return ListEntry("policies.mine.deny[0]", fields, "we said so", outcome)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"package": "hello"}, True),
        ({"package": "hell?"}, True),
        ({"package": "Hello"}, False),
        ({"package": "hell"}, False),
        ({"version": "1.0-*"}, True),
        ({"architecture": "arm64"}, False),
        ({"kind": "binary"}, True),
        ({"section": "misc"}, True),
        ({"source_package": "hello-source"}, True),
        ({"licence": "*gpl-3*"}, True),
        ({"licence": "*AGPL*"}, False),
        ({"maintainer": "*@EXAMPLE.org>"}, True),
        ({"source": "debian"}, True),
        ({"source": ""}, False),
        ({"package": "hello", "source": "deb*"}, True),
        ({"package": "hello", "source": "ubuntu"}, False),
    ],
)
def test_all_globs_of_an_entry_have_to_fit(fields: dict[str, str], fits: bool) -> None:
    denied = decide(replace(SOFT, deny=(entry(**fields),)), case(FINE))
    assert denied.outcome is (Outcome.REJECT if fits else Outcome.PUBLISH)
    allowed = decide(replace(SOFT, allow=(entry(**fields),)), case(FINE))
    assert allowed.outcome is (Outcome.PUBLISH if fits else Outcome.REVIEW)


def test_an_upload_has_no_source() -> None:
    policy = replace(SOFT, deny=(entry(source=""),))
    assert decide(policy, case(FINE, source="")).outcome is Outcome.REJECT
    assert decide(policy, case(FINE)).outcome is Outcome.PUBLISH


def test_who_does_not_say_a_licence_is_on_no_list_of_licences() -> None:
    silent = case(FINE, package=package(licence=""))
    assert decide(replace(SOFT, allow=(entry(licence="?*"),)), silent).outcome is Outcome.REVIEW
    assert decide(replace(SOFT, deny=(entry(licence="*GPL*"),)), silent).outcome is Outcome.PUBLISH


def test_a_denied_package_is_denied_though_it_is_allowed_too_and_says_why() -> None:
    policy = replace(SOFT, deny=(entry(package="hello"),), allow=(entry(package="*"),))
    decision = decide(policy, case(FINE))
    assert decision.outcome is Outcome.REJECT
    assert decision.reasons == (
        "it is on the deny-list by package 'hello': we said so: leads to reject (policies.mine.deny[0])",
    )


def test_an_entry_may_hold_instead_of_reject() -> None:
    policy = replace(SOFT, deny=(entry(Outcome.REVIEW, package="hello"),))
    assert decide(policy, case(FINE)).outcome is Outcome.REVIEW


@pytest.mark.parametrize(("most", "outcome"), [(1000, Outcome.PUBLISH), (999, Outcome.REJECT), (None, Outcome.PUBLISH)])
def test_a_package_may_not_be_larger_than_the_policy_allows(most: int | None, outcome: Outcome) -> None:
    assert decide(replace(SOFT, size=SizeLimit(most)), case(FINE)).outcome is outcome


def test_what_could_not_be_read_is_on_no_allow_list() -> None:
    policy = replace(SOFT, allow=(entry(package="*"),))
    assert decide(policy, case(FINE, package=None)).outcome is Outcome.REVIEW


# ---------------------------------------------------------------------------------------------------------- waivers

HELD = verdict("osv", Status.WARN, vulnerability("CVE-1"), vulnerability("CVE-2"))


def test_what_a_waiver_covers_does_not_count_and_is_told() -> None:
    decision = decide(SOFT, case([HELD], waivers=[waiver("osv/CVE-1", "osv/CVE-2", days=30)]))
    assert decision.outcome is Outcome.PUBLISH
    (ruling,) = decision.rulings
    assert (ruling.findings, ruling.waived) == ((), ("CVE-1", "CVE-2"))
    assert ruling.message.endswith("; let through by alice in review 7 until 2026-01-31 00:00 UTC")
    assert actions_of([HELD], decision.rulings) == ("waived", "waived")


def test_what_is_found_later_is_not_covered() -> None:
    decision = decide(SOFT, case([HELD], waivers=[waiver("osv/CVE-1")]))
    assert decision.outcome is Outcome.REVIEW
    assert (decision.rulings[0].findings, decision.rulings[0].waived) == (("CVE-2",), ("CVE-1",))


def test_a_waiver_that_is_over_does_not_count_and_is_named() -> None:
    decision = decide(SOFT, case([HELD], waivers=[waiver("osv/CVE-1", "osv/CVE-2", days=0)]))
    assert decision.outcome is Outcome.REVIEW
    assert "what alice let through in review 7 expired on 2026-01-01" in decision.reasons[0]


def test_a_waiver_is_for_one_artifact_alone() -> None:
    other = waiver("osv/CVE-1", "osv/CVE-2", sha256="b" * 64)
    assert decide(SOFT, case([HELD], waivers=[other])).outcome is Outcome.REVIEW


@pytest.mark.parametrize(
    "stored",
    [
        verdict("alpha", Status.REVIEW, reason="odd"),
        verdict("alpha", Status.ERROR, reason="odd"),
        verdict("alpha", Status.BLOCK, Finding("odd", "high", "it is odd")),
    ],
)
def test_a_status_is_covered_by_its_reason_or_by_all_of_its_findings(stored: StoredVerdict) -> None:
    assert decide(SOFT, case([stored], waivers=[waiver("alpha/odd")])).outcome is Outcome.PUBLISH
    assert decide(SOFT, case([stored], waivers=[waiver("beta/odd")])).outcome is not Outcome.PUBLISH


def test_what_a_ruling_says_that_a_waiver_has_to_cover_is_enough() -> None:
    policy = replace(
        SOFT, allow=(), size=SizeLimit(1), scanners={"absent": {}}, deny=(entry(Outcome.REVIEW, package="*"),)
    )
    before = decide(policy, case([HELD, verdict("alpha", Status.ERROR)]))
    covers = [name for ruling in before.rulings if ruling.outcome is not Outcome.PUBLISH for name in ruling.covers]
    after = decide(policy, case([HELD, verdict("alpha", Status.ERROR)], waivers=[waiver(*covers)]))
    assert (before.outcome, after.outcome) == (Outcome.REJECT, Outcome.PUBLISH)
