"""The views of the catalog answer the usual questions, under names that a person understands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.services import reviews, scanning
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

HIGH, LOW = ("CVE-2026-1", "high"), ("CVE-2026-2", "low")


@pytest.fixture
def probe() -> Probe:
    return Probe({"robot": [HIGH, LOW]})


@pytest.fixture
def box(tmp_path: Path, probe: Probe) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, plugins=[("probe", probe)])
    yield box
    box.workspace.close()


def ask(box: ToyBox, sql: str) -> list[dict[str, Any]]:
    return list(box.workspace.catalog.database.query(sql))


def held(box: ToyBox, name: str = "robot", to: str = "shop/window") -> int:
    (result,) = box.upload(make_toy(box.folder, name), to=to).results
    assert result.status == "pending_review"
    assert result.import_id is not None
    return result.import_id


def test_what_waits(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, "ball"))
    import_id = held(box)
    (row,) = ask(box, "SELECT * FROM waiting_for_review")
    why = row.pop("why")
    assert "CVE-2026-1" in why
    assert row == {
        "import_id": import_id,
        "distribution": "shop/window",
        "package": "robot",
        "version": "1",
        "architecture": "any",
        "brought_by": "tester",
        "came_by": "upload",
        "waiting_since": "2026-03-01T12:00:00Z",
        "in_newest_version": "no",
    }
    reviews.reject(box.workspace, import_id, "no")
    assert ask(box, "SELECT * FROM waiting_for_review") == []


def test_what_waits_again_waits_since_it_was_opened_and_is_in(box: ToyBox, probe: Probe) -> None:
    probe.known = {}
    box.upload(make_toy(box.folder, "robot"))
    probe.known = {"robot": [HIGH]}
    box.clock.advance(days=2)
    scanning.scan(box.workspace)
    (row,) = ask(box, "SELECT waiting_since, in_newest_version FROM waiting_for_review")
    assert row == {"waiting_since": "2026-03-03T12:00:00Z", "in_newest_version": "yes"}


def test_what_is_in_with_which_finding(box: ToyBox, probe: Probe) -> None:
    box.distribute("cellar")
    reviews.approve(box.workspace, held(box), "not reachable", expires_in_days=9, cve_ids=["CVE-2026-1"])
    held(box, to="shop/cellar")
    found = ask(box, "SELECT * FROM published_with_findings ORDER BY finding")
    assert found[0] == {
        "distribution": "shop/window",
        "package": "robot",
        "version": "1",
        "architecture": "any",
        "scanner": "probe",
        "finding": "CVE-2026-1",
        "severity": "high",
        "fixed_in": "99",
        "summary": "a hole",
        "found_at": "2026-03-01T12:00:00Z",
        "let_in_until": "2026-03-10T12:00:00Z",
    }
    # Nobody had to let in what the policy allows.
    assert [(row["finding"], row["let_in_until"]) for row in found[1:]] == [("CVE-2026-2", "")]
    probe.known = {}
    scanning.scan(box.workspace)
    assert ask(box, "SELECT * FROM published_with_findings") == []


def test_findings_of_what_left_the_newest_version_are_not_in_it(box: ToyBox) -> None:
    import_id = held(box)
    reviews.approve(box.workspace, import_id, "for good")
    assert [row["let_in_until"] for row in ask(box, "SELECT * FROM published_with_findings")] == ["no end", ""]
    with box.workspace.catalog.transaction():
        (member,) = ask(box, "SELECT id FROM membership WHERE removed_in IS NULL")
        box.workspace.catalog.versions.create(box.distribution, (), [member["id"]], "out", box.clock())
    assert ask(box, "SELECT * FROM published_with_findings") == []


def test_waivers_are_in_force_expired_or_superseded(box: ToyBox, probe: Probe) -> None:
    probe.known |= {"kite": [HIGH], "ball": [HIGH]}
    ended, open_ended, refused = held(box), held(box, "kite"), held(box, "ball")
    again = held(box, "ball")
    box.clock.time = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    reviews.approve(box.workspace, ended, "for a week", expires_in_days=7, cve_ids=["CVE-2026-1"])
    reviews.approve(box.workspace, open_ended, "not reachable")
    reviews.approve(box.workspace, refused, "looks fine")
    reviews.reject(box.workspace, again, "it does not")
    rows = ask(box, "SELECT * FROM waivers ORDER BY review_id")
    assert rows[0] == {
        "review_id": 1,
        "distribution": "shop/window",
        "package": "robot",
        "version": "1",
        "architecture": "any",
        "cves": "CVE-2026-1",
        "covers": "probe/CVE-2026-1",
        "approved_by": "tester",
        "why": "for a week",
        "approved_at": "2020-01-01T00:00:00Z",
        "ends_at": "2020-01-08T00:00:00Z",
        "state": "expired",
    }
    assert [(row["package"], row["state"], row["ends_at"]) for row in rows[1:]] == [
        ("kite", "in force", None),
        ("ball", "superseded", None),
    ]


def test_who_decided_what(box: ToyBox) -> None:
    first = held(box)
    second = held(box)
    reviews.approve(box.workspace, first, "not reachable")
    reviews.reject(box.workspace, second, "doubled")
    rows = ask(box, "SELECT * FROM decisions ORDER BY review_id")
    assert rows[0] == {
        "review_id": 1,
        "import_id": first,
        "distribution": "shop/window",
        "package": "robot",
        "version": "1",
        "architecture": "any",
        "decision": "approved",
        "decided_by": "tester",
        "decided_at": "2026-03-01T12:00:00Z",
        "why": "not reachable",
        "from_where": box.workspace.origin,
        "brought_by": "tester",
    }
    assert [(row["import_id"], row["decision"], row["why"]) for row in rows[1:]] == [(second, "rejected", "doubled")]


def test_what_is_where_since_when_and_how_it_came(box: ToyBox) -> None:
    box.upstream.add("train", 3)
    box.sync()
    box.upload(make_toy(box.folder, "ball"))
    box.one("train")
    held(box)
    rows = ask(box, "SELECT * FROM packages_in_distributions ORDER BY package")
    told = [(row["package"], row["version"], row["since_version"], row["came_by"], row["import_id"]) for row in rows]
    assert told == [("ball", "1", 1, "upload", 1), ("train", "3", 2, "source box", 2)]
    assert {(row["distribution"], row["component"], row["brought_by"], row["since"]) for row in rows} == {
        ("shop/window", "main", "tester", "2026-03-01T12:00:00Z")
    }


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM waiting_for_review", "imports_that_wait"),
        ("SELECT * FROM published_with_findings WHERE severity = 'critical'", "idx_packages_original_sha256"),
        ("SELECT * FROM waivers WHERE state = 'in force'", "idx_reviews_distribution_id_original_sha256"),
        ("SELECT * FROM packages_in_distributions WHERE package = 'libc6'", "idx_packages_name_version_key"),
    ],
)
def test_no_question_reads_all_packages_or_imports(box: ToyBox, sql: str, index: str) -> None:
    plan = [row["detail"] for row in ask(box, f"EXPLAIN QUERY PLAN {sql}")]
    assert any(index in line for line in plan), plan
    assert not {"SCAN p", "SCAN m", "SCAN v", "SCAN i"} & set(plan)
    assert not any("idx_membership_distribution_id" in line for line in plan), plan
