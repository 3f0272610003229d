"""Fixtures of the benches, and the table at the end. Benches run only when they are asked for: ``pytest -m bench``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree, load_index
from bench.measure import Report
from bench.peers import Aptly, Entrepot, Reprepro
from support.apt_repository import Key, key_maker
from support.upstream import Upstream

REPORT = pytest.StashKey[Report]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves benches out unless ``-m`` names them."""
    if "bench" in config.option.markexpr:
        return
    benches = [item for item in items if item.get_closest_marker("bench")]
    config.hook.pytest_deselected(items=benches)
    items[:] = [item for item in items if item not in benches]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints what was measured."""
    report = config.stash.get(REPORT, None)
    if report and report.rows:
        terminalreporter.section("figures")
        terminalreporter.write_line(report.text())


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """Takes the figures of all benches."""
    return pytestconfig.stash.setdefault(REPORT, Report())


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    """A key that signs everything, and is thrown away."""
    with key_maker() as make:
        yield make("Bench <bench@example.org>")


@pytest.fixture(scope="session")
def keyring(key: Key, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its public part, in a file."""
    path = tmp_path_factory.mktemp("keyring") / "keyring.gpg"
    path.write_bytes(key.public)
    return path


@pytest.fixture(scope="session")
def index(report: Report) -> Index:
    """The index that everything is made of."""
    found = load_index()
    report.remark(f"index: {len(found.stanzas):,} packages, {len(found.plain):,} bytes; {found.origin}")
    return found


@pytest.fixture
def tree(tmp_path: Path, key: Key) -> UpstreamTree:
    """An empty upstream."""
    return UpstreamTree(tmp_path / "upstream", key)


@pytest.fixture
def server(tree: UpstreamTree) -> Iterator[Upstream]:
    """Serves it on the loopback address, in this process: what that costs is nobody's."""
    with Upstream(root=tree.root) as up:
        yield up


@pytest.fixture
def entrepot(tmp_path: Path, key: Key) -> Entrepot:
    """Our command line on a new workspace."""
    return Entrepot(tmp_path / "entrepot", key.home)


@pytest.fixture
def aptly(tmp_path: Path, key: Key) -> Aptly:
    """aptly with nothing in it."""
    return Aptly(tmp_path / "aptly", key.home)


@pytest.fixture
def reprepro(tmp_path: Path, key: Key) -> Reprepro:
    """reprepro with nothing in it."""
    return Reprepro(tmp_path / "reprepro", key.home)
