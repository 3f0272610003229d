"""Contract of storages: what is written, read, looked at and deleted."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from pathlib import Path

import pytest

from entrepot.contracts import Body, ObjectMeta, Storage
from entrepot.errors import NotFoundError, StorageError, UsageError
from entrepot_storage.contract.base import ContractBase, content, keys


class ObjectContract(ContractBase):
    """One object at a time."""

    def test_an_empty_storage_lists_nothing(self, storage: Storage) -> None:
        assert keys(storage) == []

    def test_reading_what_is_not_there_names_the_key(self, storage: Storage) -> None:
        with pytest.raises(NotFoundError, match="pool/a"):
            storage.read("pool/a")

    def test_stat_of_what_is_not_there_is_none(self, storage: Storage) -> None:
        assert storage.stat("pool/a") is None

    def test_deleting_what_is_not_there_is_no_error(self, storage: Storage) -> None:
        storage.write("pool/a", b"a")
        storage.delete("pool/b")
        storage.delete("pool/a/b")
        storage.delete("pool")
        assert keys(storage) == ["pool/a"]

    def test_a_folder_of_objects_is_no_object(self, storage: Storage) -> None:
        storage.write("pool/a", b"a")
        assert storage.stat("pool") is None
        with pytest.raises(NotFoundError):
            storage.read("pool")

    def test_below_an_object_there_is_nothing(self, storage: Storage) -> None:
        storage.write("pool/a", b"a")
        assert storage.stat("pool/a/b") is None
        with pytest.raises(NotFoundError):
            storage.read("pool/a/b")
        assert keys(storage, "pool/a/") == []

    @pytest.mark.parametrize("kind", ["bytes", "file", "open file", "chunks", "generator"])
    def test_what_was_written_is_read(self, storage: Storage, tmp_path: Path, kind: str) -> None:
        file = tmp_path / "body"
        file.write_bytes(b"one\ntwo\n")
        with file.open("rb") as opened:
            bodies: dict[str, Body] = {
                "bytes": b"one\ntwo\n",
                "file": file,
                "open file": opened,
                "chunks": [b"one\n", b"", b"two\n"],
                "generator": (piece for piece in (b"one\n", b"two\n")),
            }
            storage.write("a/b", bodies[kind])
        assert content(storage, "a/b") == b"one\ntwo\n"

    def test_a_file_that_is_stored_stays_what_and_where_it_was(self, storage: Storage, tmp_path: Path) -> None:
        file = tmp_path / "body"
        file.write_bytes(b"mine")
        before = file.stat()
        storage.write("a", file)
        storage.write("a", b"theirs")
        assert file.read_bytes() == b"mine"
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        file.write_bytes(b"changed")
        assert content(storage, "a") == b"theirs"

    def test_a_file_that_cannot_be_read_is_an_error_that_names_both(self, storage: Storage, tmp_path: Path) -> None:
        storage.write("pool/a", b"old")
        with pytest.raises(StorageError, match=r"pool/a.*missing\.deb"):
            storage.write("pool/a", tmp_path / "missing.deb")
        assert content(storage, "pool/a") == b"old"

    @pytest.mark.parametrize("empty", [b"", (), (b"", b"")], ids=["bytes", "no chunk", "empty chunks"])
    def test_an_empty_object_is_an_object(self, storage: Storage, empty: bytes | tuple[bytes, ...]) -> None:
        assert storage.write("a", empty).size == 0
        assert content(storage, "a") == b""
        assert keys(storage) == ["a"]

    def test_a_large_body_is_stored_whole(self, storage: Storage) -> None:
        chunk = bytes(range(256)) * 4099
        expected = hashlib.sha256()
        for _ in range(16):
            expected.update(chunk)
        info = storage.write("large", (chunk for _ in range(16)))
        found = hashlib.sha256()
        with storage.read("large") as stream:
            while piece := stream.read(1 << 20):
                found.update(piece)
        assert info.size == 16 * len(chunk)
        assert found.digest() == expected.digest()

    def test_writing_again_replaces(self, storage: Storage) -> None:
        storage.write("a", b"a long first content")
        storage.write("a", b"second")
        assert content(storage, "a") == b"second"
        assert keys(storage) == ["a"]

    @pytest.mark.parametrize(
        ("offset", "expected"), [(0, b"0123456789"), (4, b"456789"), (10, b""), (11, b""), (1 << 62, b"")]
    )
    def test_reading_begins_at_the_offset(self, storage: Storage, offset: int, expected: bytes) -> None:
        storage.write("a", b"0123456789")
        assert content(storage, "a", offset) == expected

    def test_a_negative_offset_is_refused(self, storage: Storage) -> None:
        storage.write("a", b"0123456789")
        with pytest.raises(UsageError, match="-1"):
            storage.read("a", offset=-1)

    def test_a_reader_keeps_what_it_opened(self, storage: Storage) -> None:
        old = b"old" * 1_000_000
        storage.write("a", old)
        with storage.read("a") as stream:
            begin = stream.read(10)
            storage.write("a", b"new")
            assert begin + stream.read() == old
        assert content(storage, "a") == b"new"

    def test_a_deleted_object_is_gone(self, storage: Storage) -> None:
        storage.write("pool/a/b", b"b")
        storage.write("pool/c", b"c")
        storage.delete("pool/a/b")
        assert storage.stat("pool/a/b") is None
        assert keys(storage) == ["pool/c"]

    def test_a_key_that_was_a_folder_can_be_an_object_later(self, storage: Storage) -> None:
        storage.write("pool/a/b", b"b")
        storage.delete("pool/a/b")
        storage.write("pool", b"p")
        assert keys(storage) == ["pool"]

    def test_a_key_below_an_object_is_refused_or_kept_apart(self, storage: Storage) -> None:
        storage.write("pool/a", b"a")
        with contextlib.suppress(StorageError):
            storage.write("pool/a/b", b"b")
            assert content(storage, "pool/a/b") == b"b"
        assert content(storage, "pool/a") == b"a"

    def test_write_stat_and_list_agree(self, storage: Storage) -> None:
        begin = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
        written = storage.write("pool/a", b"content")
        assert (written.key, written.size) == ("pool/a", 7)
        assert begin < written.modified < begin + dt.timedelta(minutes=10)
        found = storage.stat("pool/a")
        assert found is not None
        (listed,) = storage.list()
        assert (found.key, found.size, found.etag) == (listed.key, listed.size, listed.etag)
        assert (found.key, found.size, found.etag) == (written.key, written.size, written.etag)

    def test_the_etag_stays_while_nothing_is_written(self, storage: Storage) -> None:
        etag = storage.write("a", b"a").etag
        storage.write("b", b"b")
        content(storage, "a")
        found = storage.stat("a")
        assert found is not None
        assert found.etag == etag

    def test_other_content_of_the_same_size_has_another_etag(self, storage: Storage) -> None:
        etags = {storage.write("a", number.to_bytes(4, "big")).etag for number in range(200)}
        assert len(etags) == 200

    def test_a_body_with_the_digest_that_was_promised_is_stored(self, storage: Storage) -> None:
        digest = hashlib.sha256(b"right").hexdigest()
        info = storage.write("a", [b"ri", b"ght"], meta=ObjectMeta(sha256=digest))
        assert info.sha256 in (digest, None)
        assert content(storage, "a") == b"right"

    def test_a_body_with_another_digest_is_refused(self, storage: Storage) -> None:
        storage.write("a", b"old")
        digest = hashlib.sha256(b"right").hexdigest()
        with pytest.raises(StorageError, match=digest):
            storage.write("a", [b"wro", b"ng"], meta=ObjectMeta(sha256=digest))
        assert content(storage, "a") == b"old"
