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

ENTERPRISE = ("AlmaLinux:{0}", "Rocky Linux:{0}", "Red Hat:enterprise_linux:{0}::baseos")
"""What a suite called ``el9`` may be: the same packages under the same versions, by several vendors."""

_CODENAMES = {name: f"Debian:{number}" for name, number in DEBIAN.items()} | {
    name: f"Ubuntu:{number}" for name, number in UBUNTU.items()
}
_ENTERPRISE = re.compile(r"(?:^|[^a-z0-9])el([0-9]{1,2})(?![0-9])")


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
            candidates = [candidate.format(match[1]) for candidate in ENTERPRISE]
            return [candidate for candidate in candidates if candidate in known] or candidates
    return ()


def bases(ecosystem: str) -> Sequence[str]:
    """The ecosystem, and the one without a release, whose records are about all of them."""
    return (ecosystem, ecosystem.partition(":")[0])
