"""``threads:``: a pool of threads of this process."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

import entrepot_plugins.executors
from entrepot.contracts import ExecutorFactory
from entrepot.errors import UsageError
from entrepot_plugins.executors import ThreadsExecutorFactory


def test_the_plugin_registers_threads_first() -> None:
    factory, *_ = entrepot_plugins.executors.register_executors()
    checked: ExecutorFactory = factory
    assert checked.scheme == "threads"


@pytest.mark.parametrize(("url", "workers", "threads"), [("threads:", 3, 3), ("threads:2", 9, 2), ("threads", 1, 1)])
def test_as_many_threads_work_as_were_asked_for(url: str, workers: int, threads: int) -> None:
    meeting = threading.Barrier(threads, timeout=10)
    with ThreadsExecutorFactory().open(url, workers) as executor:
        names = list(executor.map(lambda _: (meeting.wait(), threading.current_thread().name)[1], range(threads)))
    assert len(set(names)) == threads
    assert all(name.startswith("entrepot") for name in names)


def test_the_work_is_done_at_the_end_of_the_context() -> None:
    with ThreadsExecutorFactory().open("threads:", 2) as executor:
        futures = [executor.submit(pow, 2, number) for number in range(50)]
    assert all(future.done() for future in futures)
    with pytest.raises(RuntimeError):
        executor.submit(pow, 2, 2)


def test_an_error_cancels_what_has_not_begun() -> None:
    begun, go = threading.Event(), threading.Event()
    waiting: list[Future[bool]] = []

    def first() -> bool:
        begun.set()
        return go.wait(10)

    def fail() -> None:
        with ThreadsExecutorFactory().open("threads:1", 1) as executor:
            executor.submit(first)
            waiting.append(executor.submit(go.wait, 10))
            begun.wait(10)
            threading.Timer(0.01, go.set).start()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert waiting[0].cancelled()


@pytest.mark.parametrize(
    "url", ["threads:0", "threads:257", "threads:x", "threads:-1", "threads:²", "threads:99999", "a:1", ""]
)
def test_a_number_out_of_range_is_refused(url: str) -> None:
    with pytest.raises(UsageError), ThreadsExecutorFactory().open(url, 4):
        pass


def test_no_workers_are_refused() -> None:
    with pytest.raises(UsageError), ThreadsExecutorFactory().open("threads:", 0):
        pass
