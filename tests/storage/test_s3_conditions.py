"""Conditional writes to S3: believed only where they were seen to work, and never taken twice."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.errors import PreconditionError, StorageError
from entrepot_storage.contract.base import content, keys
from entrepot_storage.s3.storage import S3Storage
from support.s3_buckets import PART, client_for, new_bucket, storage_for
from support.s3_moto import Fault, MotoService, Request

RECORD = ".tmp/conditional-writes.json"
LARGE = [b"x" * 1_000_000] * 12
IGNORANT = {
    "If-None-Match": ("ignores If-None-Match",),
    "If-Match": ("ignores If-Match where there is no object",),
    "both": ("ignores If-Match where there is no object",),
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0)
    monkeypatch.setattr("entrepot_storage.s3.writer._PAUSE", 0)


@pytest.fixture
def bucket(moto: MotoService) -> str:
    return new_bucket(moto.url)


@pytest.fixture
def storage(moto: MotoService, bucket: str) -> Iterator[S3Storage]:
    with closing(storage_for(moto.url, bucket)) as made:
        moto.forget()
        yield made


def names(moto: MotoService, bucket: str) -> list[str]:
    """Every name in the bucket, those that are no keys included."""
    return [found["Key"] for found in client_for(moto.url).list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_nothing_is_probed_before_it_matters(moto: MotoService, storage: S3Storage) -> None:
    assert storage.properties.scheme == "s3"
    assert storage.properties.shared
    assert storage.properties.local_root is None
    assert "conditional" not in repr(storage.properties)
    storage.write("a", b"a")
    assert moto.count("*") == 1
    assert storage.properties.conditional_writes


def test_a_service_is_probed_once_and_what_was_seen_is_written_down(
    moto: MotoService, bucket: str, storage: S3Storage
) -> None:
    storage.write("a", b"a", if_absent=True)
    probing = moto.count("*")
    storage.write("b", b"b", if_absent=True)
    assert moto.count("*") == probing + 1
    assert names(moto, bucket) == [RECORD, "a", "b"]
    assert keys(storage) == ["a", "b"]
    moto.forget()
    with closing(storage_for(moto.url, bucket)) as another:
        another.write("c", b"c", if_absent=True)
    assert [request.method for request in moto.requests] == ["GET", "PUT"]


@pytest.mark.parametrize("change", ["old", "of another place", "of another kind", "damaged"])
def test_a_record_that_says_nothing_of_this_place_is_made_anew(
    moto: MotoService, bucket: str, storage: S3Storage, change: str
) -> None:
    storage.write("a", b"a", if_absent=True)
    client = client_for(moto.url)
    record = json.loads(client.get_object(Bucket=bucket, Key=RECORD)["Body"].read())
    if change == "old":
        record["checked"] = (dt.datetime.now(dt.UTC) - dt.timedelta(days=8)).isoformat()
    elif change == "of another place":
        record["place"] = "http://127.0.0.1:1 s3://elsewhere/"
    text = {"of another kind": "[]", "damaged": '{"place":'}.get(change) or json.dumps(record)
    client.put_object(Bucket=bucket, Key=RECORD, Body=text.encode())
    moto.forget()
    with closing(storage_for(moto.url, bucket)) as another:
        another.write("b", b"b", if_absent=True)
    assert moto.count("PUT", "*/.tmp/probe-*") == 5
    assert json.loads(client.get_object(Bucket=bucket, Key=RECORD)["Body"].read())["quoted"] is False


@pytest.mark.parametrize("ignored", IGNORANT)
def test_a_service_that_ignores_conditions_is_refused(
    moto: MotoService, bucket: str, storage: S3Storage, ignored: str
) -> None:
    etag = storage.write("a", b"first").etag
    headers = ("If-None-Match", "If-Match") if ignored == "both" else (ignored,)
    moto.fail("*", "*", Fault(ignore_conditions=headers))
    assert not storage.properties.conditional_writes
    (said,) = IGNORANT[ignored]
    for condition in ({"if_absent": True}, {"if_match": etag}):
        with pytest.raises(StorageError, match=rf"^a: .*s3://{bucket}/: the service {said}.*two writers") as caught:
            storage.write("a", b"second", **condition)
        assert not isinstance(caught.value, PreconditionError)
        assert "heeds" in caught.value.hint
    assert content(storage, "a") == b"first"
    # Not written down, so that it is looked at again when the service can do it.
    assert names(moto, bucket) == ["a"]
    storage.write("a", b"without a condition")


def test_a_service_that_has_no_conditions_is_refused(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    def lacks(request: Request) -> int | None:
        return 501 if {"if-none-match", "if-match"} & set(request.headers) else None

    moto.fail("PUT", "*", Fault(decide=lacks, code="NotImplemented"))
    with pytest.raises(StorageError, match="refuses If-None-Match"):
        storage.write("a", b"a", if_absent=True)
    assert names(moto, bucket) == []


@pytest.mark.parametrize("style", ["bare", "quoted"])
def test_etags_are_sent_as_the_service_wants_them(
    moto: MotoService, bucket: str, storage: S3Storage, style: str
) -> None:
    moto.fail("*", "*", Fault(etag_style=style))
    for _ in range(2):
        with closing(storage_for(moto.url, bucket)) as one:
            etag = one.write("a", b"first").etag
            etag = one.write("a", b"second", if_match=etag).etag
            with pytest.raises(PreconditionError):
                one.write("a", b"third", if_match=etag[::-1])
    assert content(storage, "a") == b"second"


def test_a_service_that_refuses_the_right_etag_is_named(moto: MotoService, storage: S3Storage) -> None:
    moto.fail("PUT", "*", Fault(decide=lambda request: 412 if "if-match" in request.headers else None))
    with pytest.raises(StorageError, match="refuses If-Match with the right etag"):
        storage.write("a", b"a", if_match="x")


def test_a_place_that_cannot_be_probed_says_why(moto: MotoService, storage: S3Storage) -> None:
    moto.fail("PUT", "*/.tmp/*", Fault(status=403, code="AccessDenied"))
    with pytest.raises(StorageError, match=r"\.tmp/probe: cannot be probed.*denies access") as caught:
        storage.write("a", b"a", if_absent=True)
    assert "s3:PutObject" in caught.value.hint
    moto.forget()
    storage.write("a", b"a", if_absent=True)


@pytest.mark.parametrize("fault", [Fault(lose_answer=True, times=1), Fault(lose_answer=True, times=2)])
def test_a_write_whose_answer_is_lost_is_recognised_as_ours(
    moto: MotoService, storage: S3Storage, fault: Fault
) -> None:
    assert storage.properties.conditional_writes
    moto.fail("PUT", "*/a", fault)
    etag = storage.write("a", b"first", if_absent=True).etag
    fault.times = 1
    assert storage.write("a", b"second", if_match=etag).size == 6
    assert content(storage, "a") == b"second"


def test_a_write_that_another_one_overtook_between_two_tries_is_refused(
    moto: MotoService, bucket: str, storage: S3Storage
) -> None:
    assert storage.properties.conditional_writes

    def overtake(request: Request) -> int:
        client_for(moto.url).put_object(Bucket=bucket, Key="a", Body=b"the other's")
        return 500

    moto.fail("PUT", "*/a", Fault(decide=overtake, times=1))
    with pytest.raises(PreconditionError, match="already"):
        storage.write("a", b"ours", if_absent=True)
    assert content(storage, "a") == b"the other's"


def test_a_conflict_is_tried_again(moto: MotoService, storage: S3Storage) -> None:
    assert storage.properties.conditional_writes
    moto.fail("PUT", "*/a", Fault(status=409, code="ConditionalRequestConflict", times=2))
    storage.write("a", b"a", if_absent=True)
    moto.fail("PUT", "*/a", Fault(status=409, code="ConditionalRequestConflict"))
    with pytest.raises(StorageError, match="ConditionalRequestConflict") as caught:
        storage.write("a", b"b", if_absent=True)
    assert caught.value.data["transient"] is True
    assert content(storage, "a") == b"a"


def test_a_large_file_is_written_conditionally_by_one_request(
    moto: MotoService, storage: S3Storage, tmp_path: Path
) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"".join(LARGE))
    storage.write("a", file, if_absent=True)
    storage.write("b", b"".join(LARGE), if_absent=True)
    assert moto.count("POST") == 0
    for body in (file, b"".join(LARGE)):
        with pytest.raises(PreconditionError):
            storage.write("a", body, if_absent=True)


def test_parts_are_refused_where_their_completion_ignores_conditions(
    moto: MotoService, bucket: str, storage: S3Storage
) -> None:
    # moto itself: it heeds If-None-Match there, but not If-Match.
    etag = storage.write("a", b"a").etag
    with pytest.raises(StorageError, match="ignores If-Match when an upload in parts is completed") as caught:
        storage.write("a", iter(LARGE), if_match=etag)
    assert "file" in caught.value.hint
    assert content(storage, "a") == b"a"
    assert names(moto, bucket) == [RECORD, "a"]
    assert not client_for(moto.url).list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_parts_are_completed_under_a_condition(moto: MotoService, bucket: str, storage: S3Storage) -> None:
    def heed(request: Request) -> int | None:
        wanted = request.headers.get("if-match")
        if wanted is None:
            return None
        key = request.path.partition("?")[0].removeprefix(f"/{bucket}/")
        found = client_for(moto.url).head_object(Bucket=bucket, Key=key)
        return None if found["ETag"].strip('"') == wanted else 412

    moto.fail("POST", "*uploadId=*", Fault(decide=heed, code="PreconditionFailed"))
    first = storage.write("a", iter(LARGE), if_absent=True)
    with pytest.raises(PreconditionError):
        storage.write("a", iter(LARGE), if_absent=True)
    second = storage.write("a", iter([*LARGE, b"y"]), if_match=first.etag)
    with pytest.raises(PreconditionError):
        storage.write("a", iter(LARGE), if_match=first.etag)
    found = storage.stat("a")
    assert found is not None
    assert (found.size, found.etag) == (12_000_001, second.etag)
    assert not client_for(moto.url).list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.client
def test_a_real_service_that_ignores_conditions_of_parts_is_refused(radosgw_url: str) -> None:
    bucket = new_bucket(radosgw_url)
    with closing(storage_for(radosgw_url, bucket)) as storage:
        storage.write("small", iter([b"x" * (PART - 1)]), if_absent=True)
        with pytest.raises(StorageError, match="ignores If-None-Match when an upload in parts is completed"):
            storage.write("large", iter(LARGE), if_absent=True)
        assert keys(storage) == ["small"]
        assert not client_for(radosgw_url).list_multipart_uploads(Bucket=bucket).get("Uploads")
