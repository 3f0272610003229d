"""Sync of a large RPM repository: the first one, one for nothing, and one after some packages changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import Command, Report, median
from bench.rpm_material import PACKAGES, RpmUpstreamTree
from bench.rpm_workspaces import RpmEntrepot
from support.apt_repository import Key
from support.dnf_client import DnfClient
from support.upstream import Upstream

pytestmark = pytest.mark.bench

ROUNDS = 3
CHANGED = range(50, PACKAGES, PACKAGES // 100)
PEAK = 160.0
"""MiB that any sync may take."""
FIRST, SAME, SOME = "rpm: first sync", "rpm: sync again, nothing changed", f"rpm: sync again, {len(CHANGED)} changed"
DNF = "dnf makecache"
ITERATE = """
import sys
from entrepot_plugins.rpm.library import createrepo
paths = dict(primary_path=sys.argv[1], filelists_path=sys.argv[2], other_path=sys.argv[3])
print(sum(1 for _ in createrepo().PackageIterator(**paths)))
"""


@pytest.fixture(scope="module")
def rpm_tree(tmp_path_factory: pytest.TempPathFactory, report: Report) -> RpmUpstreamTree:
    tree = RpmUpstreamTree(tmp_path_factory.mktemp("rpm") / "upstream")
    tree.publish()
    report.remark(f"rpm: {PACKAGES:,} synthetic packages, {tree.plain:,} bytes of primary, filelists and other, in gz")
    return tree


@pytest.fixture
def rpm_server(rpm_tree: RpmUpstreamTree) -> Iterator[Upstream]:
    with Upstream(root=rpm_tree.root) as up:
        yield up


def test_sync_beside_dnf(
    report: Report, rpm_tree: RpmUpstreamTree, rpm_server: Upstream, key: Key, tmp_path: Path
) -> None:
    dnf = _dnf(tmp_path / "dnf", rpm_server.url)
    ours = _followers(tmp_path, rpm_server, key)
    theirs = report.cost(FIRST, DNF, dnf.cost())
    report.cost(FIRST, "createrepo_c PackageIterator, read only", _iterator(rpm_tree, tmp_path, key).cost())
    first = median(ours)
    report.compare(FIRST, first, DNF, theirs, 0.6)
    report.compare_peak(FIRST, first, f"{PEAK:.0f} MiB", PEAK, 1.0)

    unchanged = report.cost(SAME, DNF, median([dnf] * ROUNDS))
    report.compare(SAME, median(ours * ROUNDS), DNF, unchanged, 2.0)

    rpm_tree.publish(changed=CHANGED)
    again = median(ours)
    report.cost(SOME, DNF, dnf.cost())
    report.compare(SOME, again, "our first sync", first, 0.25)
    report.compare_peak(SOME, again, f"{PEAK:.0f} MiB", PEAK, 1.0)


def _dnf(folder: Path, url: str) -> Command:
    client = DnfClient(folder, f"[upstream]\nname=upstream\nbaseurl={url}\ngpgcheck=0\n")
    return Command(client.command("makecache"), client.environment, client.root)


def _followers(folder: Path, server: Upstream, key: Key) -> list[Command]:
    """The sync of several workspaces that have not seen the upstream yet."""
    workspaces = [RpmEntrepot(folder / f"round{number}", key.home) for number in range(ROUNDS)]
    for workspace in workspaces:
        workspace.follow_rpm(server.url)
    return [workspace.command("sync", "upstream") for workspace in workspaces]


def _iterator(tree: RpmUpstreamTree, folder: Path, key: Key) -> Command:
    """Reads all packages and does nothing with them."""
    paths = [str(next(tree.repodata.glob(f"*-{kind}.xml.gz"))) for kind in ("primary", "filelists", "other")]
    environment = RpmEntrepot(folder / "iterator", key.home).environment
    return Command([sys.executable, "-c", ITERATE, *paths], environment, folder)
