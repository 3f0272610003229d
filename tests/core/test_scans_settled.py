"""Scans of a whole distribution look only at packages of which something else may be said, or made of what is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from entrepot.contracts import AdvisoryHistory, Artifact, Changed, ScanContext
from entrepot.models import Basis, Verdict
from entrepot.services import repositories, reviews, scanning
from entrepot.services.scanning import ScanRequest
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

SETTINGS = """
[policies.telling]
on_change = "report"
[policies.lenient.vulnerabilities]
review = "never"
block = "never"
"""


@dataclass
class SteadyProbe(Probe):
    """A probe that knows of which packages its data changed. ``changed`` has them; None stands for all."""

    data: int = 1
    names: list[str] | None = field(default_factory=list)
    spoken: bool = False
    fault: bool = False

    def mark(self, context: ScanContext, history: AdvisoryHistory) -> str:
        """The number of its data."""
        if self.fault:
            raise RuntimeError("it forgot")
        return str(self.data)

    def changed(self, since: str, context: ScanContext, history: AdvisoryHistory) -> Changed | None:
        """What the test says."""
        assert int(since) < self.data
        return None if self.names is None else Changed(self.names, self.spoken)


@dataclass
class CommonProbe(Probe):
    """A probe whose verdicts all stand on the same."""

    database: str = "monday"
    bases: int = 0
    common_basis: bool = True

    def basis(self, context: ScanContext) -> Basis:
        """The data."""
        self.bases += 1
        return Basis("2.0", self.database)

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """As any probe."""
        return super().scan(artifact, context)


@pytest.fixture
def steady() -> SteadyProbe:
    return SteadyProbe()


@pytest.fixture
def common() -> CommonProbe:
    return CommonProbe(name="common", answers="common")


@pytest.fixture
def box(tmp_path: Path, steady: SteadyProbe, common: CommonProbe) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, settings=SETTINGS, plugins=[("probe", steady), ("common", common)])
    box.upload(*(make_toy(box.folder, name) for name in ("ball", "kite", "robot")))
    assert look(box) == (3, 0)
    steady.asked.clear()
    common.asked.clear()
    yield box
    box.workspace.close()


def look(box: ToyBox, *, dry_run: bool = False) -> tuple[int, int]:
    """Scans with the two probes: how many packages there are, and how many of them were settled."""
    found = scanning.scan(box.workspace, ScanRequest(scanners=["probe", "common"], dry_run=dry_run))
    (only,) = found.distributions
    return only.scanned, only.settled


def test_where_nothing_changed_nobody_is_asked_about_any_package(
    box: ToyBox, steady: SteadyProbe, common: CommonProbe
) -> None:
    common.bases = 0
    assert look(box) == (3, 3)
    assert (steady.asked, common.asked, common.bases) == ([], [], 1)
    box.upload(make_toy(box.folder, "doll"))
    assert look(box) == (4, 3)
    assert look(box) == (4, 4)


def test_with_every_built_in_scanner_a_second_scan_asks_nobody_either(box: ToyBox) -> None:
    request = ScanRequest(scanners=["clamav", "contents", "dependencies", "format", "osv", "signature"])
    assert [scanning.scan(box.workspace, request).distributions[0].settled for _ in range(2)] == [0, 3]


def test_packages_of_which_data_changed_are_looked_at_by_whose_data_it_is(
    box: ToyBox, steady: SteadyProbe, common: CommonProbe
) -> None:
    steady.data, steady.names, steady.known = 2, ["kite"], {"kite": [("CVE-2026-1", "low")]}
    assert look(box, dry_run=True) == (3, 2)
    assert look(box) == (3, 2)
    assert (steady.asked, common.asked) == (["kite=1", "kite=1"], [])
    assert look(box) == (3, 3)
    steady.asked.clear()
    steady.data, steady.names, steady.spoken = 3, [], True
    assert look(box) == (3, 2)
    assert steady.asked == ["kite=1"]
    common.database = "tuesday"
    assert look(box) == (3, 0)
    assert sorted(common.asked) == ["ball=1", "kite=1", "robot=1"]
    assert steady.asked == ["kite=1"]


@pytest.mark.parametrize("why", ["it cannot tell", "it fails", "another version"])
def test_who_cannot_say_what_changed_is_asked_about_everything(box: ToyBox, steady: SteadyProbe, why: str) -> None:
    steady.data, steady.names = 2, None
    if why == "another version":
        steady.names, steady.version = [], "2"
    steady.fault = why == "it fails"
    assert look(box) == (3, 0)
    assert sorted(steady.asked) == ["ball=1", "kite=1", "robot=1"]


def test_another_policy_is_asked_about_what_was_said(box: ToyBox, steady: SteadyProbe) -> None:
    repositories.set_distribution(box.workspace, "shop/window", {"policy": "lenient"})
    assert look(box) == (3, 0)
    assert steady.asked == []
    assert look(box) == (3, 3)


def test_what_would_not_come_in_any_more_is_told_each_time(box: ToyBox, steady: SteadyProbe) -> None:
    repositories.set_distribution(box.workspace, "shop/window", {"policy": "telling"})
    steady.data, steady.names, steady.known = 2, ["kite"], {"kite": [("CVE-2026-1", "critical")]}
    for _ in range(3):
        found = scanning.scan(box.workspace, ScanRequest(scanners=["probe", "common"]))
        assert [package.package for package in found.worse] == ["kite"]


def test_what_a_person_decided_about_is_looked_at_again_until_and_after_it_expires(
    box: ToyBox, steady: SteadyProbe
) -> None:
    steady.data, steady.names, steady.known = 2, ["kite"], {"kite": [("CVE-2026-1", "critical")]}
    assert look(box) == (3, 2)
    (row,) = reviews.waiting(box.workspace)
    assert look(box) == (3, 2)
    reviews.approve(box.workspace, row["id"], "not reachable", expires_in_days=7)
    assert look(box) == (3, 2)
    box.clock.advance(days=8)
    assert look(box) == (3, 2)
    assert [row["name"] for row in reviews.waiting(box.workspace)] == ["kite"]


def test_a_vulnerability_that_was_ignored_until_today_counts_today(box: ToyBox, steady: SteadyProbe) -> None:
    entry = '{ id = "CVE-2026-1", until = 2026-03-05 }'
    (box.home / "entrepot.toml").write_text(f"[policies.soft.vulnerabilities]\nignore = [{entry}]\n")
    box.workspace.close()
    box.workspace = box.opened()
    steady.data, steady.names, steady.known = 2, ["kite"], {"kite": [("CVE-2026-1", "critical")]}
    assert look(box) == (3, 0)
    assert look(box) == (3, 3)
    box.clock.advance(days=5)
    assert look(box) == (3, 0)
    assert [row["name"] for row in reviews.waiting(box.workspace)] == ["kite"]


def test_what_is_said_of_a_package_elsewhere_is_looked_at_here(box: ToyBox, steady: SteadyProbe) -> None:
    box.distribute("cellar")
    steady.known = {"robot": [("CVE-2026-1", "low")]}
    box.upload(make_toy(box.folder, "robot"), to="shop/cellar")
    found = scanning.scan(box.workspace, ScanRequest(["shop/window"], scanners=["probe", "common"]))
    assert [(item.scanned, item.settled) for item in found.distributions] == [(3, 2)]


def test_a_distribution_whose_packages_were_scanned_can_be_removed(box: ToyBox) -> None:
    repositories.remove_distribution(box.workspace, "shop/window")
    left = box.workspace.catalog.database.query("SELECT count(*) AS n FROM scan_states")
    assert [row["n"] for row in left] == [0]


@dataclass
class ToolProbe(Probe):
    """A probe that says nothing of what its verdicts depend on, but names its tool in each."""

    tool: str = "3"
    asks_catalog: bool = False

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """As any probe, by a tool of some version."""
        return replace(super().scan(artifact, context), tool_version=self.tool)


@pytest.mark.parametrize("asks_catalog", [False, True])
def test_who_only_names_a_tool_is_asked_about_one_package_as_long_as_it_is_the_same(
    tmp_path: Path, asks_catalog: bool
) -> None:
    probe = ToolProbe(asks_catalog=asks_catalog)
    box = ToyBox(tmp_path, plugins=[("probe", probe)])
    box.upload(*(make_toy(box.folder, name) for name in ("ball", "kite", "robot")))

    def scan() -> tuple[int, int]:
        """How many packages were settled, and asked about."""
        probe.asked.clear()
        found = scanning.scan(box.workspace, ScanRequest(scanners=["probe"])).distributions[0]
        return found.settled, len(probe.asked)

    assert [scan(), scan()] == [(0, 4), (3, 1)]
    probe.tool = "4"
    assert [scan(), scan()] == [(0, 4), (3, 1)]
    box.upload(make_toy(box.folder, "doll"))
    # Who asks the catalog may have been told something else by another version of the distribution.
    assert scan() == ((0, 5) if asks_catalog else (3, 2))
    probe.tool = ""
    assert [scan(), scan()] == [(0, 5), (0, 4)]
    box.workspace.close()
