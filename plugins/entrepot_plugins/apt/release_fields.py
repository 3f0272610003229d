"""What a Release file says of a distribution itself: its fields, checked, and what clients make of a change of them.

A field is one line, or it could add fields of its own. apt compares some of them with what it read before, and stops
until somebody agrees (apt-secure(8), INFORMATION CHANGES).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from entrepot.contracts import VERBATIM
from entrepot.errors import UsageError
from entrepot.models import Distribution, Repository, Scalar

_TEXTS = ("origin", "label", "suite", "codename", "version", "description")
_TOKENS = ("suite", "codename")
"""Are named in ``sources.list`` and in preferences, between blanks and commas."""
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~/-]*")
_MOST_DAYS = 36_500
_PRIORITY = "priority"
_SIGNER = "signer"
_COMPARED = ("Origin", "Label", "Codename", _PRIORITY)
"""Not Suite and Version, which apt lets change."""


def check_options(path: str, options: Mapping[str, Scalar]) -> None:
    """``UsageError`` for options of the distribution ``path`` that a Release file cannot hold, or not together."""
    for name in _TEXTS:
        text = _text(path, options, name)
        if text and name in _TOKENS and not _TOKEN.fullmatch(text):
            raise UsageError(f"option {name} of {path} is not one word: {text!r}", option=name)
    _days(path, options)
    _check_verbatim(path, options)
    if options.get("but_automatic_upgrades") and not options.get("not_automatic"):
        raise UsageError(
            f"option but_automatic_upgrades of {path} says nothing without not_automatic",
            hint="set both: --not-automatic --but-automatic-upgrades",
            option="but_automatic_upgrades",
        )


def _check_verbatim(path: str, options: Mapping[str, Scalar]) -> None:
    others = sorted(name for name, value in options.items() if value and name != VERBATIM)
    if options.get(VERBATIM) and others:
        raise UsageError(
            f"option {others[0]} of {path} says nothing where upstream's own Release is published",
            hint="leave out either that or --verbatim",
            option=others[0],
        )


def release_fields(repository: Repository, distribution: Distribution) -> dict[str, str]:
    """The fields that say which distribution it is, and how clients treat it; empty for those that are left out."""
    path, options = distribution.path, distribution.options
    check_options(path, options)
    texts = {name: _text(path, options, name) for name in _TEXTS}
    return {
        "Origin": texts["origin"] or repository.origin,
        "Label": texts["label"] or repository.label,
        "Suite": texts["suite"] or distribution.name,
        "Version": texts["version"],
        "Codename": texts["codename"] or distribution.name,
        "NotAutomatic": "yes" if options.get("not_automatic") else "",
        "ButAutomaticUpgrades": "yes" if options.get("but_automatic_upgrades") else "",
        "Description": texts["description"],
    }


def valid_days(distribution: Distribution) -> int:
    """Days until clients refuse the Release file; 0: never."""
    return _days(distribution.path, distribution.options)


def identity(repository: Repository, distribution: Distribution) -> Mapping[str, str]:
    """What apt compares with what it read before; the priority is that of apt_preferences(5).

    What an upstream's own Release says is its own affair.
    """
    if distribution.verbatim:
        return {_SIGNER: "upstream"}
    fields = release_fields(repository, distribution)
    priority = "500" if not fields["NotAutomatic"] else "100" if fields["ButAutomaticUpgrades"] else "1"
    return {name: fields.get(name, priority) for name in _COMPARED}


def stops(before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[str]:
    """What apt stops at, in its own words."""
    if before.get(_SIGNER) != after.get(_SIGNER):
        return ["apt-get update says that the key is not known, as from now on somebody else signs"]
    return [
        f"apt-get update says that the repository changed its default priority for apt_preferences(5) "
        f"from {before[name]} to {after[name]}"
        if name == _PRIORITY
        else f"apt-get update says that the repository changed its '{name}' value "
        f"from '{before[name]}' to '{after[name]}'"
        for name in _COMPARED
        if before.get(name) != after.get(name) and name in before
    ]


def _text(path: str, options: Mapping[str, Scalar], name: str) -> str:
    value = str(options.get(name) or "").strip()
    if not value.isprintable():
        raise UsageError(f"option {name} of {path} is not one line of text", option=name)
    return value


def _days(path: str, options: Mapping[str, Scalar]) -> int:
    value = options.get("valid_days") or 0
    if not isinstance(value, int) or not 0 <= value <= _MOST_DAYS:
        raise UsageError(f"option valid_days of {path} is not a number of days: {value!r}", option="valid_days")
    return value
