"""What follows where a package that is in would not come in any more; by a scan, or because a waiver has expired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrepot.catalog.holdings import Holding
from entrepot.events import PackageWorsened, VersionCreated
from entrepot.models import Decision, Distribution, ImportState, Outcome
from entrepot.pipeline.policy import Case, decide
from entrepot.pipeline.reopen import Reopened, Worsening, action_for, reopen
from entrepot.policies import PolicySettings
from entrepot.services.notices import tell
from entrepot.services.records import record

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def lapse(workspace: Workspace, distribution: Distribution | None = None) -> Sequence[Worsening]:
    """Opens again what is in by a waiver that has expired, of one distribution or of all; no scanner is asked.

    Where the policy withdraws, a new version without it is made; publishing that is left to the caller. Costs one
    query where nothing has expired.
    """
    catalog, now = workspace.catalog, workspace.now()
    found: dict[int, list[str]] = {}
    for distribution_id, sha256 in catalog.reviews.expired(now, distribution.id if distribution else None):
        found.setdefault(distribution_id, []).append(sha256)
    lapsed: list[Worsening] = []
    for distribution_id, artifacts in found.items():
        owner = catalog.repositories.distribution(str(distribution_id))
        policy = workspace.settings.policy(owner.policy)
        worse = [
            Worsening(holding, decision, action_for(policy.on_change, expired=True), expired=True)
            for chunk in catalog.holdings.of(owner, artifacts=artifacts)
            for holding, decision in _decided(workspace, owner, policy, chunk)
        ]
        follow(workspace, owner, worse)
        lapsed += worse
    return lapsed


def _decided(
    workspace: Workspace, distribution: Distribution, policy: PolicySettings, chunk: Sequence[Holding]
) -> Sequence[tuple[Holding, Decision]]:
    """Those that are in and would not come in by what was said of them last."""
    catalog, now = workspace.catalog, workspace.now()
    said = catalog.imports.last_verdicts({holding.inspected for holding in chunk}, distribution.id)
    waivers = catalog.reviews.waivers(distribution.id, {holding.inspected for holding in chunk})
    worse = []
    for holding in chunk:
        verdicts = list(said.get(holding.inspected, {}).values())
        case = Case(verdicts, holding.info, holding.source, now, waivers.get(holding.inspected, ()))
        decision = decide(policy, case)
        if decision.outcome is not Outcome.PUBLISH and holding.membership_id is not None and not holding.waits:
            worse.append((holding, decision))
    return worse


def _still_worse(workspace: Workspace, distribution: Distribution, worse: Sequence[Worsening]) -> Sequence[Worsening]:
    """Those that nobody let in while a scan looked at the rest."""
    waived = workspace.catalog.reviews.waivers(distribution.id, {item.holding.inspected for item in worse})
    asked = [item.holding for item in worse if item.holding.inspected in waived]
    policy = workspace.settings.policy(distribution.policy)
    held = {holding.package_id for holding, _ in _decided(workspace, distribution, policy, asked)}
    return [item for item in worse if item.holding.inspected not in waived or item.holding.package_id in held]


def follow(workspace: Workspace, distribution: Distribution, worse: Sequence[Worsening]) -> Reopened:
    """Does what follows, in one transaction with its audit entries, and tells plugins."""
    catalog = workspace.catalog
    with catalog.transaction():
        worse = _still_worse(workspace, distribution, worse)
        done = reopen(catalog, distribution, worse, workspace.actor, workspace.now())
        for worsening, import_id in done.items:
            holding = worsening.holding
            detail: dict[str, object] = {
                "package": f"{holding.info.name} {holding.info.version} {holding.info.architecture}",
                "distribution": distribution.path,
                "sha256": holding.sha256,
                "cause": "expired waiver" if worsening.expired else "scan",
                "action": worsening.action.value,
                "reasons": list(worsening.decision.reasons),
                "before": {"state": (holding.state or ImportState.PUBLISHED).value},
                "after": {"state": ImportState.PENDING_REVIEW.value},
            }
            record(workspace, "import.reopen", f"import {import_id}", detail)
        if done.version is not None:
            detail = {"version": done.version.number, "message": done.version.message}
            record(workspace, "version.create", distribution.path, detail)
        ids = {id(worsening): import_id for worsening, import_id in done.items}
        for worsening in worse:
            number = ids.get(id(worsening), worsening.holding.import_id)
            info, reasons = worsening.holding.info, worsening.decision.reasons
            event = PackageWorsened(distribution, info, number, worsening.action.value, worsening.expired, reasons)
            tell(workspace, "package_worsened", event)
        if done.version is not None:
            tell(workspace, "version_created", VersionCreated(distribution, done.version))
    return done
