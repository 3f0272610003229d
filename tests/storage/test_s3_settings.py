"""URLs and settings of S3 storages, and what boto3 makes of them."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from entrepot.errors import MissingExtraError, SettingsError, StorageKeyError
from entrepot_storage.s3 import S3StorageFactory
from entrepot_storage.s3.client import make_client
from entrepot_storage.s3.settings import MIN_PART, Location, S3Settings, parse_location, parse_settings
from support.s3_buckets import new_bucket, use_credentials
from support.s3_moto import MotoService

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials(monkeypatch)


class _AskedError(Exception):
    """Instead of a request."""


def address_of(client: S3Client) -> str:
    """Where a client would ask for the key ``a`` of the bucket ``packages``."""

    def stop(request: Any, **others: object) -> None:
        raise _AskedError(request.url)

    client.meta.events.register("before-send.s3", stop)
    with pytest.raises(_AskedError) as caught:
        client.get_object(Bucket="packages", Key="a")
    return str(caught.value)


def retries_of(client: S3Client) -> object:
    """How often a client tries."""
    config: Any = client.meta.config
    return config.retries


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://packages", "packages", ""),
        ("s3://packages/", "packages", ""),
        ("s3://packages/debian", "packages", "debian/"),
        ("s3://packages/a/b c/", "packages", "a/b c/"),
        ("s3://my.bucket-1/50%", "my.bucket-1", "50%/"),
    ],
)
def test_a_url_names_a_bucket_and_what_stands_before_the_keys(url: str, bucket: str, prefix: str) -> None:
    assert parse_location(url) == Location(bucket, prefix)


@pytest.mark.parametrize(
    "url",
    [
        *("s3:", "s3://", "s3:///a", "s3:packages", "file:///packages", "s3://b/x", "s3://../x", "s3://packages//a"),
        *("s3://packages/../a", "s3://packages/.tmp", "s3://packages:80/a", "s3://packages\n/a", "s3://-packages"),
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        parse_location(url)


def test_a_url_with_credentials_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_location("s3://user:hunter2@packages/a")
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value.data}"


def test_a_key_that_is_too_long_below_its_prefix_is_refused() -> None:
    location = parse_location("s3://packages/debian")
    key = "/".join(["abcdefg"] * 128)
    assert location.key(location.name(key[8:])) == key[8:]
    with pytest.raises(StorageKeyError, match="s3://packages/debian/"):
        location.name(key)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"endpoint": "http://127.0.0.1"}, "endpoint_url"),
        ({"secret_access_key": "hunter2"}, "credentials are left"),
        ({"region": ""}, "a text"),
        ({"region": 1}, "a text"),
        ({"path_style": "yes"}, "true or false"),
        ({"max_concurrency": True}, "a whole number"),
        ({"max_concurrency": 0}, "from 1 to 256"),
        ({"multipart_chunksize": MIN_PART - 1}, "from 5242880"),
        ({"multipart_threshold": 6 << 30}, "to 5368709120"),
        ({"endpoint_url": "127.0.0.1:9000"}, "http"),
        ({"endpoint_url": "ftp://127.0.0.1"}, "http"),
        ({"endpoint_url": "http://127.0.0.1:99999"}, "http"),
        ({"endpoint_url": "https://example.org/?x=1"}, "http"),
        ({"endpoint_url": "https://user:hunter2@example.org"}, "user name or password"),
        ({"sse_kms_key_id": "k"}, "server_side_encryption"),
        ({"server_side_encryption": "AES256", "sse_kms_key_id": "k"}, "server_side_encryption"),
        ({"verify": False, "ca_bundle": "/ca.pem"}, "ca_bundle"),
        ({"anonymous": True, "profile": "p"}, "anonymous"),
        ({"buckets": []}, "table of tables"),
        ({"buckets": {"packages": 1}}, "table of tables"),
        ({"buckets": {"packages": {"regio": "x"}}}, "storage.s3.buckets.packages"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(table, "packages")
    told = f"{caught.value} {caught.value.hint}"
    assert said in told
    assert "hunter2" not in f"{told} {caught.value.data}"


def test_a_bucket_may_have_settings_of_its_own() -> None:
    table = {"region": "eu-west-1", "acl": "private", "buckets": {"packages": {"region": "us-east-2"}}}
    assert parse_settings(table, "packages") == S3Settings(region="us-east-2", acl="private")
    assert parse_settings(table, "another") == S3Settings(region="eu-west-1", acl="private")


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/storage.md").read_text(encoding="utf-8")
    missing = [name for name in S3Settings.__dataclass_fields__ if f"`{name}`" not in text]
    assert missing == []


def test_without_boto3_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError) as caught:
        S3StorageFactory().open("s3://packages", {})
    assert caught.value.hint == "pip install 'entrepot[s3]'"


def test_opening_asks_the_service_nothing(moto: MotoService) -> None:
    S3StorageFactory().open("s3://no-such-bucket/x", {"endpoint_url": moto.url}).close()
    assert moto.requests == []


@pytest.mark.parametrize(
    ("settings", "environment", "address"),
    [
        ({}, {}, "https://packages.s3.amazonaws.com/a"),
        ({"region": "eu-west-1"}, {}, "https://packages.s3.eu-west-1.amazonaws.com/a"),
        (
            {},
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"},
            "https://packages.s3.eu-west-1.amazonaws.com/a",
        ),
        ({"path_style": True, "region": "eu-west-1"}, {}, "https://s3.eu-west-1.amazonaws.com/packages/a"),
        ({"endpoint_url": "https://s3.example.org"}, {}, "https://s3.example.org/packages/a"),
        ({"endpoint_url": "https://s3.example.org", "path_style": False}, {}, "https://packages.s3.example.org/a"),
        ({}, {"AWS_ENDPOINT_URL": "https://s3.example.org"}, "https://s3.example.org/packages/a"),
        ({}, {"AWS_ENDPOINT_URL_S3": "https://s3.example.org"}, "https://s3.example.org/packages/a"),
    ],
)
def test_buckets_are_addressed_as_the_endpoint_wants(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], environment: dict[str, str], address: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with closing(make_client(S3Settings(**settings))) as client:
        assert address_of(client) == address


def test_a_profile_of_the_aws_tools_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    text = "[profile other]\nregion = eu-north-1\nmax_attempts = 2\ns3 =\n  addressing_style = path\n"
    text += "aws_access_key_id = a\naws_secret_access_key = b\n"
    config.write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with closing(make_client(S3Settings(profile="other"))) as client:
        assert client.meta.region_name == "eu-north-1"
        assert address_of(client) == "https://s3.eu-north-1.amazonaws.com/packages/a"
        assert retries_of(client) == {"mode": "standard", "total_max_attempts": 2}
    with pytest.raises(SettingsError, match="missing"):
        make_client(S3Settings(profile="missing"))


@pytest.mark.parametrize(("name", "value", "tries"), [("AWS_MAX_ATTEMPTS", "3", 3), ("AWS_REGION", "x", 5)])
def test_the_variables_of_the_aws_tools_come_before_our_defaults(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, tries: int
) -> None:
    monkeypatch.setenv(name, value)
    with closing(make_client(S3Settings())) as client:
        assert retries_of(client) == {"mode": "standard", "total_max_attempts": tries}


def test_a_storage_is_opened_by_its_url(moto: MotoService) -> None:
    bucket = new_bucket(moto.url)
    settings = {"buckets": {bucket: {"endpoint_url": moto.url}}}
    with closing(S3StorageFactory().open(f"s3://{bucket}/debian", settings)) as storage:
        storage.write("a", b"a")
    with closing(S3StorageFactory().open(f"s3://{bucket}", settings)) as whole:
        assert [info.key for info in whole.list()] == ["debian/a"]
