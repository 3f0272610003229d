"""What holds for every test: nothing outside this machine is reached, and where it matters nothing is skipped."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlite_utils import Database

from entrepot.catalog import catalog, database
from entrepot.contracts import is_isolated
from entrepot.pipeline import panel

# How quick a machine is, is no property of the code: others may be at work on it.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")

# Nothing of what collecting tests makes is garbage before the end: to look through it again and again costs more than
# many a test. Collecting goes on below, where it is done.
gc.disable()


def _memory() -> Path | None:
    """A folder in memory, where there is room and programs may be run in it."""
    folder = Path("/dev/shm")
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    fit = os.access(folder, os.W_OK | os.X_OK) and not found.f_flag & os.ST_NOEXEC
    return folder if fit and found.f_bavail * found.f_frsize >= 4 << 30 else None


def pytest_configure(config: pytest.Config) -> None:
    """Nothing that tests write is kept, and on a disk they wait for it: half of the time of those that publish much.

    Benches measure what users have.
    """
    measured = "bench" in config.option.markexpr.replace("not bench", "")
    if not measured and "TMPDIR" not in os.environ and (memory := _memory()):
        os.environ["TMPDIR"] = tempfile.tempdir = str(memory)


def pytest_collection_finish() -> None:
    """Garbage is collected from here on, without a look at what is there already."""
    gc.freeze()
    gc.enable()


def _is_here(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = str(address[0])
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def outside_network_is_blocked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to another machine is an error, except in tests that carry the mark ``network`` or ``bench``."""
    if not any(request.node.get_closest_marker(mark) for mark in ("network", "bench")):
        connect = socket.socket.connect

        def checked(self: socket.socket, address: Any) -> None:
            if not _is_here(address):
                raise AssertionError(f"a test reached for {address}")
            connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture(scope="session", autouse=True)
def scanners_share_the_process_of_tests() -> Generator[None]:
    """Scanners get processes of their own only in tests that carry the mark ``isolated``.

    To fork a process of this size several times for every import is most of what a test of another subject, or a
    fixture for many of them, would cost.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panel, "is_isolated", lambda _: False)
        yield


@pytest.fixture(autouse=True)
def scanners_are_isolated_where_it_matters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that carry the mark ``isolated`` isolate all scanners, or those alone that it names."""
    if marker := request.node.get_closest_marker("isolated"):
        named = marker.args
        monkeypatch.setattr(panel, "is_isolated", lambda it: is_isolated(it) and (not named or it.name in named))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ENTREPOT_NO_SKIP=1, as in continuous integration, a test that is skipped for want of a program has failed.

    The collection of real packages is no program: tests that carry the mark ``corpus`` may be skipped.
    """
    report = yield
    if report.skipped and os.environ.get("ENTREPOT_NO_SKIP") and not item.get_closest_marker("corpus"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def new_catalogs_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """A new catalog is a copy of an empty one, which is as if it were made, and quicker: 4 ms instead of 80.

    ``entrepot.catalog.database.open_database``, and programs of their own, make theirs.
    """
    empty = tmp_path_factory.mktemp("catalog") / "empty.db"
    database.open_database(empty).close()

    def opened(path: Path) -> Database:
        if path.parent.is_dir() and not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent) as folder, suppress(FileExistsError):
                os.link(shutil.copyfile(empty, Path(folder) / "catalog.db"), path)
        return database.open_database(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "open_database", opened)
        yield
