"""A workspace, a bucket that packages come in by, and a function that has both, on an S3 service in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from entrepot.declaration import parse_declaration
from entrepot.serverless import handler
from entrepot.services import applying
from entrepot.services.workspaces import initialise, open_workspace
from support.debs import make_deb
from support.function_events import Context
from support.s3_buckets import client_for, new_bucket, use_credentials
from support.s3_moto import MotoService

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SITE = """
policies:
  careful:
    deny:
      - {{package: bad, outcome: reject, reason: not in here}}
      - {{package: odd, outcome: pending_review}}
schedule:
  tidy: {{run: gc, every: 1m}}
settings:
  incoming: {{url: "s3://{bucket}/drop", wait: 0}}
repositories:
  apt:
    format: apt
    publish_to: {tree}
    sign: false
    distributions:
      stable: {{policy: careful, components: [main, extra]}}
      testing/new: {{policy: careful}}
  cloud:
    format: apt
    publish_to: "s3://{bucket}/tree"
    sign: false
    distributions:
      stable: {{}}
"""


@dataclass
class Site:
    """``url`` is the workspace; ``bucket`` has ``drop/incoming/``."""

    url: str
    bucket: str
    endpoint: str
    folder: Path
    client: S3Client

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def deb(self, name: str, version: str = "1.0-1") -> Path:
        """A package on this machine."""
        return make_deb(self.folder, name, version)

    def put(self, path: Path | bytes, key: str) -> str:
        """Puts a file under ``drop/``; answers the key in the bucket."""
        body = path if isinstance(path, bytes) else path.read_bytes()
        self.client.put_object(Bucket=self.bucket, Key=f"drop/{key}", Body=body)
        return f"drop/{key}"

    def objects(self, prefix: str = "") -> list[str]:
        """What is under ``drop/``, without leases."""
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"drop/{prefix}").get("Contents", [])
        keys = [item["Key"].removeprefix("drop/") for item in found]
        return [key for key in keys if not key.startswith((".entrepot/", ".tmp/"))]

    def body(self, key: str) -> bytes:
        """What an object under ``drop/`` is."""
        return self.client.get_object(Bucket=self.bucket, Key=f"drop/{key}")["Body"].read()

    def report(self, moved: str) -> dict[str, Any]:
        """What is said of an object that was moved there."""
        document: dict[str, Any] = json.loads(self.body(f"reports/{moved}.json"))
        return document

    def clear(self) -> None:
        """Takes everything away from under ``drop/``."""
        for key in self.objects():
            self.client.delete_object(Bucket=self.bucket, Key=f"drop/{key}")

    def call(self, event: object, context: object = None) -> dict[str, Any]:
        """Calls the function."""
        return handler(event, context or Context())

    def versions(self, path: str = "apt/stable") -> tuple[int, int]:
        """The newest version of a distribution, and the version that is published."""
        with open_workspace(self.url) as workspace:
            catalog = workspace.catalog
            distribution = catalog.repositories.distribution(path)
            (target,) = catalog.repositories.get("apt").targets
            published = catalog.publications.latest(target, distribution)
            return catalog.versions.latest(distribution).number, published.version if published else 0


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("function")
    with pytest.MonkeyPatch.context() as patch, MotoService() as service:
        use_credentials(patch)
        patch.setenv("AWS_ENDPOINT_URL", service.url)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("ENTREPOT_CACHE", str(folder / "cache"))
        bucket = new_bucket(service.url)
        url = f"s3://{bucket}/home"
        patch.setenv("ENTREPOT_HOME", url)
        with open_workspace(url) as workspace:
            initialise(workspace)
            text = SITE.format(bucket=bucket, tree=folder / "tree")
            applying.apply(workspace, parse_declaration(text, folder / "entrepot.yaml"))
        with closing(client_for(service.url)) as client:
            yield Site(url, bucket, service.url, folder, client)
