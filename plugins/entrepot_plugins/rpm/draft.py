"""What an RPM source may look like, checked before it is in the catalog and before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from entrepot.contracts import VERBATIM
from entrepot.errors import UsageError
from entrepot.models import Scalar, SourceDraft
from entrepot.transfer.urls import redact
from entrepot_plugins.shared.sources import checked_keyring

_TOKEN = re.compile(r"[!-~]+")
_ARCHITECTURE = re.compile(r"[A-Za-z0-9_]+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
SOURCE_NAMES = {"src": "source", "nosrc": "source"}


def check_draft(draft: SourceDraft) -> SourceDraft:
    """The draft in its usual form: variables of its URL filled in, ``src`` by the name ``source``, nothing named twice.

    An RPM repository is one list of packages: it has neither distributions nor components. No architectures mean all
    that it has. ``UsageError`` for what cannot be.
    """
    for what, names in (("distributions", draft.distributions), ("components", draft.components)):
        if names:
            raise UsageError(
                f"source {draft.name!r} names {what}, which RPM repositories do not have",
                hint="every repository is a source of its own, by the URL of the folder that repodata is in",
            )
    options = dict(draft.options)
    if options.get("metalink") and options.get("mirrorlist"):
        raise UsageError(f"the URL of source {draft.name!r} cannot be a list of mirrors and a metalink at once")
    listed = bool(options.get("metalink") or options.get("mirrorlist"))
    url = _check_url(draft, draft.url, listed=listed)
    further = [_check_url(draft, item, listed=False) for item in str(options.get("mirrors") or "").split()]
    if further:
        options["mirrors"] = " ".join(dict.fromkeys(further))
    if options.get("repo_gpgcheck") and not draft.keyring:
        raise UsageError(
            f"source {draft.name!r} is to have a signed repomd.xml, and no keys to verify it with",
            hint="give --keyring FILE",
        )
    if options.get(VERBATIM) and draft.architectures:
        raise UsageError(
            f"source {draft.name!r} is to be published verbatim, and names architectures: an index has all of them",
            hint="leave out the architectures, or --verbatim",
        )
    architectures = []
    for name in draft.architectures:
        if not _ARCHITECTURE.fullmatch(name):
            raise UsageError(f"{name!r} is no name of an architecture", source=draft.name)
        architectures.append(SOURCE_NAMES.get(name, name))
    return replace(
        draft,
        url=url,
        architectures=tuple(dict.fromkeys(architectures)),
        keyring=checked_keyring(draft),
        options=options,
    )


def expand(text: str, options: Mapping[str, Scalar], where: str) -> str:
    """A text with what its variables stand for, as dnf has them; ``UsageError`` for one that has no value."""
    release = str(options.get("releasever") or "")
    major, _, minor = release.partition(".")
    basearch = str(options.get("basearch") or "")
    values = {
        "releasever": release,
        "releasever_major": major,
        "releasever_minor": minor,
        "basearch": basearch,
        "arch": basearch,
    }

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if found := values.get(name):
            return found
        option = "basearch" if name == "arch" else name.partition("_")[0]
        raise UsageError(
            f"{where}: ${name} has no value",
            hint=f"give it with --{option}" if option in values else "write what it stands for in its place",
            variable=name,
        )

    return _VARIABLE.sub(value, text)


def _check_url(draft: SourceDraft, text: str, *, listed: bool) -> str:
    url = expand(text, draft.options, f"the URL of source {draft.name!r}")
    if not _TOKEN.fullmatch(url):
        raise UsageError(f"{redact(url)!r} is no URL of a source: it is empty or has blanks", source=draft.name)
    if listed:
        return url
    path = re.sub(r"[?#].*", "", url).rstrip("/")
    for ending in ("/repodata/repomd.xml", "/repodata"):
        if path.endswith(ending):
            raise UsageError(
                f"the URL of source {draft.name!r} has {ending[1:]} in it, which is below the root of a repository",
                hint=f"use {redact(path.removesuffix(ending))}/",
            )
    return url.rstrip("/") + "/"
