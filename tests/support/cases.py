"""Cases for policies: ``case([verdict("osv", Status.WARN, vulnerability("CVE-1", "high"))])``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import VULNERABILITY, Finding, PackageFile, PackageInfo, Scalar, Sha256, Status, Verdict, Waiver
from entrepot.pipeline.policy import Case

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SHA256 = Sha256("a" * 64)


def package(**changes: Any) -> PackageInfo:
    """A package called ``hello``."""
    values: dict[str, Any] = {
        "format": "apt",
        "kind": "binary",
        "name": "hello",
        "version": "1.0-1",
        "version_key": b"1",
        "architecture": "amd64",
        "source_name": "hello-source",
        "summary": "says it",
        "section": "misc",
        "raw": b"",
        "files": (PackageFile("hello.deb", 1000, SHA256),),
        "licence": "GPL-3.0-or-later",
        "maintainer": "Somebody <somebody@example.org>",
    }
    return PackageInfo(**(values | changes))


def vulnerability(name: str = "CVE-2026-1", severity: str = "high", **data: Scalar) -> Finding:
    """A vulnerability; one that has a fix unless ``fixed`` says otherwise."""
    return Finding(name, severity, f"{name} is bad", data={"fixed": "2.0", **data}, kind=VULNERABILITY)


def verdict(scanner: str, status: Status, *findings: Finding, reason: str = "") -> StoredVerdict:
    """What a scanner says."""
    return StoredVerdict(scanner, "1", scanner, Verdict(status, reason or f"because_{status}", findings=findings))


def case(verdicts: Sequence[StoredVerdict], **changes: Any) -> Case:
    """Verdicts about ``hello``, which came from the source ``debian``."""
    values: dict[str, Any] = {"verdicts": verdicts, "package": package(), "source": "debian", "now": NOW}
    return Case(**(values | changes))


def waiver(*covers: str, sha256: str = SHA256, days: int | None = None) -> Waiver:
    """What somebody let through, for some days from now on."""
    until = None if days is None else NOW + dt.timedelta(days=days)
    return Waiver(7, 1, sha256, frozenset(covers), until, "alice", "it is not reachable")
