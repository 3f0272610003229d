"""What both ways to ask ClamAV have in common: pieces that are looked at, what was found, versions, failures."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

MOST_FOUND = 100
"""Findings of one package; what follows from it does not depend on more."""
_VERSION = re.compile(r"ClamAV ([A-Za-z0-9._+~-]{1,60})(?:/([0-9]{1,12})/([A-Za-z0-9: ]{1,40}))?")
_DATE = "%a %b %d %H:%M:%S %Y"
_SIGNATURE = re.compile(r"[!-~]{1,250}")
_LIMITED = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted")
"""Names of what ClamAV reports where it could not look: AlertExceedsMax and AlertEncrypted."""


class ClamavError(Exception):
    """ClamAV did not answer as it should. The text is a sentence that says what happened."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to look at: how messages call it, its size in bytes, its content."""

    where: str
    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """What ClamAV said of a piece: a signature's name; or ``limit``, why it did not look."""

    where: str
    signature: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """Of engine and signatures. Without an official database ClamAV says nothing about the latter."""

    engine: str
    number: str = ""
    date: dt.datetime | None = None

    @property
    def database(self) -> str:
        """Number and date of the signatures in one text; empty if they are not known."""
        return f"{self.number} {self.date:%Y-%m-%d}" if self.date else self.number


@dataclass(slots=True)
class Tally:
    """What was looked at."""

    files: int = 0
    bytes: int = 0
    requests: int = 0


class Engine(Protocol):
    """One way to ask ClamAV. Its methods raise ``ClamavError``."""

    tool: str
    reached: str
    """Where it is, for people."""

    def version(self) -> Version: ...

    def look(self, pieces: Iterable[Piece], tally: Tally) -> Iterator[Found]:
        """What is found in the pieces, which are taken one after another."""
        ...


def parse_version(text: str) -> Version:
    """What ClamAV says to VERSION: ``ClamAV 1.4.3/27700/Mon Jul 14 08:33:00 2025``."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ClamavError(f"it says {shortened(text)} where its version should be")
    date = None
    if match[3]:
        try:
            date = dt.datetime.strptime(" ".join(match[3].split()), _DATE).replace(tzinfo=dt.UTC)
        except ValueError:
            raise ClamavError(f"its signatures are of {shortened(match[3])}, which is no date") from None
    return Version(match[1], match[2] or "", date)


def verdict_of(text: str, where: str) -> Found | None:
    """What ``OK`` or ``<signature> FOUND`` says of a piece: None if it is clean."""
    if text == "OK":
        return None
    name, blank, word = text.rpartition(" ")
    if not blank or word != "FOUND" or not _SIGNATURE.fullmatch(name):
        raise ClamavError(f"it answered {shortened(text)} about {where}")
    return Found(where, limit=name) if name.startswith(_LIMITED) else Found(where, signature=name)


def shortened(text: str) -> str:
    """A text from outside, as a message may quote it."""
    return ascii(text[:200])
