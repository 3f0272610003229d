"""However a command ends, no process that inspected for it is left."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

import pytest

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Status
from support import odd_scanners as odd
from support.children import start_python
from support.odd_scanners import Odd
from support.panels import panel_of, toy_case

pytestmark = pytest.mark.isolated

COMMAND = """
import sys
from pathlib import Path
from support.odd_scanners import Odd, hang, with_children
from support.panels import panel_of, toy_case

folder = Path(sys.argv[1])
with panel_of(folder, Odd("odd", with_children(folder / "pids", hang)), timeout=600) as panel:
    panel.ask(toy_case(folder))
"""


def processes(folder: Path) -> list[int]:
    """The three processes of the scanner, once all of them are there."""
    pids = folder / "pids"
    while not (pids.exists() and len(pids.read_text().split()) == 3):
        os.sched_yield()
    return [int(pid) for pid in pids.read_text().split()]


def wait_gone(pids: list[int]) -> None:
    """Returns when all are over; a process that stays fails the test by its time-out of ten seconds each."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([descriptor], [], [], 10)[0], f"process {pid} is left"
        finally:
            os.close(descriptor)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_command_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    child = start_python(COMMAND, str(tmp_path))
    try:
        pids = processes(tmp_path)
        assert all(Path("/proc", str(pid)).exists() for pid in pids)
        child.send_signal(number)
        assert child.wait(timeout=30) == -number
        wait_gone(pids)
    finally:
        child.kill()
        child.communicate()


def test_nothing_outlives_a_command_that_is_interrupted(tmp_path: Path) -> None:
    child = start_python(COMMAND, str(tmp_path))
    try:
        pids = processes(tmp_path)
        child.send_signal(signal.SIGINT)
        # The worker is asked for ten minutes; the command does not wait for that.
        assert child.wait(timeout=30) == -signal.SIGINT
        wait_gone(pids)
    finally:
        child.kill()
        child.communicate()


def test_what_is_asked_when_a_batch_is_given_up_is_lost_at_once(tmp_path: Path) -> None:
    with panel_of(tmp_path, Odd("odd", odd.with_children(tmp_path / "pids", odd.hang)), timeout=600) as panel:
        said: list[StoredVerdict] = []
        thread = threading.Thread(target=lambda: said.extend(panel.ask(toy_case(tmp_path))))
        thread.start()
        pids = processes(tmp_path)
        panel.abort()
        thread.join(30)
        assert [stored.verdict.message for stored in said] == ["the batch was ended before it answered"]
        assert panel.ask(toy_case(tmp_path))[0].verdict.status is Status.ERROR
    wait_gone(pids)


def test_it_works_beside_threads_that_hold_locks(tmp_path: Path) -> None:
    """As in a server: Python warns of that fork from 3.12 on, and here a warning would be an error."""
    done = threading.Event()
    lock = threading.Lock()

    def hold() -> None:
        with lock:
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        with panel_of(tmp_path, Odd("odd", odd.fine)) as panel:
            assert panel.ask(toy_case(tmp_path))[0].verdict.status is Status.PASS
    finally:
        done.set()
        thread.join()


def test_two_batches_at_once_do_not_hold_each_others_processes(tmp_path: Path) -> None:
    with panel_of(tmp_path, Odd("odd", odd.fine)) as first:
        assert first.ask(toy_case(tmp_path))[0].verdict.status is Status.PASS
        with panel_of(tmp_path, Odd("odd", odd.fine)) as second:
            assert second.ask(toy_case(tmp_path))[0].verdict.status is Status.PASS
            first.abort()
            assert first.ask(toy_case(tmp_path))[0].verdict.status is Status.ERROR
            assert second.ask(toy_case(tmp_path))[0].verdict.status is Status.PASS
