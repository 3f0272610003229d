"""Publishing RPM packages that are in place already: all of them, after one was added, and again for nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.measure import Command, Cost, Report, median
from bench.peers import program
from bench.rpm_material import PACKAGES, fragments, written_by_createrepo
from bench.rpm_workspaces import DISTRIBUTION, RpmEntrepot, write_rpms
from support.apt_repository import Key
from support.rpms import make_rpm

pytestmark = pytest.mark.bench

WHOLE = 20_000
PULP = Cost(13.0, 0.0)
"""Seconds of CPU that Pulp took for as many, on a machine like the one that the budgets were made on."""
ROUNDS = 3
PEAK = 160.0
"""MiB that any publication may take."""
DEFAULT = ("--quiet",)
LEAN = ("--quiet", "--no-database", "--general-compress-type=gz")


def test_publish_of_everything_and_of_nothing(report: Report, key: Key, tmp_path: Path) -> None:
    made = RpmEntrepot(tmp_path / "made", key.home).filled(fragments(number) for number in range(WHOLE))
    copies = [made.copied(f"round{number}") for number in range(ROUNDS)]
    job = f"rpm: publish {WHOLE:,}"
    first = median([_publish(copy) for copy in copies])
    report.compare(job, first, "Pulp, measured once", PULP, 0.1)
    report.compare_peak(job, first, f"{PEAK:.0f} MiB", PEAK, 1.0)
    report.compare("rpm: publish again, nothing changed", median([_publish(copy) for copy in copies]), job, first, None)


@pytest.mark.parametrize(("packages", "rounds", "budget"), [(2_000, 3, 1.0), (PACKAGES, 1, 0.2)])
def test_publish_after_one_was_added_beside_createrepo(
    report: Report, key: Key, tmp_path: Path, packages: int, rounds: int, budget: float
) -> None:
    report.remark("rpm, one added: tiny packages, the same for both; createrepo_c as it is, and without databases")
    folder = write_rpms(tmp_path / "tree/Packages", packages)[0].parent
    subprocess.run([program("createrepo_c"), *DEFAULT, folder.parent], check=True)
    ours = RpmEntrepot(tmp_path / "entrepot", key.home).filled(written_by_createrepo(folder.parent))
    _publish(ours).cost()
    added = [make_rpm(tmp_path, f"added{number}", arch="x86_64") for number in range(rounds)]
    job = f"rpm: publish again, one added, {packages:,}"
    theirs = report.cost(job, "createrepo_c --update", _updates(ours, folder, added, DEFAULT))
    lean = report.cost(job, "createrepo_c --update, no databases", _updates(ours, folder, added, LEAN))
    cost = _after_each(ours, added)
    report.compare(job, cost, "createrepo_c --update", theirs, budget)
    report.compare(job, cost, "that without databases", lean, None)
    report.compare_peak(job, cost, f"{PEAK:.0f} MiB", PEAK, 1.0)


def _publish(entrepot: RpmEntrepot) -> Command:
    return entrepot.command("publish", DISTRIBUTION)


def _after_each(entrepot: RpmEntrepot, added: Sequence[Path]) -> Cost:
    """A publication after each of the packages."""
    costs = []
    for path in added:
        entrepot.upload(path)
        costs.append(_publish(entrepot).cost())
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def _updates(entrepot: RpmEntrepot, folder: Path, added: Sequence[Path], options: Sequence[str]) -> Cost:
    """The same by createrepo_c, which has read all other packages before."""
    call = [program("createrepo_c"), "--update", *options, str(folder.parent)]
    update = Command(call, entrepot.environment, folder.parent)
    costs = []
    for path in added:
        shutil.copy(path, folder)
        costs.append(update.cost())
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]
