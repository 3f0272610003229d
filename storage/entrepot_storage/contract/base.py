"""What the parts of the contract suite share."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrepot.contracts import Storage

WRITERS = 16


def content(storage: Storage, key: str, offset: int = 0) -> bytes:
    """All of an object from ``offset``."""
    with storage.read(key, offset=offset) as stream:
        return stream.read()


def keys(storage: Storage, prefix: str = "") -> list[str]:
    """The keys that a listing gives, as it gives them."""
    return [info.key for info in storage.list(prefix)]


def at_once(task: Callable[[int], bool], count: int = WRITERS) -> int:
    """Runs ``task(n)`` in as many threads, which start together; how many of them returned true."""
    barrier = threading.Barrier(count)

    def run(number: int) -> bool:
        barrier.wait()
        return task(number)

    with ThreadPoolExecutor(count) as threads:
        return sum(threads.map(run, range(count)))


def broken_body() -> Iterator[bytes]:
    """A body that fails after 1 MiB."""
    for _ in range(16):
        yield b"x" * 65536
    raise ZeroDivisionError("the body failed")


class ContractBase(ABC):
    """The storages that the tests of a part work on."""

    @abstractmethod
    def make_storage(self, folder: Path) -> Storage:
        """A new, empty storage; ``folder`` does not exist yet, and is another for every one that a test needs."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        """The storage under test."""
        made = self.make_storage(tmp_path / "one")
        yield made
        made.close()

    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[Storage]:
        """A second storage of the same kind."""
        made = self.make_storage(tmp_path / "two")
        yield made
        made.close()

    @pytest.fixture
    def conditional(self, storage: Storage) -> Storage:
        """The storage under test, if it has conditional writes."""
        if not storage.properties.conditional_writes:
            pytest.skip("this storage has no conditional writes")
        return storage
