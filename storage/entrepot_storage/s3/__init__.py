"""Objects in a bucket of S3, or of any service that speaks its protocol.

This module is the door: it reads URL and settings. What needs boto3 is imported when a storage is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from entrepot.errors import MissingExtraError
from entrepot_storage.s3.settings import parse_location, parse_settings

if TYPE_CHECKING:
    from entrepot_storage.s3.storage import S3Storage


class S3StorageFactory:
    """``s3://bucket/prefix``; settings as in ``S3Settings``. Credentials are found by boto3's own chain."""

    scheme = "s3"

    def open(self, url: str, settings: Mapping[str, Any]) -> S3Storage:
        """Opens a bucket without asking the service anything.

        ``SettingsError`` for a URL, setting or AWS profile that makes no sense, ``MissingExtraError`` without boto3.
        """
        location = parse_location(url)
        parsed = parse_settings(settings, location.bucket)
        if find_spec("boto3") is None:
            raise MissingExtraError(
                "boto3 is not installed, and s3: URLs need it", hint="pip install 'entrepot[s3]'", extra="s3"
            )
        from entrepot_storage.s3.client import make_client
        from entrepot_storage.s3.storage import S3Storage

        return S3Storage(make_client(parsed), location, parsed)
