"""The table ``[storage.s3]`` and the URL of a bucket: checked whole before anything is opened."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from entrepot.errors import SettingsError, StorageKeyError
from entrepot_storage.base import MAX_KEY, RESERVED, check_key, is_key

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_MIB = 1 << 20
MIN_PART = 5 * _MIB
"""Bytes of the smallest part that S3 takes, but for the last one of an upload."""

MAX_PUT = 5 << 30
"""Bytes of the largest object that one request can write or copy."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """``[storage.s3]``. What is None is left to the files and variables of the AWS tools; sizes are in bytes."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    path_style: bool | None = None
    """``endpoint/bucket/key`` or ``bucket.endpoint/key``; unless said, the former with any endpoint but AWS's own."""
    acl: str | None = None
    server_side_encryption: str | None = None
    sse_kms_key_id: str | None = None
    storage_class: str | None = None
    max_concurrency: int = 8
    """How many parts of large bodies travel at the same time, and how many of them are kept in memory."""
    multipart_threshold: int = 16 * _MIB
    """Up to this, a body of known size is written by one request."""
    multipart_chunksize: int = 8 * _MIB
    ca_bundle: str | None = None
    verify: bool = True
    anonymous: bool = False
    """Sign nothing: for reading what is public."""


_KINDS = {
    field.name: bool if "bool" in str(field.type) else int if "int" in str(field.type) else str
    for field in dataclasses.fields(S3Settings)
}
_RANGES: dict[str, tuple[int, int]] = {
    "max_concurrency": (1, 256),
    "multipart_threshold": (MIN_PART, MAX_PUT),
    "multipart_chunksize": (MIN_PART, MAX_PUT),
}


def parse_settings(table: Mapping[str, Any], bucket: str) -> S3Settings:
    """The settings of one bucket: those of the table, and before them those of ``[storage.s3.buckets.<bucket>]``."""
    buckets = table.get("buckets", {})
    if not isinstance(buckets, Mapping) or not all(isinstance(inner, Mapping) for inner in buckets.values()):
        raise SettingsError("[storage.s3.buckets] is a table of tables, one for each bucket", setting="buckets")
    values: dict[str, Any] = {}
    _read(values, {name: value for name, value in table.items() if name != "buckets"}, "storage.s3")
    _read(values, buckets.get(bucket, {}), f"storage.s3.buckets.{bucket}")
    settings = S3Settings(**values)
    _check_together(settings)
    return settings


def _read(values: dict[str, Any], table: Mapping[str, Any], where: str) -> None:
    for name, value in table.items():
        kind = _KINDS.get(name)
        if kind is None:
            raise SettingsError(
                f"[{where}] has no setting {name!r}",
                hint=f"known: {', '.join(_KINDS)}; credentials are left to the AWS tools' own files and variables",
                setting=name,
            )
        if type(value) is not kind or value == "":
            raise SettingsError(f"[{where}] {name} must be {_NAMES[kind]}", setting=name)
        low, high = _RANGES.get(name, (0, 0))
        if high and not low <= int(value) <= high:
            raise SettingsError(f"[{where}] {name} is {value}; from {low} to {high} is possible", setting=name)
        values[name] = value


_NAMES = {bool: "true or false", int: "a whole number", str: "a text that is not empty"}


def _check_together(settings: S3Settings) -> None:
    if settings.endpoint_url is not None:
        _check_endpoint(settings.endpoint_url)
    if settings.sse_kms_key_id and not (settings.server_side_encryption or "").startswith("aws:kms"):
        raise SettingsError(
            "[storage.s3] sse_kms_key_id needs server_side_encryption = 'aws:kms'", setting="sse_kms_key_id"
        )
    if settings.ca_bundle and not settings.verify:
        raise SettingsError("[storage.s3] ca_bundle makes no sense with verify = false", setting="ca_bundle")
    if settings.anonymous and settings.profile:
        raise SettingsError("[storage.s3] anonymous makes no sense with a profile", setting="anonymous")


def _check_endpoint(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not url.isprintable():
        raise SettingsError("[storage.s3] endpoint_url is not http(s)://HOST[:PORT]", setting="endpoint_url")
    if parts.username is not None or parts.password is not None:
        # The value is not repeated: it holds a secret.
        raise SettingsError(
            "[storage.s3] endpoint_url has a user name or password in it",
            hint="keep credentials in the environment or in the AWS tools' credentials file",
            setting="endpoint_url",
        )


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket, and what stands before every key in it: empty, or a path with a slash at its end."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def name(self, key: str) -> str:
        """The name that an object has in the bucket; ``StorageKeyError`` as in ``check_key``, or if it is too long."""
        name = self.prefix + check_key(key)
        if len(name) * 4 > MAX_KEY and len(name.encode()) > MAX_KEY:
            raise StorageKeyError(f"{key[:120]!a}... is longer than {MAX_KEY} bytes below {self}", key=ascii(key[:120]))
        return name

    def key(self, name: str) -> str | None:
        """The key of a name in the bucket; None for what is no object of ours."""
        key = name[len(self.prefix) :]
        return key if name.startswith(self.prefix) and is_key(key) else None

    def own(self, name: str) -> str:
        """Where something of the backend itself is: no key leads there."""
        return f"{self.prefix}{RESERVED}/{name}"


def parse_location(url: str) -> Location:
    """The location of ``s3://bucket/prefix``; nothing in the URL is an escape, as with the AWS tools."""
    hint = "write s3://BUCKET or s3://BUCKET/PREFIX"
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not url.isprintable() or "@" in bucket:
        # Not repeated: what stands before an @ may be a secret.
        raise SettingsError("that is not the URL of a bucket", hint=hint)
    if not _BUCKET.fullmatch(bucket):
        raise SettingsError(f"{bucket!r} cannot be the name of a bucket", hint=hint, url=url)
    prefix = prefix.removesuffix("/")
    if prefix and not is_key(prefix):
        raise SettingsError(f"{prefix!r} cannot stand before the keys in a bucket", hint=hint, url=url)
    return Location(bucket, f"{prefix}/" if prefix else "")
