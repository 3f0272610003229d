"""The storage: each method of the contract, on a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from entrepot.contracts import Body, ObjectInfo, ObjectMeta, Storage, StorageProperties
from entrepot_storage.base import (
    Chunks,
    check_conditions,
    check_key,
    check_offset,
    copy_by_stream,
    is_key,
    open_body,
    unwrap,
)
from entrepot_storage.s3.bucket import Bucket
from entrepot_storage.s3.conditions import ProbedProperties
from entrepot_storage.s3.settings import MAX_PUT, Location, S3Settings
from entrepot_storage.s3.writer import Writer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

COPY_PART = 512 << 20


class S3Storage:
    """A bucket, or what is below a prefix in it. The client is closed with it.

    A body must not wait for another large write to the same storage: they share a bounded number of buffers.
    """

    def __init__(
        self,
        client: S3Client,
        location: Location,
        settings: S3Settings,
        *,
        copy_limit: int = MAX_PUT,
        copy_part: int = COPY_PART,
    ) -> None:
        self.location = location
        self._bucket = Bucket(client, location, settings)
        self._writer = Writer(self._bucket, copy_limit=copy_limit, copy_part=copy_part)
        self.properties: StorageProperties = ProbedProperties(self._writer.conditions.supported)

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object. A connection that is lost is made again, as long as the object is still the same."""
        check_key(key)
        return self._bucket.read(key, check_offset(offset))

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object: by one request, or in parts where it is larger than the settings say."""
        self.location.name(key)
        check_conditions(if_absent, if_match)
        condition = self._writer.conditions.arguments(key, if_absent=if_absent, if_match=if_match)
        if isinstance(body, bytes):
            return self._writer.write_bytes(key, body, meta, condition)
        if isinstance(body, os.PathLike):
            with open_body(key, body) as file:
                return self._writer.write_file(key, file, meta, condition)
        return self._writer.write_chunks(key, Chunks(key, body, meta), meta, condition)

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object."""
        found = self._bucket.look(key)
        return found.info if found else None

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._bucket.delete(key)
        self._writer.forget(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects, without digests: listings do not have them."""
        if not (is_key(prefix) or is_key(f"{prefix}x")):
            return iter(())
        return self._bucket.pages(prefix)

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object: by the service itself, from a file of this machine, or through this process.

        What the service copies is not seen here: ``meta.sha256`` is compared with what the object's writer said.
        """
        self.location.name(key)
        check_key(origin_key)
        origin = unwrap(origin)
        if isinstance(origin, S3Storage) and self._bucket.same_service(origin._bucket):
            return self._writer.copy_within(origin._writer, origin_key, key, meta)
        if origin.properties.local_root is not None:
            with origin.read(origin_key) as file:
                return self._writer.write_file(key, file, meta, {})
        return copy_by_stream(origin, origin_key, self, key, meta)

    def close(self) -> None:
        """Ends the threads and closes the connections."""
        self._writer.close()
        self._bucket.client.close()
