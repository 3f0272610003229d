"""Publishing to a real S3 service: requests, bytes and CPU; and how fast files get there, beside the AWS CLI."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from bench.material import Index
from bench.measure import Command, Cost, Report
from bench.packages import fill as fill_apt
from bench.peers import Entrepot
from bench.rpm_material import fragments
from bench.rpm_workspaces import DISTRIBUTION, RpmEntrepot, write_rpms
from bench.tally import Tally
from entrepot.services.repositories import set_distribution
from support import radosgw
from support.apt_repository import Key
from support.debs import make_deb
from support.rpms import make_rpm
from support.s3_buckets import new_bucket, use_credentials

E = TypeVar("E", bound=Entrepot)

pytestmark = pytest.mark.bench

SIZES = (1_000, 20_000, 60_000)
PUTS, READS = 12, 3
"""Most requests of a publication after one package came in, however many there are."""
MORE_PUTS = 4
"""Further ones with Contents and Translation-en, which are a file each, under its digest and under its plain name."""
FILES, LARGE = 2_000, 200_000_000
THROUGHPUT = 0.9
ROUNDS = 3
AWSCLI = "awscli"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a real service; the environment has credentials for it."""
    if missing := radosgw.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    use_credentials(monkeypatch, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    return radosgw.service().url


@pytest.fixture
def tally(service: str) -> Iterator[Tally]:
    with Tally(service) as tally:
        yield tally


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The AWS CLI, from the package index; the bench is skipped where it cannot be had."""
    folder = tmp_path_factory.mktemp("aws") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", AWSCLI]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip cannot install {AWSCLI}: {done.stderr.strip()[-200:]}")
    return str(folder / "bin/aws")


@pytest.mark.parametrize("packages", SIZES)
def test_requests_of_publishing_rpm(
    report: Report, tally: Tally, service: str, key: Key, tmp_path: Path, packages: int
) -> None:
    entrepot = _on(RpmEntrepot(tmp_path / "entrepot", key.home), tally.url)
    entrepot.filled(map(fragments, range(packages)), f"s3://{new_bucket(service)}/tree")

    def add(number: int) -> None:
        entrepot.upload(make_rpm(tmp_path, f"added{number}", arch="x86_64"))

    _publications(report, tally, f"s3, rpm, {packages:,}", entrepot.command("publish", DISTRIBUTION), add)


@pytest.mark.parametrize(
    ("packages", "more"), [*((size, False) for size in SIZES), (SIZES[0], True), (SIZES[-1], True)]
)
def test_requests_of_publishing_apt(
    report: Report,
    tally: Tally,
    service: str,
    index: Index,
    entrepot: Entrepot,
    tmp_path: Path,
    packages: int,
    *,
    more: bool,
) -> None:
    _on(entrepot, tally.url).distribute("stable")
    with entrepot.opened() as workspace:
        set_distribution(workspace, "example/stable", {"options": {"contents": more, "translations": more}})
        with workspace.catalog.transaction():
            url = f"s3://{new_bucket(service)}/tree"
            workspace.catalog.database.conn.execute("UPDATE targets SET url = ?", [url])
        fill_apt(workspace, "example/stable", index.stanzas[:packages], file_lists=more)

    def add(number: int) -> None:
        entrepot.run("upload", "--no-publish", "--to", "example/stable", make_deb(tmp_path, f"added{number}"))

    job = f"s3, apt, {packages:,}{' with Contents and Translation-en' if more else ''}"
    puts = PUTS + MORE_PUTS if more else PUTS
    _publications(report, tally, job, entrepot.command("publish", "example/stable"), add, puts)


def _publications(
    report: Report, tally: Tally, job: str, publish: Command, add: Callable[[int], None], puts: int = PUTS
) -> None:
    """The first publication, one after each of some packages, and one for nothing; packages are in place before."""
    report.remark("s3: counted by a relay before the service; packages that were there at first count as in place")

    def measured(what: str) -> None:
        tally.forget()
        cost = publish.cost()
        report.figure(f"{job}: {what}", cost, tally.text())

    measured("first, indexes only")
    for number in range(2):
        add(number)
        measured(f"one added{', and again one' if number else ''}")
        report.count(f"{job}: one added", "PUT and COPY", tally.count("PUT", "COPY"), puts)
        report.count(f"{job}: one added", "GET and HEAD", tally.count("GET", "HEAD"), READS)
        report.count(f"{job}: one added", "LIST", tally.count("LIST"), 0)
    measured("nothing changed")
    report.count(f"{job}: nothing changed", "writes", tally.count("PUT", "COPY", "POST", "DELETE"), 0)


def test_small_files_travel_as_fast_as_with_the_aws_cli(
    report: Report, service: str, aws: str, key: Key, tmp_path: Path
) -> None:
    packages = write_rpms(tmp_path / "packages", FILES)
    _race(report, service, aws, key, packages, f"s3: {FILES:,} small files", ["s3", "sync"], tmp_path)


def test_a_large_file_travels_as_fast_as_with_the_aws_cli(
    report: Report, service: str, aws: str, key: Key, tmp_path: Path
) -> None:
    (tmp_path / "packages").mkdir()
    content = {"/usr/share/large": os.urandom(LARGE)}
    package = make_rpm(tmp_path / "packages", "large", arch="x86_64", files=content, compression="")
    _race(report, service, aws, key, [package], f"s3: one file of {LARGE / 1e6:.0f} MB", ["s3", "cp"], tmp_path)


def _race(
    report: Report, service: str, aws: str, key: Key, packages: list[Path], job: str, verb: list[str], folder: Path
) -> None:
    """Sends the same packages by both, in turn. Ours makes and signs the indexes in the same time."""
    report.remark(f"s3: throughput by the clock, median of {ROUNDS}; start-up included on both sides, and our indexes")
    entrepot = _on(RpmEntrepot(folder / "entrepot", key.home), service)
    entrepot.distribute_rpm(f"s3://{new_bucket(service)}/tree")
    entrepot.upload(*packages)
    size = sum(path.stat().st_size for path in packages)
    what = str(packages[0] if len(packages) == 1 else packages[0].parent)
    theirs, ours = [], []
    for _ in range(ROUNDS):
        bucket = new_bucket(service)
        arguments = [aws, "--endpoint-url", service, *verb, "--only-show-errors", what, f"s3://{bucket}/tree/"]
        theirs.append(_timed(Command(arguments, entrepot.environment, folder)))
        # A new workspace that knows of no publication would have to bring all packages in again.
        ours.append(_timed(entrepot.command("publish", "--full", DISTRIBUTION)))
    rates = [size / 1e6 / statistics.median(seconds for seconds, _ in each) for each in (theirs, ours)]
    costs = [sorted((cost for _, cost in each), key=lambda cost: cost.cpu)[ROUNDS // 2] for each in (theirs, ours)]
    report.cost(job, f"aws {' '.join(verb)}: {rates[0]:.1f} MB/s", costs[0])
    report.compare(job, costs[1], "aws", costs[0], None)
    report.count(job, f"MB/s: {rates[1]:.1f} to {rates[0]:.1f}", rates[1] / rates[0], THROUGHPUT, least=True)
    listing = Command([aws, "--endpoint-url", service, "s3", "ls", f"s3://{bucket}/"], entrepot.environment, folder)
    rest = [_seconds([listing] * ROUNDS), _seconds([entrepot.command("publish", "--force", DISTRIBUTION)] * ROUNDS)]
    alone = [size / 1e6 / (size / 1e6 / rate - without) for rate, without in zip(rates, rest, strict=True)]
    what = f"MB/s: {alone[1]:.1f} to {alone[0]:.1f}, without start-up, indexes and signature"
    report.count(job, what, alone[1] / alone[0], THROUGHPUT, least=True)


def _seconds(commands: Sequence[Command]) -> float:
    return statistics.median(_timed(command)[0] for command in commands)


def _timed(command: Command) -> tuple[float, Cost]:
    begun = time.perf_counter()
    cost = command.cost()
    return time.perf_counter() - begun, cost


def _on(entrepot: E, url: str) -> E:
    """The workspace with the service as its only S3, and credentials for it."""
    with (entrepot.home / "entrepot.toml").open("a") as file:
        file.write(f'\n[storage.s3]\nendpoint_url = "{url}"\n')
    entrepot.environment |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    # What many services that are like S3 do not know; ours does without, too.
    entrepot.environment["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
    return entrepot
