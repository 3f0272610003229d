"""The order of RPM's versions (rpm-version(7)) as bytes, so that SQL can sort, filter and take the maximum.

A version in the catalog is ``[epoch:]version-release``, the epoch left out where it is 0 or absent, which rpm takes for
the same. The keys are those of the ``rpm-version`` library: 0.5 microseconds each.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from entrepot_plugins.rpm.library import library

MAX_EPOCH = 2**32 - 1
LONGEST = 255
"""Characters of a version or of a release: no longer one fits into the name of a file."""
_VALID = re.compile(r"(?:([0-9]*):)?([!-~]+?)(?:-([!-,.-~]*))?")


def evr(epoch: int | str | None, version: str, release: str) -> str:
    """The text of the catalog for the three parts; an epoch that is absent, empty or 0 is left out."""
    number = int(epoch or 0)
    text = f"{version}-{release}" if release else version
    return f"{number}:{text}" if number else text


def split(text: str) -> tuple[int, str, str]:
    """``(epoch, version, release)`` of ``[epoch:]version[-release]``; the release is empty where there is none.

    As rpm does it: the epoch is what stands before a colon if that is a number, the release what follows the last
    hyphen. ``ValueError`` for what no package can have: nothing at all, blanks, control characters, characters outside
    of ASCII, an epoch that is too large, a part that is too long.
    """
    match = _VALID.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an RPM version: it is empty or has blanks or characters outside of ASCII")
    epoch_text, version, release = match[1] or "0", match[2], match[3] or ""
    # No number that fits has more digits, and int() of a very long one is slow.
    epoch = int(epoch_text) if len(epoch_text) <= len(str(MAX_EPOCH)) else MAX_EPOCH + 1
    if epoch > MAX_EPOCH:
        raise ValueError(f"{text!r} is not an RPM version: its epoch is not a number from 0 to {MAX_EPOCH}")
    # The library counts the digits of a number in one byte.
    if max(len(version), len(release)) > LONGEST:
        raise ValueError(f"{text[:40]!r}... is not an RPM version: it has more than {LONGEST} characters")
    return epoch, version, release


class RpmVersions:
    """The order of versions in RPM repositories."""

    def key(self, version: str) -> bytes:
        """Bytes whose order is rpm's; ``ValueError`` for text that is no version.

        A version without a release, as requirements have them, comes before the same version with any release.
        """
        epoch, upstream, release = split(version)
        key: bytes = self._evr(str(epoch), upstream, release).sortkey()
        return key

    def split(self, version: str) -> tuple[int, str, str]:
        """``(epoch, version, release)``; ``ValueError`` as ``key``."""
        return split(version)

    @cached_property
    def _evr(self) -> Any:
        return library("rpm_version").Evr
