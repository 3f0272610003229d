"""Code names of releases, and whose they are."""

from __future__ import annotations

import re

DEBIAN = {
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
}
UBUNTU = {
    "trusty": "14.04:LTS",
    "xenial": "16.04:LTS",
    "bionic": "18.04:LTS",
    "focal": "20.04:LTS",
    "jammy": "22.04:LTS",
    "noble": "24.04:LTS",
    "oracular": "24.10",
    "plucky": "25.04",
    "questing": "25.10",
    "resolute": "26.04:LTS",
}

_WORD = re.compile(r"[a-z]+")


def codename(suite: str) -> str:
    """The code name that the name of a suite starts with: ``bookworm-security/updates``; empty if it has none."""
    word = _WORD.match(suite.lower())
    return word[0] if word and (word[0] in DEBIAN or word[0] in UBUNTU) else ""
