"""What scanners say, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from entrepot.models.basics import Scalar


class Status(StrEnum):
    """What a scanner says. ``error`` means that nothing is known; it is never a pass."""

    PASS = "pass"
    WARN = "warn"
    REVIEW = "review"
    BLOCK = "block"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a scanner found, with an id that stays the same from scan to scan (``CVE-2026-1``, ``setuid``)."""

    id: str
    severity: str
    summary: str
    where: str = ""
    data: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one scanner says of one artifact.

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


class Outcome(StrEnum):
    """What a policy decides about an import."""

    PUBLISH = "publish"
    REVIEW = "pending_review"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy's decision with the rules that led to it, most severe first."""

    outcome: Outcome
    policy: str
    reasons: tuple[str, ...]


class ImportState(StrEnum):
    """Where an import stands. The last five are ends, though a review moves ``pending_review`` on."""

    FETCHING = "fetching"
    INSPECTING = "inspecting"
    PUBLISHED = "published"
    ALREADY_PUBLISHED = "already_published"
    PENDING_REVIEW = "pending_review"
    REJECTED = "rejected"
    FAILED = "failed"
