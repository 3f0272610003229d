"""Trying again: as often as allowed, only where it may help, and without storing anything wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage
from entrepot.errors import NotFoundError, PreconditionError, StorageError
from entrepot_storage.contract.base import broken_body, content, keys
from entrepot_storage.memory import MemoryStorage
from entrepot_storage.wrappers import RetryingStorage


def cut() -> StorageError:
    return StorageError("the line is cut", transient=True)


class Flaky(MemoryStorage):
    """Fails ``failures`` times, then never again: with the answer of a write lost, or after some chunks of its body."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__("flaky")
        self.failures = failures
        self.error: Callable[[], Exception] = cut
        self.taken = 0
        self.answer_lost = False

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error()

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        self._fail()
        return super().read(key, offset=offset)

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        if self.failures and not isinstance(body, bytes | Path):
            chunks = iter(body)
            for _ in range(self.taken):
                next(chunks, b"")
        if not self.answer_lost:
            self._fail()
        info = super().write(key, body, meta=meta, if_absent=if_absent, if_match=if_match)
        self._fail()
        return info

    def stat(self, key: str) -> ObjectInfo | None:
        self._fail()
        return super().stat(key)

    def delete(self, key: str) -> None:
        self._fail()
        super().delete(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for number, info in enumerate(super().list(prefix)):
            if number == 2:
                self._fail()
            yield info

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        self._fail()
        return super().copy(origin, origin_key, key, meta=meta)


@pytest.fixture
def flaky() -> Flaky:
    storage = Flaky()
    for key in "abcd":
        storage.write(key, key.encode())
    return storage


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def retrying(flaky: Flaky, pauses: list[float]) -> RetryingStorage:
    return RetryingStorage(flaky, tries=4, pause=1.0, longest=5.0, sleep=pauses.append, chance=lambda: 0.5)


CALLS: dict[str, Callable[[Storage], object]] = {
    "read": lambda storage: content(storage, "a"),
    "write": lambda storage: storage.write("new", b"n").size,
    "stat": lambda storage: storage.stat("a"),
    "delete": lambda storage: storage.delete("a"),
    "list": keys,
    "copy": lambda storage: storage.copy(storage, "a", "new").size,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_is_tried_again(
    flaky: Flaky, retrying: RetryingStorage, pauses: list[float], call: Callable[[Storage], object]
) -> None:
    flaky.failures = 3
    call(retrying)
    assert flaky.failures == 0
    assert pauses == [1.0, 2.0, 2.5]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_tries_are_bounded(
    flaky: Flaky, retrying: RetryingStorage, pauses: list[float], call: Callable[[Storage], object]
) -> None:
    flaky.failures = 100
    with pytest.raises(StorageError, match="the line is cut"):
        call(retrying)
    assert len(pauses) == 3
    assert flaky.failures == 96


@pytest.mark.parametrize("error", [StorageError("full"), StorageError("odd", transient="yes"), NotFoundError("gone")])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_is_not_transient_is_not_tried_again(
    flaky: Flaky,
    retrying: RetryingStorage,
    pauses: list[float],
    call: Callable[[Storage], object],
    error: Exception,
) -> None:
    flaky.failures = 1
    flaky.error = lambda: error
    with pytest.raises(type(error)):
        call(retrying)
    assert pauses == []


@pytest.mark.parametrize("taken", [0, 1, 3])
@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_body_that_can_be_read_once_is_written_whole_at_a_later_try(
    flaky: Flaky, retrying: RetryingStorage, taken: int, size: int
) -> None:
    flaky.taken = taken
    flaky.failures = 3
    chunks = [bytes([number]) * size for number in range(3)]
    retrying.write("new", (chunk for chunk in [*chunks, b"end"]))
    assert content(flaky, "new") == b"".join(chunks) + b"end"


def test_a_body_that_fails_is_not_tried_again(flaky: Flaky, retrying: RetryingStorage, pauses: list[float]) -> None:
    with pytest.raises(ZeroDivisionError):
        retrying.write("new", broken_body())
    assert flaky.stat("new") is None
    assert pauses == []


def test_a_body_that_fails_as_if_transient_is_never_taken_for_a_shorter_one(
    flaky: Flaky, retrying: RetryingStorage, pauses: list[float]
) -> None:
    def body() -> Iterator[bytes]:
        yield b"first half"
        raise cut()

    with pytest.raises(StorageError, match="cut"):
        retrying.write("new", body())
    assert flaky.stat("new") is None
    assert pauses == []


@pytest.mark.parametrize("kind", ["bytes", "file", "chunks", "digest"])
def test_a_conditional_write_whose_answer_was_lost_is_known_as_our_own(
    flaky: Flaky, retrying: RetryingStorage, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"owner: me")
    bodies: dict[str, Body] = {
        "bytes": b"owner: me",
        "file": file,
        "chunks": (piece for piece in (b"owner: ", b"me")),
        "digest": (piece for piece in (b"owner: ", b"me")),
    }
    digest = hashlib.sha256(b"owner: me").hexdigest()
    meta = ObjectMeta(sha256=digest) if kind == "digest" else None
    flaky.answer_lost = True
    flaky.failures = 1
    info = retrying.write("lease", bodies[kind], meta=meta, if_absent=True)
    assert info == flaky.stat("lease")
    assert content(flaky, "lease") == b"owner: me"


def test_a_conditional_write_that_somebody_else_won_meanwhile_is_refused(
    flaky: Flaky, retrying: RetryingStorage
) -> None:
    def lose() -> StorageError:
        MemoryStorage.write(flaky, "lease", b"owner: them")
        return cut()

    flaky.error = lose
    flaky.failures = 1
    with pytest.raises(PreconditionError):
        retrying.write("lease", b"owner: me", if_absent=True)
    assert content(flaky, "lease") == b"owner: them"


def test_a_condition_that_does_not_hold_at_first_is_refused_whatever_is_there(
    flaky: Flaky, retrying: RetryingStorage
) -> None:
    flaky.write("lease", b"owner: me")
    with pytest.raises(PreconditionError):
        retrying.write("lease", b"owner: me", if_absent=True)


def test_a_listing_that_breaks_goes_on_after_its_last_key(
    flaky: Flaky, retrying: RetryingStorage, pauses: list[float]
) -> None:
    flaky.failures = 2
    assert keys(retrying) == ["a", "b", "c", "d"]
    assert len(pauses) == 2
