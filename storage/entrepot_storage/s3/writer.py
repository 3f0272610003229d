"""Writing to a bucket: in one request or in parts, under a condition or not, and copies within the service."""

from __future__ import annotations

import datetime as dt
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import chain
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from entrepot.contracts import ObjectInfo, ObjectMeta
from entrepot.errors import PreconditionError, StorageError
from entrepot_storage.base import Chunks, no_object
from entrepot_storage.s3.bucket import SHA256, TOKEN, Bucket, object_info
from entrepot_storage.s3.conditions import Conditions
from entrepot_storage.s3.errors import CONFLICTS, code_of, status_of, was_retried
from entrepot_storage.s3.multipart import MAX_PARTS, CopiedPart, Part, PiecePart, Uploader
from entrepot_storage.s3.pieces import Piece, Slots, cut_bytes, cut_chunks, cut_file
from entrepot_storage.s3.settings import MAX_PUT, S3Settings

_REMEMBERED = 4096
_UNDECIDED = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""What may be the echo of our own first try."""

_CONFLICTS = 6
_PAUSE = 0.05
_chance = random.SystemRandom().random

Condition = Mapping[str, str]
"""``IfNoneMatch`` or ``IfMatch``, as arguments of a request; or nothing."""


class Writer:
    """Writes objects. ``copy_limit`` and ``copy_part`` are bytes: what one request copies, and what a part of many."""

    def __init__(self, bucket: Bucket, *, copy_limit: int, copy_part: int) -> None:
        self._bucket = bucket
        self._client = bucket.client
        self._settings = bucket.settings
        self._copy_limit = copy_limit
        self._copy_part = copy_part
        self._common = _common_arguments(bucket.settings)
        self._uploader = Uploader(bucket.client, bucket.translator, bucket.settings.max_concurrency)
        self._slots = Slots(bucket.settings.max_concurrency)
        self._lock = threading.Lock()
        self._written: OrderedDict[str, ObjectInfo] = OrderedDict()
        self.conditions = Conditions(bucket.client, bucket.translator, self._common)

    def close(self) -> None:
        """Ends the threads."""
        self._uploader.close()

    # Each of these takes what has been checked: key and condition, and a body of one kind.

    def write_bytes(self, key: str, data: bytes, meta: ObjectMeta | None, condition: Condition) -> ObjectInfo:
        """Writes what is in memory."""
        data = b"".join(Chunks(key, data, meta))
        return self._write(key, cut_bytes(data, self._piece_size(len(data), condition)), meta, condition)

    def write_file(self, key: str, file: BinaryIO, meta: ObjectMeta | None, condition: Condition) -> ObjectInfo:
        """Writes an open file from its start."""
        size = self._piece_size(os.fstat(file.fileno()).st_size, condition)
        return self._write(key, cut_file(file, Chunks(key, file, meta), size), meta, condition)

    def write_chunks(self, key: str, chunks: Chunks, meta: ObjectMeta | None, condition: Condition) -> ObjectInfo:
        """Writes what comes by and by."""
        pieces = cut_chunks(chunks, self._settings.multipart_chunksize, self._slots)
        return self._write(key, pieces, meta, condition)

    def _piece_size(self, size: int, condition: Condition) -> int:
        # Many services heed conditions only where one request writes the whole object.
        if size <= (MAX_PUT if condition else self._settings.multipart_threshold):
            return max(size, 1)
        return max(self._settings.multipart_chunksize, -(-size // MAX_PARTS))

    def _write(self, key: str, pieces: Iterator[Piece], meta: ObjectMeta | None, condition: Condition) -> ObjectInfo:
        name = self._bucket.location.name(key)
        first = next(pieces)
        try:
            if first.last:
                return self._put(key, name, first, meta, condition)
            if condition:
                self.conditions.check_parts(key)
            return self._put_parts(key, name, chain([first], pieces), meta, condition)
        finally:
            first.done()

    def _put(self, key: str, name: str, piece: Piece, meta: ObjectMeta | None, condition: Condition) -> ObjectInfo:
        token = _token() if condition else ""
        arguments = {**self._arguments(name, meta, token), **condition}

        def send() -> Mapping[str, Any]:
            return self._client.put_object(**arguments, **piece.arguments())

        answer = self._decided(key, token, condition, send, repeatable=True)
        return self._made(key, piece.size, meta, answer)

    def _put_parts(
        self, key: str, name: str, pieces: Iterator[Piece], meta: ObjectMeta | None, condition: Condition
    ) -> ObjectInfo:
        token = _token()
        size = 0

        def parts() -> Iterator[Part]:
            nonlocal size
            for piece in pieces:
                size += piece.size
                yield PiecePart(self._client, piece)

        def send() -> Mapping[str, Any]:
            return self._uploader.upload(key, parts(), self._arguments(name, meta, token), condition)

        answer = self._decided(key, token, condition, send, repeatable=False)
        return self._made(key, size, meta, answer)

    def _decided(
        self, key: str, token: str, condition: Condition, send: Callable[[], Mapping[str, Any]], *, repeatable: bool
    ) -> Mapping[str, Any]:
        """The answer to a write; empty if the first answer was lost and a later one says that the object is there."""
        translator = self._bucket.translator
        failures = 0
        while True:
            with translator.errors("written", key):
                try:
                    return send()
                except ClientError as error:
                    if was_retried(error) and token and status_of(error) in _UNDECIDED and self._is_ours(key, token):
                        return {}
                    if condition and _is_refusal(error):
                        raise self._refused(key, condition) from error
                    if not (repeatable and code_of(error) in CONFLICTS and failures < _CONFLICTS):
                        raise
            failures += 1
            time.sleep(_PAUSE * 2**failures * _chance())

    def _is_ours(self, key: str, token: str) -> bool:
        found = self._bucket.look(key)
        return found is not None and found.token == token

    def _refused(self, key: str, condition: Condition) -> PreconditionError:
        if "IfNoneMatch" in condition:
            return PreconditionError(f"{key}: there is already an object of this key", key=key)
        expected = condition["IfMatch"].strip('"')
        return PreconditionError(f"{key}: the object changed since it was read, or is gone", key=key, expected=expected)

    # ---------------------------------------------------------------------------------- copies

    def copy_within(self, origin: Writer, origin_key: str, key: str, meta: ObjectMeta | None) -> ObjectInfo:
        """Has the service copy an object; what travels with it is replaced by ``meta``, or kept."""
        name, origin_name = self._bucket.location.name(key), origin._bucket.location.name(origin_key)
        source = {"Bucket": origin._bucket.location.bucket, "Key": origin_name}
        known = origin.recall(origin_key)
        if known is None or known.size > self._copy_limit:
            found = origin._bucket.look(origin_key)
            if found is None:
                raise no_object(origin_key, str(origin._bucket.location))
            known, kept = found.info, found.meta
        else:
            kept = None
        _check_digest(key, known, meta)
        if meta is None and source == {"Bucket": self._bucket.location.bucket, "Key": name}:
            return known
        with self._bucket.translator.errors("copied", key):
            try:
                if known.size > self._copy_limit:
                    answer = self._copy_parts(key, name, source, known, meta or kept)
                else:
                    answer = self._copy_whole(name, source, meta)
            except ClientError as error:
                if code_of(error) != "NoSuchKey":
                    raise
                raise no_object(origin_key, str(origin._bucket.location)) from error
        if answer.get("ETag", "").strip('"') == known.etag:
            # The same etag, so the same content as when its size was seen.
            return self._made(key, known.size, meta or ObjectMeta(sha256=known.sha256), answer)
        return self._looked(key)

    def recall(self, key: str) -> ObjectInfo | None:
        """What is known of an object that was written here, without asking; somebody may have replaced it since."""
        with self._lock:
            return self._written.get(key)

    def forget(self, key: str) -> None:
        """To be called when an object is deleted."""
        with self._lock:
            self._written.pop(key, None)

    def _copy_whole(self, name: str, source: Mapping[str, str], meta: ObjectMeta | None) -> Mapping[str, Any]:
        arguments = self._arguments(name, meta, "")
        if meta is not None:
            arguments["MetadataDirective"] = "REPLACE"
        arguments["CopySource"] = source
        return self._client.copy_object(**arguments)["CopyObjectResult"]

    def _copy_parts(
        self, key: str, name: str, source: Mapping[str, str], known: ObjectInfo, meta: ObjectMeta | None
    ) -> Mapping[str, Any]:
        size = max(self._copy_part, -(-known.size // MAX_PARTS))
        arguments = {"CopySource": source, "CopySourceIfMatch": known.etag}
        parts = (
            CopiedPart(self._client, arguments, begin, min(begin + size, known.size))
            for begin in range(0, known.size, size)
        )
        return self._uploader.upload(key, parts, self._arguments(name, meta, _token()), {})

    # ---------------------------------------------------------------------------------- arguments and answers

    def _arguments(self, name: str, meta: ObjectMeta | None, token: str) -> dict[str, Any]:
        """Place, what travels with the object, and what the settings say of every write."""
        arguments: dict[str, Any] = {**self._common, "Bucket": self._bucket.location.bucket, "Key": name}
        kept = {TOKEN: token} if token else {}
        if meta is not None:
            arguments["ContentType"] = meta.content_type
            if meta.cache_control:
                arguments["CacheControl"] = meta.cache_control
            if meta.sha256:
                kept[SHA256] = meta.sha256
        if kept:
            arguments["Metadata"] = kept
        return arguments

    def _made(self, key: str, size: int, meta: ObjectMeta | None, answer: Mapping[str, Any]) -> ObjectInfo:
        etag = answer.get("ETag")
        if not etag:
            # Some services leave it out when an upload in parts is completed.
            return self._looked(key)
        info = object_info(key, size, etag, _date(answer), meta.sha256 if meta else None)
        self._remember(info)
        return info

    def _looked(self, key: str) -> ObjectInfo:
        found = self._bucket.look(key)
        if found is None:
            raise StorageError(
                f"{key}: was removed from {self._bucket.location} as soon as it was written",
                key=key,
                bucket=self._bucket.location.bucket,
            )
        self._remember(found.info)
        return found.info

    def _remember(self, info: ObjectInfo) -> None:
        with self._lock:
            self._written[info.key] = info
            self._written.move_to_end(info.key)
            if len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)


def _is_refusal(error: ClientError) -> bool:
    """Some say 404 where ``If-Match`` finds no object."""
    return status_of(error) == HTTPStatus.PRECONDITION_FAILED or code_of(error) == "NoSuchKey"


def _check_digest(key: str, known: ObjectInfo, meta: ObjectMeta | None) -> None:
    """The bytes of a copy are not seen here, so its digest can only be compared with what its writer said."""
    if meta and meta.sha256 and known.sha256 and meta.sha256 != known.sha256:
        raise StorageError(
            f"{key}: what was to be copied has sha256 {known.sha256}, not {meta.sha256}",
            key=key,
            expected=meta.sha256,
            found=known.sha256,
        )


def _common_arguments(settings: S3Settings) -> dict[str, str]:
    values = {
        "ACL": settings.acl,
        "ServerSideEncryption": settings.server_side_encryption,
        "SSEKMSKeyId": settings.sse_kms_key_id,
        "StorageClass": settings.storage_class,
    }
    return {name: value for name, value in values.items() if value is not None}


def _token() -> str:
    return os.urandom(12).hex()


def _date(answer: Mapping[str, Any]) -> dt.datetime:
    """When the service says that it wrote; by its own clock, like ``LastModified``."""
    modified = answer.get("LastModified")
    if isinstance(modified, dt.datetime):
        return modified
    try:
        date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return dt.datetime.now(dt.UTC)
    return date if date.tzinfo else date.replace(tzinfo=dt.UTC)
