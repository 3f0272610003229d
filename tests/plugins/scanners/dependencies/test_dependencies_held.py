"""What comes in together, where the policy holds a part of it back: the scanner ``dependencies`` of both formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.events import ImportResult
from entrepot.models import SourceDraft
from entrepot.services import imports, repositories, reviews, scanning
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.rpm_upstream import RpmUpstream
from support.rpms import make_rpm
from support.workspaces import REPOSITORY, Depot

STABLE = f"{REPOSITORY}/stable"
HELD = '[policies.soft]\ndeny = [{{ package = "hen", outcome = "{outcome}" }}]'


@dataclass
class Farm:
    """A workspace of one format, whose distribution is based on a source that has ``straw``."""

    folder: Path
    format_name: str

    def __post_init__(self) -> None:
        self.depot = Depot(self.folder / "depot", format_name=self.format_name)
        straw, upstream = self.package("straw"), self.folder / "upstream"
        if self.format_name == "apt":
            apt = AptUpstream(upstream)
            apt.add(straw)
            apt.write()
            draft = apt.draft(upstream.as_uri(), name="base")
        else:
            rpm = RpmUpstream(upstream)
            rpm.add(straw)
            rpm.write()
            draft = SourceDraft("base", "rpm", upstream.as_uri(), verify=False)
        self.depot.follow(draft)
        architecture = "amd64" if self.format_name == "apt" else "x86_64"
        repositories.create_distribution(
            self.depot.workspace, STABLE, architectures=[architecture], base_sources=["base"]
        )

    def package(self, name: str, *needs: str) -> Path:
        """One that needs others."""
        if self.format_name == "apt":
            return make_deb(self.folder, name, depends=", ".join(needs))
        return make_rpm(self.folder, name, "1.0", "1", requires=needs)

    def hold(self, outcome: str) -> None:
        """Has the policy hold ``hen``."""
        self.depot.configure(HELD.format(outcome=outcome))

    def upload(self, *packages: Path) -> dict[str, ImportResult]:
        """What became of each package."""
        results = imports.upload(self.depot.workspace, packages, STABLE, publish_after=False).results
        return {result.package: result for result in results}


@pytest.fixture(params=["apt", "rpm"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path, request.param)
    yield farm
    farm.depot.close()


def words(results: dict[str, ImportResult]) -> dict[str, tuple[str, str]]:
    return {name: (result.status, result.pipeline["dependencies"]) for name, result in results.items()}


@pytest.mark.parametrize(("outcome", "status"), [("pending_review", "pending_review"), ("reject", "rejected")])
def test_a_neighbour_that_is_held_satisfies_nobody_and_is_named(farm: Farm, outcome: str, status: str) -> None:
    farm.hold(outcome)
    results = farm.upload(farm.package("egg", "hen"), farm.package("hen", "straw"), farm.package("dog", "straw"))
    assert words(results) == {
        "egg": ("pending_review", "missing"),
        "hen": (status, "satisfied"),
        "dog": ("published", "satisfied"),
    }
    (finding,) = [found for found in results["egg"].findings if found.kind == "missing"]
    assert (finding.id, finding.data["requirement"]) == ("missing:hen", "hen")
    hen = f"hen {results['hen'].version}"
    machine = finding.data["machines"]
    assert finding.summary.endswith(
        f"needs hen, which nothing offers on {machine}; {hen} came with it and is not let in"
    )


def test_who_needs_one_that_only_needs_a_held_one_is_held_as_well(farm: Farm) -> None:
    farm.hold("reject")
    results = farm.upload(farm.package("cake", "egg"), farm.package("egg", "hen"), farm.package("hen"))
    assert words(results) == {
        "cake": ("pending_review", "missing"),
        "egg": ("pending_review", "missing"),
        "hen": ("rejected", "satisfied"),
    }


def test_the_held_one_is_told_that_its_neighbour_does_not_come_in_either(farm: Farm) -> None:
    farm.hold("pending_review")
    results = farm.upload(farm.package("egg", "hen"), farm.package("hen", "egg"))
    assert words(results) == {"egg": ("pending_review", "missing"), "hen": ("pending_review", "missing")}


def scanned(farm: Farm) -> dict[str, tuple[str, str]]:
    (found,) = scanning.scan(farm.depot.workspace).distributions
    return {item.package: (item.status, item.pipeline[1]["dependencies"]) for item in found.packages}


def test_a_scan_does_not_count_on_what_waits_for_something_else(farm: Farm) -> None:
    farm.hold("pending_review")
    results = farm.upload(farm.package("egg", "hen"), farm.package("hen"))
    assert scanned(farm) == {"egg": ("waits", "missing"), "hen": ("waits", "satisfied")}
    number = results["hen"].import_id
    assert number is not None
    reviews.approve(farm.depot.workspace, number, "it lays", publish_after=False)
    assert scanned(farm) == {"egg": ("better", "satisfied")}


def test_a_scan_counts_on_what_waits_for_each_other_alone(farm: Farm) -> None:
    first = farm.upload(farm.package("egg", "hen"))
    second = farm.upload(farm.package("hen", "egg"))
    assert words(first | second) == {"egg": ("pending_review", "missing"), "hen": ("pending_review", "missing")}
    assert scanned(farm) == {"egg": ("better", "satisfied"), "hen": ("better", "satisfied")}
