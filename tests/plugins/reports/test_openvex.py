"""Statements about vulnerabilities as OpenVEX: what was decided, and no more than that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import NotFoundError
from support.debs import make_deb
from support.reports import Saying, report, vulnerability
from support.workspaces import Depot


def statements_of(depot: Depot, **options: Any) -> list[dict[str, Any]]:
    document = report(depot, "openvex", **options)
    assert document["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert document["@id"].startswith("urn:uuid:")
    assert {"author", "timestamp", "version", "statements"} <= set(document)
    for statement in document["statements"]:
        reasons = [name in statement for name in ("justification", "impact_statement")]
        assert sum(reasons) == (statement["status"] == "not_affected")
        assert ("action_statement" in statement) == (statement["status"] == "affected")
        assert statement["products"]
    return list(document["statements"])


def test_what_nobody_decided_about_is_under_investigation(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1001", url="https://example.org/1"),)}
    depot.upload(make_deb(tmp_path))
    (statement,) = statements_of(depot)
    assert statement["status"] == "under_investigation"
    assert statement["vulnerability"] == {"name": "CVE-2026-1001", "@id": "https://example.org/1"}
    assert [product["@id"] for product in statement["products"]] == ["pkg:deb/hello@1.0-1?arch=amd64"]


def test_what_the_next_version_has_no_more_is_fixed_in_it(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1001"),)}
    depot.upload(make_deb(tmp_path, version="1.0-1"))
    depot.remove("hello")
    depot.upload(make_deb(tmp_path, version="1.0-2"))
    (statement,) = statements_of(depot)
    assert (statement["status"], statement["status_notes"]) == ("fixed", "1.0-1 was affected, 1.0-2 is not.")
    assert statement["products"][0]["@id"] == "pkg:deb/hello@1.0-2?arch=amd64"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"status": "not_affected", "justification": "vulnerable_code_not_present"},
            {"status": "not_affected", "justification": "vulnerable_code_not_present"},
        ),
        (
            {"status": "not_affected", "impact": "not built"},
            {"status": "not_affected", "impact_statement": "not built"},
        ),
        ({"status": "not_affected"}, {"status": "not_affected", "impact_statement": "No reason is given."}),
        ({"status": "fixed"}, {"status": "fixed"}),
    ],
)
def test_what_a_vex_document_settled_is_told_as_it_does(
    depot: Depot, saying: Saying, tmp_path: Path, told: dict[str, str], expected: dict[str, str]
) -> None:
    told = {"id": "CVE-2026-1001", "author": "Vendor", "document": "https://example.org/vex/1", **told}
    saying.evidence = {"hello 1.0-1": {"vex": json.dumps([told])}}
    depot.upload(make_deb(tmp_path))
    (statement,) = statements_of(depot)
    assert {name: statement[name] for name in expected} == expected
    assert statement["status_notes"] == "Vendor (https://example.org/vex/1) says so."
    (known,) = report(depot, "cyclonedx")["vulnerabilities"]
    assert known["analysis"]["state"] == {"not_affected": "not_affected", "fixed": "resolved"}[expected["status"]]


def test_evidence_that_is_none_says_nothing(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    saying.evidence = {"hello 1.0-1": {"vex": "[{]"}, "world 1.0-1": {"vex": '{"id": 1}'}}
    depot.upload(make_deb(tmp_path), make_deb(tmp_path, "world"))
    with pytest.raises(NotFoundError, match="no vulnerability of example/stable is known"):
        report(depot, "openvex")
