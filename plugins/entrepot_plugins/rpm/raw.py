"""What the catalog keeps of one package of an RPM repository: its elements in primary, filelists and other.

Each is the complete ``<package>`` element as upstream wrote it (or as it was made from an uploaded package's header),
so that publishing puts text together instead of writing it anew, and nothing that upstream said is lost.
"""

from __future__ import annotations

from typing import NamedTuple

SEPARATOR = b"\0"
"""Between the elements: no XML document may hold it (XML 1.0, 2.2), and ``fragments`` refuses those that do."""


class Fragments(NamedTuple):
    """The elements of one package, in UTF-8; empty where the repository has no such document."""

    primary: bytes
    filelists: bytes
    other: bytes


def pack(primary: bytes, filelists: bytes, other: bytes) -> bytes:
    """The elements as one value for the catalog."""
    return SEPARATOR.join((primary, filelists, other))


def unpack(raw: bytes) -> Fragments:
    """What ``pack`` put together."""
    primary, filelists, other = raw.split(SEPARATOR)
    return Fragments(primary, filelists, other)


def primary_of(raw: bytes) -> bytes:
    """The element in primary alone, which is all that most questions need."""
    return raw.partition(SEPARATOR)[0]
