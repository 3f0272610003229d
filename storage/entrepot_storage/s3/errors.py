"""What a service, or the way to it, says went wrong, as errors that name bucket and key and say what to do.

No message holds a credential, a signature or a header: of an answer only its code and its own sentence are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import urllib3.exceptions
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from entrepot.errors import StorageError
from entrepot_storage.s3.settings import Location

_CREDENTIALS = (
    "credentials are looked for where the AWS tools look: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in"
    " ~/.aws/credentials, the role of the machine"
)
_PERMISSION = (
    "the credentials need s3:GetObject, s3:PutObject and s3:DeleteObject on the objects, and s3:ListBucket on the"
    " bucket, without which a missing object looks forbidden"
)
_CLOCK = "set the clock of this machine"
_REGION = "set [storage.s3] region to that of the bucket, and check endpoint_url"

_REASONS = {
    "NoSuchBucket": ("there is no such bucket", "make it, or check the name, endpoint_url and region"),
    "AccessDenied": ("the service denies access", _PERMISSION),
    "AllAccessDisabled": ("the service denies access", _PERMISSION),
    "AccountProblem": ("the service has a problem with the account", ""),
    "InvalidAccessKeyId": ("the service does not know the access key", _CREDENTIALS),
    "SignatureDoesNotMatch": ("the secret key is wrong", _CREDENTIALS),
    "AuthorizationHeaderMalformed": ("the request was signed for another region", _REGION),
    "PermanentRedirect": ("the bucket is in another region", _REGION),
    "IllegalLocationConstraintException": ("the bucket is in another region", _REGION),
    "ExpiredToken": ("the credentials have expired", "log in again"),
    "InvalidToken": ("the session token is wrong", _CREDENTIALS),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", _CLOCK),
    "RequestExpired": ("this machine's clock is wrong", _CLOCK),
    "QuotaExceeded": ("the quota is used up", "free some space, or ask for more"),
    "XMinioStorageFull": ("the service has no space left", "free some space"),
    "InsufficientStorage": ("the service has no space left", "free some space"),
    "EntityTooLarge": ("the service takes no objects of this size", "see multipart_threshold in [storage.s3]"),
    "EntityTooSmall": ("the service wants larger parts", "raise multipart_chunksize in [storage.s3]"),
    "InvalidStorageClass": ("the service has no such storage class", "see storage_class in [storage.s3]"),
    "AccessControlListNotSupported": (
        "the bucket takes no ACLs",
        "remove acl from [storage.s3], and let clients in by a policy of the bucket",
    ),
    "NotImplemented": ("the service cannot do this", ""),
}
"""By the code of the answer: what it means, and what to do. Bare status numbers are answers to HEAD, without a code."""

_TRANSIENT = frozenset(
    (
        "BadDigest",
        "BandwidthLimitExceeded",
        "ConcurrentModification",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "InternalServerError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentSHA256Mismatch",
    )
)
CONFLICTS = frozenset(("ConditionalRequestConflict", "ConcurrentModification", "OperationAborted"))
"""Another writer was at it in the same moment, and nothing is decided yet."""

BROKEN_STREAM = (
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    boto.ReadTimeoutError,
    boto.ConnectionClosedError,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
)
"""What reading an answer's body raises when the connection is lost."""

_UNREACHED: tuple[tuple[type[Exception], str, str, bool], ...] = (
    (boto.NoCredentialsError, "there are no credentials", _CREDENTIALS, False),
    (boto.PartialCredentialsError, "the credentials are not complete", _CREDENTIALS, False),
    (boto.CredentialRetrievalError, "the credentials could not be had", _CREDENTIALS, False),
    (boto.TokenRetrievalError, "the login has expired", "log in again (aws sso login)", False),
    (boto.SSOError, "the login has expired", "log in again (aws sso login)", False),
    (boto.SSLError, "the service's certificate is not trusted", "see ca_bundle in [storage.s3]", False),
    (boto.ProxyConnectionError, "the proxy cannot be reached", "see HTTPS_PROXY in the environment", True),
    (boto.EndpointConnectionError, "the service cannot be reached", "check endpoint_url and the network", True),
    (boto.ConnectTimeoutError, "the service cannot be reached", "check endpoint_url and the network", True),
    (boto.ReadTimeoutError, "the service does not answer", "", True),
    (ResponseParserError, "the answer is not that of an S3 service", "check endpoint_url", False),
    (boto.HTTPClientError, "the connection was lost", "", True),
    (boto.FlexibleChecksumError, "the answer was damaged on its way", "", True),
    (boto.IncompleteReadError, "the connection was lost", "", True),
)


def code_of(error: boto.ClientError) -> str:
    """The code of an answer: ``NoSuchKey``; a number where there was no body (HEAD)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: boto.ClientError) -> int:
    """The HTTP status of an answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def was_retried(error: boto.ClientError) -> bool:
    """Whether the answer is not the first one: an earlier try may have done what was asked."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


class Translator:
    """Turns what boto3 raises into ``StorageError``, for one location."""

    def __init__(self, location: Location, endpoint: str) -> None:
        self.location = location
        self._endpoint = endpoint

    @contextmanager
    def errors(self, what: str, key: str) -> Iterator[None]:
        """``what`` is the participle of what was tried: ``written``."""
        try:
            yield
        except boto.ClientError as error:
            raise self.answer(what, key, error) from error
        except (boto.BotoCoreError, ResponseParserError, urllib3.exceptions.HTTPError) as error:
            raise self.unreached(what, key, error) from error

    def answer(self, what: str, key: str, error: boto.ClientError) -> StorageError:
        """What an answer means."""
        code, status = code_of(error), status_of(error)
        reason, hint = _REASONS.get(code, ("", ""))
        if not reason:
            reason = f"the service answers {_plain(code) or status}"
            if status in (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT):
                hint = _REGION
            elif status == HTTPStatus.FORBIDDEN:
                hint = _PERMISSION
            elif code.isdecimal():
                hint = "check endpoint_url: S3 services say more than that"
        said = _plain(str(error.response.get("Error", {}).get("Message") or ""))
        transient = code in _TRANSIENT or status in _AGAIN or (status >= 500 and status not in _NEVER)
        return self._error(what, key, reason, said, hint, {"code": code, "status": status, "transient": transient})

    def unreached(self, what: str, key: str, error: Exception) -> StorageError:
        """What it means that there was no answer, or only a part of one."""
        for kind, reason, hint, transient in _UNREACHED:
            if isinstance(error, kind):
                return self._error(what, key, reason, "", hint, {"transient": transient})
        if isinstance(error, BROKEN_STREAM):
            return self._error(what, key, "the connection was lost", "", "", {"transient": True})
        return self._error(what, key, _plain(str(error)), "", "", {"transient": False})

    def _error(
        self, what: str, key: str, reason: str, said: str, hint: str, data: Mapping[str, object]
    ) -> StorageError:
        more = f" ({said})" if said else ""
        return StorageError(
            f"{key or 'the bucket'}: cannot be {what} in {self.location}: {reason}{more}",
            hint=hint,
            key=key,
            bucket=self.location.bucket,
            endpoint=self._endpoint,
            **data,
        )


_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_NEVER = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, HTTPStatus.INSUFFICIENT_STORAGE)


def _plain(text: str) -> str:
    """A text from outside, as far as it can be shown."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= 200 else f"{shown[:200]}..."
