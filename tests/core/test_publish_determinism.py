"""The same packages at the same time are the same tree, signatures included, however they came in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.apt_repository import Key
from support.children import killed_python
from support.debs import make_deb, make_source
from support.tree_checker import contents
from support.workspaces import NOW, Depot

IN_ANOTHER_PROCESS = f"""
import datetime, sys
from pathlib import Path
from entrepot.services.publishing import publish
from entrepot.workspace import Workspace

now = datetime.datetime.fromisoformat("{NOW.isoformat()}")
publish(Workspace(Path(sys.argv[1]), clock=lambda: now), "example/stable")
"""


@pytest.fixture(scope="module")
def key(keys: Callable[[], Key]) -> Key:
    return keys()


def a_depot(folder: Path, key: Key) -> Depot:
    depot = Depot(folder, key)
    depot.distribute(architectures=("amd64", "arm64", "source"), compressions=("gz", "xz", "zst"))
    return depot


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("packages")
    debs = [make_deb(folder, name, version) for name in ("bb", "aa", "libc+") for version in ("1.0", "1:0.5~rc1")]
    return [*debs, make_deb(folder, "data", arch="all"), make_source(folder, "aa")[0]]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, packages: list[Path], key: Key) -> dict[str, bytes]:
    """What is published of all packages at once."""
    depot = a_depot(tmp_path_factory.mktemp("tree") / "depot", key)
    depot.upload(*packages, publish=True)
    depot.close()
    return contents(depot.tree)


def test_packages_that_came_in_one_by_one_in_any_order_make_the_same_tree(
    tmp_path: Path, packages: list[Path], key: Key, tree: dict[str, bytes]
) -> None:
    depot = a_depot(tmp_path / "depot", key)
    for package in reversed(packages):
        depot.upload(package)
    depot.publish()
    assert contents(depot.tree) == tree
    depot.close()


def test_another_process_makes_the_same_tree(
    tmp_path: Path, packages: list[Path], key: Key, tree: dict[str, bytes]
) -> None:
    depot = a_depot(tmp_path / "depot", key)
    depot.upload(*packages)
    depot.close()
    with killed_python(IN_ANOTHER_PROCESS, str(depot.home)) as child:
        assert child.wait(timeout=60) == 0
    assert contents(depot.tree) == tree


def test_a_lost_cache_changes_nothing(tmp_path: Path, packages: list[Path], key: Key, tree: dict[str, bytes]) -> None:
    depot = a_depot(tmp_path / "depot", key)
    depot.upload(*packages, publish=True)
    shutil.rmtree(depot.workspace.cache_folder)
    assert depot.publish(force=True) == "published"
    assert contents(depot.tree) == tree
    depot.close()
