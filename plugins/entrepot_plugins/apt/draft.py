"""What an APT source may look like, checked before it is in the catalog and before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from entrepot.contracts import VERBATIM
from entrepot.errors import UsageError
from entrepot.models import SOURCE_ARCHITECTURE, SourceDraft
from entrepot_plugins.shared.sources import checked_keyring

from .layout import Place
from .verbatim import further

_TOKEN = re.compile(r"[!-~]+")
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~-]*(?:/[A-Za-z0-9][A-Za-z0-9+._~-]*)*")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")


def check_draft(draft: SourceDraft) -> SourceDraft:
    """The draft in its usual form: no slash at the end of the URL, nothing named twice, ``source`` as an option.

    No components and no architectures mean all that the distributions have. The architecture ``source`` beside others
    is the option ``sources``; alone it means source packages and nothing else. ``UsageError`` for what cannot be.
    """
    url = _check_url(draft)
    places: dict[str, Place] = {}
    for name in draft.distributions:
        place = _check_distribution(draft, name)
        places.setdefault(place.folder, place)
    if not places:
        raise UsageError(
            f"source {draft.name!r} names no distribution",
            hint="give one with --distribution: a suite like bookworm, or, if it is flat, a folder with a slash (./)",
        )
    components = _check_names(draft, "a component", _COMPONENT, draft.components)
    architectures = _check_names(draft, "an architecture", _ARCHITECTURE, draft.architectures)
    flat = [place.distribution for place in places.values() if place.flat]
    if flat and components:
        raise UsageError(
            f"source {draft.name!r} names components, but its distribution {flat[0]!r} is flat and has none",
            hint="leave the components out; or leave out the slash if the distribution is not flat",
        )
    if flat and draft.options.get(VERBATIM):
        raise UsageError(
            f"source {draft.name!r} has the flat distribution {flat[0]!r}, which cannot be published verbatim",
            hint="leave out --verbatim",
        )
    further(draft.options, draft.name)
    options = dict(draft.options)
    if SOURCE_ARCHITECTURE in architectures:
        options["sources"] = True
        architectures = tuple(name for name in architectures if name != SOURCE_ARCHITECTURE) or architectures
    return replace(
        draft,
        url=url,
        distributions=tuple(place.distribution for place in places.values()),
        components=components,
        architectures=architectures,
        keyring=checked_keyring(draft),
        options=options,
    )


def _check_url(draft: SourceDraft) -> str:
    url = draft.url.rstrip("/")
    if not _TOKEN.fullmatch(url):
        raise UsageError(f"{draft.url!r} is no URL of a source: it is empty or has blanks", source=draft.name)
    if urlsplit(url).path.endswith("/dists") or "/dists/" in urlsplit(url).path:
        raise UsageError(
            f"the URL of source {draft.name!r} has the folder dists in it, which is below the root of a repository",
            hint=f"use {url.partition('/dists')[0]} and name the distribution",
        )
    return url


def _check_distribution(draft: SourceDraft, name: str) -> Place:
    parts = name.split("/")
    if not _TOKEN.fullmatch(name) or ".." in parts or "\\" in name or (name.startswith("/") and name != "/"):
        raise UsageError(f"{name!r} is no name of a distribution", source=draft.name)
    place = Place.of(name)
    if place.flat:
        return Place.of(f"{place.folder or '.'}/")
    if "" in parts or "." in parts:
        raise UsageError(f"{name!r} is no name of a distribution", source=draft.name)
    return place


def _check_names(draft: SourceDraft, what: str, pattern: re.Pattern[str], names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if not pattern.fullmatch(name):
            raise UsageError(f"{name!r} is no name of {what}", source=draft.name)
    return tuple(dict.fromkeys(names))
