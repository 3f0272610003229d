"""What scanners say, and what follows from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from entrepot.models.basics import Scalar


class Status(StrEnum):
    """What a scanner says. ``error`` means that nothing is known; it is never a pass.

    ``absent`` is said of a scanner that a policy names and that did not answer at all; no scanner says it itself.
    """

    PASS = "pass"
    WARN = "warn"
    REVIEW = "review"
    BLOCK = "block"
    ERROR = "error"
    SKIPPED = "skipped"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a scanner found, with an id that stays the same from scan to scan (``CVE-2026-1``, ``setuid``)."""

    id: str
    severity: str
    summary: str
    where: str = ""
    data: Mapping[str, Scalar] = field(default_factory=dict)
    kind: str = ""
    """What its id is one of, where there are many of a kind (``missing``); empty where the id says it by itself.

    ``vulnerability`` where a policy's thresholds apply: then ``severity`` is one of ``negligible low medium high
    critical unknown``, and ``data`` has what is known of ``score`` (CVSS), ``kev``, ``epss``, ``fixed``, ``state``."""


FINDINGS = "findings"
"""The reason of a verdict whose word in a result the policy gives: ``findings_allowed``, ``_review``, ``_blocked``."""

VULNERABILITY = "vulnerability"
"""The kind of finding that a policy weighs by severity, CVSS, KEV, EPSS and whether there is a fix."""


class Basis(NamedTuple):
    """What a verdict depends on besides the artifact and the scanner's settings: the same basis, the same verdict."""

    tool_version: str = ""
    database_version: str = ""
    """Of signatures, advisories, or whatever else the tool compares with."""
    inputs: str = ""
    """A digest of anything else that was looked at: keys of a source, what a distribution holds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one scanner says of one artifact.

    ``tool_version`` is that of the program that looked, ``database_version`` that of the data it compared with.
    ``reason`` is a short code (``signed_trusted``, ``infected``), ``message`` a sentence; ``evidence`` is data that
    allows a person to check it later.
    """

    status: Status
    reason: str
    message: str = ""
    tool: str = ""
    tool_version: str = ""
    findings: tuple[Finding, ...] = ()
    evidence: Mapping[str, Scalar] = field(default_factory=dict)
    database_version: str = ""


class Outcome(StrEnum):
    """What a policy decides about an import."""

    PUBLISH = "publish"
    REVIEW = "pending_review"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Waiver:
    """What a person let through in a review: these findings of this artifact in this distribution, until it expires.

    ``sha256`` is that of the file as it came: who signs it anew changes nothing about what is in it.
    ``covers`` has ``scanner/finding id`` for findings, ``scanner/reason`` for verdicts that are held for themselves.
    What is found later is not covered.
    """

    review_id: int
    distribution_id: int
    sha256: str
    covers: frozenset[str]
    expires_at: dt.datetime | None
    actor: str
    justification: str
    given_at: dt.datetime | None = None

    def holds(self, now: dt.datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now < self.expires_at

    @property
    def lasts(self) -> tuple[bool, dt.datetime, int]:
        """The order of waivers: the one that lasts longest is the last, of those that end together the newest."""
        return (self.expires_at is None, self.expires_at or dt.datetime.min.replace(tzinfo=dt.UTC), self.review_id)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule of a policy makes of one verdict, or of what is known of the package.

    ``rule`` is the key of the settings that decided (``policies.prod.osv.review``, ``policies.prod.deny[0]``);
    ``word`` is what the import's result says for the scanner (``findings_review``); empty for rules of no scanner.
    """

    rule: str
    scanner: str
    status: Status
    outcome: Outcome
    word: str
    message: str
    findings: tuple[str, ...] = ()
    """Ids of the findings that led to it."""
    waived: tuple[str, ...] = ()
    """Ids of those that would have, but are covered by a waiver that holds."""
    covers: tuple[str, ...] = ()
    """What a waiver has to name so that this rule does not count: as in ``Waiver.covers``."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy's decision with the reasons that led to it, most severe first, and every rule that was applied."""

    outcome: Outcome
    policy: str
    reasons: tuple[str, ...]
    rulings: tuple[Ruling, ...] = ()


class ImportState(StrEnum):
    """Where an import stands. The last five are ends, though a review moves ``pending_review`` on."""

    FETCHING = "fetching"
    INSPECTING = "inspecting"
    PUBLISHED = "published"
    ALREADY_PUBLISHED = "already_published"
    PENDING_REVIEW = "pending_review"
    REJECTED = "rejected"
    FAILED = "failed"
