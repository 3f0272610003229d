"""Whether a service really heeds the conditions of writes: asked once for each place, by trying.

A service that ignores ``If-None-Match`` or ``If-Match`` lets two publishers overwrite each other and says that all is
well, so nothing is believed that was not seen. What was seen to work is written down beside the objects, so that it
costs one GET afterwards, and is looked at again when it is old: services change, and buckets move.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from entrepot.contracts import StorageProperties
from entrepot.errors import StorageError
from entrepot_storage.s3.errors import Translator, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3.client import S3Client

_RECORD = "conditional-writes.json"
_VALID = dt.timedelta(days=7)
_NO_ETAG = "0" * 32
REFUSED = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a service does. ``missing`` says what it does not do, empty if all is well."""

    missing: str = ""
    quoted: bool = False
    """``If-Match`` wants the etag in quotes (RFC 9110, 13.1.1); bare is what more services take."""


class ProbedProperties(StorageProperties):
    """Properties whose ``conditional_writes`` asks the service when somebody looks at it for the first time.

    ``StorageError`` if the service cannot be asked.
    """

    __slots__ = ("_probe",)
    _probe: Callable[[], bool]

    def __init__(self, probe: Callable[[], bool]) -> None:
        for name, value in (("scheme", "s3"), ("local_root", None), ("shared", True), ("_probe", probe)):
            object.__setattr__(self, name, value)

    @property
    def conditional_writes(self) -> bool:
        return self._probe()

    def __repr__(self) -> str:
        return "ProbedProperties(scheme='s3', local_root=None, shared=True)"


class Conditions:
    """The findings about one location, made when they are first needed."""

    def __init__(self, client: S3Client, translator: Translator, writing: Mapping[str, Any]) -> None:
        self._client = client
        self._translator = translator
        self._writing = writing
        self._lock = threading.Lock()
        self._findings: Findings | None = None
        self._parts: str | None = None

    def supported(self) -> bool:
        """Whether ``if_absent`` and ``if_match`` are heeded."""
        return not self._found().missing

    def arguments(self, key: str, *, if_absent: bool, if_match: str | None) -> dict[str, str]:
        """The condition as arguments of a request; ``StorageError`` if the service would not heed it."""
        if not if_absent and if_match is None:
            return {}
        findings = self._found()
        if findings.missing:
            raise self._unsafe(key, findings.missing, "publish to a service that heeds If-None-Match and If-Match")
        if if_match is None:
            return {"IfNoneMatch": "*"}
        return {"IfMatch": f'"{if_match}"' if findings.quoted else if_match}

    def check_parts(self, key: str) -> None:
        """``StorageError`` if the service does not heed conditions when an upload in parts is completed."""
        with self._lock:
            if self._parts is None:
                with self._translator.errors("probed", self._translator.location.own("probe")):
                    self._parts = self._probe_parts()
        if self._parts:
            raise self._unsafe(key, self._parts, "hand over bytes or a file, which are written by one request")

    def _unsafe(self, key: str, missing: str, hint: str) -> StorageError:
        where = self._translator.location
        return StorageError(
            f"{key}: cannot be written conditionally to {where}: the service {missing}, so that two writers"
            " could overwrite each other",
            hint=hint,
            key=key,
            bucket=where.bucket,
            missing=missing,
        )

    def _found(self) -> Findings:
        with self._lock:
            if self._findings is None:
                with self._translator.errors("probed", self._translator.location.own("probe")):
                    self._findings = self._recall() or self._probe()
            return self._findings

    def _recall(self) -> Findings | None:
        """What was seen earlier, here and not long ago."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._record)
        except ClientError as error:
            # Forbidden is what a missing object looks like where listing is denied.
            if status_of(error) in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN) and not _no_bucket(error):
                return None
            raise
        with answer["Body"] as body:
            try:
                record = json.loads(body.read(4096))
                checked = dt.datetime.fromisoformat(record["checked"])
                age = dt.datetime.now(dt.UTC) - checked
                if record["place"] == self._place and dt.timedelta(0) <= age < _VALID:
                    return Findings(quoted=record["quoted"] is True)
            except (ValueError, TypeError, KeyError):
                # Not one of ours, or of another version: it is made anew.
                return None
        return None

    def _probe(self) -> Findings:
        key = self._translator.location.own(f"probe-{os.urandom(8).hex()}")
        try:
            findings = self._try(key)
        finally:
            with suppress(ClientError):
                self._client.delete_object(Bucket=self._bucket, Key=key)
        if not findings.missing:
            record = {
                "place": self._place,
                "quoted": findings.quoted,
                "checked": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            }
            self._client.put_object(
                **self._writing,
                Bucket=self._bucket,
                Key=self._record,
                Body=json.dumps(record).encode(),
                ContentType="application/json",
                CacheControl="no-store",
            )
        return findings

    def _try(self, key: str) -> Findings:
        if self._put(key, IfMatch=_NO_ETAG):
            return Findings("ignores If-Match where there is no object")
        if not (etag := self._put(key, IfNoneMatch="*")):
            return Findings("refuses If-None-Match: *")
        if self._put(key, IfNoneMatch="*"):
            return Findings("ignores If-None-Match")
        if self._put(key, IfMatch=_NO_ETAG):
            return Findings("ignores If-Match")
        for quoted in (False, True):
            if self._put(key, IfMatch=f'"{etag}"' if quoted else etag):
                return Findings(quoted=quoted)
        return Findings("refuses If-Match with the right etag")

    def _put(self, key: str, **condition: str) -> str:
        """The etag of what was written under a condition, empty if that was refused."""
        arguments = {**self._writing, **condition}
        try:
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=b"probe", **arguments)
        except ClientError as error:
            if _refused(error):
                return ""
            raise
        return answer["ETag"].strip('"')

    def _probe_parts(self) -> str:
        key = self._translator.location.own(f"probe-{os.urandom(8).hex()}")
        self._client.put_object(Bucket=self._bucket, Key=key, Body=b"probe", **self._writing)
        try:
            for name, value in (("IfNoneMatch", "*"), ("IfMatch", _NO_ETAG)):
                if self._complete(key, {name: value}):
                    header = "If-None-Match" if name == "IfNoneMatch" else "If-Match"
                    return f"ignores {header} when an upload in parts is completed"
        finally:
            with suppress(ClientError):
                self._client.delete_object(Bucket=self._bucket, Key=key)
        return ""

    def _complete(self, key: str, condition: Mapping[str, Any]) -> bool:
        upload: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        upload["UploadId"] = self._client.create_multipart_upload(**upload, **self._writing)["UploadId"]
        try:
            etag = self._client.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            self._client.complete_multipart_upload(**{**upload, **condition, "MultipartUpload": parts})
        except ClientError as error:
            with suppress(ClientError):
                self._client.abort_multipart_upload(**upload)
            if _refused(error):
                return False
            raise
        return True

    @property
    def _bucket(self) -> str:
        return self._translator.location.bucket

    @property
    def _record(self) -> str:
        return self._translator.location.own(_RECORD)

    @property
    def _place(self) -> str:
        """So that the record of a bucket that was copied elsewhere is not believed there."""
        return f"{self._client.meta.endpoint_url} {self._translator.location}"


def _refused(error: ClientError) -> bool:
    """Whether a condition was heeded, or at least not passed over: 501 is how some say that they know none."""
    return status_of(error) in (*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED) and not _no_bucket(error)


def _no_bucket(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") == "NoSuchBucket"
