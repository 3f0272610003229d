"""``kind = "cloudfront"``: has CloudFront forget exactly those paths whose content is another than before.

Packages and indexes under names of their own never change, so they are never named here, and no wildcard is used: each
would cost as one path, and empty the cache of everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from entrepot.errors import DeliveryError, MissingExtraError
from entrepot_plugins.notifiers.table import Table

if TYPE_CHECKING:
    from entrepot.contracts import Notice

MOST_PATHS = 3000
"""Paths that may be in progress at once for one distribution, by the quotas of CloudFront."""
SAFE = "/:@!$&'()+,;=-._?"
"""What is not encoded besides letters and digits: CloudFront wants what RFC 1738 calls unsafe encoded, and no more.
An asterisk is encoded, too, as one at the end would be a wildcard."""
_ID = re.compile(r"[A-Z0-9]{8,32}")
_LATER = frozenset(("TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "ServiceUnavailable"))
_LATER_SECONDS = 900


def cloudfront_path(prefix: str, path: str) -> str:
    """A path as CloudFront knows it: from the root of its distribution, encoded."""
    parts = [part.strip("/") for part in (prefix, path)]
    # The tilde is unsafe to RFC 1738 and to nobody since.
    return "/" + quote("/".join(part for part in parts if part), safe=SAFE).replace("~", "%7E")


class CloudFront:
    """Invalidates in one distribution of CloudFront."""

    together = 1000

    def __init__(self, client: Any, distribution_id: str, prefix: str, target: str) -> None:
        self._client = client
        self._id = distribution_id
        self._prefix = prefix
        self._target = target

    def deliver(self, notices: Sequence[Notice], seconds: float) -> None:
        """See ``contracts.Notifier``. Notices that name the same path make one invalidation of it."""
        from botocore.exceptions import BotoCoreError, ClientError

        data = [notice.document["data"] for notice in notices if notice.event == "tree_published"]
        here = [item for item in data if not self._target or item["target"] == self._target]
        paths = sorted({cloudfront_path(self._prefix, path) for item in here for path in item["changed"]})
        try:
            if any(notice.event == "test" for notice in notices):
                self._client.get_distribution(Id=self._id)
            for start in range(0, len(paths), MOST_PATHS):
                self._invalidate(paths[start : start + MOST_PATHS], notices)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "")) or "an error"
            wait = _LATER_SECONDS if code in _LATER else 0
            raise DeliveryError(f"CloudFront answered {code} for distribution {self._id}", retry_after=wait) from error
        except BotoCoreError as error:
            raise DeliveryError(f"CloudFront could not be asked: {type(error).__name__}") from error

    def _invalidate(self, paths: Sequence[str], notices: Sequence[Notice]) -> None:
        # The same notices give the same reference: who is asked twice for the same does it once.
        identity = hashlib.sha256("\n".join([*(notice.id for notice in notices), *paths]).encode()).hexdigest()
        batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": f"entrepot-{identity}"}
        self._client.create_invalidation(DistributionId=self._id, InvalidationBatch=batch)


class CloudFrontFactory:
    """``distribution_id`` of CloudFront, ``prefix`` of the tree below its root, ``target`` that it takes files from.

    Without ``target`` publications to any of a repository's targets count. ``profile`` and ``endpoint_url`` as in
    ``[storage.s3]``; credentials are found by boto3's own chain.
    """

    kind = "cloudfront"
    hears: Collection[str] = ("tree_published",)

    @contextmanager
    def open(self, name: str, settings: Mapping[str, Any], home: Path) -> Iterator[CloudFront]:
        """See ``contracts.NotifierFactory``. ``MissingExtraError`` without boto3."""
        table = Table(name, settings)
        distribution_id = table.get("distribution_id", str)
        if not _ID.fullmatch(distribution_id):
            raise table.error("distribution_id", "is no id of a distribution of CloudFront, like E2QWRUHAPOMQZL")
        texts = {key: table.raw(key) for key in ("prefix", "target", "profile", "endpoint_url")}
        for key, value in texts.items():
            if value is not None and not isinstance(value, str):
                raise table.error(key, "must be str")
        table.done()
        if find_spec("boto3") is None:
            raise MissingExtraError(
                "boto3 is not installed, and CloudFront is asked by it", hint="pip install 'entrepot[s3]'", extra="s3"
            )
        from botocore.exceptions import BotoCoreError

        try:
            client = make_client(texts["profile"], texts["endpoint_url"])
        except (BotoCoreError, ValueError) as error:
            raise table.error("profile", f"cannot be used: {type(error).__name__}") from error
        try:
            yield CloudFront(client, distribution_id, texts["prefix"] or "", texts["target"] or "")
        finally:
            client.close()


def make_client(profile: str | None, endpoint_url: str | None) -> Any:
    """A client of boto3; nothing is asked of the service."""
    import boto3.session
    import botocore.session
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})
    core = botocore.session.Session(profile=profile)
    core.register_component("data_loader", _loader())
    session: Any = boto3.session.Session(botocore_session=core)
    # CloudFront is one service for the world, and answers under this name.
    return session.client("cloudfront", region_name="us-east-1", endpoint_url=endpoint_url, config=config)


@cache
def _loader() -> Any:
    """The descriptions of the service, read once."""
    from botocore.loaders import create_loader

    return create_loader()
