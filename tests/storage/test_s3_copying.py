"""Copies to S3: by the service itself where it can, from files, and by way of this process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.contracts import ObjectMeta
from entrepot.errors import NotFoundError, StorageError
from entrepot_storage.contract.base import content, keys
from entrepot_storage.local import LocalStorage
from entrepot_storage.s3.storage import S3Storage
from entrepot_storage.wrappers import CountingStorage
from support.s3_buckets import PART, client_for, new_bucket, storage_for
from support.s3_moto import MotoService

DIGEST = hashlib.sha256(b"content").hexdigest()
META = ObjectMeta("text/plain", "max-age=5", DIGEST)
PLAIN = ObjectMeta("text/plain", "max-age=5")


@pytest.fixture
def storage(moto: MotoService) -> Iterator[S3Storage]:
    made = storage_for(moto.url, new_bucket(moto.url), "tree")
    moto.forget()
    yield made
    made.close()


def methods(moto: MotoService) -> list[str]:
    return [request.method for request in moto.requests]


def test_the_service_copies_by_itself(moto: MotoService, storage: S3Storage) -> None:
    other = storage_for(moto.url, new_bucket(moto.url))
    storage.write("a", b"content", meta=META)
    moto.forget()
    info = other.copy(CountingStorage(storage), "a", "pool/b", meta=ObjectMeta("text/html", "no-store", DIGEST))
    assert methods(moto) == ["PUT"]
    assert (info.size, info.sha256) == (7, DIGEST)
    found = client_for(moto.url).head_object(Bucket=other.location.bucket, Key="pool/b")
    assert (found["ContentType"], found["CacheControl"]) == ("text/html", "no-store")
    assert found["Metadata"] == {"sha256": DIGEST}
    other.close()


def test_what_travels_with_the_original_is_kept_unless_told_otherwise(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", b"content", meta=META)
    storage.write("large", b"x" * (PART + 1), meta=PLAIN)
    for name in ("a", "large"):
        storage.copy(storage, name, "b")
        found = client_for(moto.url).head_object(Bucket=storage.location.bucket, Key="tree/b")
        assert (found["ContentType"], found["CacheControl"]) == ("text/plain", "max-age=5")


def test_what_others_have_written_costs_a_look(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", b"content", meta=META)
    another = storage_for(moto.url, storage.location.bucket, "tree")
    moto.forget()
    assert another.copy(another, "a", "b").sha256 == DIGEST
    assert methods(moto) == ["HEAD", "PUT"]
    another.close()


def test_an_object_that_was_replaced_by_others_is_copied_as_it_is_now(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", b"content")
    client_for(moto.url).put_object(Bucket=storage.location.bucket, Key="tree/a", Body=b"another content")
    assert storage.copy(storage, "a", "b").size == 15
    client_for(moto.url).delete_object(Bucket=storage.location.bucket, Key="tree/a")
    with pytest.raises(NotFoundError, match=r"^a: .*tree"):
        storage.copy(storage, "a", "b")
    assert content(storage, "b") == b"another content"


def test_a_large_object_is_copied_in_parts(moto: MotoService, storage: S3Storage) -> None:
    body = bytes(range(256)) * (PART // 100)
    storage.write("a", iter([body]))
    moto.forget()
    info = storage.copy(storage, "a", "b", meta=PLAIN)
    assert moto.count("PUT", "/*partNumber=*") == 3
    assert moto.count("GET") == 0
    assert (info.size, info.sha256) == (len(body), None)
    assert content(storage, "b") == body
    assert keys(storage) == ["a", "b"]


def test_another_digest_than_the_writer_named_is_refused(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", b"content", meta=META)
    with pytest.raises(StorageError, match="0" * 64):
        storage.copy(storage, "a", "b", meta=ObjectMeta(sha256="0" * 64))
    assert keys(storage) == ["a"]


def test_an_object_gets_other_metadata_in_place(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", b"content")
    storage.copy(storage, "a", "a", meta=META)
    found = client_for(moto.url).head_object(Bucket=storage.location.bucket, Key="tree/a")
    assert (found["ContentType"], found["CacheControl"]) == ("text/plain", "max-age=5")


@pytest.mark.parametrize("size", [7, 2_000_000, 3 * PART])
def test_a_file_of_a_local_storage_is_uploaded(
    moto: MotoService, storage: S3Storage, tmp_path: Path, size: int
) -> None:
    local = LocalStorage(tmp_path / "store")
    body = b"0123456" * (size // 7)
    local.write("artifacts/a", body)
    digest = hashlib.sha256(body).hexdigest()
    info = storage.copy(CountingStorage(local), "artifacts/a", "pool/a", meta=ObjectMeta(sha256=digest))
    assert (info.size, info.sha256) == (len(body), digest)
    assert content(storage, "pool/a") == body
    with pytest.raises(StorageError, match="0" * 64):
        storage.copy(local, "artifacts/a", "pool/b", meta=ObjectMeta(sha256="0" * 64))
    assert keys(storage) == ["pool/a"]


def test_an_object_of_a_service_is_copied_to_a_local_storage(storage: S3Storage, tmp_path: Path) -> None:
    storage.write("a", b"content")
    local = LocalStorage(tmp_path / "tree")
    local.copy(storage, "a", "b")
    assert content(local, "b") == b"content"


def test_between_two_services_the_bytes_pass_through_here(moto: MotoService, storage: S3Storage) -> None:
    # The same server by another name: what it does with another's names is not to be relied upon.
    elsewhere = storage_for(moto.url.replace("127.0.0.1", "localhost"), new_bucket(moto.url))
    storage.write("a", b"content")
    moto.forget()
    elsewhere.copy(storage, "a", "b", meta=META)
    assert methods(moto) == ["GET", "PUT"]
    assert content(elsewhere, "b") == b"content"
    elsewhere.close()
