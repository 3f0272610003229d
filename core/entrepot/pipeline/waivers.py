"""Which rules do not count because a person let it through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from entrepot.models import Outcome, PackageInfo, Ruling, Waiver


class Waivers:
    """The waivers for one artifact at one moment. Those for other artifacts are left out."""

    def __init__(self, waivers: Sequence[Waiver], package: PackageInfo | None, now: dt.datetime) -> None:
        sha256 = package.came_as if package else None
        mine = [waiver for waiver in waivers if waiver.sha256 == sha256]
        # The one that lasts longest is told, and of those that are over, the one that lasted longest.
        mine.sort(key=lambda waiver: waiver.lasts)
        self._holding = {name: waiver for waiver in mine if waiver.holds(now) for name in waiver.covers}
        self._expired = {name: waiver for waiver in mine if not waiver.holds(now) for name in waiver.covers}

    def applied(self, ruling: Ruling) -> Ruling:
        """A ruling without what a waiver covers; one of which nothing is left leads to publishing.

        One that leads to publishing anyway stays as it is.
        """
        if ruling.outcome is Outcome.PUBLISH:
            return ruling
        covered = [name for name in ruling.covers if name in self._holding]
        notes = sorted({_note(self._holding[name]) for name in covered})
        left = [name for name in ruling.covers if name not in self._holding]
        notes += sorted({_expired(self._expired[name]) for name in left if name in self._expired})
        message = "; ".join([ruling.message, *notes])
        waived = tuple(name.partition("/")[2] for name in covered)
        if ruling.covers and not left:
            return replace(ruling, outcome=Outcome.PUBLISH, message=message, findings=(), waived=waived)
        findings = tuple(name for name in ruling.findings if name not in waived)
        return replace(ruling, message=message, findings=findings, waived=waived)


def _note(waiver: Waiver) -> str:
    until = f" until {waiver.expires_at:%Y-%m-%d %H:%M} UTC" if waiver.expires_at else ""
    return f"let through by {waiver.actor} in review {waiver.review_id}{until}"


def _expired(waiver: Waiver) -> str:
    return f"what {waiver.actor} let through in review {waiver.review_id} expired on {waiver.expires_at:%Y-%m-%d}"
