"""The one tree of errors. An error carries a message, the data it is about and a hint that says what to do next.

``exit_code`` is what the command line ends with, ``status`` what the HTTP API answers; nothing else decides either.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path


class EntrepotError(Exception):
    """Base of every error that Entrepôt raises on purpose.

    ``message`` is one sentence for a person; ``hint`` says what to do next; ``data`` holds what it is about, by name,
    for ``--json`` and ``application/problem+json``. Neither ever holds a secret.
    """

    exit_code = 1
    status = 500
    title = "Failed"

    def __init__(self, message: str, *, hint: str = "", **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data

    def __str__(self) -> str:
        return self.message


class UsageError(EntrepotError):
    """What was asked makes no sense as it was asked: a value out of range, options that exclude each other."""

    exit_code = 2
    status = 422
    title = "Not understood"


class UnsatisfiedError(UsageError):
    """Packages need what nothing offers, or contradict each other; ``data["problems"]`` says what, one by one."""

    title = "Cannot be installed"


class SettingsError(UsageError):
    """``entrepot.toml`` or an environment variable has a value that cannot be used; names file and key."""

    title = "Bad settings"


class NotFoundError(EntrepotError):
    """A source, package, repository, distribution, version, import or task that does not exist."""

    status = 404
    title = "Not found"


class AmbiguousError(UsageError):
    """A name that fits several things; ``data["candidates"]`` lists them."""

    status = 409
    title = "Ambiguous"


class ConflictError(EntrepotError):
    """What was asked contradicts what is there: a name that is taken, the same package with other content."""

    status = 409
    title = "Conflict"


class UpstreamError(EntrepotError):
    """A source could not be read, or said something that must not be believed."""

    status = 502
    title = "Upstream failed"


class TransferError(UpstreamError):
    """A URL could not be fetched: network, status, time-out, size limit. ``data["url"]`` has no user information."""

    title = "Transfer failed"


class MissingError(TransferError):
    """The upstream answered that there is no such file (404, 410, or no such file on disk)."""

    title = "Missing upstream"


class DigestError(TransferError):
    """A file arrived, but its size or digest is not what the index said."""

    title = "Digest mismatch"


class TrustError(UpstreamError):
    """A signature is missing, bad, expired, weak or by an unknown key; or metadata went back in time or is too old."""

    title = "Not trusted"


class IndexFormatError(UpstreamError):
    """An index is not what its format says it must be; names the file and the entry."""

    title = "Malformed index"


class BundleError(UpstreamError):
    """A bundle is damaged, cut off, not what its manifest says, or of a form that is not known; names the member."""

    title = "Bad bundle"


class PackageError(EntrepotError):
    """A package file is damaged, hostile or not a package of this format."""

    status = 422
    title = "Bad package"


class StorageError(EntrepotError):
    """A storage backend failed."""

    title = "Storage failed"


class StorageKeyError(UsageError):
    """A storage key that is empty, absolute, has ``..``, a backslash or control characters."""

    title = "Bad key"


class PreconditionError(StorageError):
    """A conditional write found another state than the one it was conditioned on."""

    status = 409
    title = "Changed meanwhile"


class SigningError(EntrepotError):
    """A signature could not be made, or did not verify after it was made."""

    title = "Signing failed"


class PluginError(EntrepotError):
    """A plugin is broken, missing or registers a name that another one has; names the plugins."""

    title = "Plugin failed"


class MissingExtraError(PluginError):
    """An optional dependency is not installed; the hint gives the command that installs it."""

    title = "Not installed"


class BusyError(EntrepotError):
    """Another command holds what this one needs (a publication lease, a sync of the same source)."""

    status = 409
    title = "Busy"


class AuthenticationError(EntrepotError):
    """Nobody said who asks, or it could not be believed: no, an unknown, an expired or a revoked token."""

    status = 401
    title = "Not authenticated"


class NotAllowedError(EntrepotError):
    """Who asks is known, and may not do this."""

    status = 403
    title = "Not allowed"


class TooManyTriesError(EntrepotError):
    """Too many wrong passwords from one address; ``data["retry_after"]`` is in seconds."""

    status = 429
    title = "Too many tries"


class TooLargeError(UsageError):
    """What was sent is larger than the settings allow."""

    status = 413
    title = "Too large"


class DeliveryError(EntrepotError):
    """Somebody outside could not be told of an event.

    ``retry_after``: seconds to wait at least before the next try; ``for_good``: another try is of no use.
    """

    status = 502
    title = "Not delivered"

    def __init__(
        self, message: str, *, hint: str = "", retry_after: float = 0.0, for_good: bool = False, **data: object
    ) -> None:
        super().__init__(message, hint=hint, **data)
        self.retry_after = retry_after
        self.for_good = for_good


class BatchError(EntrepotError):
    """Some items of a batch failed; ``failures`` holds each with its error, ``results`` what was done."""

    exit_code = 3
    status = 207
    title = "Partly failed"

    def __init__(
        self, message: str, failures: Sequence[tuple[str, EntrepotError]], *, results: Sequence[object] = ()
    ) -> None:
        super().__init__(message, failures=[{"item": item, "error": str(error)} for item, error in failures])
        self.failures = tuple(failures)
        self.results = tuple(results)


def without_text(error: BaseException) -> str:
    """Types and places of an error of somebody else's and of those behind it: its text may quote secrets.

    ``ConnectionError (notes.py:31 deliver, client.py:12 post) from TimeoutError (client.py:40 read)``.
    """
    told: list[str] = []
    behind: BaseException | None = error
    seen: set[int] = set()
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        frames = traceback.extract_tb(behind.__traceback__)
        places = ", ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        told.append(f"{type(behind).__name__} ({places or 'nowhere'})")
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    return " from ".join(told)
