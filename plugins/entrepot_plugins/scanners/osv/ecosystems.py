"""Ecosystems of the OSV schema that are distributions of Linux: whose packages they have, and which one a suite is.

Names are those of https://ossf.github.io/osv-schema/#defined-ecosystems. An ecosystem that is not here has no packages
that a format could import.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from entrepot_plugins.shared.releases import DEBIAN, UBUNTU, codename

FORMATS = {
    "Debian": "apt",
    "Ubuntu": "apt",
    "AlmaLinux": "rpm",
    "Azure Linux": "rpm",
    "Mageia": "rpm",
    "openEuler": "rpm",
    "openSUSE": "rpm",
    "Photon OS": "rpm",
    "Red Hat": "rpm",
    "Rocky Linux": "rpm",
    "SUSE": "rpm",
}
"""The part of an ecosystem's name before the colon, and the name of the format whose versions it has."""

ENTERPRISE = ("AlmaLinux:{0}", "Rocky Linux:{0}")
RED_HAT = ("Red Hat:enterprise_linux:{0}::baseos", "Red Hat:enterprise_linux:{0}::appstream")
"""What a suite called ``el9`` may be: the same packages under the same versions, by several vendors. Red Hat has an
ecosystem for each of its repositories."""

_CODENAMES = {name: f"Debian:{number}" for name, number in DEBIAN.items()} | {
    name: f"Ubuntu:{number}" for name, number in UBUNTU.items()
}
_ENTERPRISE = re.compile(r"(?:^|[^a-z0-9])el([0-9]{1,2})(?![0-9])")
_RED_HAT = r"Red Hat:enterprise_linux:{0}(?:\.[0-9]{{1,2}})?(?:::.*)?"
"""Its names are those of CPEs: ``enterprise_linux:9::baseos``, ``enterprise_linux:10.0``. Those of subscriptions that
keep a minor release alive (``rhel_eus:9.2::baseos``) have other packages."""
_LEAP = re.compile(r"leap[ ./_-]?([0-9]{2}\.[0-9])(?![0-9])")
_SLE = re.compile(r"(?:^|[^a-z])sle[sd]?[ ./_-]?([0-9]{2})(?:[ ./_-]?sp([0-9])|\.([0-9]))?(?![0-9])")
_TAGS = (
    (re.compile(r"(?:^|[^a-z0-9])mga([0-9]{1,2})(?![0-9])"), "Mageia:{0}"),
    (re.compile(r"(?:^|[^a-z0-9])azl([0-9])(?![0-9])"), "Azure Linux:{0}"),
    (re.compile(r"(?:^|[^a-z0-9])ph([0-9])(?![0-9])"), "Photon OS:{0}.0"),
)
"""Tags in the release of packages that only one distribution has."""


def format_of(ecosystem: str) -> str | None:
    """The format whose packages an ecosystem has; None if there is no such."""
    return FORMATS.get(ecosystem.partition(":")[0])


def debian_release(codename: str) -> str:
    """The ecosystem of a release that the Debian security tracker names; ``sid`` and the like keep their names."""
    return f"Debian:{DEBIAN.get(codename, codename)}"


def guess(names: Sequence[str], known: Collection[str]) -> Sequence[str]:
    """The ecosystems that the names of a suite, a distribution or a version point to, by the first that says anything.

    More than one is what cannot be told apart: several vendors use the same words, and ``known`` (the ecosystems of
    which there is data) has more than one of theirs.
    """
    for name in names:
        text = name.lower()
        # bookworm-security/updates, jammy-backports: the word before the first hyphen or slash is the release.
        if release := codename(text):
            return [_CODENAMES[release]]
        if match := _ENTERPRISE.search(text):
            return _enterprise(match[1], known)
        if chosen := _suse(text, known):
            return chosen
        for tag, ecosystem in _TAGS:
            if match := tag.search(text):
                return [ecosystem.format(match[1])]
    return ()


def vendors(ecosystems: Collection[str]) -> Collection[str]:
    """Whose they are: what has several ecosystems of one vendor is not ambiguous."""
    return {name.partition(":")[0] for name in ecosystems}


def _enterprise(number: str, known: Collection[str]) -> Sequence[str]:
    candidates = [candidate.format(number) for candidate in ENTERPRISE]
    pattern = re.compile(_RED_HAT.format(number))
    of_red_hat = sorted(name for name in known if pattern.fullmatch(name))
    candidates += of_red_hat or [candidate.format(number) for candidate in RED_HAT]
    return [candidate for candidate in candidates if candidate in known] or candidates


def _suse(text: str, known: Collection[str]) -> Sequence[str]:
    """openSUSE has one ecosystem for a release; SUSE one for each product and module of a service pack."""
    if match := _LEAP.search(text):
        return [f"openSUSE:Leap {match[1]}"]
    if "tumbleweed" in text:
        return ["openSUSE:Tumbleweed"]
    if match := _SLE.search(text):
        pack = match[2] or match[3]
        if int(match[1]) >= 16:  # no service packs any more
            release = f"{match[1]}.{pack or 0}"
        else:
            release = f"{match[1]} SP{pack}" if pack and pack != "0" else match[1]
        held = sorted(name for name in known if name.startswith("SUSE:") and name.endswith(f" {release}"))
        return held or [f"SUSE:Linux Enterprise Server {release}"]
    return ()


def bases(ecosystem: str) -> Sequence[str]:
    """The ecosystem, and the one without a release, whose records are about all of them."""
    return (ecosystem, ecosystem.partition(":")[0])
