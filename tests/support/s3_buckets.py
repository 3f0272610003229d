"""Buckets for tests: made anew for each storage, on whichever service."""

from __future__ import annotations

import itertools
import os
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any

from entrepot_storage.s3.client import make_client
from entrepot_storage.s3.settings import S3Settings, parse_location
from entrepot_storage.s3.storage import S3Storage

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_s3.client import S3Client

PART = 5 << 20
"""Bytes of the smallest part that services take."""

_numbers = itertools.count(1)


def use_credentials(monkeypatch: pytest.MonkeyPatch, access_key: str = "AKTEST", secret_key: str = "SKTEST") -> None:
    """Lets boto3 find these credentials, and nothing of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if access_key:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)


def client_for(url: str, **settings: Any) -> S3Client:
    """A client of a service."""
    return make_client(S3Settings(endpoint_url=url, **settings))


_maker = cache(client_for)


def new_bucket(url: str) -> str:
    """The name of a bucket that nobody else uses."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    # To make a client takes longer than to make a bucket. It may be used after it was closed.
    with closing(_maker(url)) as client:
        client.create_bucket(Bucket=name)
    return name


@cache
def shared_bucket(url: str) -> str:
    """A bucket for all tests of this process, which keep apart by prefixes."""
    return new_bucket(url)


def new_prefix() -> str:
    """A prefix that nobody else uses."""
    return f"p/{next(_numbers)}"


def storage_for(url: str, bucket: str, prefix: str = "", *, copy_limit: int = PART, **settings: Any) -> S3Storage:
    """A storage with the smallest parts, so that bodies of some MiB are uploaded and copied in several of them."""
    sizes = {"multipart_threshold": PART, "multipart_chunksize": PART}
    parsed = S3Settings(endpoint_url=url, **{**sizes, **settings})
    location = parse_location(f"s3://{bucket}/{prefix}")
    return S3Storage(make_client(parsed), location, parsed, copy_limit=copy_limit, copy_part=PART)
