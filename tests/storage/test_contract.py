"""The contract suite on each backend, bare and behind each wrapper that changes nothing when nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.contracts import Storage
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


class _Wrapped(StorageContract):
    @pytest.fixture(params=["memory", "local"], autouse=True)
    def backend(self, request: pytest.FixtureRequest) -> None:
        self._backend = str(request.param)

    def make_storage(self, folder: Path) -> Storage:
        return self.wrap(MemoryStorage(folder.name) if self._backend == "memory" else LocalStorage(folder))

    def wrap(self, inner: Storage) -> Storage:
        raise NotImplementedError


class TestRetryingStorage(_Wrapped):
    def wrap(self, inner: Storage) -> Storage:
        return RetryingStorage(inner)


class TestCountingStorage(_Wrapped):
    def wrap(self, inner: Storage) -> Storage:
        return CountingStorage(inner)


class TestFaultyStorage(_Wrapped):
    def wrap(self, inner: Storage) -> Storage:
        return FaultyStorage(inner)
