"""Publishers as processes of their own: killed at any moment, and two at once. Signed by the real gpg."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from entrepot.services.operations import tasks
from support.apt_repository import Key
from support.children import killed_python, run_all
from support.debs import make_deb
from support.tree_checker import GpgvSignatures, packages_in
from support.workspaces import Depot

COMMAND = "from entrepot.cli import main; main(prog_name='entrepot')"
PACKAGES = {
    1: frozenset({"main:hello:amd64=1.0-1"}),
    2: frozenset({"main:hello:amd64=1.0-1", "main:hello:amd64=2.0-1"}),
}
KILLS = 5


@pytest.fixture
def depot(tmp_path: Path, keys: Callable[[], Key]) -> Iterator[Depot]:
    """Two versions; the first is published."""
    depot = Depot(tmp_path / "depot", keys())
    depot.distribute()
    depot.upload(make_deb(tmp_path), publish=True)
    depot.upload(make_deb(tmp_path, version="2.0-1"))
    yield depot
    depot.close()


@pytest.fixture
def signatures(depot: Depot, tmp_path: Path) -> GpgvSignatures:
    assert depot.key
    keyring = tmp_path / "archive.gpg"
    keyring.write_bytes(depot.key.public)
    return GpgvSignatures(keyring)


def publishing(depot: Depot, version: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """``entrepot publish`` as a process."""
    return killed_python(
        COMMAND, "--home", str(depot.home), "--quiet", "publish", "example/stable", "--version", str(version)
    )


def test_a_publish_that_is_killed_at_any_moment_leaves_a_whole_tree_and_the_next_one_finishes(
    depot: Depot, signatures: GpgvSignatures
) -> None:
    begin = time.monotonic()
    with publishing(depot, 2) as child:
        assert child.wait(timeout=60) == 0
    lasts = time.monotonic() - begin
    assert packages_in(depot.tree, "stable", signatures) == PACKAGES[2]
    moments = random.Random(2).choices(range(30, 100), k=KILLS)
    for turn, percent in enumerate(moments):
        version = 1 + turn % 2
        with publishing(depot, version) as child, suppress(subprocess.TimeoutExpired):
            child.wait(timeout=lasts * percent / 100)
        assert packages_in(depot.tree, "stable", signatures, settled=False) in PACKAGES.values()
        depot.publish(version=version)
        assert packages_in(depot.tree, "stable", signatures) == PACKAGES[version]
        assert {task["state"] for task in tasks(depot.workspace, 100)} <= {"completed", "failed"}


WRITE_BY_WRITE = """
import sys
from pathlib import Path
from entrepot.services.publishing import PublishRequest, publish
from entrepot.workspace import Workspace

def tell(event):
    print(event.done, flush=True)
    sys.stdin.readline()

publish(Workspace(Path(sys.argv[1])), "example/stable", tell, PublishRequest(2))
"""


@pytest.mark.parametrize("writes", [1, 3, 5, 6])
def test_a_publisher_that_is_killed_is_succeeded_at_once_and_its_task_has_failed(
    depot: Depot, signatures: GpgvSignatures, writes: int
) -> None:
    with killed_python(WRITE_BY_WRITE, str(depot.home)) as child:
        assert child.stdout
        assert child.stdin
        for done in range(1, writes):
            assert child.stdout.readline() == f"{done}\n"
            child.stdin.write("go on\n")
            child.stdin.flush()
        assert child.stdout.readline() == f"{writes}\n"
    assert packages_in(depot.tree, "stable", signatures, settled=False) in PACKAGES.values()
    assert depot.publish(version=2) == "published"
    assert packages_in(depot.tree, "stable", signatures) == PACKAGES[2]
    states = [(task["kind"], task["state"]) for task in tasks(depot.workspace, 2)]
    assert states == [("publish", "completed"), ("publish", "failed")]


PUBLISHER = """
import sys
from pathlib import Path
from entrepot.errors import BusyError
from entrepot.services.publishing import PublishRequest, publish
from entrepot.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(6):
    try:
        request = PublishRequest((turn + int(sys.argv[2])) % 2 + 1, force=True)
        print(publish(workspace, "example/stable", request=request).status)
    except BusyError:
        print("busy")
"""


def test_two_publishers_at_once_end_well_or_one_is_told_that_the_other_is_busy(
    depot: Depot, signatures: GpgvSignatures
) -> None:
    outputs = run_all(PUBLISHER, [(str(depot.home), "0"), (str(depot.home), "1")])
    outcomes = [line for output in outputs for line in output.split()]
    assert len(outcomes) == 12
    assert set(outcomes) <= {"published", "busy"}
    assert "published" in outcomes
    latest = depot.published_version()
    assert packages_in(depot.tree, "stable", signatures) == PACKAGES[latest]
    assert depot.publish(version=latest) == "unchanged"
