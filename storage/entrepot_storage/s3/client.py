"""Makes a boto3 client that works with AWS and with services that are merely like it."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3.session
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader

from entrepot.errors import SettingsError
from entrepot_storage.s3.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_AWS = re.compile(r"https?://[^/]*\.(amazonaws\.[a-z.]+|api\.aws)/?")
_CALLERS = 64
"""How many connections are kept: callers have threads of their own, besides those that send parts."""

_OURS = {
    # Many services do not know the checksums that AWS added in 2022, nor the chunked form that they come in. Every
    # service knows Content-MD5, and every body here is sent with it.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
    "retry_mode": "standard",
    "max_attempts": 5,
}
"""Our defaults; the environment and configuration file of the AWS tools come before them."""

_VARIABLES = {
    "request_checksum_calculation": "AWS_REQUEST_CHECKSUM_CALCULATION",
    "response_checksum_validation": "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "retry_mode": "AWS_RETRY_MODE",
    "max_attempts": "AWS_MAX_ATTEMPTS",
}


def make_client(settings: S3Settings) -> S3Client:
    """A client, which threads may share; nothing is asked of the service. ``SettingsError`` for an unusable setting."""
    try:
        core = botocore.session.Session(profile=settings.profile)
        core.register_component("data_loader", _loader())
        session = boto3.session.Session(botocore_session=core, region_name=settings.region)
        scoped = core.get_scoped_config()
        path_style = settings.path_style
        unsaid = path_style is None and "addressing_style" not in _table(scoped.get("s3"))
        if unsaid and settings.endpoint_url is not None:
            path_style = not _AWS.fullmatch(settings.endpoint_url) or None
        client = _client(session, settings, scoped, path_style)
        # The endpoint may come from AWS_ENDPOINT_URL or a configuration file, too, so it is known only now.
        if unsaid and path_style is None and not _AWS.fullmatch(client.meta.endpoint_url):
            client.close()
            client = _client(session, settings, scoped, path_style=True)
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"[storage.s3] cannot be used: {error}", settings="storage.s3") from error
    return client


def _client(
    session: boto3.session.Session, settings: S3Settings, scoped: dict[str, Any], path_style: bool | None
) -> S3Client:
    chosen = {name: value for name, value in _OURS.items() if name not in scoped and _VARIABLES[name] not in os.environ}
    retries = {
        theirs: chosen.pop(name)
        for name, theirs in (("retry_mode", "mode"), ("max_attempts", "total_max_attempts"))
        if name in chosen
    }
    options: dict[str, Any] = {**chosen, "retries": retries or None}
    if path_style is not None:
        options["s3"] = {"addressing_style": "path" if path_style else "virtual"}
    if settings.anonymous:
        options["signature_version"] = UNSIGNED
    config = Config(
        max_pool_connections=_CALLERS + settings.max_concurrency, connect_timeout=10, tcp_keepalive=True, **options
    )
    # None leaves it to AWS_CA_BUNDLE and the configuration file.
    verify = settings.ca_bundle if settings.verify else False
    client: S3Client = session.client("s3", endpoint_url=settings.endpoint_url, verify=verify, config=config)
    return client


@cache
def _loader() -> Loader:
    """The descriptions of the service, read once for all clients: 10 ms of CPU for another client instead of 60."""
    return create_loader()


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
