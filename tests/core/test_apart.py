"""Packages that other processes fetch and inspect end up in the catalog as if this one had done it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import support.toy
from entrepot.errors import NotFoundError
from entrepot.models import Connection, Secrets
from entrepot.pipeline import apart
from entrepot.pipeline.station import Setup, open_station
from entrepot.services import mirroring, repositories, sources
from entrepot.services.mirroring import MirrorResult
from entrepot.services.selecting import MirrorRequest
from entrepot.services.workspaces import initialise, open_workspace
from entrepot.settings import InspectionSettings
from support.dask_cluster import dask_cluster
from support.s3_buckets import new_bucket, use_credentials
from support.s3_moto import MotoService
from support.scans import NOW, a_distribution
from support.toy import ToyUpstream
from support.toybox import ToyBox
from support.upstream import Fault, Upstream

pytestmark = pytest.mark.isolated

CAME = ("robot", *(f"ball{number}" for number in range(6)))
PLACES = ("audit", "audit_head", "repositories", "targets", "publications")
"""Tables that tell where things are, or when."""
TESTS = Path(__file__).parents[1]
DEADLY = """
import os, pathlib, signal, sys
mark = pathlib.Path(__file__).with_name("died")
if "entrepot.pipeline.station" in sys.modules and not mark.exists() and "pytest" not in sys.modules:
    mark.touch()
    os.kill({}, signal.SIGKILL)
"""


def announce(site: Path, name: str, module: str) -> None:
    """What an installer leaves behind of a distribution with a plugin."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[entrepot]\n{name} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where other processes find the toy plugin; this one has it already."""
    folder = tmp_path / "site"
    folder.mkdir()
    announce(folder, "toys", "support.toy")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(TESTS), *filter(None, sys.path)]))
    return folder


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[tuple[ToyUpstream, Upstream]]:
    """What passes, what is odd, evil, damaged or not there."""
    toys = ToyUpstream(tmp_path / "toys")
    for name, text in [("robot", "beep"), ("odd", "review"), ("evil", "block"), ("lost", "beep"), ("bad", "beep")]:
        toys.add(name, 1, text=text)
    for number in range(6):
        toys.add(f"ball{number}", 1)
    toys.write()
    with Upstream(root=toys.root) as server:
        server.fail("/lost_1_any.toy", Fault(status=404))
        server.fail("/bad_1_any.toy", Fault(content=b"something else"))
        yield toys, server


def mirror(folder: Path, upstream: tuple[ToyUpstream, Upstream], executor: str) -> tuple[ToyBox, MirrorResult]:
    """A box that mirrored everything."""
    toys, server = upstream
    folder.mkdir()
    box = ToyBox(folder, settings=f'executor = "{executor}"\n')
    box.upstream = toys
    box.follow(toys.draft(server.url), connection=Connection(retries=0))
    box.sync()
    return box, mirroring.mirror(box.workspace, MirrorRequest("box", "shop/window"), publish_after=False)


def ends(result: MirrorResult) -> list[tuple[str, str, str]]:
    return sorted((item.package, item.status, item.message) for item in result.not_in)


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in one if one[name] != other[name]]


def test_processes_of_which_one_dies_bring_the_same_as_one_thread(
    site: Path, tmp_path: Path, upstream: tuple[ToyUpstream, Upstream]
) -> None:
    announce(site, "deadly", "deadly")
    (site / "deadly.py").write_text(DEADLY.format("os.getpid()"))
    threads, expected = mirror(tmp_path / "threads", upstream, "threads:1")
    processes, result = mirror(tmp_path / "processes", upstream, "processes:2")
    assert (site / "died").exists()
    assert ends(result) == ends(expected)
    assert {status for _, status, _ in ends(result)} == {"failed", "rejected", "pending_review"}
    assert processes.members() == threads.members()
    assert differing(threads.dump(*PLACES), processes.dump(*PLACES)) == []
    stored = [sorted(file.key for file in box.workspace.store.files()) for box in (threads, processes)]
    assert stored[0] == stored[1] != []
    # Nothing is left of what was fetched, and nobody waits for more.
    assert [*processes.workspace.fetch_folder.iterdir()] == []
    assert apart.STATIONS._idle == []
    for box in (threads, processes):
        box.workspace.close()


def test_processes_that_share_a_bucket_with_the_command_need_nothing_else_of_it(
    site: Path, tmp_path: Path, upstream: tuple[ToyUpstream, Upstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    toys, server = upstream
    use_credentials(monkeypatch)
    monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "cache"))
    with MotoService() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
        home = f"s3://{new_bucket(service.url)}/home"
        with open_workspace(home, extra_plugins=[("toy", support.toy)]) as workspace:
            initialise(workspace)
            repositories.create_repository(
                workspace, "shop", format_name="toy", publish_to=str(tmp_path / "tree"), sign=False
            )
            repositories.create_distribution(workspace, "shop/window", components=["main"], policy="soft")
            draft = replace(toys.draft(server.url), connection=Connection(retries=0))
            sources.sync_source(workspace, sources.add_source(workspace, draft).source.name)
            workspace.executor = "processes:1"
            result = mirroring.mirror(workspace, MirrorRequest("box", "shop/window"))
            stored = {file.key.rpartition("/")[2] for file in workspace.store.files()}
            fetched = [*workspace.fetch_folder.iterdir()]
    assert (result.added, fetched) == (7, [])
    assert {hashlib.sha256((toys.root / f"{name}_1_any.toy").read_bytes()).hexdigest() for name in CAME} <= stored
    assert {path.name for path in tmp_path.glob("tree/**/*.toy")} == {f"{name}_1_any.toy" for name in CAME}


def test_a_process_that_always_dies_fails_its_packages_and_not_the_command(
    site: Path, tmp_path: Path, upstream: tuple[ToyUpstream, Upstream]
) -> None:
    (site / "sitecustomize.py").write_text("import sys\nif '-m' in sys.orig_argv[:2]: raise SystemExit(3)\n")
    box, result = mirror(tmp_path / "box", upstream, "processes:1")
    assert box.members() == []
    assert {message for _, _, message in ends(result)} == {
        "the process that inspected it ended 3 times (its memory may be too small)"
    }
    box.workspace.close()


def test_what_a_process_lacks_is_said_of_its_packages(
    site: Path, tmp_path: Path, upstream: tuple[ToyUpstream, Upstream]
) -> None:
    shutil.rmtree(site / "toys-1.0.dist-info")
    box, result = mirror(tmp_path / "box", upstream, "processes:1")
    assert box.members() == []
    assert {message for _, _, message in ends(result)} == {"there is no format called 'toy' (known: apt, rpm)"}
    box.workspace.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scanners": ("lost",)}, "there is no scanner called 'lost'"),
        ({"store": "lost://bucket"}, "there is no storage called 'lost'"),
    ],
)
def test_what_plugins_a_process_lacks_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    setup = Setup(
        format="apt",
        distribution=a_distribution(),
        now=NOW,
        max_size=1,
        store=tmp_path.as_uri(),
        storage={},
        source_url="",
        connection=Connection(),
        secrets=Secrets(),
        allow_file=False,
        scanners=(),
        tables={},
        inspection=InspectionSettings(),
    )
    with pytest.raises(NotFoundError, match=message), open_station(replace(setup, **changes)):
        pytest.fail("it is open")


def test_a_station_ends_with_who_asks_it(site: Path) -> None:
    station = subprocess.run([sys.executable, "-m", "entrepot.pipeline.station"], stdin=subprocess.DEVNULL, timeout=60)
    assert station.returncode == 0


def test_a_dask_cluster_that_loses_a_worker_brings_the_same_as_one_thread(
    site: Path, tmp_path: Path, upstream: tuple[ToyUpstream, Upstream]
) -> None:
    pytest.importorskip("distributed")
    # The first process that inspects kills the worker that started it.
    announce(site, "deadly", "deadly")
    (site / "deadly.py").write_text(DEADLY.format("os.getppid()"))
    threads, expected = mirror(tmp_path / "threads", upstream, "threads:1")
    with dask_cluster(tmp_path) as url:
        dask, result = mirror(tmp_path / "dask", upstream, url)
    assert (site / "died").exists()
    assert ends(result) == ends(expected)
    assert differing(threads.dump(*PLACES), dask.dump(*PLACES)) == []
    for box in (threads, dask):
        box.workspace.close()
