"""CloudFront is asked to forget what changed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Notice
from entrepot.errors import DeliveryError, SettingsError
from entrepot.testing import NotifierContract
from entrepot_plugins.notifiers import CloudFrontFactory
from entrepot_plugins.notifiers.cloudfront import MOST_PATHS, cloudfront_path, make_client
from support.s3_moto import Fault, MotoService

ORIGIN = {
    "Id": "o",
    "DomainName": "packages.s3.amazonaws.com",
    "S3OriginConfig": {"OriginAccessIdentity": ""},
}
CONFIG = {
    "Origins": {"Quantity": 1, "Items": [ORIGIN]},
    "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
    "Comment": "",
    "Enabled": True,
}


NUMBERS = count()


@pytest.fixture(scope="module")
def service() -> Iterator[MotoService]:
    with pytest.MonkeyPatch.context() as patch, MotoService() as service:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        yield service


class Cache:
    """A distribution of CloudFront."""

    def __init__(self, service: MotoService) -> None:
        self.service = service
        # One client is a second of CPU.
        self.client = make_client(None, service.url)
        self.id = ""

    def make(self) -> None:
        """A new distribution, with a service that knows of no request."""
        config = {**CONFIG, "CallerReference": str(next(NUMBERS))}
        self.id = self.client.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
        self.service.forget()

    @property
    def table(self) -> dict[str, Any]:
        """Settings of a notifier for it."""
        return {"distribution_id": self.id, "endpoint_url": self.service.url}

    def deliver(self, notices: Sequence[Notice], **more: Any) -> None:
        with CloudFrontFactory().open("cdn", {**self.table, **more}, Path("/nowhere")) as notifier:
            notifier.deliver(notices, 10.0)

    def invalidated(self) -> list[list[str]]:
        """The paths of each invalidation, oldest first."""
        listed = self.client.list_invalidations(DistributionId=self.id)["InvalidationList"].get("Items", [])
        found = []
        for item in listed:
            got = self.client.get_invalidation(DistributionId=self.id, Id=item["Id"])["Invalidation"]
            found.append((got["CreateTime"], got["InvalidationBatch"]))
        return [batch["Paths"]["Items"] for _, batch in sorted(found, key=lambda item: item[0])]


@pytest.fixture(scope="module")
def client(service: MotoService) -> Iterator[Cache]:
    cache = Cache(service)
    yield cache
    cache.client.close()


@pytest.fixture
def cache(client: Cache) -> Cache:
    client.make()
    return client


def published(*paths: str, number: int = 1, target: str = "s3://packages/apt") -> Notice:
    data = {"changed": list(paths), "target": target}
    return Notice(f"evt_{number}", "tree_published", {"id": f"evt_{number}", "data": data})


class TestContract(NotifierContract):
    secrets = ("hunter2",)

    @pytest.fixture(autouse=True)
    def _cache(self, cache: Cache) -> None:
        self.cache = cache

    def make_factory(self) -> CloudFrontFactory:
        return CloudFrontFactory()

    def settings(self, folder: Path) -> Mapping[str, Any]:
        return self.cache.table

    def broken(self, folder: Path) -> Mapping[str, Any]:
        return {**self.cache.table, "distribution_id": "EDOESNOTEXIST1"}

    def received(self, folder: Path) -> Sequence[str]:
        return [path for paths in self.cache.invalidated() for path in paths]


def test_several_publications_are_one_invalidation_of_each_path(cache: Cache) -> None:
    release, packages = "dists/stable/Release", "dists/stable/main/binary-amd64/Packages.gz"
    cache.deliver([published(release, packages), published(release, number=2)], prefix="/apt/")
    assert cache.invalidated() == [[f"/apt/{release}", f"/apt/{packages}"]]


def test_the_same_notices_have_the_same_reference(cache: Cache, service: MotoService) -> None:
    notices = [published("a", "b")]
    cache.deliver(notices)
    cache.deliver(notices)
    (first, *others) = [
        cache.client.get_invalidation(DistributionId=cache.id, Id=item["Id"])["Invalidation"]["InvalidationBatch"]
        for item in cache.client.list_invalidations(DistributionId=cache.id)["InvalidationList"]["Items"]
    ]
    assert all(batch == first for batch in others)
    assert service.count("POST") == 2


def test_what_is_published_elsewhere_is_not_its_business(cache: Cache, service: MotoService) -> None:
    cache.deliver([published("a", target="file:///srv")], target="s3://packages/apt")
    assert service.count("POST") == 0


def test_more_paths_than_one_request_may_have_are_several(cache: Cache) -> None:
    cache.deliver([published(*(f"x/{number:05}" for number in range(MOST_PATHS + 1)))])
    assert sorted(len(paths) for paths in cache.invalidated()) == [1, MOST_PATHS]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dists/a/Release", "/dists/a/Release"),
        ("x/a b", "/x/a%20b"),
        ("x/é", "/x/%C3%A9"),
        ("x/all*", "/x/all%2A"),
        ("x/1%2", "/x/1%252"),
        ("x/g++~[1]", "/x/g++%7E%5B1%5D"),
        ("x/2026-01-01T00:00:00Z", "/x/2026-01-01T00:00:00Z"),
    ],
)
def test_a_path_is_encoded_as_cloudfront_wants_it_and_is_never_a_wildcard(path: str, expected: str) -> None:
    assert cloudfront_path("", path) == expected


def test_a_service_that_has_too_much_to_do_is_asked_again_much_later(cache: Cache, service: MotoService) -> None:
    service.fail("POST", "*/invalidation", Fault(status=400, code="TooManyInvalidationsInProgress"))
    with pytest.raises(DeliveryError, match="CloudFront answered") as caught:
        cache.deliver([published("a")])
    assert caught.value.retry_after == 900


def test_a_trial_asks_whether_the_distribution_is_there(cache: Cache) -> None:
    trial = replace(published(), event="test", document={"data": {"message": "try"}})
    cache.deliver([trial])
    with pytest.raises(DeliveryError, match="NoSuchDistribution"):
        cache.deliver([trial], distribution_id="EDOESNOTEXIST1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "distribution_id must be str"),
        ({"distribution_id": "*"}, "is no id of a distribution"),
        ({"distribution_id": "E2QWRUHAPOMQZL", "prefix": 3}, "prefix must be str"),
        ({"distribution_id": "E2QWRUHAPOMQZL", "profile": "nobody"}, "profile cannot be used: ProfileNotFound"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: Mapping[str, Any], message: str) -> None:
    opened = CloudFrontFactory().open("cdn", settings, Path("/nowhere"))
    with pytest.raises(SettingsError, match=message):
        opened.__enter__()
