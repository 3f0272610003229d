"""A workspace on a real S3 service with half a million rows: what travels, and what a function needs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree, multiplied
from bench.measure import Command, Report
from bench.peers import Entrepot
from bench.tally import Tally
from support import radosgw
from support.debs import make_deb
from support.s3_buckets import new_bucket, use_credentials
from support.upstream import Upstream

pytestmark = pytest.mark.bench

TIMES = 8
"""Of an index of 63,440 packages."""
UP, DOWN = 12.0, 12.0
"""MB that a command which brings one package in may send and receive, if it has seen the generation before."""
PEAK = 160.0
"""MiB of memory for any of it."""
DISK = 1.15
"""What is on this machine afterwards, in sizes of the databases."""


def test_one_package_moves_little_of_a_large_catalog(
    report: Report,
    index: Index,
    entrepot: Entrepot,
    tree: UpstreamTree,
    server: Upstream,
    keyring: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if missing := radosgw.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    use_credentials(monkeypatch, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    service = radosgw.service().url
    tree.publish_parts([*(_offered(tree.root, number) for number in range(2)), *multiplied(index.plain, TIMES)])
    entrepot.follow(server.url, keyring)
    report.cost("first sync, in a folder", "entrepot", entrepot.command("sync", "upstream").cost())
    entrepot.distribute("stable")
    with Tally(service) as tally:
        bench = _Remote(report, entrepot, tally, f"s3://{new_bucket(service)}/home", tmp_path)
        bench.measured("adopt the folder", "home", "adopt", entrepot.home)
        bench.cache("second")
        bench.measured("first look from elsewhere", "show", "hello0")
        bench.measured("second look", "show", "hello0")
        bench.measured("import one package", "import", "upstream", "hello0", "--to", "example/stable", up=UP, down=DOWN)
        bench.measured("import another one", "import", "upstream", "hello1", "--to", "example/stable", up=UP, down=DOWN)
        bench.cache("third")
        bench.measured("first import from elsewhere", "sync", "upstream")
        bench.measured("undo all that", "home", "restore", "1")


class _Remote:
    def __init__(self, report: Report, entrepot: Entrepot, tally: Tally, url: str, folder: Path) -> None:
        self._report, self._entrepot, self._tally, self._url, self._folder = report, entrepot, tally, url, folder
        self._size = (entrepot.home / "catalog.db").stat().st_size
        report.remark(f"workspace on S3: a catalog of {self._size / 1e6:.0f} MB; counted by a relay before the service")
        self.cache("first")

    def cache(self, name: str) -> None:
        """Goes to another machine."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        places = {"AWS_ENDPOINT_URL_S3": self._tally.url, "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}
        self._cache = self._folder / name
        self._environment = {**self._entrepot.environment, **kept, **places, "ENTREPOT_CACHE": str(self._cache)}

    def measured(self, job: str, *arguments: object, up: float = 0, down: float = 0) -> None:
        """One command: cost, requests, bytes both ways, and what it left on the disk."""
        self._tally.forget()
        start = [sys.executable, "-m", "entrepot", "--quiet", "--home", self._url]
        cost = Command([*start, *map(str, arguments)], self._environment, self._folder).cost()
        disk = sum(path.stat().st_size for path in self._cache.rglob("*") if path.is_file())
        name = f"workspace on S3: {job}"
        self._report.figure(name, cost, f"{self._tally.text()}, {self._tally.received / 1e6:.2f} MB received")
        self._report.limit(name, "peak memory in MiB", cost.peak, PEAK)
        self._report.limit(name, "disk / databases", disk / self._size, DISK)
        if up:
            self._report.limit(name, "MB sent", self._tally.sent / 1e6, up)
            self._report.limit(name, "MB received", self._tally.received / 1e6, down)


def _offered(root: Path, number: int) -> bytes:
    """The stanza of a package that the upstream has in fact."""
    folder = root / "pool/main/h"
    folder.mkdir(parents=True, exist_ok=True)
    package = make_deb(folder, f"hello{number}")
    fields = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, check=True).stdout
    content = package.read_bytes()
    place = f"Filename: pool/main/h/{package.name}\nSize: {len(content)}\n"
    return fields + place.encode() + f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n".encode()
