"""What comes from another distribution is looked at beside what is there, and scanned there like anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Artifact, ScanContext
from entrepot.errors import ConflictError
from entrepot.models import Status, Verdict
from entrepot.services import repositories, reviews, scanning, versions
from entrepot.services.scanning import ScanRequest
from entrepot.services.version_changes import ChangeRequest, VersionResult
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

HOLD, ONLY_TELL = ChangeRequest(hold_refused=True), ChangeRequest(dry_run=True)
POLICIES = """
[policies.whole]
inherits = "soft"
[policies.whole.dependencies]
warn = "pending_review"
[policies.picky]
inherits = "whole"
deny = ["battery"]
[policies.boxed]
on_change = "withdraw"
allow = [{ source = "box" }]
not_allowed = "reject"
"""


@dataclass
class Watch(Probe):
    """A probe of the stage ``batch``: notes who is asked about, and beside whom; something may happen meanwhile."""

    stage: str = "batch"
    meanwhile: Callable[[], object] | None = None
    beside: list[str] = field(default_factory=list)

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """Always fine."""
        assert context.info
        if self.meanwhile:
            self.meanwhile()
        self.beside.append(f"{context.info.name} in {context.distribution.name} beside {len(context.batch)}")
        return Verdict(Status.PASS, "watched")


@pytest.fixture
def watch() -> Watch:
    return Watch(name="watch", answers="watch")


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def box(tmp_path: Path, probe: Probe, watch: Watch) -> Iterator[ToyBox]:
    """``window`` has a robot, which needs a battery that the base source of ``window`` offers; ``door`` has no base."""
    box = ToyBox(tmp_path, settings=POLICIES, plugins=[("probe", probe), ("watch", watch)])
    box.upstream.add("robot", 1, requires="battery")
    box.upstream.add("battery", 1)
    box.sync()
    repositories.set_distribution(box.workspace, "shop/window", {"base_sources": ["box"], "architectures": ["big"]})
    box.distribute("door", policy="whole", architectures=["big"])
    assert box.one("robot").pipeline["dependencies"] == "satisfied"
    yield box
    box.workspace.close()


def promote(box: ToyBox, request: ChangeRequest = HOLD) -> VersionResult:
    return versions.promote(box.workspace, "window", "door", request=request)


def door(box: ToyBox) -> list[str]:
    catalog = box.workspace.catalog
    distribution = catalog.repositories.distribution("shop/door")
    number = catalog.versions.latest(distribution).number
    return [row.name for row in catalog.versions.members(distribution, number)]


def said(box: ToyBox, scanner: str, path: str = "shop/door") -> list[str]:
    """The reasons of a scanner in a distribution, oldest first."""
    distribution = box.workspace.catalog.repositories.distribution(path)
    sql = "SELECT reason FROM verdicts WHERE scanner = ? AND distribution_id = ? ORDER BY id"
    return [row["reason"] for row in box.workspace.catalog.database.query(sql, [scanner, distribution.id])]


# ------------------------------------------------------------------------------------------------- what is beside it


def test_what_is_needed_has_to_be_where_it_comes_to(box: ToyBox) -> None:
    before = box.dump()
    told = promote(box, ONLY_TELL)
    assert [item.package for item in told.refused] == ["robot:any=1"]
    assert "battery" in told.refused[0].decision.reasons[0]
    assert [item["id"] for found in told.diff.findings.values() for item in found] == ["missing:battery"]
    with pytest.raises(ConflictError, match="battery"):
        promote(box, ChangeRequest())
    assert box.dump() == before
    (import_id,) = promote(box).held
    assert said(box, "dependencies") == ["missing"]
    assert said(box, "dependencies", "shop/window") == ["satisfied"]
    view = reviews.show_import(box.workspace, import_id)
    assert {verdict["scanner"]: verdict["reason"] for verdict in view.verdicts}["probe"] == "no_findings"


def test_what_comes_together_need_not_be_there(box: ToyBox, watch: Watch) -> None:
    box.one("battery")
    watch.beside.clear()
    assert not promote(box).refused
    assert sorted(door(box)) == ["battery", "robot"]
    assert sorted(watch.beside) == ["battery in door beside 1", "robot in door beside 1"]


def test_what_is_refused_satisfies_nothing_that_comes_with_it(box: ToyBox) -> None:
    repositories.set_distribution(box.workspace, "shop/door", {"policy": "picky"})
    box.one("battery")
    box.upload(make_toy(box.folder, "kite"))
    assert sorted(item.package for item in promote(box).refused) == ["battery:any=1", "robot:any=1"]
    assert door(box) == ["kite"]


def test_what_goes_is_not_there_for_what_comes(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, "battery"), to="shop/door")
    assert [item.package for item in promote(box, ONLY_TELL).refused] == ["robot:any=1"]
    (merged,) = versions.merge(box.workspace, ["window"], "door", request=HOLD)
    assert (list(merged.refused), sorted(door(box))) == ([], ["battery", "robot"])


def test_only_what_is_new_there_is_looked_at(box: ToyBox, watch: Watch) -> None:
    box.one("battery")
    promote(box)
    watch.beside.clear()
    box.upload(make_toy(box.folder, "kite"))
    promote(box)
    assert watch.beside == ["kite in window beside 0", "kite in door beside 0"]
    assert promote(box).version is None
    assert len(watch.beside) == 2


def test_a_scanner_that_fails_there_is_no_pass(box: ToyBox, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    box.one("battery")

    def fail() -> None:
        raise RuntimeError("it fell over")

    watch.meanwhile = fail
    assert len(promote(box, ONLY_TELL).refused) == 2
    assert caplog.records


@pytest.mark.parametrize("always", [False, True])
def test_what_somebody_else_does_meanwhile_is_seen(box: ToyBox, watch: Watch, always: bool) -> None:
    box.one("battery")
    other = iter(range(1000 if always else 1))

    def meanwhile() -> None:
        if (number := next(other, None)) is not None:
            workspace = box.opened()
            distribution = workspace.catalog.repositories.distribution("shop/door")
            with workspace.catalog.transaction():
                workspace.catalog.versions.create(distribution, [], [], f"another {number}", box.clock())
            workspace.close()

    watch.meanwhile = meanwhile
    if not always:
        result = promote(box)
        assert result.version is not None
        assert (result.version.number, sorted(door(box))) == (2, ["battery", "robot"])
    else:
        with pytest.raises(ConflictError, match="others make versions of shop/door"):
            promote(box)
        assert door(box) == []


# ------------------------------------------------------------------------------------------------------------- scans


def states(box: ToyBox) -> dict[tuple[str, str], str]:
    sql = """
        SELECT i.name, d.name AS distribution, i.state FROM imports i JOIN distributions d ON d.id = i.distribution_id
        ORDER BY i.id
    """
    rows: list[dict[str, Any]] = list(box.workspace.catalog.database.query(sql))
    return {(row["distribution"], row["name"]): row["state"] for row in rows}


def test_a_scan_of_what_was_promoted_knows_its_source_and_asks_nothing_about_how_it_came(box: ToyBox) -> None:
    repositories.set_distribution(box.workspace, "shop/door", {"policy": "boxed", "base_sources": ["box"]})
    assert not promote(box).refused
    result = scanning.scan(box.workspace, ScanRequest(["shop/door"]))
    assert [package for found in result.distributions for package in found.packages] == []
    assert len(said(box, "signature")) == 1


def test_what_is_known_today_counts_where_it_comes_to(box: ToyBox, probe: Probe) -> None:
    repositories.set_distribution(box.workspace, "shop/door", {"policy": "soft", "base_sources": ["box"]})
    probe.known["robot"] = [("CVE-2026-2", "critical")]
    assert [item.package for item in promote(box, ONLY_TELL).refused] == ["robot:any=1"]
    assert said(box, "probe", "shop/window") == ["no_findings"]


@pytest.mark.parametrize("way", ["promote", "merge"])
@pytest.mark.parametrize(("policy", "stays"), [("soft", True), ("boxed", False)])
def test_a_scan_opens_again_what_was_promoted_and_withdraws_it_by_policy(
    box: ToyBox, probe: Probe, policy: str, stays: bool, way: str
) -> None:
    repositories.set_distribution(box.workspace, "shop/door", {"policy": policy, "base_sources": ["box"]})
    if way == "merge":
        versions.merge(box.workspace, ["window"], "door")
    else:
        promote(box)
    probe.known["robot"] = [("CVE-2026-2", "critical")]
    (worse,) = scanning.scan(box.workspace, ScanRequest(["shop/door"])).worse
    assert (worse.package, worse.distribution) == ("robot", "shop/door")
    assert (door(box) == ["robot"]) == stays
    assert (b"robot" in box.tree_files()["door/INDEX"]) == stays
    assert states(box) == {("window", "robot"): "published", ("door", "robot"): "pending_review"}
    assert box.members() == ["robot=1"]
    (row,) = reviews.waiting(box.workspace)
    if stays:
        reviews.reject(box.workspace, row["id"], "not at our door")
    else:
        reviews.approve(box.workspace, row["id"], "not reachable")
    assert (door(box) == ["robot"]) != stays


def test_what_left_the_base_of_the_target_alone_is_held_there_alone(box: ToyBox) -> None:
    repositories.set_distribution(box.workspace, "shop/door", {"base_sources": ["box"], "policy": "soft"})
    promote(box)
    box.upload(make_toy(box.folder, "battery"))
    box.upstream.drop("battery")
    box.sync()
    assert [(item.package, item.distribution) for item in scanning.scan(box.workspace).worse] == [
        ("robot", "shop/door")
    ]
