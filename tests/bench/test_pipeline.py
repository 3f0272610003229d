"""The whole pipeline: packages of a usual size come in past all scanners at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.advisories import source_names, write_advisories
from bench.installed import Installed, installed, write_debs, write_rpms
from bench.material import Index, UpstreamTree
from bench.measure import Command, Report
from bench.peers import Aptly, Entrepot, program
from bench.rpm_workspaces import DISTRIBUTION, RpmEntrepot
from support.apt_repository import Key
from support.clamd import RealClamd

pytestmark = pytest.mark.bench

PACKAGES = 100
RPMS = 40
SETS = {
    "all scanners": (),
    "all but clamav": ("clamav",),
    "clamav alone": ("contents", "dependencies", "format", "osv", "signature"),
}
"""Which scanners look at the packages, and which are skipped for that."""
LOOK = ("clamav", "contents", "dependencies", "format", "osv")
"""Those that find something to look at in packages that nobody signed."""
UPLOAD = ("upload", "--no-publish", "--to")
PEAK = 150.0
"""MiB that the largest of our processes may take."""
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def packages(report: Report, index: Index) -> Sequence[Installed]:
    """What this machine has; its files may be read."""
    found = installed(index.stanzas, PACKAGES)
    if len(found) < PACKAGES // 3:
        pytest.skip("this machine has no installed packages of an index that apt has downloaded")
    size = sum(len(content) for package in found for content in package.files().values())
    report.remark(
        f"pipeline: {len(found)} packages that are installed here, packed again; {size / 1e6:.0f} MB of files"
    )
    return found


@pytest.fixture
def prepared(index: Index, tree: UpstreamTree, keyring: Path, entrepot: Entrepot, tmp_path: Path) -> Entrepot:
    """A workspace with vulnerability data, and a distribution on top of the whole index."""
    tree.publish_parts([index.plain])
    entrepot.follow(tree.root.as_uri(), keyring)
    entrepot.run("sync")
    entrepot.run("advisories", "add", "debian", write_advisories(tmp_path / "osv.zip", source_names(index.stanzas)))
    entrepot.distribute("bookworm")
    entrepot.run("dist", "set", "example/bookworm", "--base", "upstream")
    return entrepot


def test_debs_past_all_scanners(
    report: Report, prepared: Entrepot, packages: Sequence[Installed], aptly: Aptly, tmp_path: Path
) -> None:
    debs = write_debs(tmp_path / "debs", packages)
    job = f"bring in {len(debs)} .debs of a usual size"
    aptly.run("repo", "create", "stable")
    theirs = report.cost(job, "aptly repo add", aptly.command("repo", "add", "stable", debs[0].parent).cost())
    for what, skipped in SETS.items():
        with RealClamd() as clamd:  # a new one, which has not seen these files yet
            ours = _copied(prepared, what.replace(" ", "-"), clamd, skipped)
            cost = ours.command(*UPLOAD, "example/bookworm", *debs).cost()
            theirs_too = f", and {_cpu(clamd):.1f} s of clamd" if "clamav" not in skipped else ""
        report.compare(f"{job}: {what}", cost, "aptly", theirs, None)
        report.figure(f"{job}: {what}", cost, f"{len(debs) / cost.cpu:,.1f} packages/s of CPU{theirs_too}")
        report.compare_peak(f"{job}: {what}", cost, f"{PEAK:.0f} MiB", PEAK, 1.0)
        if not skipped:
            _check(ours, len(debs))


def test_what_clamdscan_takes_for_what_is_inside(report: Report, packages: Sequence[Installed], tmp_path: Path) -> None:
    scanning, trees = program("clamdscan"), tmp_path / "trees"
    trees.mkdir()
    for deb in write_debs(tmp_path / "debs", packages):
        subprocess.run(["dpkg-deb", "-R", deb, trees / deb.stem], check=True)
    for how in ("--stream", "--fdpass"):
        with RealClamd() as clamd:
            configuration = f"--config-file={clamd.folder / 'clamd.conf'}"
            command = Command([scanning, how, "--quiet", configuration, str(trees)], dict(os.environ), tmp_path)
            cost = command.cost()
            who = f"clamdscan {how} of what is unpacked, and {_cpu(clamd):.1f} s of clamd"
            report.cost(f"antivirus of {len(packages)} .debs", who, cost)


def test_rpms_past_all_scanners(report: Report, packages: Sequence[Installed], key: Key, tmp_path: Path) -> None:
    rpms = write_rpms(tmp_path / "rpms", packages[:RPMS])
    ours = RpmEntrepot(tmp_path / "entrepot", key.home)
    ours.distribute_rpm()
    with RealClamd() as clamd:
        _configure(ours, clamd, ())
        cost = ours.command(*UPLOAD, DISTRIBUTION, *rpms).cost()
        what = f"{len(rpms) / cost.cpu:,.1f} packages/s of CPU, and {_cpu(clamd):.1f} s of clamd"
    job = f"rpm: bring in {len(rpms)} packages of a usual size: all scanners"
    report.figure(job, cost, what)
    report.compare_peak(job, cost, f"{PEAK:.0f} MiB", PEAK, 1.0)


def _copied(prepared: Entrepot, name: str, clamd: RealClamd, skipped: Sequence[str]) -> Entrepot:
    """The workspace once more, in which nothing was brought in yet, with other scanners."""
    copy = Entrepot(prepared.folder / name, prepared.gnupg)
    shutil.copytree(prepared.home, copy.home, dirs_exist_ok=True)
    _configure(copy, clamd, skipped)
    return copy


def _configure(entrepot: Entrepot, clamd: RealClamd, skipped: Sequence[str]) -> None:
    with (entrepot.home / "entrepot.toml").open("a") as file:
        # Nothing waits for a person: each of them goes all the way.
        file.write(f'\n[scanners.clamav]\nsocket = "{clamd.socket}"\n\n[policies.soft]\nreview = "publish"\n')
    entrepot.skip(skipped)


def _check(entrepot: Entrepot, count: int) -> None:
    """Every scanner has looked at every package."""
    sql = "SELECT scanner, count(*) FROM verdicts WHERE status NOT IN ('error', 'skipped') GROUP BY scanner"
    with entrepot.opened() as workspace:
        said = dict(workspace.catalog.database.conn.execute(sql))
    assert {name: said.get(name, 0) for name in LOOK} == dict.fromkeys(LOOK, count)


def _cpu(clamd: RealClamd) -> float:
    """Seconds of CPU that a clamd has taken so far."""
    assert clamd.process is not None
    fields = Path(f"/proc/{clamd.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
