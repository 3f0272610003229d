"""What a result says of verdicts and rulings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Ruling, Status

_ACTIONS = {Status.PASS: "allow", Status.WARN: "warn", Status.REVIEW: "review", Status.BLOCK: "block"}


def pipeline_words(verdicts: Sequence[StoredVerdict], rulings: Sequence[Ruling]) -> dict[str, str]:
    """The verdicts as an import's result has them: key of the scanner's answer to the policy's word, or its reason.

    ``rulings`` have the most severe first.
    """
    words: dict[str, str] = {}
    for ruling in rulings:
        if ruling.word:
            words.setdefault(ruling.scanner, ruling.word)
    return {stored.answers: words.get(stored.scanner, stored.verdict.reason) for stored in verdicts}


def finding_actions(rulings: Sequence[Ruling]) -> Mapping[tuple[str, str], str]:
    """By scanner and id of a finding what the policy makes of it: ``allow warn review block waived``."""
    actions: dict[tuple[str, str], str] = {}
    for ruling in rulings:
        for name in ruling.findings:
            if ruling.status in _ACTIONS:
                actions.setdefault((ruling.scanner, name), _ACTIONS[ruling.status])
        for name in ruling.waived:
            actions.setdefault((ruling.scanner, name), "waived")
    return actions


def actions_of(verdicts: Sequence[StoredVerdict], rulings: Sequence[Ruling]) -> tuple[str, ...]:
    """For every finding of the verdicts, in order, what the policy makes of it; empty where nothing is known."""
    actions = finding_actions(rulings)
    return tuple(actions.get((stored.scanner, item.id), "") for stored in verdicts for item in stored.verdict.findings)
