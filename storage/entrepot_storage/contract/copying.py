"""Contract of storages: copies within one, and from one to another."""

from __future__ import annotations

import pytest

from entrepot.contracts import Storage, StorageProperties
from entrepot.errors import NotFoundError
from entrepot_storage.contract.base import ContractBase, content, keys


class _Foreign:
    """A storage of a kind that no backend knows: all that is left is to read from it and to write to it."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.properties = StorageProperties(scheme="foreign", conditional_writes=inner.properties.conditional_writes)
        self.read = inner.read
        self.write = inner.write
        self.stat = inner.stat
        self.delete = inner.delete
        self.list = inner.list
        self.copy = inner.copy
        self.close = inner.close


class CopyContract(ContractBase):
    """Copies, and what becomes of the original."""

    @pytest.mark.parametrize("target", ["pool/copy", "copy", "pool/a/deeper/copy"])
    def test_an_object_is_copied_within_a_storage(self, storage: Storage, target: str) -> None:
        storage.write("pool/o", b"content")
        info = storage.copy(storage, "pool/o", target)
        assert (info.key, info.size) == (target, 7)
        found = storage.stat(target)
        assert found is not None
        assert found.etag == info.etag
        assert content(storage, target) == content(storage, "pool/o") == b"content"

    def test_an_object_is_copied_from_another_storage(self, storage: Storage, other: Storage) -> None:
        storage.write("o", b"content")
        info = other.copy(storage, "o", "pool/copy")
        assert (info.key, info.size) == ("pool/copy", 7)
        assert content(other, "pool/copy") == b"content"
        assert keys(storage) == ["o"]

    def test_an_object_is_copied_from_another_kind_of_storage(self, storage: Storage, other: Storage) -> None:
        foreign = _Foreign(other)
        other.write("o", b"content" * 100_000)
        storage.copy(foreign, "o", "pool/copy")
        assert content(storage, "pool/copy") == b"content" * 100_000

    def test_copying_replaces_and_can_be_done_twice(self, storage: Storage, other: Storage) -> None:
        other.write("o", b"new")
        storage.write("a", b"old")
        for _ in range(2):
            storage.copy(other, "o", "a")
            assert content(storage, "a") == b"new"
        assert keys(storage) == ["a"]

    def test_copying_onto_itself_changes_nothing(self, storage: Storage) -> None:
        storage.write("a", b"content")
        storage.copy(storage, "a", "a")
        assert content(storage, "a") == b"content"
        assert keys(storage) == ["a"]

    def test_copy_and_original_go_separate_ways(self, storage: Storage, other: Storage) -> None:
        storage.write("a", b"first")
        other.copy(storage, "a", "b")
        storage.copy(storage, "a", "c")
        storage.write("a", b"second")
        other.write("b", b"third")
        assert [content(storage, "a"), content(other, "b"), content(storage, "c")] == [b"second", b"third", b"first"]
        storage.delete("a")
        assert content(storage, "c") == b"first"

    def test_copying_other_content_over_an_object_changes_its_etag(self, storage: Storage) -> None:
        storage.write("new", b"aaa")
        before = storage.write("a", b"bbb").etag
        assert storage.copy(storage, "new", "a").etag != before

    def test_copying_what_is_not_there_leaves_the_target(self, storage: Storage, other: Storage) -> None:
        storage.write("a", b"old")
        for origin in (storage, other, _Foreign(other)):
            with pytest.raises(NotFoundError, match="missing"):
                storage.copy(origin, "missing", "a")
        assert content(storage, "a") == b"old"
