"""Scans: what depends on what is beside a package, what is said on newer data, and packages that came by odd ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Artifact, ScanContext
from entrepot.errors import ConflictError
from entrepot.events import ImportResult
from entrepot.models import Basis, Distribution, Status, Verdict
from entrepot.pipeline.admit import Admission
from entrepot.services import imports, publishing, repositories, reviews, scanning
from entrepot.services.scanning import ScanRequest
from support.apt_repository import Key
from support.probes import Probe
from support.rpms import make_rpm
from support.toy import make_toy
from support.toybox import ToyBox
from support.workspaces import Depot


@dataclass
class DatedProbe(Probe):
    """A probe that says which data it compares with; it has to be asked again only where that is other data."""

    database: str = "monday"

    def basis(self, context: ScanContext) -> Basis:
        """The data."""
        return Basis("2.0", self.database)

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """As any probe, with the data."""
        verdict = super().scan(artifact, context)
        evidence = {"data": self.database}
        return Verdict(
            verdict.status,
            verdict.reason,
            "",
            "probe",
            "2.0",
            verdict.findings,
            evidence,
            database_version=self.database,
        )


@dataclass
class Neighbour(Probe):
    """A probe of the batch stage, which notes what comes in together with each package."""

    stage: str = "batch"

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """As any probe."""
        assert context.info
        self.asked.append(f"{context.info.name} beside {sorted(info.name for info in context.batch)}")
        return Verdict(Status.PASS, "alone")


@dataclass
class BulkProbe(Probe):
    """A probe that is asked about many packages at once, and may fail to answer."""

    fault: str = ""
    together: int = 0

    def scan_many(self, packages: Sequence[tuple[Artifact, ScanContext]]) -> Sequence[Verdict]:
        """What it says of each."""
        self.together = len(packages)
        if self.fault == "broken":
            raise RuntimeError("it fell over")
        verdicts = [self.scan(*package) for package in packages]
        return verdicts[1:] if self.fault == "short" else verdicts


@pytest.fixture
def probe() -> DatedProbe:
    return DatedProbe()


@pytest.fixture
def neighbour() -> Neighbour:
    return Neighbour(name="neighbour", answers="neighbour")


@pytest.fixture
def box(tmp_path: Path, probe: DatedProbe, neighbour: Neighbour) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, plugins=[("probe", probe), ("neighbour", neighbour)])
    yield box
    box.workspace.close()


def verdicts(box: ToyBox, scanner: str) -> list[dict[str, Any]]:
    """The rows of a scanner, oldest first."""
    return list(box.workspace.catalog.database.query("SELECT * FROM verdicts WHERE scanner = ? ORDER BY id", [scanner]))


# --------------------------------------------------------------------------------------------- what is beside them


def test_what_is_in_stands_by_itself_and_what_waits_beside_what_nothing_else_holds(
    box: ToyBox, probe: DatedProbe, neighbour: Neighbour
) -> None:
    probe.known = {"kite": [("CVE-2026-1", "high")], "ball": [("CVE-2026-1", "high")]}
    box.upload(make_toy(box.folder, "robot"), make_toy(box.folder, "kite"), make_toy(box.folder, "ball"))
    assert sorted(neighbour.asked) == [
        "ball beside ['robot']",
        "kite beside ['robot']",
        "robot beside []",
    ]
    neighbour.asked.clear()
    probe.known, probe.database = {"kite": [("CVE-2026-1", "high")]}, "tuesday"
    scanning.scan(box.workspace)
    assert sorted(neighbour.asked) == ["ball beside []", "kite beside []", "robot beside []"]
    neighbour.asked.clear()
    scanning.scan(box.workspace)
    assert sorted(neighbour.asked) == ["ball beside []", "kite beside ['ball']", "robot beside []"]


def test_a_package_whose_requirement_left_a_base_source_is_held_again(box: ToyBox) -> None:
    box.upstream.add("robot", 1, requires="battery")
    box.upstream.add("battery", 1)
    box.sync()
    repositories.set_distribution(box.workspace, "shop/window", {"base_sources": ["box"], "architectures": ["big"]})
    assert box.one("robot").pipeline["dependencies"] == "satisfied"
    assert scanning.scan(box.workspace).worse == []
    box.upstream.drop("battery")
    box.sync()
    (worse,) = scanning.scan(box.workspace).worse
    assert (worse.package, worse.pipeline[1]["dependencies"]) == ("robot", "missing")
    assert "battery" in worse.reasons[0]
    (row,) = reviews.waiting(box.workspace)
    assert (row["name"], row["state"]) == ("robot", "pending_review")


def test_packages_that_nothing_holds_but_each_other_can_come_in_together(box: ToyBox) -> None:
    box.upstream.add("box-of-nothing", 1)
    box.sync()
    repositories.set_distribution(box.workspace, "shop/window", {"base_sources": ["box"], "architectures": ["big"]})
    box.upload(make_toy(box.folder, "robot", requires="battery"))
    box.upload(make_toy(box.folder, "battery", requires="robot"))
    assert [row["name"] for row in reviews.waiting(box.workspace)] == ["robot", "battery"]
    result = scanning.scan(box.workspace)
    assert [(p.package, p.status) for d in result.distributions for p in d.packages] == [
        ("battery", "better"),
        ("robot", "better"),
    ]


# ------------------------------------------------------------------------------------------------ on newer data


def test_newer_data_that_says_the_same_is_noted_in_the_same_row(box: ToyBox, probe: DatedProbe) -> None:
    box.upload(make_toy(box.folder, "robot"))
    scanning.scan(box.workspace)
    (before,) = verdicts(box, "probe")
    counts = {table: box.workspace.catalog.database[table].count for table in ("verdicts", "findings")}
    probe.asked.clear()
    for day in ("tuesday", "wednesday"):
        probe.database = day
        box.clock.advance(days=1)
        scanning.scan(box.workspace)
        scanning.scan(box.workspace)
    assert probe.asked == ["robot=1", "robot=1"]
    (after,) = verdicts(box, "probe")
    assert counts == {table: box.workspace.catalog.database[table].count for table in ("verdicts", "findings")}
    assert (after["id"], after["created_at"], after["given_at"]) == (
        before["id"],
        before["created_at"],
        before["given_at"],
    )
    assert (after["database_version"], after["evidence"]) == ("wednesday", '{"data":"wednesday"}')
    assert (before["checked_at"], after["checked_at"]) == (None, "2026-03-03T12:00:00Z")


def test_newer_data_that_says_something_else_is_a_verdict_of_its_own(box: ToyBox, probe: DatedProbe) -> None:
    box.upload(make_toy(box.folder, "robot"))
    probe.database, probe.known = "tuesday", {"robot": [("CVE-2026-1", "high")]}
    (worse,) = scanning.scan(box.workspace).worse
    assert [(row["database_version"], row["status"]) for row in verdicts(box, "probe")] == [
        ("monday", "pass"),
        ("tuesday", "warn"),
    ]
    assert [finding.id for _, finding in worse.findings] == ["CVE-2026-1"]


def test_a_dry_run_notes_no_newer_data(box: ToyBox, probe: DatedProbe) -> None:
    box.upload(make_toy(box.folder, "robot"))
    probe.database = "tuesday"
    scanning.scan(box.workspace, ScanRequest(dry_run=True))
    (row,) = verdicts(box, "probe")
    assert row["database_version"] == "monday"


def test_what_was_confirmed_is_used_again_where_the_package_comes_in_next(box: ToyBox, probe: DatedProbe) -> None:
    box.distribute("cellar")
    box.upload(make_toy(box.folder, "robot"))
    probe.database = "tuesday"
    box.clock.advance(days=1)
    scanning.scan(box.workspace)
    probe.asked.clear()
    box.upload(make_toy(box.folder, "robot"), to="shop/cellar")
    assert probe.asked == []
    first, again = verdicts(box, "probe")
    assert (again["reused_from"], again["given_at"]) == (first["id"], "2026-03-02T12:00:00Z")


# -------------------------------------------------------------------------------------------------- odd ways in


def put_in(box: ToyBox, distribution: Distribution, name: str) -> None:
    """Puts a package that another distribution has into this one, without an import."""
    catalog = box.workspace.catalog
    (row,) = catalog.database.query("SELECT id FROM packages WHERE name = ?", [name])
    repository = catalog.repositories.get(distribution.repository)
    with catalog.transaction():
        admission = Admission(catalog, box.workspace.format("toy"), repository, distribution)
        admission.admit(catalog.packages.get(row["id"]), "main", box.clock())
        admission.commit("put in", box.clock())


def test_a_package_without_an_import_is_scanned_held_and_let_in_again(box: ToyBox, probe: DatedProbe) -> None:
    cellar = box.distribute("cellar")
    box.upload(make_toy(box.folder, "robot"))
    put_in(box, cellar, "robot")
    probe.database = "tuesday"
    assert scanning.scan(box.workspace, ScanRequest(["shop/cellar"])).worse == []
    assert [(row["distribution_id"], row["import_id"]) for row in verdicts(box, "probe")] == [
        (box.distribution.id, 1),
        (cellar.id, None),
    ]
    probe.database, probe.known = "wednesday", {"robot": [("CVE-2026-1", "high")]}
    (worse,) = scanning.scan(box.workspace, ScanRequest(["shop/cellar"])).worse
    assert worse.import_id is None
    (row,) = reviews.waiting(box.workspace)
    assert (row["name"], row["distribution"]) == ("robot", "shop/cellar")
    # All that was said of it before is the import's now.
    assert {verdict["import_id"] for verdict in verdicts(box, "probe")} == {1, row["id"]}
    reviews.approve(box.workspace, row["id"], "not reachable")
    assert scanning.scan(box.workspace, ScanRequest(["shop/cellar"])).worse == []


def test_a_package_that_was_signed_anew_is_judged_by_the_file_that_came(
    tmp_path: Path, keys: Callable[[], Key]
) -> None:
    probe = DatedProbe()
    depot = Depot(tmp_path / "depot", keys(), format_name="rpm", plugins=[("probe", probe)])
    depot.distribute()
    (result,) = imports.upload(
        depot.workspace, [make_rpm(tmp_path, "hello")], "example/stable", resign=True, publish_after=False
    ).results
    assert result.status == "published", result.message
    database = depot.workspace.catalog.database
    (package,) = database.query("SELECT sha256, original_sha256 FROM packages")
    assert package["sha256"] != package["original_sha256"]
    probe.database, probe.known = "tuesday", {"hello": [("CVE-2026-1", "high")]}
    (worse,) = scanning.scan(depot.workspace, ScanRequest(publish_after=False)).worse
    assert (worse.sha256, worse.import_id) == (package["sha256"], result.import_id)
    said = {row["sha256"] for row in database.query("SELECT sha256 FROM verdicts")}
    assert said == {package["original_sha256"]}
    reviews.approve(depot.workspace, result.import_id or 0, "not reachable", publish_after=False)
    assert scanning.scan(depot.workspace, ScanRequest(publish_after=False)).worse == []
    depot.close()


def test_what_was_let_through_holds_for_the_same_file_signed_anew(tmp_path: Path, keys: Callable[[], Key]) -> None:
    depot = Depot(
        tmp_path / "depot", keys(), format_name="rpm", plugins=[("probe", Probe({"hello": [("CVE-2026-1", "high")]}))]
    )
    # No signature is older than its key.
    depot.clock.advance(days=5000)
    depot.distribute()
    package = make_rpm(tmp_path, "hello")

    def bring() -> ImportResult:
        (result,) = imports.upload(
            depot.workspace, [package], "example/stable", resign=True, publish_after=False
        ).results
        depot.clock.advance(days=1)
        return result

    first = bring()
    assert first.status == "pending_review"
    reviews.approve(depot.workspace, first.import_id or 0, "not reachable", expires_in_days=7, publish_after=False)
    depot.remove("hello")
    again = bring()
    assert (again.status, again.sha256 != first.sha256) == ("published", True)
    assert [row["justification"] for row in reviews.show_import(depot.workspace, again.import_id or 0).reviews] == [
        "not reachable"
    ]
    (finding,) = depot.workspace.catalog.database.query("SELECT let_in_until FROM published_with_findings")
    assert finding["let_in_until"] == "2039-11-16T12:00:00Z"
    depot.clock.advance(days=7)
    (waits,) = reviews.waiting(depot.workspace)
    assert waits["id"] == again.import_id
    reviews.reject(depot.workspace, waits["id"], "time is over", publish_after=False)
    with pytest.raises(ConflictError, match="hello"):
        publishing.publish(depot.workspace, "example/stable", request=publishing.PublishRequest(1))
    assert bring().status == "pending_review"
    depot.close()


def test_a_list_in_a_file_that_changed_counts_with_the_next_scan(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, "robot"))
    (box.home / "entrepot.toml").write_text('[policies.soft]\ndeny = ["@denied.txt"]\n')

    def scan(listed: str) -> list[tuple[str, str]]:
        (box.home / "denied.txt").write_text(listed)
        box.workspace.close()
        box.workspace = box.opened()
        return [(package.package, package.reasons[0]) for package in scanning.scan(box.workspace).worse]

    assert scan("kite\n") == []
    ((name, reason),) = scan("kite\nrob*  # it walks\n")
    assert name == "robot"
    assert reason.startswith("it is on the deny-list by package 'rob*': it walks: leads to reject")
    assert reason.endswith("(policies.soft.deny[0] (denied.txt:2))")


# --------------------------------------------------------------------------------------------- many at once


@pytest.mark.parametrize("fault", ["", "broken", "short"])
def test_who_answers_about_many_at_once_is_asked_one_by_one_where_that_fails(tmp_path: Path, fault: str) -> None:
    bulk = BulkProbe(name="bulk", fault=fault)
    box = ToyBox(tmp_path, plugins=[("bulk", bulk)])
    box.upload(make_toy(box.folder, "robot"), make_toy(box.folder, "kite"))
    bulk.known = {"robot": [("CVE-2026-1", "critical")]}
    bulk.asked.clear()
    found = scanning.scan(box.workspace)
    box.workspace.close()
    assert bulk.together == 2
    assert len(bulk.asked) == {"": 2, "broken": 2, "short": 4}[fault]
    assert [(package.package, package.status) for package in found.worse] == [("robot", "worse")]
