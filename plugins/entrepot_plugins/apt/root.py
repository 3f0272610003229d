"""Reads the signed root of a distribution, InRelease or else Release with Release.gpg, and decides about its trust.

What was believed is remembered in the source's state, one record per distribution, so that the next sync can ask for
nothing but what changed, and notice a root that went back in time or was held back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot.contracts import Fetched, ReadContext, Validators
from entrepot.errors import MissingError, TransferError, TrustError, UsageError
from entrepot_plugins.shared import openpgp

from .layout import Place, url
from .release import LIMIT, Release, parse

SIGNATURE_LIMIT = 1 << 20
IN_RELEASE, RELEASE, NONE = "InRelease", "Release", ""


@dataclass(frozen=True, slots=True)
class Root:
    """What a distribution says now. ``release`` is None for a flat repository that has no Release at all.

    ``file`` says which of the two forms it came from; ``sha256`` is of that file as it came.
    """

    place: Place
    release: Release | None
    signed_by: str | None = None
    file: str = NONE
    sha256: str = ""
    validators: Validators = field(default_factory=Validators)
    content: bytes = field(default=b"", repr=False)
    """The file as it came."""

    @property
    def state(self) -> dict[str, Any]:
        """What to remember of it, as JSON-able data."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "etag": self.validators.etag,
            "last_modified": self.validators.last_modified,
            "signed_by": self.signed_by,
            "date": _text(self.release.date if self.release else None),
            "valid_until": _text(self.release.valid_until if self.release else None),
        }


def read(context: ReadContext, place: Place, seen: Mapping[str, Any], *, conditional: bool) -> Root | None:
    """The root of a distribution, believed; None if it is the one in ``seen`` (only where ``conditional``).

    ``TrustError`` for what must not be believed, ``MissingError`` or ``UsageError`` (flat and other repositories mixed
    up) if there is none.
    """
    fetched = _get(context, place, IN_RELEASE, seen, conditional=conditional)
    name = IN_RELEASE
    if fetched is _MISSING:
        fetched = _get(context, place, RELEASE, seen, conditional=conditional)
        name = RELEASE
    if fetched is _MISSING:
        return _without(context, place, seen)
    digest = hashlib.sha256(fetched.content).hexdigest() if fetched else ""
    if fetched is None or (conditional and (name, digest) == (seen.get("file"), seen.get("sha256"))):
        _check_validity(context, f"{name} of {_title(context, place)}", _moment(seen.get("valid_until")))
        return None
    payload, signed_by = _believe(context, place, name, fetched.content)
    title = f"{name} of {_title(context, place)}"
    root = Root(place, parse(payload, name=title), signed_by, name, digest, fetched.validators, fetched.content)
    _check_age(context, title, root, seen)
    return root


_MISSING = Fetched("", b"", Validators())
"""Stands for a file that the server does not have, where None stands for one that did not change."""


def _get(
    context: ReadContext, place: Place, name: str, seen: Mapping[str, Any], *, conditional: bool
) -> Fetched | None:
    validators = None
    if conditional and seen.get("file") == name:
        validators = Validators(seen.get("etag"), seen.get("last_modified"))
    try:
        return context.transfer.get(url(context.source.url, place.path(name)), limit=LIMIT, validators=validators)
    except MissingError:
        return _MISSING


def _believe(context: ReadContext, place: Place, name: str, content: bytes) -> tuple[bytes, str | None]:
    """The text that may be used, and who signed it."""
    title = f"{name} of {_title(context, place)}"
    if not context.source.verify:
        return (openpgp.unwrap(content) if name == IN_RELEASE else content), None
    if context.keyring is None:
        raise TrustError(f"{context.source.name} has no keyring to verify it with", hint="set one with --keyring FILE")
    signature = None
    if name == RELEASE:
        try:
            where = url(context.source.url, place.path("Release.gpg"))
            signed = context.transfer.get(where, limit=SIGNATURE_LIMIT)
        except MissingError as error:
            raise TrustError(
                f"{title} is not signed: there is neither InRelease nor Release.gpg",
                hint="use --no-verify only for a repository that never signs",
            ) from error
        signature = signed.content if signed else b""
    verified = openpgp.verify(content, context.keyring, name=title, signature=signature)
    return verified.payload, verified.fingerprint


def _check_age(context: ReadContext, title: str, root: Root, seen: Mapping[str, Any]) -> None:
    if root.release is None or context.source.flag("allow_stale"):
        return
    before = _moment(seen.get("date"))
    if before and root.release.date and root.release.date < before:
        raise TrustError(
            f"{title} went back in time: it is of {root.release.date:%Y-%m-%d %H:%M:%S} UTC, "
            f"and the last one was of {before:%Y-%m-%d %H:%M:%S} UTC",
            hint="the mirror is behind, or somebody replays what it once served; accept it with --allow-stale",
        )
    _check_validity(context, title, root.release.valid_until)


def _check_validity(context: ReadContext, title: str, valid_until: dt.datetime | None) -> None:
    # An unchanged root is checked, too: withholding updates is what Valid-Until is there to reveal.
    if valid_until and valid_until < context.now and not context.source.flag("allow_stale"):
        raise TrustError(
            f"{title} is out of date: it was valid until {valid_until:%Y-%m-%d %H:%M:%S} UTC",
            hint="the mirror is behind, or somebody holds updates back; accept it with --allow-stale",
        )


def _without(context: ReadContext, place: Place, seen: Mapping[str, Any]) -> Root:
    """Where there is no root: a flat repository can do without if nobody asks for signatures; the rest is explained."""
    other = _other_place(place)
    if other and _exists(context, other):
        kind = "flat: its name must end in a slash" if other.flat else "not flat: its name must not end in a slash"
        raise UsageError(
            f"{place.distribution!r} of {context.source.name} is {kind}",
            hint=f"use the distribution {other.distribution!r}",
            distribution=place.distribution,
        )
    if place.flat and not context.source.verify and not seen.get("file"):
        return Root(place, None)
    raise MissingError(
        f"{context.source.name} has no distribution {place.distribution!r}: "
        f"there is neither InRelease nor Release at {url(context.source.url, place.folder)}",
        hint="check the URL and the name; the name of a flat repository ends in a slash ('./' is the URL itself)",
        distribution=place.distribution,
    )


def _other_place(place: Place) -> Place | None:
    name = place.folder.removeprefix("dists/")
    if place.flat:
        return Place.of(name) if name else None
    return Place.of(f"{place.distribution}/")


def _exists(context: ReadContext, place: Place) -> bool:
    for name in (IN_RELEASE, RELEASE):
        try:
            context.transfer.get(url(context.source.url, place.path(name)), limit=LIMIT)
        except TransferError:
            continue
        return True
    return False


def _title(context: ReadContext, place: Place) -> str:
    return f"{context.source.name} ({place.distribution})"


def _text(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: object) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if isinstance(text, str) else None
