"""What is in a bucket: looking at objects, reading, listing and deleting them, with every answer explained."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn

from botocore.exceptions import ClientError

from entrepot.contracts import ObjectInfo, ObjectMeta
from entrepot.errors import StorageError
from entrepot_storage.base import CHUNK, no_object
from entrepot_storage.s3.errors import Translator, code_of, status_of
from entrepot_storage.s3.reader import Answer, ObjectStream
from entrepot_storage.s3.settings import Location, S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SHA256 = "sha256"
"""Metadata that holds the digest: the ETag is no digest of what was uploaded in parts or is encrypted."""

TOKEN = "entrepot-write"
"""Metadata by which a writer knows its own object again when the answer to its first try was lost."""

_SHA256 = re.compile("[0-9a-f]{64}")


class Found(NamedTuple):
    """What one look at an object tells; ``token`` is its last writer's, mostly empty."""

    info: ObjectInfo
    meta: ObjectMeta
    token: str


class Bucket:
    """A place in a bucket, as its client sees it. Threads may share it."""

    def __init__(self, client: S3Client, location: Location, settings: S3Settings) -> None:
        self.client = client
        self.location = location
        self.settings = settings
        self.endpoint: str = client.meta.endpoint_url
        self.translator = Translator(location, self.endpoint)
        self._seen = False

    def same_service(self, other: Bucket) -> bool:
        """Whether the service can copy from there to here by itself, with the credentials of both."""

        def who(bucket: Bucket) -> tuple[object, ...]:
            return bucket.endpoint, bucket.settings.profile, bucket.settings.anonymous

        return who(self) == who(other)

    def look(self, key: str) -> Found | None:
        """What is known of an object; None if there is none."""
        name = self.location.name(key)
        with self.translator.errors("looked at", key):
            try:
                answer = self.client.head_object(Bucket=self.location.bucket, Key=name)
            except ClientError as error:
                if not (self._seen and status_of(error) == HTTPStatus.NOT_FOUND):
                    self._ask_why(key, name, error)
                return None
        self._seen = True
        kept = answer["Metadata"]
        sha256 = kept.get(SHA256, "")
        meta = ObjectMeta(
            content_type=answer.get("ContentType", ObjectMeta().content_type),
            cache_control=answer.get("CacheControl", ""),
            sha256=sha256 if _SHA256.fullmatch(sha256) else None,
        )
        size, etag, modified = answer["ContentLength"], answer["ETag"], answer["LastModified"]
        return Found(object_info(key, size, etag, modified, meta.sha256), meta, kept.get(TOKEN, ""))

    def read(self, key: str, offset: int) -> BinaryIO:
        """Opens an object. A connection that is lost is made again, as long as the object is still the same."""
        target: dict[str, Any] = {"Bucket": self.location.bucket, "Key": self.location.name(key)}
        span: dict[str, Any] = {"Range": f"bytes={offset}-"} if offset else {}
        with self.translator.errors("read", key):
            try:
                answer = self.client.get_object(**target, **span)
            except ClientError as error:
                if status_of(error) != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    self._explain("read", key, error)
                self._seen = True
                return io.BytesIO()
        self._seen = True
        etag = answer["ETag"]

        def reopen(position: int) -> Answer:
            with self.translator.errors("read", key):
                try:
                    rest = self.client.get_object(**target, Range=f"bytes={position}-", IfMatch=etag)
                except ClientError as error:
                    if status_of(error) not in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_FOUND):
                        raise
                    raise self._replaced(key) from error
            if rest["ETag"] != etag:
                rest["Body"].close()
                raise self._replaced(key)
            return rest["Body"]

        def lost(error: Exception) -> StorageError:
            return self.translator.unreached("read", key, error)

        stream = ObjectStream(answer["Body"], offset, answer["ContentLength"], reopen, lost)
        return io.BufferedReader(stream, CHUNK)

    def pages(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects whose key starts with ``prefix``, a thousand with each request; listings have no digests."""
        arguments: dict[str, Any] = {"Bucket": self.location.bucket, "Prefix": self.location.prefix + prefix}
        while True:
            with self.translator.errors("listed", prefix):
                page = self.client.list_objects_v2(**arguments)
            self._seen = True
            for found in page.get("Contents", ()):
                key = self.location.key(found["Key"])
                if key is not None:
                    yield object_info(key, found["Size"], found["ETag"], found["LastModified"], None)
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, key: str) -> None:
        """Removes an object; no error if there is none."""
        name = self.location.name(key)
        with self.translator.errors("deleted", key):
            try:
                self.client.delete_object(Bucket=self.location.bucket, Key=name)
            except ClientError as error:
                if code_of(error) != "NoSuchKey":
                    raise

    def _replaced(self, key: str) -> StorageError:
        message = f"{key}: was replaced in {self.location} while it was read, and the connection was lost"
        return StorageError(message, key=key, bucket=self.location.bucket, transient=True)

    def _ask_why(self, key: str, name: str, refused: ClientError) -> None:
        """Returns if there is no such object, raises what else is wrong.

        An answer to a HEAD has no body, so it says neither what is missing nor what is forbidden; that to a GET does.
        """
        if status_of(refused) not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST):
            raise refused
        try:
            answer = self.client.get_object(Bucket=self.location.bucket, Key=name, Range="bytes=0-0")
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise self.translator.answer("looked at", key, error) from error
            self._seen = True
            return
        answer["Body"].close()
        raise refused

    def _explain(self, what: str, key: str, error: ClientError) -> NoReturn:
        if code_of(error) == "NoSuchKey":
            self._seen = True
            raise no_object(key, str(self.location)) from error
        raise self.translator.answer(what, key, error) from error


def object_info(key: str, size: int, etag: str, modified: dt.datetime, sha256: str | None) -> ObjectInfo:
    """What is known of an object, its etag without the quotes that answers put around it, or do not."""
    return ObjectInfo(key, size, etag.strip('"'), modified.astimezone(dt.UTC), sha256)
