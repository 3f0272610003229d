"""Reads repomd.xml from the first mirror that has one to be believed.

What was believed is remembered in the source's state, so that the next sync can ask for nothing but what changed, and
notice a repository that went back in time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from entrepot.contracts import Fetched, ReadContext, Validators
from entrepot.errors import IndexFormatError, MissingError, TransferError, TrustError, UpstreamError
from entrepot_plugins.shared import openpgp

from . import mirrors, repomd
from .locations import url
from .mirrors import REPOMD, Mirrors
from .repomd import Repomd

SIGNATURE_LIMIT = 1 << 20
FURTHER = 3
"""Mirrors that are asked for the newest state when one has been found that is a little behind."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Root:
    """What a repository consists of now. ``urls`` are its mirrors, the one that answered first."""

    repomd: Repomd
    urls: tuple[str, ...]
    sha256: str
    signed_by: str | None
    validators: Validators
    content: bytes = field(default=b"", repr=False)
    """The file as it came."""

    @property
    def state(self) -> dict[str, Any]:
        """What to remember of it, as JSON-able data."""
        return {
            "mirrors": list(self.urls),
            "sha256": self.sha256,
            "etag": self.validators.etag,
            "last_modified": self.validators.last_modified,
            "signed_by": self.signed_by,
            "age": list(self.repomd.age),
        }


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A repomd.xml that was believed; ``generation`` is its place among those that the metalink knows, 0 the newest.

    ``root`` is None if it is the one of the last sync.
    """

    root: Root | None
    generation: int = 0


def read(context: ReadContext, seen: Mapping[str, Any], *, conditional: bool) -> Root | None:
    """The repository's root, believed; None if it is the one in ``seen`` (only where ``conditional``).

    A mirror that is dead, slow, stale or has something else than a repomd.xml is one failure, and the next is tried; if
    all fail, the error says why each did. ``TrustError`` for what must not be believed.
    """
    if context.source.flag("repo_gpgcheck") and context.keyring is None:
        raise TrustError(
            f"{context.source.name} has no keyring to verify repomd.xml with", hint="set one with --keyring FILE"
        )
    found = mirrors.find(context)
    if conditional and found.generations and _is_newest(found, seen):
        return None
    failures: list[UpstreamError] = []
    best: _Candidate | None = None
    behind = 0
    for base in found.urls:
        try:
            candidate = _ask(context, found, base, seen, conditional=conditional)
        except UpstreamError as error:
            logger.info("%s; the next mirror is tried", error)
            failures.append(error)
            continue
        if best is None or candidate.generation < best.generation:
            best = candidate
        behind += 1
        if best.generation == 0 or behind > FURTHER:
            break
    if best is None:
        raise _told(context, failures)
    if best.root is None:
        return None
    return replace(best.root, urls=tuple(dict.fromkeys((*best.root.urls, *found.urls))))


def _is_newest(found: Mirrors, seen: Mapping[str, Any]) -> bool:
    return seen.get("sha256") is not None and seen["sha256"] == found.generations[0].digests.get("sha256")


def _ask(context: ReadContext, found: Mirrors, base: str, seen: Mapping[str, Any], *, conditional: bool) -> _Candidate:
    where = url(base, REPOMD)
    validators = None
    if conditional and seen.get("mirrors", [None])[0] == base:
        validators = Validators(seen.get("etag"), seen.get("last_modified"))
    fetched = context.transfer.get(where, limit=repomd.LIMIT, validators=validators)
    digest = hashlib.sha256(fetched.content).hexdigest() if fetched else seen.get("sha256", "")
    generation = _generation(found, fetched, digest, where)
    if fetched is None or (conditional and digest == seen.get("sha256")):
        return _Candidate(None, generation)
    name = f"repomd.xml of {context.source.name}"
    signed_by = _verify(context, base, fetched.content, name)
    parsed = repomd.parse(fetched.content, name=name)
    _check_age(context, name, parsed, seen)
    return _Candidate(Root(parsed, (base,), digest, signed_by, fetched.validators, fetched.content), generation)


def _generation(found: Mirrors, fetched: Fetched | None, digest: str, where: str) -> int:
    if not found.generations:
        return 0
    for number, generation in enumerate(found.generations):
        if generation.check(fetched.content) if fetched else generation.digests.get("sha256") == digest:
            return number
    raise mirrors.stale(where)


def _verify(context: ReadContext, base: str, content: bytes, name: str) -> str | None:
    """Who signed it, where the source asks for that."""
    if not context.source.flag("repo_gpgcheck") or context.keyring is None:
        return None
    try:
        signature = context.transfer.get(url(base, f"{REPOMD}.asc"), limit=SIGNATURE_LIMIT)
    except MissingError as error:
        raise TrustError(
            f"{name} is not signed: there is no repomd.xml.asc",
            hint="use --no-repo-gpgcheck only for a repository that signs its packages and not its metadata",
        ) from error
    assert signature is not None  # nothing was asked for on a condition
    return openpgp.verify(content, context.keyring, name=name, signature=signature.content).fingerprint


def _check_age(context: ReadContext, name: str, parsed: Repomd, seen: Mapping[str, Any]) -> None:
    before = tuple(seen.get("age") or (0, 0))
    if parsed.age >= before or context.source.flag("allow_stale"):
        return
    raise TrustError(
        f"{name} went back in time: it is of {_moment(parsed.age)}, and the last one was of {_moment(before)}",
        hint="the mirror is behind, or somebody replays what it once served; accept it with --allow-stale",
    )


def _moment(age: tuple[int, ...]) -> str:
    newest, revision = age
    try:
        moment = dt.datetime.fromtimestamp(newest, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return f"time {newest}, revision {revision}"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, revision {revision}"


def _told(context: ReadContext, failures: list[UpstreamError]) -> UpstreamError:
    """One error for all mirrors: the only one's own, or one that has each one's reason."""
    source = context.source
    if len(failures) > 1:
        reasons = "; ".join(dict.fromkeys(str(error) for error in failures[:5]))
        trust = all(isinstance(error, TrustError) for error in failures)
        return (TrustError if trust else TransferError)(
            f"none of the {len(failures)} mirrors of {source.name} could be used: {reasons}",
            hint="try again later, or choose a mirror and make it the source's URL",
        )
    error = failures[0]
    if isinstance(error, MissingError):
        return MissingError(
            f"{source.name} has no {REPOMD}: {error}",
            hint="check the URL: it is the folder that repodata is in; a list of mirrors needs --mirrorlist or "
            "--metalink",
            **error.data,
        )
    if isinstance(error, IndexFormatError) and not error.hint:
        error.hint = "the URL is the folder that repodata is in; a list of mirrors needs --mirrorlist or --metalink"
    return error
