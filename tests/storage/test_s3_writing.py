"""Writing to S3: what travels with an object, uploads in parts, and what is left when they fail: nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.contracts import Body, ObjectMeta
from entrepot.errors import StorageError
from entrepot_storage.contract.base import content, keys
from entrepot_storage.s3.storage import S3Storage
from support.s3_buckets import PART, client_for, new_bucket, storage_for
from support.s3_moto import Fault, MotoService, Request

LARGE = [bytes([number]) * 1_000_000 for number in range(12)]
WHOLE = b"".join(LARGE)
DIGEST = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0)


@pytest.fixture
def bucket(moto: MotoService) -> str:
    return new_bucket(moto.url)


@pytest.fixture
def storage(moto: MotoService, bucket: str) -> Iterator[S3Storage]:
    made = storage_for(moto.url, bucket)
    moto.forget()
    yield made
    made.close()


def left_over(moto: MotoService, bucket: str) -> int:
    """How many uploads were begun and neither completed nor aborted."""
    return len(client_for(moto.url).list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def test_what_travels_with_an_object_is_kept(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    meta = ObjectMeta("application/gzip", "public, max-age=60, no-transform", hashlib.sha256(b"a").hexdigest())
    storage.write("Packages.gz", b"a", meta=meta)
    found = client_for(moto.url).head_object(Bucket=bucket, Key="Packages.gz")
    assert (found["ContentType"], found["CacheControl"]) == (meta.content_type, meta.cache_control)
    assert found["Metadata"] == {"sha256": meta.sha256}
    assert not found.get("ContentEncoding")
    stat = storage.stat("Packages.gz")
    assert stat is not None
    assert stat.sha256 == meta.sha256


def test_a_digest_that_is_none_is_not_believed(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    client_for(moto.url).put_object(Bucket=bucket, Key="a", Body=b"a", Metadata={"sha256": "<script>"})
    found = storage.stat("a")
    assert found is not None
    assert found.sha256 is None


def test_the_settings_are_heeded_by_every_way_of_writing(moto: MotoService, bucket: str) -> None:
    storage = storage_for(
        moto.url,
        bucket,
        acl="public-read",
        server_side_encryption="aws:kms",
        sse_kms_key_id="k",
        storage_class="STANDARD_IA",
    )
    moto.forget()
    storage.write("a", b"a")
    storage.write("b", iter(LARGE))
    storage.copy(storage, "a", "c")
    storage.copy(storage, "b", "d")
    parts = [request for request in moto.requests if "partNumber=" in request.path]
    beginnings = [request for request in moto.requests if request.method in ("PUT", "POST") and request not in parts]
    beginnings = [request for request in beginnings if "uploadId=" not in request.path]
    assert len(beginnings) == 4
    for request in beginnings:
        sent = request.headers
        assert (sent["x-amz-acl"], sent["x-amz-storage-class"]) == ("public-read", "STANDARD_IA")
        assert sent["x-amz-server-side-encryption"] == "aws:kms"
        assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "k"
    storage.close()


@pytest.mark.parametrize("kind", ["chunks", "bytes", "file"])
def test_a_large_body_goes_in_parts(moto: MotoService, storage: S3Storage, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "body"
    file.write_bytes(WHOLE)
    bodies: dict[str, Body] = {"chunks": iter(LARGE), "bytes": WHOLE, "file": file}
    body = bodies[kind]
    info = storage.write("a", body, meta=ObjectMeta(sha256=DIGEST))
    assert moto.count("PUT", "/*partNumber=*") == 3
    assert (info.size, info.sha256) == (len(WHOLE), DIGEST)
    found = storage.stat("a")
    assert found is not None
    assert (found.size, found.etag, found.sha256) == (info.size, info.etag, DIGEST)
    assert content(storage, "a") == WHOLE


def test_a_small_body_is_one_request(moto: MotoService, storage: S3Storage, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * PART)
    storage.write("a", tmp_path / "body")
    storage.write("b", iter([b"x", b"y"]))
    assert [(request.method, request.path.rpartition("/")[2]) for request in moto.requests] == [
        ("PUT", "a"),
        ("PUT", "b"),
    ]


def test_every_body_comes_with_a_digest_that_the_service_checks(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", b"a")
    storage.write("b", iter(LARGE))
    sent = [request for request in moto.requests if request.method == "PUT"]
    assert len(sent) == 4
    assert all(len(request.headers["content-md5"]) == 24 for request in sent)


@pytest.mark.parametrize("kind", ["chunks", "bytes", "file"])
@pytest.mark.parametrize("large", [False, True])
def test_a_body_with_another_digest_leaves_nothing(
    moto: MotoService, bucket: str, storage: S3Storage, tmp_path: Path, kind: str, *, large: bool
) -> None:
    data = WHOLE if large else b"small"
    file = tmp_path / "body"
    file.write_bytes(data)
    bodies: dict[str, Body] = {"chunks": iter([data]), "bytes": data, "file": file}
    with pytest.raises(StorageError, match="0" * 64):
        storage.write("a", bodies[kind], meta=ObjectMeta(sha256="0" * 64))
    assert keys(storage) == []
    assert left_over(moto, bucket) == 0
    assert large or moto.count("PUT") == 0


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_upload_whose_body_fails_is_aborted(
    moto: MotoService, bucket: str, storage: S3Storage, error: type[BaseException]
) -> None:
    def body() -> Iterator[bytes]:
        yield from LARGE
        raise error

    with pytest.raises(error):
        storage.write("a", body())
    assert moto.count("PUT", "/*partNumber=*") >= 1
    assert moto.count("DELETE", "/*uploadId=*") == 1
    assert left_over(moto, bucket) == 0
    assert keys(storage) == []


def test_an_upload_of_which_a_part_fails_is_aborted(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    moto.fail("PUT", "/*partNumber=2*", Fault(status=500, code="InternalError"))
    with pytest.raises(
        StorageError, match=rf"^a: cannot be written in s3://{bucket}/: the service answers Inter"
    ) as caught:
        storage.write("a", iter(LARGE))
    assert caught.value.data["transient"] is True
    assert left_over(moto, bucket) == 0
    moto.forget()
    storage.write("a", iter(LARGE))
    assert content(storage, "a") == WHOLE


def test_memory_comes_free_when_uploads_fail(moto: MotoService, bucket: str) -> None:
    storage = storage_for(moto.url, bucket, max_concurrency=2)
    moto.fail("PUT", "/*partNumber=*", Fault(status=403, code="AccessDenied", times=8))
    moto.fail("POST", "/*uploads", Fault(status=403, code="AccessDenied", times=1))
    for _ in range(4):
        with pytest.raises(StorageError):
            storage.write("a", iter(LARGE))
    moto.forget()
    storage.write("a", iter(LARGE))
    assert content(storage, "a") == WHOLE
    storage.close()


def test_no_more_parts_travel_at_a_time_than_the_settings_say(moto: MotoService, bucket: str) -> None:
    storage = storage_for(moto.url, bucket, max_concurrency=2)
    lock = threading.Lock()
    seen = [0, 0]
    both = threading.Barrier(2)

    def meet(request: Request) -> None:
        with lock:
            seen[0] += 1
            seen[1] = max(seen)
        both.wait(timeout=30)
        with lock:
            seen[0] -= 1

    moto.fail("PUT", "/*partNumber=*", Fault(decide=meet))
    storage.write("a", (b"x" * PART for _ in range(6)))
    assert seen == [0, 2]
    storage.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, code="SlowDown"),
        Fault(status=500, code="InternalError"),
        Fault(status=400, code="RequestTimeout"),
        Fault(hang_up=True),
        Fault(lose_answer=True),
    ],
    ids=["503", "500", "time-out", "cut before", "cut after"],
)
@pytest.mark.parametrize("body", [b"small", WHOLE], ids=["small", "large"])
def test_a_fault_that_passes_is_not_noticed(moto: MotoService, storage: S3Storage, body: bytes, fault: Fault) -> None:
    fault.times = 2
    moto.fail("P*", "*", fault)
    storage.write("a", iter([body]))
    assert content(storage, "a") == body


def test_a_completion_whose_answer_is_lost_is_recognised(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    moto.fail("POST", "/*uploadId=*", Fault(lose_answer=True, times=1))
    info = storage.write("a", iter(LARGE))
    found = storage.stat("a")
    assert found is not None
    assert (found.etag, found.size) == (info.etag, len(WHOLE))
    assert left_over(moto, bucket) == 0


def test_a_fault_that_stays_can_be_tried_again_later(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    moto.fail("PUT", "*", Fault(status=503, code="SlowDown", message="Please reduce your request rate."))
    with pytest.raises(StorageError, match=r"pool/a.*SlowDown.*reduce your") as caught:
        storage.write("pool/a", b"a")
    assert caught.value.data["transient"] is True
    assert caught.value.data["bucket"] == bucket


def test_a_body_of_too_many_parts_is_refused(
    moto: MotoService, bucket: str, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot_storage.s3.multipart.MAX_PARTS", 2)
    with pytest.raises(StorageError, match="too large") as caught:
        storage.write("a", iter(LARGE))
    assert "multipart_chunksize" in caught.value.hint
    assert left_over(moto, bucket) == 0
