"""Making a new version of a distribution out of packages that are here: what every such use case shares.

What comes in comes from the private store, and is decided about by what scanners said of it before: nothing is fetched,
and no file is inspected again. Scanners that need no files are asked about today, and the distribution it comes to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from entrepot.catalog.versions import Member
from entrepot.errors import ConflictError, EntrepotError
from entrepot.events import ImportResult, PackageImported, VersionCreated
from entrepot.models import Decision, Distribution, ImportState, Outcome, PackageInfo, Version
from entrepot.pipeline.admit import Admission
from entrepot.pipeline.compare import PackageChange, compare
from entrepot.pipeline.policy import Case, decide
from entrepot.progress import Progress, Task
from entrepot.services.arrivals import Said, last_said, look_around
from entrepot.services.imports import stored_result
from entrepot.services.notices import tell
from entrepot.services.publishing import PublishResult, publish
from entrepot.services.records import record
from entrepot.services.tasks import running
from entrepot.services.verbatim import Carried

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Refusal:
    """A package that the policy of a distribution does not let in, and why."""

    package: str
    sha256: str
    decision: Decision

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "package": self.package,
            "sha256": self.sha256,
            "outcome": self.decision.outcome.value,
            "reasons": list(self.decision.reasons),
        }


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What a step from one version to another changes. ``findings`` are those of what comes and goes, by artifact."""

    before: str
    after: str
    changes: Sequence[PackageChange]
    findings: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)

    def counts(self) -> Mapping[str, int]:
        """How many packages of which change."""
        words = [change.change for change in self.changes]
        return {word: words.count(word) for word in sorted(set(words))}

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """For ``--json`` and the HTTP API; at most so many of the changes, and the counts of all."""
        rows = []
        for change in self.changes[:most]:
            found, left = self._of(change.sha256), self._of(change.left)
            had, has = ({(finding["scanner"], finding["id"]) for finding in side} for side in (left, found))
            told = [finding | {"new": (finding["scanner"], finding["id"]) not in had} for finding in found]
            ended = [finding for finding in left if (finding["scanner"], finding["id"]) not in has]
            rows.append(change.as_json() | {"findings": told, "findings_gone": ended})
        return {"from": self.before, "to": self.after, "counts": self.counts(), "changes": rows}

    def _of(self, artifacts: Iterable[str]) -> list[dict[str, Any]]:
        return [dict(finding) for sha256 in artifacts for finding in self.findings.get(sha256, ())]


@dataclass(frozen=True, slots=True)
class VersionResult:
    """What became of a change of versions. ``version`` is None where nothing changed, or nothing was to be done yet."""

    distribution: Distribution
    diff: VersionDiff
    version: Version | None = None
    refused: Sequence[Refusal] = ()
    held: Sequence[int] = ()
    """Ids of imports that wait for review now."""
    publication: PublishResult | None = None
    publish_error: EntrepotError | None = None
    dry_run: bool = False

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """For ``--json`` and the HTTP API; at most so many of the changes, and of those refused."""
        return {
            "status": "dry_run" if self.dry_run else "changed" if self.version else "unchanged",
            "distribution": self.distribution.path,
            "version": self.version.number if self.version else None,
            "diff": self.diff.as_json(most),
            "refused": [refusal.as_json() for refusal in self.refused[:most]],
            "held": list(self.held),
            "publication": self.publication.as_json() if self.publication else None,
            "publish_error": str(self.publish_error) if self.publish_error else None,
        }


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """How to go about a change: only tell (``dry_run``), publish it afterwards, and what with those refused.

    ``hold_refused`` leaves out what the policy does not let in, and puts what it would have reviewed into the queue;
    otherwise one such package is enough for nothing to change.
    """

    dry_run: bool = False
    publish_after: bool = True
    hold_refused: bool = False


DEFAULT = ChangeRequest()
TRIES = 5
"""How often a change is planned again because somebody else made a version in the meantime."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to go, and what is to come from another distribution or, with ``restore``, from an older version."""

    distribution: Distribution
    diff: VersionDiff
    gone: Sequence[Member]
    come: Sequence[Member]
    message: str
    origin: Distribution | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    restore: int | None = None
    carried: Carried | None = None
    """An upstream's own index that comes along."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A change from the newest version, and what is said of what comes. Made without keeping others from writing."""

    newest: Version
    change: Change
    said: Said


def carry_out(
    workspace: Workspace,
    kind: str,
    distribution: Distribution,
    act: Callable[[Version], Change],
    detail: Mapping[str, object],
    progress: Progress,
    request: ChangeRequest,
) -> VersionResult:
    """Plans a change from the newest version and makes it, alone among writers; then publishes it."""
    if request.dry_run:
        plan = _planned(workspace, distribution, act, progress)
        refused = _refused(plan.change, _decisions(workspace, plan))
        return VersionResult(distribution, plan.change.diff, refused=refused, dry_run=True)
    with running(workspace, kind, distribution.path, progress) as task:
        with _unchanged(workspace, distribution, act, task.progress) as plan:
            change, decisions = plan.change, _decisions(workspace, plan)
            refused = _refused(change, decisions)
            if refused and not request.hold_refused:
                raise refusal(distribution, refused)
            version, imports = _make(workspace, plan, decisions, task)
            told = [(item, _hold(workspace, plan, item, task)) for item in refused]
            held = [number for item, number in told if item.decision.outcome is Outcome.REVIEW]
            if version is not None:
                steps = {"before": plan.newest.number, "after": version.number, "changes": dict(change.diff.counts())}
                by = workspace.settings.policy(distribution.policy).named()
                record(workspace, f"version.{kind}", distribution.path, {**detail, **by, **steps})
                for result in imports:
                    tell(workspace, "package_imported", PackageImported(result, distribution))
                tell(workspace, "version_created", VersionCreated(distribution, version))
        if version is not None:
            task.created.append(f"{distribution.path} version {version.number}")
        publication, failure = None, None
        if version is not None and request.publish_after:
            try:
                publication = publish(workspace, distribution.path, task.progress)
            except EntrepotError as error:
                failure = error
    return VersionResult(distribution, change.diff, version, refused, held, publication, failure)


def _planned(
    workspace: Workspace, distribution: Distribution, act: Callable[[Version], Change], progress: Progress
) -> _Plan:
    newest = workspace.catalog.versions.latest(distribution)
    change = act(newest)
    if change.origin is None:
        return _Plan(newest, change, last_said(workspace, distribution, change.come))
    said = look_around(workspace, change.origin, distribution, change.come, change.gone, progress)
    return _Plan(
        newest, replace(change, diff=replace(change.diff, findings={**change.diff.findings, **found_in(said)})), said
    )


@contextmanager
def _unchanged(
    workspace: Workspace, distribution: Distribution, act: Callable[[Version], Change], progress: Progress
) -> Iterator[_Plan]:
    """A plan, and a transaction in which it still holds: looking at what comes may take long, and keeps nobody out."""
    for _ in range(TRIES):
        plan = _planned(workspace, distribution, act, progress)
        with workspace.catalog.transaction():
            if workspace.catalog.versions.latest(distribution).number == plan.newest.number:
                yield plan
                return
    raise ConflictError(
        f"others make versions of {distribution.path} all the time", hint="nothing was changed; try again"
    )


def _make(
    workspace: Workspace, plan: _Plan, decisions: Mapping[str, Decision], task: Task
) -> tuple[Version | None, Sequence[ImportResult]]:
    change = plan.change
    catalog, distribution, now = workspace.catalog, change.distribution, workspace.now()
    come = [member for member in change.come if decisions[member.original_sha256].outcome is Outcome.PUBLISH]
    if change.restore is not None:
        newest = catalog.versions.latest(distribution).number
        extras = catalog.extras.restoration(distribution, change.restore, newest)
        if not (come or change.gone or any(extras)):
            return None, ()
        removals = [member.membership_id for member in change.gone]
        restored = [member.membership_id for member in come]
        restoration = catalog.versions.create(distribution, (), removals, change.message, now, restored=restored)
        catalog.extras.save(distribution, restoration.number, *extras)
        return restoration, ()
    repository = catalog.repositories.get(distribution.repository)
    carried = change.carried
    format_ = workspace.format(repository.format)
    admission = Admission(catalog, format_, repository, distribution, carried.extras if carried else None)
    for member in change.gone:
        admission.remove(member)
    infos = [(member, catalog.packages.get(member.package_id)) for member in come]
    for member, info in infos:
        component = change.components.get(member.component, member.component)
        admission.admit(info, component, now, carried.location(member) if carried else None)
    version = admission.commit(change.message, now)
    if version is None:
        return None, ()
    if carried is not None:
        carried.check(version.number)
    imports = [
        (_import(workspace, plan, member, info, decisions[member.original_sha256], task, version.number), member)
        for member, info in infos
    ]
    _add_verdicts(workspace, plan, imports)
    # Each takes longer than all that was done for it.
    told = imports if workspace.plugins.listens("package_imported") else ()
    return version, [stored_result(workspace, import_id) for import_id, _ in told]


def _import(
    workspace: Workspace,
    plan: _Plan,
    member: Member,
    info: PackageInfo,
    decision: Decision,
    task: Task,
    number: int | None = None,
) -> int:
    """An import that tells how a package came from one distribution to another."""
    catalog, now, change = workspace.catalog, workspace.now(), plan.change
    came = catalog.imports.origin(change.origin or change.distribution, member.package_id)
    reasons = "; ".join(decision.reasons)
    ends = {
        Outcome.PUBLISH: (ImportState.PUBLISHED, f", in version {number}"),
        Outcome.REVIEW: (ImportState.PENDING_REVIEW, f": waits for review: {reasons}"),
        Outcome.REJECT: (ImportState.REJECTED, f": {reasons}"),
    }
    state, end = ends[decision.outcome]
    values = {
        "state": state.value,
        "name": info.name,
        "version": info.version,
        "architecture": info.architecture,
        "source_id": came.source_id,
        "available_id": came.available_id,
        "distribution_id": change.distribution.id,
        "component": change.components.get(member.component, member.component),
        "sha256": info.files[0].sha256,
        "package_id": member.package_id,
        "repository_version": number,
        "task_id": task.id,
        "actor": workspace.actor,
    }
    import_id = catalog.imports.start(values, now)
    catalog.imports.redecide(import_id, state, f"{change.message}{end}", decision)
    return import_id


def _add_verdicts(workspace: Workspace, plan: _Plan, imports: Iterable[tuple[int, Member]]) -> None:
    """Keeps with imports what was said of their packages, of those that came from another distribution."""
    if plan.change.origin is not None:
        said = ((number, one.original_sha256, plan.said.get(one.original_sha256, ())) for number, one in imports)
        workspace.catalog.imports.add_verdicts_of_many(said, workspace.now())


def _hold(workspace: Workspace, plan: _Plan, held: Refusal, task: Task) -> int:
    member = next(member for member in plan.change.come if member.original_sha256 == held.sha256)
    info = workspace.catalog.packages.get(member.package_id)
    import_id = _import(workspace, plan, member, info, held.decision, task)
    _add_verdicts(workspace, plan, [(import_id, member)])
    return import_id


def _decisions(workspace: Workspace, plan: _Plan) -> Mapping[str, Decision]:
    """What the policy of the distribution makes of what comes in, by what is known of it now; by artifact.

    What a person refused in this distribution, or took out of it, does not come back by another way.
    """
    catalog, change = workspace.catalog, plan.change
    policy = workspace.settings.policy(change.distribution.policy)
    waivers = catalog.reviews.waivers(change.distribution.id, {member.original_sha256 for member in change.come})
    decisions = {}
    for member in change.come:
        info = catalog.packages.get(member.package_id)
        source = catalog.imports.origin(change.origin or change.distribution, member.package_id).source
        verdicts = plan.said.get(member.original_sha256, ())
        case = Case(verdicts, info, source, workspace.now(), waivers.get(member.original_sha256, ()))
        decision = decide(policy, case)
        if decision.outcome is Outcome.PUBLISH and (held := _held(workspace, change.distribution, member)):
            decision = replace(decision, outcome=held[0], reasons=(held[1],))
        decisions[member.original_sha256] = decision
    return decisions


def _held(workspace: Workspace, distribution: Distribution, member: Member) -> tuple[Outcome, str] | None:
    """Why a package that the policy lets in does not come in all the same: a person refused it, or has to decide."""
    catalog = workspace.catalog
    if catalog.imports.last_state(distribution, member.original_sha256) is ImportState.PENDING_REVIEW:
        return Outcome.REVIEW, "it waits for review here"
    reviews = catalog.reviews.of_artifact(distribution.id, member.original_sha256)
    if reviews and reviews[-1]["decision"] == "reject":
        return Outcome.REJECT, f"{reviews[-1]['actor']} rejected it here: {reviews[-1]['justification']}"
    return None


def _refused(change: Change, decisions: Mapping[str, Decision]) -> Sequence[Refusal]:
    return [
        Refusal(f"{member.name}:{member.architecture}={member.version}", member.original_sha256, decision)
        for member in change.come
        if (decision := decisions[member.original_sha256]).outcome is not Outcome.PUBLISH
    ]


def refusal(distribution: Distribution, refused: Sequence[Refusal]) -> ConflictError:
    """What is said where the policy does not let everything in."""
    names = ", ".join(item.package for item in refused[:5])
    more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    return ConflictError(
        f"the policy {distribution.policy} of {distribution.path} does not let in {names}{more}: "
        f"{refused[0].decision.reasons[0] if refused[0].decision.reasons else refused[0].decision.outcome}",
        hint="nothing was changed; leave them out and put them into the review queue with --hold-refused",
        refused=[item.as_json() for item in refused],
    )


def difference(
    workspace: Workspace,
    distribution: Distribution,
    names: tuple[str, str],
    gone: Iterable[Member],
    come: Sequence[Member],
    *,
    known: bool = True,
) -> VersionDiff:
    """The changes that come about; if it is ``known`` here what comes, with what scanners found in it."""
    gone = list(gone)
    changes = compare(gone, come, workspace.format(distribution.format).versions.key)
    said = last_said(workspace, distribution, [*gone, *(come if known else ())])
    return VersionDiff(*names, changes, found_in(said))


def found_in(said: Said) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """The findings of ``VersionDiff``."""
    findings = {}
    for sha256, verdicts in said.items():
        found = [
            {"scanner": stored.scanner, "id": finding.id, "severity": finding.severity, "summary": finding.summary}
            for stored in verdicts
            for finding in stored.verdict.findings
        ]
        if found:
            findings[sha256] = found
    return findings
