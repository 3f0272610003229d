"""Publishing, with the packages in place already: all of it, after one package was added, and again for nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.material import Index
from bench.measure import Command, Cost, Report, in_turn, median
from bench.packages import fill, write_debs
from bench.peers import Aptly, Entrepot
from support.debs import make_deb

pytestmark = pytest.mark.bench

PACKAGES = 20_000
ROUNDS = 3
PUBLISH = ("publish", "repo", "-batch", "-acquire-by-hash", "-architectures=amd64")
UPDATE = ("publish", "update", "-batch")
WITHOUT = "-skip-contents"
ADDED = "publish again, one added"


def test_publish_beside_aptly(report: Report, index: Index, entrepot: Entrepot, aptly: Aptly, tmp_path: Path) -> None:
    report.remark(
        "publishing: aptly writes gz and bz2, by default with Contents files; entrepot gz and xz, no Contents"
    )
    stanzas = index.stanzas[:PACKAGES]
    debs = write_debs(tmp_path / "debs", stanzas)
    aptly.run("repo", "create", "-distribution=stable", "stable")
    aptly.run("repo", "add", "stable", debs[0].parent)
    job = f"publish {len(stanzas):,}"
    # The first publication under a prefix puts the packages in place, and is not measured. That with Contents is
    # measured where they were not made before: aptly keeps what it read of each package.
    aptly.run(*PUBLISH, WITHOUT, "stable", "plain")
    default = report.cost(job, "aptly", aptly.command(*PUBLISH, "-distribution=full", "stable", "plain").cost())
    again = [aptly.command(*PUBLISH, WITHOUT, f"-distribution=d{n}", "stable", "plain") for n in range(ROUNDS)]
    filled = _filled(entrepot, stanzas)
    published = [_copied(filled, f"round{number}") for number in range(ROUNDS)]
    plain, ours = in_turn(again, [_publish(each) for each in published])
    report.cost(job, "aptly, no Contents", plain)
    report.compare(job, ours, "aptly", default, None)
    report.compare(job, ours, "aptly, no Contents", plain, 0.3)
    unchanged = median([_publish(each) for each in published])
    report.compare("publish again, nothing changed", unchanged, "aptly, no Contents", plain, None)

    default, plain = _aptly_after_one(aptly, tmp_path)
    small = _after_one(published[0], tmp_path)
    job = f"{ADDED}, {len(stanzas):,}"
    report.cost(job, "aptly", default)
    report.cost(job, "aptly, no Contents", plain)
    report.compare(job, small, "aptly", default, None)
    report.compare(job, small, "aptly, no Contents", plain, 0.1)

    everything = _filled(Entrepot(tmp_path / "everything", entrepot.gnupg), index.stanzas)
    _publish(everything).cost()
    large = _after_one(everything, tmp_path)
    report.compare(f"{ADDED}, {len(index.stanzas):,}", large, f"ours at {len(stanzas):,}", small, 2.0)


def _filled(entrepot: Entrepot, stanzas: list[bytes]) -> Entrepot:
    entrepot.distribute("stable")
    with entrepot.opened() as workspace:
        fill(workspace, "example/stable", stanzas)
    return entrepot


def _copied(entrepot: Entrepot, name: str) -> Entrepot:
    """The same workspace once more; it publishes to a tree of its own."""
    copy = Entrepot(entrepot.folder / name, entrepot.gnupg)
    shutil.copyfile(entrepot.home / "catalog.db", copy.home / "catalog.db")
    copy.publish_to(copy.folder / "tree")
    return copy


def _publish(entrepot: Entrepot) -> Command:
    return entrepot.command("publish", "example/stable")


def _after_one(entrepot: Entrepot, folder: Path) -> Cost:
    """A publication after one package came in, several times."""
    costs = []
    for number in range(ROUNDS):
        entrepot.run("upload", "--no-publish", "--to", "example/stable", make_deb(folder, f"added{number}"))
        costs.append(_publish(entrepot).cost())
    return sorted(costs, key=lambda cost: cost.cpu)[ROUNDS // 2]


def _aptly_after_one(aptly: Aptly, folder: Path) -> tuple[Cost, Cost]:
    """The same for aptly, with Contents files and without them; each where nothing else is published."""
    aptly.run(*PUBLISH, "stable", "with")
    aptly.run(*PUBLISH, WITHOUT, "stable", "without")
    costs = []
    for number in range(ROUNDS):
        aptly.run("repo", "add", "stable", make_deb(folder, f"another{number}"))
        default = aptly.command(*UPDATE, "stable", "with").cost()
        costs.append((default, aptly.command(*UPDATE, WITHOUT, "stable", "without").cost()))
    return sorted(costs, key=lambda pair: pair[0].cpu)[ROUNDS // 2]
