"""What is in is evaluated again: with new findings, another policy, without a download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, UsageError
from entrepot.events import PackageWorsened
from entrepot.hookspecs import hookimpl
from entrepot.services import reviews, scanning, sources
from entrepot.services.scanning import ScanRequest
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

POLICIES = """
[policies.careful]
on_change = "report"
[policies.quick]
on_change = "withdraw"
"""


class Ear:
    """A plugin that remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[PackageWorsened] = []

    @hookimpl
    def package_worsened(self, event: PackageWorsened) -> None:
        self.events.append(event)


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def box(tmp_path: Path, probe: Probe, ear: Ear) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path, settings=POLICIES, plugins=[("probe", probe), ("ear", ear)])
    box.upload(make_toy(box.folder, "ball"), make_toy(box.folder, "robot"))
    yield box
    box.workspace.close()


def use(box: ToyBox, policy: str) -> None:
    box.workspace.catalog.repositories.update_distribution(box.distribution, {"policy": policy})


def states(box: ToyBox) -> dict[str, str]:
    return dict(box.states())


def published(box: ToyBox) -> bool:
    return b"robot" in box.tree_files()["window/INDEX"]


def test_nothing_follows_where_nothing_is_new(box: ToyBox) -> None:
    # What needs what is beside it was looked at before it was in: the first scan notes that it is in now.
    scanning.scan(box.workspace)
    before = box.dump("audit", "audit_head")
    result = scanning.scan(box.workspace)
    assert (result.as_json()["scanned"], result.worse, result.failed) == (2, [], False)
    assert box.dump("audit", "audit_head") == before


@pytest.mark.parametrize(
    ("policy", "state", "members"),
    [
        ("careful", "published", ["ball=1", "robot=1"]),
        ("soft", "pending_review", ["ball=1", "robot=1"]),
        ("quick", "pending_review", ["ball=1"]),
    ],
)
def test_what_is_critical_now_is_told_held_or_withdrawn(
    box: ToyBox, probe: Probe, policy: str, state: str, members: list[str]
) -> None:
    use(box, policy)
    probe.known["robot"] = [("CVE-2026-2", "critical")]
    result = scanning.scan(box.workspace)
    (worse,) = result.worse
    assert (worse.package, worse.outcome) == ("robot", ("publish", "reject"))
    assert [finding.id for _, finding in worse.findings] == ["CVE-2026-2"]
    assert states(box) == {"ball": "published", "robot": state}
    assert box.members() == members
    assert published(box) == ("robot=1" in members)
    assert len(scanning.scan(box.workspace).worse) == (policy == "careful")
    assert box.workspace.catalog.audit.verify().entries


def test_a_dry_run_tells_the_same_and_changes_nothing(box: ToyBox, probe: Probe) -> None:
    use(box, "quick")
    probe.known["robot"] = [("CVE-2026-2", "critical")]
    before = box.dump()
    result = scanning.scan(box.workspace, ScanRequest(dry_run=True))
    assert [(package.package, package.action) for package in result.worse] == [("robot", "withdraw")]
    assert box.dump() == before


def test_what_was_opened_again_is_closed_by_a_waiver_and_stays_closed(box: ToyBox, probe: Probe) -> None:
    use(box, "quick")
    probe.known["robot"] = [("CVE-2026-1", "high")]
    scanning.scan(box.workspace)
    (row,) = reviews.waiting(box.workspace)
    reviews.approve(box.workspace, row["id"], "not reachable")
    assert (box.members(), published(box)) == (["ball=1", "robot=1"], True)
    assert scanning.scan(box.workspace).worse == []
    probe.known["robot"].append(("CVE-2026-3", "high"))
    assert [package.package for package in scanning.scan(box.workspace).worse] == ["robot"]


def test_what_was_opened_again_and_is_rejected_leaves_that_distribution_only(box: ToyBox, probe: Probe) -> None:
    box.distribute("cellar")
    box.upload(make_toy(box.folder, "robot"), make_toy(box.folder, "robot", 2), to="shop/cellar")
    probe.known["robot"] = [("CVE-2026-1", "high")]
    scanning.scan(box.workspace, ScanRequest(["window"]))
    (row,) = reviews.waiting(box.workspace)
    reviews.reject(box.workspace, row["id"], "too dangerous")
    assert (box.members(), published(box)) == (["ball=1"], False)
    assert box.tree_files()["cellar/INDEX"].count(b"robot_") == 2


def test_what_waits_is_told_when_nothing_holds_it_any_more_and_still_waits(box: ToyBox, probe: Probe) -> None:
    probe.known["kite"] = [("CVE-2026-1", "high")]
    box.upload(make_toy(box.folder, "kite"))
    probe.known.clear()
    result = scanning.scan(box.workspace)
    assert [(p.package, p.status) for d in result.distributions for p in d.packages] == [("kite", "better")]
    assert states(box)["kite"] == "pending_review"
    assert "nothing holds it any more" in reviews.waiting(box.workspace)[0]["message"]


def test_another_policy_is_enough(box: ToyBox) -> None:
    use(box, "strict")
    # The signature of an upload is a warning, which this policy holds.
    assert {package.package for package in scanning.scan(box.workspace).worse} == {"ball", "robot"}


def test_nothing_is_asked_again_about_how_a_package_came_in(box: ToyBox) -> None:
    box.upstream.add("train", 1)
    box.sync()
    box.one("train")
    sources.remove_source(box.workspace, "box")
    result = scanning.scan(box.workspace)
    assert [package for found in result.distributions for package in found.packages] == []


def test_only_what_is_named_is_looked_at(box: ToyBox, probe: Probe) -> None:
    probe.asked.clear()
    scanning.scan(box.workspace, ScanRequest(["robot"], ["probe"]))
    assert probe.asked == ["robot=1"]
    with pytest.raises(NotFoundError, match="zeppelin"):
        scanning.scan(box.workspace, ScanRequest(["zeppelin"]))
    with pytest.raises(UsageError, match="no scanner oracle"):
        scanning.scan(box.workspace, ScanRequest(scanners=["oracle"]))


def test_a_scanner_that_fails_is_no_pass(box: ToyBox, probe: Probe, caplog: pytest.LogCaptureFixture) -> None:
    probe.broken = True
    assert len(scanning.scan(box.workspace).worse) == 2
    assert caplog.records


def test_a_file_that_is_lost_is_one_failure(box: ToyBox) -> None:
    sql = "SELECT sha256 FROM imports WHERE name = 'robot'"
    box.workspace.store.remove(box.workspace.catalog.database.execute(sql).fetchone()[0])
    result = scanning.scan(box.workspace)
    assert result.failed
    assert [label for found in result.distributions for label, _ in found.failures] == ["robot 1"]


@pytest.mark.parametrize("policy", ["careful", "soft", "quick"])
def test_plugins_are_told_what_followed(box: ToyBox, probe: Probe, ear: Ear, policy: str) -> None:
    use(box, policy)
    probe.known["robot"] = [("CVE-2026-2", "critical")]
    scanning.scan(box.workspace)
    (event,) = ear.events
    assert (event.package.name, event.distribution.path, event.expired) == ("robot", "shop/window", False)
    assert event.action == {"careful": "report", "soft": "review", "quick": "withdraw"}[policy]
    assert event.import_id == 2
