"""Reading from S3: lost connections are made again, and every refusal says what it means and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from entrepot.errors import NotFoundError, StorageError
from entrepot_storage.contract.base import content, keys
from entrepot_storage.s3.storage import S3Storage
from support import radosgw
from support.s3_buckets import client_for, new_bucket, storage_for, use_credentials
from support.s3_moto import Fault, MotoService

BODY = bytes(range(256)) * 8192


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0)


@pytest.fixture
def bucket(moto: MotoService) -> str:
    return new_bucket(moto.url)


@pytest.fixture
def storage(moto: MotoService, bucket: str) -> Iterator[S3Storage]:
    with closing(storage_for(moto.url, bucket)) as made:
        moto.forget()
        yield made


def nowhere(moto: MotoService) -> S3Storage:
    return storage_for(moto.url, "no-such-bucket")


CALLS: dict[str, Callable[[S3Storage], Any]] = {
    "read": lambda storage: storage.read("pool/a"),
    "write": lambda storage: storage.write("pool/a", b"a"),
    "write if absent": lambda storage: storage.write("pool/a", b"a", if_absent=True),
    "write in parts": lambda storage: storage.write("pool/a", iter([b"x" * 12_000_000])),
    "stat": lambda storage: storage.stat("pool/a"),
    "delete": lambda storage: storage.delete("pool/a"),
    "list": lambda storage: list(storage.list("pool/")),
    "copy": lambda storage: storage.copy(storage, "pool/b", "pool/a"),
}
FEW = ("read", "write", "write if absent", "stat")
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def test_a_stream_goes_on_where_the_connection_was_lost(moto: MotoService, storage: S3Storage) -> None:
    storage.write("a", BODY)
    moto.fail("GET", "*", Fault(cut_after=700_000, times=2))
    assert content(storage, "a") == BODY
    asked = [request.headers.get("range") for request in moto.requests if request.method == "GET"]
    assert len(asked) == 3
    assert asked[0] is None
    assert str(asked[1]).startswith("bytes=")
    moto.fail("GET", "*", Fault(cut_after=100_000, times=1))
    assert content(storage, "a", 5_000) == BODY[5_000:]


def test_a_stream_that_is_lost_again_and_again_ends_in_an_error(moto: MotoService, storage: S3Storage) -> None:
    storage.write("pool/a", BODY)
    moto.fail("GET", "*", Fault(cut_after=0))
    with pytest.raises(StorageError, match=r"^pool/a: cannot be read .*connection was lost") as caught:
        content(storage, "pool/a")
    assert caught.value.data["transient"] is True
    assert moto.count("GET") == 6


@pytest.mark.parametrize("fate", ["replaced", "removed"])
def test_a_stream_does_not_go_on_with_another_object(moto: MotoService, storage: S3Storage, fate: str) -> None:
    storage.write("a", BODY)
    moto.fail("GET", "*", Fault(cut_after=500_000, times=1))
    with storage.read("a") as stream:
        begin = stream.read(10)
        storage.write("a", BODY[::-1]) if fate == "replaced" else storage.delete("a")
        with pytest.raises(StorageError, match="was replaced") as caught:
            stream.read()
    assert begin == BODY[:10]
    assert caught.value.data["transient"] is True


def test_a_stream_that_is_closed_early_leaves_the_storage_usable(storage: S3Storage) -> None:
    storage.write("a", BODY)
    for _ in range(3):
        with storage.read("a") as stream:
            assert stream.read(3) == BODY[:3]
    assert content(storage, "a") == BODY


def test_listings_go_on_over_pages(
    moto: MotoService, bucket: str, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(moto.url)
    for number in range(7):
        client.put_object(Bucket=bucket, Key=f"pool/{number}", Body=b"")
    client.put_object(Bucket=bucket, Key="pool/", Body=b"")
    client.put_object(Bucket=bucket, Key=".tmp/probe", Body=b"")
    real = storage._bucket.client.list_objects_v2
    monkeypatch.setattr(storage._bucket.client, "list_objects_v2", lambda **arguments: real(**arguments, MaxKeys=3))
    assert keys(storage) == [f"pool/{number}" for number in range(7)]
    assert moto.count("GET", "*list-type=2*") == 3


@every_call
def test_a_missing_bucket_is_named(moto: MotoService, call: Callable[[S3Storage], Any]) -> None:
    with closing(nowhere(moto)) as storage, pytest.raises(StorageError, match="there is no such bucket") as caught:
        call(storage)
    assert "s3://no-such-bucket/" in str(caught.value)
    assert caught.value.data["bucket"] == "no-such-bucket"
    assert caught.value.data["transient"] is False


@every_call
def test_a_denial_says_which_rights_are_needed(
    moto: MotoService, storage: S3Storage, call: Callable[[S3Storage], Any]
) -> None:
    moto.fail("*", "*", Fault(status=403, code="AccessDenied", message="Access Denied"))
    with pytest.raises(StorageError, match="the service denies access") as caught:
        call(storage)
    assert "s3:ListBucket" in caught.value.hint
    assert caught.value.data["transient"] is False


def test_a_missing_object_that_looks_forbidden_is_explained(moto: MotoService, storage: S3Storage) -> None:
    moto.fail("HEAD", "*", Fault(status=403))
    moto.fail("GET", "*", Fault(status=403, code="AccessDenied"))
    with pytest.raises(StorageError, match=r"^pool/a: cannot be looked at") as caught:
        storage.stat("pool/a")
    assert "without which a missing object looks forbidden" in caught.value.hint


@every_call
def test_a_service_that_is_out_of_order_can_be_asked_later(
    moto: MotoService, storage: S3Storage, call: Callable[[S3Storage], Any]
) -> None:
    moto.fail("*", "*", Fault(status=503, code="SlowDown"))
    with pytest.raises(StorageError) as caught:
        call(storage)
    assert caught.value.data["transient"] is True


def test_what_is_no_service_is_told(moto: MotoService, storage: S3Storage) -> None:
    moto.fail("*", "*", Fault(status=404, content=b"<html><p>Welcome!"))
    for name in ("read", "stat", "list", "write"):
        with pytest.raises(StorageError, match="404") as caught:
            CALLS[name](storage)
        assert "endpoint_url" in caught.value.hint


def test_what_a_service_says_is_shown_in_plain_and_in_short(moto: MotoService, storage: S3Storage) -> None:
    moto.fail("PUT", "*", Fault(status=400, code="Strange", message="&#27;no&#x2028;" + "a" * 5000))
    # That is not XML 1.0, so not even the code is known.
    with pytest.raises(StorageError) as caught:
        storage.write("a", b"a")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    moto.forget()
    moto.fail("PUT", "*", Fault(status=400, code="Strange", message="line\n" + "a" * 5000))
    with pytest.raises(StorageError, match="Strange") as caught:
        storage.write("a", b"a")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@every_call
def test_missing_credentials_are_told_with_where_they_are_looked_for(
    moto: MotoService, bucket: str, monkeypatch: pytest.MonkeyPatch, call: Callable[[S3Storage], Any]
) -> None:
    use_credentials(monkeypatch, "")
    with (
        closing(storage_for(moto.url, bucket)) as storage,
        pytest.raises(StorageError, match="no credentials") as caught,
    ):
        call(storage)
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint
    assert caught.value.data["transient"] is False


def test_what_is_public_is_read_without_credentials(
    moto: MotoService, bucket: str, monkeypatch: pytest.MonkeyPatch, storage: S3Storage
) -> None:
    client_for(moto.url).put_object(Bucket=bucket, Key="a", Body=b"public", ACL="public-read")
    use_credentials(monkeypatch, "")
    moto.forget()
    with closing(storage_for(moto.url, bucket, anonymous=True)) as visitor:
        assert content(visitor, "a") == b"public"
    assert all("authorization" not in request.headers for request in moto.requests)


@pytest.mark.parametrize("call", [CALLS[name] for name in FEW[:2]], ids=FEW[:2])
def test_a_service_that_is_not_there_is_told(moto: MotoService, call: Callable[[S3Storage], Any]) -> None:
    with (
        closing(storage_for("http://127.0.0.1:1", "bucket")) as storage,
        pytest.raises(StorageError, match=r"pool/a: .*cannot be reached") as caught,
    ):
        call(storage)
    assert caught.value.data["transient"] is True


@pytest.mark.client
@pytest.mark.parametrize(
    ("access_key", "secret_key", "said"),
    [
        (radosgw.ACCESS_KEY, "a-wrong-secret", "the secret key is wrong"),
        ("NOBODY", "a-wrong-secret", "the service does not know the access key"),
    ],
)
@pytest.mark.parametrize("call", [CALLS[name] for name in FEW], ids=FEW)
def test_wrong_credentials_are_told_and_not_shown(
    radosgw_url: str,
    monkeypatch: pytest.MonkeyPatch,
    access_key: str,
    secret_key: str,
    said: str,
    call: Callable[[S3Storage], Any],
) -> None:
    use_credentials(monkeypatch, access_key, secret_key)
    with closing(storage_for(radosgw_url, "bucket")) as storage, pytest.raises(StorageError, match=said) as caught:
        call(storage)
    told = f"{caught.value} {caught.value.hint} {caught.value.data}"
    assert secret_key not in told
    assert access_key not in told
    assert "Signature=" not in told


@pytest.mark.client
@pytest.mark.parametrize("call", [CALLS[name] for name in FEW], ids=FEW)
def test_a_real_service_says_that_a_bucket_is_missing(radosgw_url: str, call: Callable[[S3Storage], Any]) -> None:
    with (
        closing(storage_for(radosgw_url, "no-such-bucket")) as storage,
        pytest.raises(StorageError, match="no such bucket"),
    ):
        call(storage)


def test_reading_what_is_missing_tells_the_key_and_the_place(bucket: str, storage: S3Storage) -> None:
    with pytest.raises(NotFoundError, match=rf"^pool/a: there is no such object in s3://{bucket}/"):
        storage.read("pool/a")
