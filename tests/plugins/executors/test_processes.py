"""``processes:`` and ``dask:``: how many, where, and what makes no sense."""

from __future__ import annotations

import pytest

from entrepot.contracts import Cluster
from entrepot.errors import EntrepotError, UsageError
from entrepot_plugins.executors import DaskExecutorFactory, ProcessesExecutorFactory


def test_what_is_sent_apart_and_what_stays_here_is_both_done() -> None:
    with ProcessesExecutorFactory().open("processes:1", 1) as executor:
        assert isinstance(executor, Cluster)
        # What stays waits for what is apart: the one thread of each is enough.
        waiting = executor.submit(lambda: executor.submit_apart(bytes.upper, b"there").result())
        assert waiting.result(60) == b"THERE"
    with pytest.raises(RuntimeError):
        executor.submit(len, "")


@pytest.mark.parametrize("url", ["processes:0", "processes:65", "processes:x", "processes:²", "threads:1"])
def test_a_number_out_of_range_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is no number of processes"):
        ProcessesExecutorFactory().open(url, 1).__enter__()


@pytest.mark.parametrize(
    "url", ["dask:", "dask://", "dask://host", "dask://host:x", "dask://me:hunter2@host:1", "dask:ftp://host:1"]
)
def test_what_is_no_address_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(UsageError, match="no address of a Dask scheduler") as caught:
        DaskExecutorFactory().open(url, 1).__enter__()
    assert "hunter2" not in str(caught.value)


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("entrepot_plugins.executors.dask.PATIENCE", 0.5)
    with pytest.raises(EntrepotError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        DaskExecutorFactory().open("dask://127.0.0.1:9", 1).__enter__()
