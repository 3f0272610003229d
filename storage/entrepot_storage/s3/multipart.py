"""Uploads in parts: several at a time, all of them or nothing, and nothing left over when it fails.

What a service keeps of an upload that was neither completed nor aborted costs money and cannot be seen, so an upload
is aborted whatever ends it: the body's own error, another service's, Ctrl-C. Who is killed leaves one behind; only a
rule of the bucket (AbortIncompleteMultipartUpload) cleans up after that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from entrepot.errors import StorageError
from entrepot_storage.s3.errors import Translator
from entrepot_storage.s3.pieces import Piece

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

MAX_PARTS = 10_000
"""How many parts S3 allows."""


class Part(Protocol):
    """What becomes one part of an upload."""

    def send(self, upload: Mapping[str, Any], number: int) -> str:
        """Sends it and answers its etag; ``upload`` are the arguments ``Bucket``, ``Key`` and ``UploadId``."""
        ...

    def done(self) -> None:
        """Called once, when it was sent or will not be."""
        ...


class PiecePart:
    """A part that is sent from here."""

    def __init__(self, client: S3Client, piece: Piece) -> None:
        self._client = client
        self._piece = piece

    def send(self, upload: Mapping[str, Any], number: int) -> str:
        """Sends it."""
        return self._client.upload_part(**upload, PartNumber=number, **self._piece.arguments())["ETag"]

    def done(self) -> None:
        """Lets go of the piece."""
        self._piece.done()


class CopiedPart:
    """A range of another object, which the service copies by itself."""

    def __init__(self, client: S3Client, source: Mapping[str, Any], begin: int, end: int) -> None:
        self._client = client
        self._source = source
        self._range = f"bytes={begin}-{end - 1}"

    def send(self, upload: Mapping[str, Any], number: int) -> str:
        """Has it copied."""
        answer = self._client.upload_part_copy(**upload, **self._source, PartNumber=number, CopySourceRange=self._range)
        return answer["CopyPartResult"]["ETag"]

    def done(self) -> None:
        """Holds nothing."""


class Uploader:
    """Sends parts by threads of its own, which all uploads of a storage share."""

    def __init__(self, client: S3Client, translator: Translator, concurrency: int) -> None:
        self._client = client
        self._translator = translator
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def upload(
        self, key: str, parts: Iterable[Part], creating: Mapping[str, Any], completing: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The service's answer to the completion, whose own errors are boto's; other errors are ``StorageError``.

        ``creating`` and ``completing`` are arguments of the first and last request, ``Bucket`` and ``Key`` in both.
        """
        with self._translator.errors("written", key):
            begun = self._client.create_multipart_upload(**creating)
        upload = {"Bucket": begun["Bucket"], "Key": creating["Key"], "UploadId": begun["UploadId"]}
        sending: dict[Future[str], tuple[int, Part]] = {}
        etags: dict[int, str] = {}
        complete = False
        try:
            for number, part in enumerate(parts, 1):
                if number > MAX_PARTS:
                    part.done()
                    raise StorageError(
                        f"{key}: is too large for {MAX_PARTS} parts",
                        hint="raise multipart_chunksize in [storage.s3]",
                        key=key,
                    )
                sending[self._threads().submit(self._send, key, part, upload, number)] = (number, part)
                if len(sending) >= self._concurrency:
                    _collect(sending, etags, wait(sending, return_when=FIRST_COMPLETED).done)
            _collect(sending, etags, wait(sending).done)
            listed = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]
            answer = self._client.complete_multipart_upload(
                **{**completing, **upload, "MultipartUpload": {"Parts": listed}}
            )
            complete = True
            return answer
        finally:
            if not complete:
                self._abandon(upload, sending)

    def close(self) -> None:
        """Ends the threads."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _send(self, key: str, part: Part, upload: Mapping[str, Any], number: int) -> str:
        try:
            with self._translator.errors("written", key):
                return part.send(upload, number)
        finally:
            part.done()

    def _abandon(self, upload: Mapping[str, Any], sending: Mapping[Future[str], tuple[int, Part]]) -> None:
        for future, (_, part) in sending.items():
            if future.cancel():
                part.done()
        # A part that arrives after the abort would stay for ever.
        wait(sending)
        # What made us give up is what the caller has to hear of.
        with suppress(StorageError), self._translator.errors("cleaned up", upload["Key"]):
            self._client.abort_multipart_upload(**upload)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._concurrency, "s3-part")
            return self._pool


def _collect(sending: dict[Future[str], tuple[int, Part]], etags: dict[int, str], ended: Iterable[Future[str]]) -> None:
    for future in ended:
        number, _ = sending[future]
        etags[number] = future.result()
        del sending[future]
