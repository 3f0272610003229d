"""Wrappers that pretend, count and fail: what they add, and that they take nothing away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.contracts import ObjectMeta, Storage
from entrepot.errors import NotFoundError, PreconditionError, StorageError
from entrepot_storage.base import unwrap
from entrepot_storage.contract.base import broken_body, content, keys
from entrepot_storage.local import LocalStorage
from entrepot_storage.memory import MemoryStorage
from entrepot_storage.wrappers import (
    CountingStorage,
    Counts,
    DryRunStorage,
    FaultyStorage,
    Operation,
    RetryingStorage,
)

WRAPPERS: list[Callable[[Storage], Storage]] = [RetryingStorage, DryRunStorage, CountingStorage, FaultyStorage]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_has_the_properties_of_what_it_wraps(tmp_path: Path, wrapper: Callable[[Storage], Storage]) -> None:
    inner = LocalStorage(tmp_path)
    assert wrapper(wrapper(inner)).properties == inner.properties
    assert unwrap(wrapper(wrapper(inner))) is inner


@pytest.mark.parametrize("wrapper", [RetryingStorage, CountingStorage, FaultyStorage])
def test_a_copy_between_wrapped_folders_is_still_a_link(tmp_path: Path, wrapper: Callable[[Storage], Storage]) -> None:
    store, tree = wrapper(LocalStorage(tmp_path / "store")), wrapper(LocalStorage(tmp_path / "tree"))
    store.write("a", b"content")
    tree.copy(store, "a", "a")
    tree.copy(tree, "a", "b")
    assert (tmp_path / "store/a").samefile(tmp_path / "tree/b")


# ----------------------------------------------------------------------------------------------------------- dry run


@pytest.fixture
def inner() -> MemoryStorage:
    storage = MemoryStorage()
    storage.write("old", b"old")
    return storage


def test_a_dry_run_lists_what_it_would_do_and_does_nothing(inner: MemoryStorage) -> None:
    dry = DryRunStorage(inner)
    dry.write("new", (piece for piece in (b"ab", b"c")))
    dry.write("old", b"other")
    dry.copy(dry, "old", "copy")
    dry.delete("old")
    dry.delete("never there")
    assert dry.operations == (
        Operation("write", "new", 3),
        Operation("write", "old", 5),
        Operation("copy", "copy", 5),
        Operation("delete", "old", 0),
    )
    assert content(dry, "old") == content(inner, "old") == b"old"
    assert keys(dry) == keys(inner) == ["old"]
    assert dry.stat("new") is None


def test_a_dry_run_checks_conditions_against_what_it_would_have_done(inner: MemoryStorage) -> None:
    dry = DryRunStorage(inner)
    info = dry.write("lease", b"mine", if_absent=True)
    with pytest.raises(PreconditionError):
        dry.write("lease", b"theirs", if_absent=True)
    dry.write("lease", b"mine still", if_match=info.etag)
    with pytest.raises(PreconditionError):
        dry.write("lease", b"mine again", if_match=info.etag)
    dry.delete("lease")
    dry.write("lease", b"mine anew", if_absent=True)
    before = inner.stat("old")
    assert before is not None
    dry.write("old", b"newer", if_match=before.etag)
    with pytest.raises(PreconditionError):
        dry.write("old", b"newest", if_match=before.etag)
    assert keys(inner) == ["old"]


def test_a_dry_run_fails_where_the_real_one_would(inner: MemoryStorage) -> None:
    dry = DryRunStorage(inner)
    with pytest.raises(ZeroDivisionError):
        dry.write("new", broken_body())
    with pytest.raises(StorageError, match="0" * 64):
        dry.write("new", b"x", meta=ObjectMeta(sha256="0" * 64))
    with pytest.raises(NotFoundError, match="missing"):
        dry.copy(dry, "missing", "new")
    with pytest.raises(NotFoundError, match="missing"):
        dry.copy(inner, "missing", "new")
    assert dry.operations == ()


def test_a_dry_run_on_a_folder_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    dry = DryRunStorage(LocalStorage(tmp_path / "tree"))
    dry.write("a", b"a", if_absent=True)
    dry.delete("a")
    dry.close()
    assert not (tmp_path / "tree").exists()


# ---------------------------------------------------------------------------------------------------------- counting


def test_every_request_is_counted_with_its_bytes(inner: MemoryStorage) -> None:
    counting = CountingStorage(inner)
    counting.write("a", b"12345")
    counting.copy(counting, "a", "b")
    content(counting, "a", 2)
    counting.stat("a")
    keys(counting)
    counting.delete("a")
    assert counting.counts == Counts(
        reads=1, writes=1, copies=1, stats=1, lists=1, deletes=1, bytes_read=3, bytes_written=5, bytes_copied=5
    )


def test_counts_can_be_told_apart_by_time(inner: MemoryStorage) -> None:
    counting = CountingStorage(inner)
    counting.write("a", b"12345")
    before = counting.counts
    counting.write("b", b"12")
    assert counting.counts - before == Counts(writes=1, bytes_written=2)


def test_what_fails_counts_as_asked_but_moves_no_bytes(inner: MemoryStorage) -> None:
    counting = CountingStorage(inner)
    with pytest.raises(PreconditionError):
        counting.write("old", b"12345", if_absent=True)
    with pytest.raises(NotFoundError):
        counting.read("missing")
    assert counting.counts == Counts(writes=1, reads=1)


def test_a_counted_stream_is_closed_with_its_original(tmp_path: Path) -> None:
    counting = CountingStorage(LocalStorage(tmp_path))
    counting.write("a", b"one\ntwo\n")
    with counting.read("a") as stream:
        assert stream.readline() == b"one\n"
        assert stream.readlines() == [b"two\n"]
    assert stream.closed
    assert counting.counts.bytes_read == 8


# ----------------------------------------------------------------------------------------------------------- failing


def three_steps(storage: Storage) -> None:
    storage.write("a", b"new")
    storage.copy(storage, "a", "b")
    storage.delete("old")


def test_a_storage_that_never_fails_counts_its_calls(inner: MemoryStorage) -> None:
    faulty = FaultyStorage(inner)
    three_steps(faulty)
    assert (faulty.calls, faulty.failed) == (3, False)


@pytest.mark.parametrize(
    ("fail_at", "after", "left"),
    [
        (1, False, ["old"]),
        (1, True, ["a", "old"]),
        (2, False, ["a", "old"]),
        (2, True, ["a", "b", "old"]),
        (3, False, ["a", "b", "old"]),
        (3, True, ["a", "b"]),
    ],
)
def test_the_call_that_shall_fail_fails_before_or_after_its_work(
    inner: MemoryStorage, fail_at: int, after: bool, left: list[str]
) -> None:
    faulty = FaultyStorage(inner, fail_at=fail_at, after=after)
    with pytest.raises(StorageError, match="on purpose"):
        three_steps(faulty)
    assert keys(inner) == left
    assert faulty.failed


def test_only_one_call_fails_unless_the_storage_is_dead(inner: MemoryStorage) -> None:
    faulty = FaultyStorage(inner, fail_at=1)
    with pytest.raises(StorageError):
        faulty.write("a", b"a")
    faulty.write("a", b"a")
    assert keys(faulty) == ["a", "old"]


def test_a_dead_storage_does_nothing_any_more(inner: MemoryStorage) -> None:
    class Killed(BaseException):
        """As the end of a process: nothing that handles errors catches it."""

    faulty = FaultyStorage(inner, fail_at=1, dead=True, error=Killed)
    attempts: list[Callable[[], object]] = [
        lambda: faulty.write("a", b"a"),
        lambda: faulty.delete("old"),
        lambda: faulty.copy(faulty, "old", "a"),
        lambda: faulty.read("old"),
        lambda: faulty.stat("old"),
        lambda: faulty.list(),
    ]
    for attempt in attempts:
        with pytest.raises(Killed):
            attempt()
    assert keys(inner) == ["old"]
    assert faulty.calls == 1
