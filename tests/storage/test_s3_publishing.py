"""A repository that is published to S3: which requests that takes, and what a client sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.services import catalog_copies
from support.debs import make_deb
from support.s3_buckets import client_for, new_bucket
from support.s3_moto import MotoService
from support.workspaces import Depot


@pytest.fixture
def bucket(moto: MotoService) -> str:
    return new_bucket(moto.url)


@pytest.fixture
def depot(moto: MotoService, bucket: str, tmp_path: Path) -> Iterator[Depot]:
    """A workspace with one package, published to the bucket."""
    made = Depot(tmp_path / "depot", stamp=True)
    made.configure("[storage.s3]", f'endpoint_url = "{moto.url}"')
    made.publish_to(f"s3://{bucket}/debian")
    made.distribute()
    made.upload(make_deb(tmp_path), publish=True)
    # So that the next command has everything to find out again, as a command does.
    made.close()
    moto.forget()
    yield made
    made.close()


def test_one_more_package_takes_few_requests_and_no_listing(moto: MotoService, depot: Depot, tmp_path: Path) -> None:
    depot.upload(make_deb(tmp_path, version="2.0-1"), publish=True)
    assert moto.count("GET", "*list-type*") == 0
    assert moto.count("GET") + moto.count("HEAD") <= 3
    assert moto.count("PUT") <= 12


def test_publishing_what_is_published_asks_nothing(moto: MotoService, depot: Depot) -> None:
    depot.publish()
    assert moto.requests == []


def test_every_object_says_what_it_is_and_how_long_it_may_be_kept(moto: MotoService, bucket: str, depot: Depot) -> None:
    client = client_for(moto.url)
    names = [found["Key"] for found in client.list_objects_v2(Bucket=bucket, Prefix="debian/")["Contents"]]
    kept = {name: client.head_object(Bucket=bucket, Key=name) for name in names}
    for name, found in kept.items():
        # The latter is what S3 says of what nobody said anything of.
        assert found["ContentType"] != "binary/octet-stream", name
        assert not found.get("ContentEncoding"), name
        if "/.entrepot/" in name or "/.tmp/" in name:
            assert found["CacheControl"] == "no-store", name
            continue
        lasting = "/pool/" in name or "/by-hash/" in name
        assert ("immutable" in found["CacheControl"]) == lasting, name
        assert "no-transform" in found["CacheControl"], name
        assert len(found["Metadata"]["sha256"]) == 64, name


def test_a_copy_of_the_catalog_is_two_objects_and_the_database_is_written_last(
    moto: MotoService, bucket: str, depot: Depot
) -> None:
    catalog_copies.publish_catalog(depot.workspace, f"s3://{bucket}/catalog")
    written = [request.path for request in moto.requests if request.method == "PUT"]
    assert [path.rpartition("/")[2] for path in written] == ["metadata.json", "catalog.db"]
    found = client_for(moto.url).head_object(Bucket=bucket, Key="catalog/catalog.db")
    assert (found["ContentType"], found["CacheControl"]) == ("application/vnd.sqlite3", "no-cache")
