"""Makes a workspace what a declaration says (``entrepot apply``): each step is one call of the service that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.declaration import Declaration, edited_settings
from entrepot.errors import BatchError, BusyError, EntrepotError, UsageError
from entrepot.services import declared, repositories, sources
from entrepot.services.planning import CREATE, KINDS, REMOVE, Plan, Step, make_plan
from entrepot.services.records import changes, record

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

SETTING_KINDS = ("setting", *KINDS.values())


@dataclass(frozen=True, slots=True)
class Applied:
    """How each step of a plan ended: ``planned``, ``done`` or ``failed``."""

    plan: Plan
    states: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        document = self.plan.as_json()
        steps = [step | {"state": state} for step, state in zip(document["steps"], self.states, strict=True)]
        return document | {"steps": steps}


def apply(
    workspace: Workspace, declaration: Declaration, *, prune: bool = False, yes: bool = False, dry_run: bool = False
) -> Applied:
    """Does what is left to do. ``UsageError`` where that removes something and nobody said ``yes``.

    What is wrong with the declaration itself is told before anything is done. ``BatchError`` names the steps that
    failed all the same; what was done is done, and to apply the declaration again does the rest.
    """
    plan = make_plan(workspace, declaration, prune=prune)
    if dry_run:
        return Applied(plan, ["planned"] * len(plan.steps))
    if plan.removals and not yes:
        names = ", ".join(f"{step.kind} {step.name}" for step in plan.removals)
        raise UsageError(
            f"this would remove {names}", hint="look at it with --dry-run, and say --yes", **plan.as_json()
        )
    return _perform(workspace, plan)


def _perform(workspace: Workspace, plan: Plan) -> Applied:
    if plan.settings is not None:
        # Nothing else can be right where these are not, so there is nothing to go on with.
        _change_settings(workspace, *plan.settings)
    states, failures = [], []
    for step in plan.steps:
        try:
            if step.kind not in SETTING_KINDS:
                PERFORM[step.kind](workspace, step)
            states.append("done")
        except EntrepotError as error:
            states.append("failed")
            failures.append((f"{step.kind} {step.name}", error))
    result = Applied(plan, states)
    if failures:
        raise BatchError(f"{len(failures)} of {len(plan.steps)} steps failed", failures, results=[result])
    return result


def _change_settings(workspace: Workspace, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    with workspace.catalog.transaction():
        if declared.settings_document(workspace) != before:
            raise BusyError("somebody has just changed the settings", hint="nothing was done; apply it again")
        text = edited_settings(declared.settings_text(workspace), wanted)
        record(workspace, "settings.set", workspace.settings_path.name, changes(before, wanted))
        workspace.save_settings(text)


def _source(workspace: Workspace, step: Step) -> None:
    if step.action == REMOVE:
        sources.remove_source(workspace, step.name)
    elif step.action == CREATE:
        sources.add_source(workspace, step.wanted)
    else:
        sources.replace_source(workspace, step.wanted)


def _repository(workspace: Workspace, step: Step) -> None:
    if step.action == REMOVE:
        repositories.remove_repository(workspace, step.name)
        return
    wanted = dict(step.wanted)
    places, sign, sign_with = wanted.pop("publish_to"), wanted.pop("sign"), wanted.pop("sign_with") or None
    format_name = wanted.pop("format")
    if step.action == CREATE:
        repositories.create_repository(
            workspace, step.name, format_name=format_name, publish_to=places, sign=sign, sign_with=sign_with, **wanted
        )
    else:
        # Who signs already goes on, though another signer be the default by now.
        told = sign if {"sign", "sign_with"} & step.before.keys() else None
        repositories.set_repository(workspace, step.name, {**wanted, "sign_with": sign_with}, places, sign=told)


def _distribution(workspace: Workspace, step: Step) -> None:
    if step.action == REMOVE:
        repositories.remove_distribution(workspace, step.name)
    elif step.action == CREATE:
        repositories.create_distribution(workspace, step.name, **step.wanted)
    else:
        # An option that is no longer said is what it is where nobody sets it.
        held = workspace.catalog.repositories.distribution(step.name).options
        options = {**dict.fromkeys(held), **step.wanted["options"]}
        repositories.set_distribution(workspace, step.name, {**step.wanted, "options": options})


PERFORM: Mapping[str, Callable[[Workspace, Step], None]] = {
    "source": _source,
    "repository": _repository,
    "distribution": _distribution,
}
