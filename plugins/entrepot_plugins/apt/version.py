"""The order of Debian versions (deb-version(7)) as bytes, so that SQL can sort, filter and take the maximum.

``DebianVersions.key`` is built so that comparing two keys byte by byte gives what ``dpkg --compare-versions`` says:

    epoch (4 bytes, big-endian) · upstream · revision

where upstream and revision are runs of (text, number) pairs. Each character of a text is one byte in dpkg's order
(``~`` first, then the end of the text, then letters, then everything else); a number is its count of digits and then
its digits, without leading zeros, so that it is ordered by value at any length.
"""

from __future__ import annotations

import re
from functools import lru_cache

END = 0x02
"""The end of a text: after ``~`` and before every other character."""

MAX_EPOCH = 2**31 - 1
_ORDER = bytes(
    0x01 if char == ord("~") else char if chr(char).isascii() and chr(char).isalpha() else char + 0x80
    for char in range(0x80)
) + bytes(0x80)
_PAIRS = re.compile(rb"([^0-9]*)([0-9]*)")
_VALID = re.compile(r"[!-~]+")
_EPOCH = re.compile(r"[0-9]+")
_PAIR_CACHE = 20_000


def split(version: str) -> tuple[int, str, str]:
    """``(epoch, upstream, revision)`` of a version; the revision is empty where it has none (which equals ``0``).

    As tolerant as dpkg is when it reads what others wrote: blanks around it are dropped, and characters that
    deb-version(7) does not admit, or an upstream version that starts with a letter, are taken as they are.
    ``ValueError`` for what dpkg refuses to compare: nothing at all, blanks or control characters inside, an epoch that
    is no number or too large, an empty upstream version or an empty revision after a hyphen.
    """
    text = version.strip(" \t\n\r")
    if not _VALID.fullmatch(text):
        raise ValueError(
            f"{version!r} is not a Debian version: it is empty or has blanks or characters outside of ASCII"
        )
    epoch_text, colon, rest = text.partition(":")
    if not colon:
        epoch_text, rest = "0", text
    if not _EPOCH.fullmatch(epoch_text) or len(epoch_text) > 10 or int(epoch_text) > MAX_EPOCH:
        raise ValueError(f"{version!r} is not a Debian version: its epoch is not a number from 0 to {MAX_EPOCH}")
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    elif not revision:
        raise ValueError(f"{version!r} is not a Debian version: nothing follows its last hyphen")
    if not upstream:
        raise ValueError(f"{version!r} is not a Debian version: it has no upstream version")
    return int(epoch_text), upstream, revision


class _Pairs(dict[tuple[bytes, bytes], bytes]):
    """Encoded (text, number) pairs. The same few thousand make up all versions of an archive, so they are kept."""

    def __missing__(self, pair: tuple[bytes, bytes]) -> bytes:
        text, digits = pair
        digits = digits.lstrip(b"0")
        count = len(digits)
        # 255 means "255 and more": as many of them as needed, then the rest, keeps long numbers in order.
        length = b"\xff" * (count // 255) + bytes([count % 255])
        encoded = text.translate(_ORDER) + bytes([END]) + length + digits
        if len(self) >= _PAIR_CACHE:
            self.clear()
        self[pair] = encoded
        return encoded


_pairs = _Pairs()


def _part(text: str) -> bytes:
    # The last match of findall is the empty one at the end: its text says "nothing more follows", and its number is
    # the 0 that dpkg compares a missing number with.
    return b"".join([_pairs[pair] for pair in _PAIRS.findall(text.encode("ascii"))])


@lru_cache(maxsize=8192)
def version_key(version: str) -> bytes:
    """The key of ``DebianVersions.key``."""
    epoch, upstream, revision = split(version)
    return epoch.to_bytes(4, "big") + _part(upstream) + _part(revision or "0")


class DebianVersions:
    """The order of versions in APT repositories."""

    def key(self, version: str) -> bytes:
        """Bytes whose order is dpkg's; ``ValueError`` for text that dpkg does not take for a version."""
        return version_key(version)

    def split(self, version: str) -> tuple[int, str, str]:
        """``(epoch, upstream, revision)``; ``ValueError`` as ``key``."""
        return split(version)
