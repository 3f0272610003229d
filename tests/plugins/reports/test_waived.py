"""What a reviewer let in, as every form of report tells it: by reviews as persons give them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.services import imports, repositories, reviews
from support.debs import make_deb
from support.reports import Saying, report, report_text, vulnerability
from support.workspaces import Depot

CVE, OTHER = "CVE-2026-1001", "CVE-2026-1002"
WHY = "The socket is not reachable here."


@pytest.fixture
def guarded(depot: Depot, saying: Saying) -> Depot:
    """A distribution in which a person decides about what is high, and which has a package with something low."""
    depot.configure("[policies.guarded.vulnerabilities]", 'block = "never"', 'review = "high"')
    repositories.set_distribution(depot.workspace, "example/stable", {"policy": "guarded"})
    low = vulnerability(OTHER, "low")
    saying.told = {"hello 1.0-1": (vulnerability(CVE, fixed="1.0-2"), low), "world 1.0-1": (low,)}
    return depot


def held(depot: Depot, path: Path) -> int:
    """The id of the import of a package that waits."""
    (result,) = imports.upload(depot.workspace, [path], "example/stable", publish_after=False).results
    assert result.status == "pending_review", result.message
    assert result.import_id is not None
    return result.import_id


def approve(depot: Depot, folder: Path, **options: Any) -> None:
    """Lets ``hello`` in, which is held for the one bad finding that it has."""
    reviews.approve(depot.workspace, held(depot, make_deb(folder)), WHY, publish_after=False, **options)


def test_sarif_suppresses_what_was_let_in_and_nothing_else(guarded: Depot, tmp_path: Path) -> None:
    approve(guarded, tmp_path)
    guarded.upload(make_deb(tmp_path, "world"))
    text = report_text(guarded, "sarif")
    importlib.import_module("sarif_pydantic").Sarif.model_validate_json(text)
    results = json.loads(text)["runs"][0]["results"]
    assert [(item["ruleId"], item.get("suppressions")) for item in results] == [
        (CVE, [{"kind": "external", "status": "accepted", "justification": WHY}]),
        (OTHER, None),
        (OTHER, None),
    ]


def test_openvex_says_of_what_was_let_in_that_it_is_affected_and_why_nothing_is_done(
    guarded: Depot, tmp_path: Path
) -> None:
    approve(guarded, tmp_path)
    first, second = report(guarded, "openvex")["statements"]
    assert (first["vulnerability"]["name"], first["status"]) == (CVE, "affected")
    assert first["action_statement"] == f"Accepted: {WHY} Update to 1.0-2 or newer."
    assert (second["vulnerability"]["name"], second["status"]) == (OTHER, "under_investigation")


def test_cyclonedx_says_that_what_was_let_in_is_not_going_to_be_fixed(guarded: Depot, tmp_path: Path) -> None:
    approve(guarded, tmp_path)
    first, second = report(guarded, "cyclonedx")["vulnerabilities"]
    assert first["analysis"]["state"] == "exploitable"
    assert first["analysis"]["response"] == ["will_not_fix"]
    assert WHY in first["analysis"]["detail"]
    assert second["analysis"]["state"] == "in_triage"
    assert "response" not in second["analysis"]


def test_rows_say_what_was_let_in_and_why(guarded: Depot, tmp_path: Path) -> None:
    approve(guarded, tmp_path)
    rows = report(guarded, "json")["findings"]
    assert [(row["finding"], row["waived"], row["justification"]) for row in rows] == [
        (CVE, True, WHY),
        (OTHER, False, None),
    ]


def test_a_document_is_another_and_newer_one_after_every_decision_and_its_end(guarded: Depot, tmp_path: Path) -> None:
    import_id = held(guarded, make_deb(tmp_path))
    guarded.clock.advance(hours=1)
    reviews.approve(guarded.workspace, import_id, WHY, expires_in_days=7, publish_after=False)
    guarded.clock.advance(days=1)
    accepted = report(guarded, "openvex")
    assert accepted["timestamp"] == "2026-03-01T13:00:00Z"
    guarded.clock.advance(days=1)
    assert report(guarded, "openvex") == accepted
    guarded.clock.advance(days=9)
    ended = report(guarded, "openvex")
    assert ended["timestamp"] == "2026-03-08T13:00:00Z"
    assert ended["@id"] != accepted["@id"]
    assert {statement["status"] for statement in ended["statements"]} == {"under_investigation"}


def test_of_two_approvals_the_one_that_lasts_longest_is_told(guarded: Depot, tmp_path: Path) -> None:
    path = make_deb(tmp_path)
    first, second = held(guarded, path), held(guarded, path)
    reviews.approve(guarded.workspace, first, "for good", publish_after=False)
    reviews.approve(guarded.workspace, second, "for a week", expires_in_days=7, publish_after=False)
    assert [row["justification"] for row in report(guarded, "json")["findings"]] == ["for good", None]


def test_what_was_let_into_one_distribution_is_not_told_of_another(guarded: Depot, tmp_path: Path) -> None:
    approve(guarded, tmp_path)
    guarded.distribute("other")
    repositories.set_distribution(guarded.workspace, "example/other", {"policy": "guarded"})
    guarded.configure("[policies.guarded.vulnerabilities]", 'block = "never"', 'review = "never"')
    guarded.upload(make_deb(tmp_path), to="other")
    assert [row["waived"] for row in report(guarded, "json", to="other")["findings"]] == [False, False]
