"""The contract suite on each backend, bare and behind each wrapper that changes nothing when nothing fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage
from entrepot_storage.contract import StorageContract
from entrepot_storage.local import LocalStorage
from entrepot_storage.memory import MemoryStorage
from entrepot_storage.wrappers import CountingStorage, FaultyStorage, RetryingStorage


class TestMemoryStorage(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return MemoryStorage(folder.name)


class TestLocalStorage(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return LocalStorage(folder)


class TestLocalStorageWithoutLinks(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return LocalStorage(folder, hardlinks=False)


class TestRetryingStorage(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return RetryingStorage(MemoryStorage(folder.name))


class TestCountingStorage(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return CountingStorage(MemoryStorage(folder.name))


class TestFaultyStorage(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return FaultyStorage(MemoryStorage(folder.name))


class TestLocalStorageBehindAllWrappers(StorageContract):
    def make_storage(self, folder: Path) -> Storage:
        return CountingStorage(RetryingStorage(FaultyStorage(LocalStorage(folder))))


class Careless(MemoryStorage):
    """Wrong in one way, which ``fault`` names."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        if self.fault == "half a write" and not isinstance(body, bytes | Path):
            for chunk in body:
                super().write(key, chunk)
        if self.fault == "no conditions":
            if_absent, if_match = False, None
        return super().write(key, body, meta=meta, if_absent=if_absent, if_match=if_match)

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        return super().read(key, offset=0 if self.fault == "no offset" else offset)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        if self.fault == "prefix is a folder" and prefix and not prefix.endswith("/"):
            prefix += "/"
        return super().list(prefix)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("no conditions", StorageContract.test_if_absent_refuses_to_replace),
        ("no conditions", StorageContract.test_of_many_writers_if_match_one_wins),
        ("half a write", StorageContract.test_a_body_that_fails_leaves_the_old_object),
        ("half a write", StorageContract.test_an_object_shows_when_its_body_has_ended),
        ("prefix is a folder", StorageContract.test_a_prefix_is_any_text),
    ],
)
def test_the_contract_finds_what_is_wrong(fault: str, check: Callable[[StorageContract, Storage], None]) -> None:
    check(TestMemoryStorage(), MemoryStorage())
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(TestMemoryStorage(), Careless(fault))


def test_the_contract_finds_offsets_that_are_not_heeded() -> None:
    with pytest.raises(AssertionError):
        TestMemoryStorage().test_reading_begins_at_the_offset(Careless("no offset"), 4, b"456789")
