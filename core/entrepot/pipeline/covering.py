"""What an approval covers: all that holds a package now, or the vulnerabilities alone that are named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from entrepot.errors import ConflictError, UsageError
from entrepot.models import Finding, Outcome, Ruling, Waiver
from entrepot.pipeline.policy import Case, decide
from entrepot.policies import PolicySettings


@dataclass(frozen=True, slots=True)
class Coverage:
    """``covers`` is as in ``models.Waiver``."""

    covers: frozenset[str]


def holding(rulings: Sequence[Ruling]) -> Sequence[str]:
    """What holds a package: ``scanner/finding id`` or ``scanner/reason``, without what is waived already."""
    held = []
    for ruling in rulings:
        if ruling.outcome is not Outcome.PUBLISH:
            held += [name for name in ruling.covers if name.partition("/")[2] not in ruling.waived]
    return list(dict.fromkeys(held))


def coverage(policy: PolicySettings, case: Case, cve_ids: Collection[str] = ()) -> Coverage:
    """What an approval covers now; with ``cve_ids`` those findings alone that are, or stand for, one of them.

    ``UsageError`` for one that was not found, ``ConflictError`` that names what else would hold the package.
    """
    held = holding(decide(policy, case).rulings)
    if not cve_ids:
        return Coverage(frozenset(held))
    wanted = {name.upper() for name in cve_ids}
    found: dict[str, set[str]] = {}
    for stored in case.verdicts:
        for finding in stored.verdict.findings:
            if names := _names(finding) & wanted:
                found.setdefault(f"{stored.scanner}/{finding.id}", set()).update(names)
    if unknown := wanted - set().union(*found.values()):
        raise UsageError(
            f"it has no finding {', '.join(sorted(unknown))}", hint="`entrepot review show` lists its findings"
        )
    if left := _left(policy, case, frozenset(found)):
        raise ConflictError(
            f"it would still be held by {', '.join(left)}",
            hint="name them with --cve, too, or approve without --cve all that holds it",
            left=list(left),
        )
    return Coverage(frozenset(found))


def _left(policy: PolicySettings, case: Case, covers: frozenset[str]) -> Sequence[str]:
    """What would still hold a package if some findings were waived."""
    assert case.package is not None
    waiver = Waiver(0, 0, case.package.came_as, covers, None, "", "")
    decision = decide(policy, replace(case, waivers=[*case.waivers, waiver]))
    if decision.outcome is Outcome.PUBLISH:
        return ()
    return holding(decision.rulings) or decision.reasons


def _names(finding: Finding) -> set[str]:
    """Its id, and those of what it stands for: advisories and other names of the same vulnerability."""
    others = f"{finding.data.get('aliases', '')} {finding.data.get('advisories', '')}"
    return {name.upper() for name in (finding.id, *others.split())}
