"""What a policy would decide before all is known: of a package that was not fetched yet, or not asked all about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import Artifact, ScanContext, Scanner
from entrepot.models import Available, Decision, Outcome, PackageFile, PackageInfo, Sha256, Status, Verdict
from entrepot.pipeline.lists import fits
from entrepot.pipeline.policy import Case, decide, outcome_of
from entrepot.pipeline.quoting import without_secrets
from entrepot.policies import ListEntry, PolicySettings

INSIDE = frozenset({"licence", "maintainer"})
"""Fields of lists that are read out of the package itself."""
UNINSPECTED = ("policy/uninspected",)
"""What a ruling covers that is about a package which nobody looked at."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """The least that will be decided, and what is only known once the package was inspected."""

    decision: Decision
    open_questions: tuple[str, ...]


def described(available: Available) -> PackageInfo:
    """A package as its index has it; without text, licence and maintainer."""
    return PackageInfo(
        format=available.format,
        kind=available.kind,
        name=available.name,
        version=available.version,
        version_key=available.version_key,
        architecture=available.architecture,
        source_name=available.source_name,
        summary=available.summary,
        section=available.section,
        raw=b"",
        files=(PackageFile(available.location.rpartition("/")[2], available.size, Sha256(available.sha256 or "")),),
    )


def ask_before(scanners: Mapping[str, Scanner], contexts: Mapping[str, ScanContext]) -> Sequence[StoredVerdict]:
    """What those scanners say that need no files. ``contexts`` has one for each of them by name."""
    verdicts = []
    for name, context in sorted(contexts.items()):
        scanner = scanners[name]
        try:
            verdict = scanner.scan(Artifact((), ""), context)
        except Exception as error:  # noqa: BLE001 - a plugin's call: whatever it does is what it says
            message = without_secrets(f"{type(error).__name__}: {error}", contexts[name].settings)
            verdict = Verdict(Status.ERROR, "scanner_failed", message, name)
        verdicts.append(StoredVerdict(name, scanner.version, scanner.answers, verdict))
    return verdicts


def foresee(policy: PolicySettings, case: Case, scanners: Sequence[str]) -> Foresight:
    """The decision about what is known. ``scanners`` are all there are; those that said nothing yet are open."""
    said = {stored.scanner for stored in case.verdicts}
    silent = sorted(set(scanners) - said)
    questions = [f"{name}: not asked before the package is here" for name in silent]
    deny, unread = _readable(policy.deny, case)
    questions += [f"{entry.rule}: {entry} is asked of the package itself" for entry in unread]
    allow = policy.allow
    if allow is not None:
        readable, unread = _readable(allow, case)
        if unread and not any(fits(entry, case.package, case.source) for entry in readable):
            questions += [f"{entry.rule}: {entry} is asked of the package itself" for entry in unread]
            allow = None
    # Only who is not there at all is absent; who is there will be asked.
    named = {name: rules for name, rules in policy.scanners.items() if name in said or name not in scanners}
    decision = decide(replace(policy, deny=deny, allow=allow, scanners=named), case)
    if not case.verdicts:
        rulings = tuple(ruling for ruling in decision.rulings if ruling.covers != UNINSPECTED)
        outcome = rulings[0].outcome if rulings else outcome_of(policy, "", Status.PASS)
        reasons = tuple(reason for reason in decision.reasons if not reason.startswith("no scanner inspected it"))
        decision = replace(decision, outcome=outcome if silent else Outcome.REVIEW, reasons=reasons, rulings=rulings)
    return Foresight(decision, tuple(questions))


def lets_in(policy: PolicySettings, case: Case, later: Collection[str]) -> bool:
    """Whether it would come in, whatever the scanners of these names say that are asked ``later``."""
    verdicts = [stored for stored in case.verdicts if stored.scanner not in later]
    named = {name: rules for name, rules in policy.scanners.items() if name not in later}
    rulings = decide(replace(policy, scanners=named), replace(case, verdicts=verdicts)).rulings
    return all(ruling.outcome is Outcome.PUBLISH or ruling.covers == UNINSPECTED for ruling in rulings)


def _readable(entries: Sequence[ListEntry], case: Case) -> tuple[tuple[ListEntry, ...], tuple[ListEntry, ...]]:
    """The entries that the index is enough for; and those that would fit but for what only the package says."""
    readable = tuple(entry for entry in entries if not INSIDE.intersection(entry.fields))
    unread = tuple(
        entry
        for entry in entries
        if INSIDE.intersection(entry.fields) and fits(replace(entry, fields=_outside(entry)), case.package, case.source)
    )
    return readable, unread


def _outside(entry: ListEntry) -> Mapping[str, str]:
    return {name: glob for name, glob in entry.fields.items() if name not in INSIDE}
