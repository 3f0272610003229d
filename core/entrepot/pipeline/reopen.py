"""A package that is in would not come in any more: it is told, held for review again, or taken out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.catalog.holdings import Holding
from entrepot.errors import ConflictError
from entrepot.models import Decision, Distribution, ImportState, Version
from entrepot.policies.records import OnChange

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Worsening:
    """A package that is in, what a policy says of it now, and what follows: ``action``.

    ``expired`` if that is because a waiver has expired: then it is held again whatever the policy says of changes.
    """

    holding: Holding
    decision: Decision
    action: OnChange
    expired: bool = False


def action_for(on_change: OnChange, *, expired: bool) -> OnChange:
    """What follows. Nobody stands for what was let through up to a moment that is over: it waits at least."""
    return OnChange.REVIEW if expired and on_change is OnChange.REPORT else on_change


@dataclass(frozen=True, slots=True)
class Reopened:
    """What was opened again: the worsenings, each with its import; the version without what was withdrawn."""

    items: Sequence[tuple[Worsening, int]]
    version: Version | None


def reopen(
    catalog: Catalog, distribution: Distribution, worse: Sequence[Worsening], actor: str, now: dt.datetime
) -> Reopened:
    """Opens imports again and makes a version without those that are withdrawn; inside the caller's transaction.

    What left the newest version in the meantime, or was opened again by somebody else, is left out.
    """
    items, removals = [], []
    for worsening in worse:
        holding = worsening.holding
        if worsening.action is OnChange.REPORT or not _still(catalog, distribution, holding):
            continue
        withdrawn = worsening.action is OnChange.WITHDRAW
        import_id = holding.import_id or _adopt(catalog, distribution, holding, actor, now)
        message = _message(worsening, withdrawn=withdrawn)
        catalog.imports.redecide(import_id, ImportState.PENDING_REVIEW, message, worsening.decision, reopened_at=now)
        items.append((worsening, import_id))
        if withdrawn and holding.membership_id is not None:
            removals.append(holding)
    if not removals:
        return Reopened(items, None)
    return Reopened(items, remove(catalog, distribution, removals, "withdraw", now))


def remove(
    catalog: Catalog, distribution: Distribution, holdings: Sequence[Holding], verb: str, now: dt.datetime
) -> Version:
    """Makes the next version, without some packages and what the sources say of them alone."""
    names = [f"{holding.info.name} {holding.info.version}" for holding in holdings]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    ids = [holding.membership_id for holding in holdings if holding.membership_id is not None]
    version = catalog.versions.create(distribution, (), ids, f"{verb} {', '.join(names[:3])}{more}", now)
    catalog.extras.save(distribution, version.number, *catalog.extras.changes(distribution, version.number))
    return version


def in_place(catalog: Catalog, distribution: Distribution, sha256: str) -> Sequence[Holding]:
    """The packages of the newest version whose main file came as this one; usually one."""
    found = [item for chunk in catalog.holdings.of(distribution, artifacts=[sha256]) for item in chunk]
    return [item for item in found if item.membership_id is not None]


def _still(catalog: Catalog, distribution: Distribution, holding: Holding) -> bool:
    current = in_place(catalog, distribution, holding.inspected)
    mine = [item for item in current if item.membership_id == holding.membership_id]
    if not mine:
        return False
    if mine[0].import_id != holding.import_id:
        raise ConflictError(
            f"{holding.info.name} {holding.info.version} was imported or decided about at this moment",
            hint="nothing was changed; scan again",
        )
    return not mine[0].waits


def _adopt(catalog: Catalog, distribution: Distribution, holding: Holding, actor: str, now: dt.datetime) -> int:
    """An import for what came in without one."""
    info = holding.info
    values: dict[str, Any] = {
        "state": ImportState.PUBLISHED.value,
        "name": info.name,
        "version": info.version,
        "architecture": info.architecture,
        "distribution_id": distribution.id,
        "component": holding.component,
        "sha256": holding.sha256,
        "package_id": holding.package_id,
        "policy": distribution.policy,
        "actor": actor,
    }
    import_id = catalog.imports.start(values, now)
    catalog.imports.adopt_verdicts(import_id, distribution.id, holding.sha256)
    return import_id


def _message(worsening: Worsening, *, withdrawn: bool) -> str:
    why = "its waiver has expired" if worsening.expired else "it was evaluated again"
    where = "it left the newest version" if withdrawn else "it stays in until somebody decides"
    return f"waits for review again, because {why}; {where}: {'; '.join(worsening.decision.reasons)}"
