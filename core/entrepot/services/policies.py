"""Policies: which there are, what they say, and what they would decide."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from entrepot.contracts import DemandingScanner, ScanContext
from entrepot.errors import NotFoundError, UsageError
from entrepot.events import ruling_json
from entrepot.models import Available, Decision, Distribution, Outcome, Source, Status
from entrepot.pipeline.explain import actions_of
from entrepot.pipeline.foresight import ask_before, described, foresee
from entrepot.pipeline.policy import Case, decide, outcome_of
from entrepot.pipeline.resolve import PackageSpec
from entrepot.policies import PolicySettings, VulnerabilityRules
from entrepot.services.imports import ImportPlan, ImportRequest, plan_import
from entrepot.services.inspection import not_skipped

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a policy, with the key of the settings that says it, maybe another policy's."""

    key: str
    value: str
    rule: str

    def as_json(self) -> dict[str, str]:
        """For ``--json`` and the HTTP API."""
        return {"key": self.key, "value": self.value, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """What a policy decides about a package, rule by rule. ``open_questions`` are those that nobody can answer yet."""

    package: str
    version: str
    architecture: str
    source: str
    decision: Decision
    findings: Sequence[dict[str, Any]] = ()
    open_questions: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "package": self.package,
            "version": self.version,
            "architecture": self.architecture,
            "source": self.source,
            "policy": self.decision.policy,
            "outcome": self.decision.outcome.value,
            "reasons": list(self.decision.reasons),
            "rulings": [ruling_json(ruling) for ruling in self.decision.rulings],
            "findings": list(self.findings),
            "open_questions": list(self.open_questions),
        }


def policies(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """Every policy with the distributions that have it."""
    users: dict[str, list[str]] = {}
    for distribution in workspace.catalog.repositories.distributions():
        users.setdefault(distribution.policy, []).append(distribution.path)
    return [
        {
            "name": policy.name,
            "inherits": policy.inherits,
            "digest": policy.digest(),
            "is_default": policy.name == workspace.settings.default_policy,
            "distributions": users.get(policy.name, []),
        }
        for _, policy in sorted(workspace.settings.policies.items())
    ]


def show_policy(workspace: Workspace, name: str) -> dict[str, Any]:
    """One of them, with all that it says; ``NotFoundError`` for one that there is not."""
    found = next((policy for policy in policies(workspace) if policy["name"] == name), None)
    if found is None:
        known = ", ".join(sorted(workspace.settings.policies))
        raise NotFoundError(f"there is no policy {name!r}", hint=f"known: {known}")
    rules = [rule.as_json() for rule in policy_rules(workspace.settings.policy(name))]
    return found | {"rules": rules, "shortcomings": list(shortcomings(workspace, name))}


def shortcomings(workspace: Workspace, name: str) -> Sequence[str]:
    """Why a policy will hold or refuse whatever comes in, one sentence each: scanners that nobody set up, or has."""
    policy, settings = workspace.settings.policy(name), workspace.settings
    asked, sources, told = not_skipped(workspace), workspace.catalog.sources.list(), []
    with closing(workspace.catalog.lookup()) as advisories:
        for scanner in sorted({*asked, *policy.scanners}):
            if scanner not in asked:
                outcome = outcome_of(policy, scanner, Status.ABSENT)
                told.append(
                    f"policy {name} asks for scanner {scanner}, which is not asked here: all leads to {outcome}"
                )
                continue
            demanding = asked[scanner]
            outcome = outcome_of(policy, scanner, Status.SKIPPED)
            if outcome is Outcome.PUBLISH or not isinstance(demanding, DemandingScanner):
                continue
            if why := demanding.unready(settings.scanners.get(scanner, {}), advisories, sources):
                told.append(
                    f"scanner {scanner} is not set up, so by policy {name} all leads to {outcome}. {why}."
                    f' Or do without it: [inspection] skip = ["{scanner}"]'
                )
    return told


def shortcomings_at(workspace: Workspace, path: str) -> Sequence[str]:
    """Those of the policy of a distribution."""
    return shortcomings(workspace, workspace.catalog.repositories.distribution(path).policy)


def policy_rules(policy: PolicySettings) -> Sequence[PolicyRule]:
    """All that a policy says, what it inherits included."""
    rules = [_rule(policy, status, outcome) for status, outcome in policy.default.items()]
    for scanner, statuses in sorted(policy.scanners.items()):
        rules += [_rule(policy, f"{scanner}.{status}", outcome) for status, outcome in statuses.items()]
    for item in fields(VulnerabilityRules):
        if item.name != "ignore":
            value = getattr(policy.vulnerabilities, item.name)
            rules.append(_rule(policy, f"vulnerabilities.{item.name}", "never" if value is None else value))
    for ignored in policy.vulnerabilities.ignore:
        until = f" until {ignored.until:%Y-%m-%d %H:%M} UTC" if ignored.until else ""
        packages = "" if ignored.package == "*" else f" of {ignored.package}"
        text = f"{ignored.id}{packages}{until}{_because(ignored.reason)}"
        rules.append(PolicyRule("vulnerabilities.ignore", text, ignored.rule))
    for entry in policy.deny:
        rules.append(PolicyRule("deny", f"{entry} leads to {entry.outcome}{_because(entry.reason)}", entry.rule))
    for entry in policy.allow or ():
        rules.append(PolicyRule("allow", f"{entry}{_because(entry.reason)}", entry.rule))
    if policy.allow is not None:
        rules.append(_rule(policy, "not_allowed", policy.not_allowed))
    rules.append(_rule(policy, "max_size", "never" if policy.size.most is None else policy.size.most))
    if policy.size.most is not None:
        rules.append(_rule(policy, "too_large", policy.size.outcome))
    return [*rules, _rule(policy, "on_change", policy.on_change), _rule(policy, "four_eyes", policy.four_eyes)]


def _rule(policy: PolicySettings, key: str, value: object) -> PolicyRule:
    return PolicyRule(key, str(value).lower() if isinstance(value, bool) else str(value), policy.rule(key))


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


# ------------------------------------------------------------------------------------------------------------ tests


def check_import(workspace: Workspace, import_id: int, policy_name: str) -> PolicyTest:
    """What a policy makes of an import, by the verdicts that are kept and the waivers of its distribution."""
    catalog = workspace.catalog
    policy = workspace.settings.policy(policy_name)
    row = catalog.imports.get(import_id)
    verdicts = catalog.imports.verdicts(import_id)
    package = catalog.packages.get(row["package_id"]) if row["package_id"] else None
    source = catalog.sources.get(str(row["source_id"])).name if row["source_id"] else ""
    artifacts = [package.came_as] if package else []
    given = catalog.reviews.waivers(row["distribution_id"], artifacts)
    waivers = [waiver for sha256 in artifacts for waiver in given.get(sha256, ())]
    case = Case(verdicts, package, source, workspace.now(), waivers)
    decision = decide(policy, case)
    actions = iter(actions_of(verdicts, decision.rulings))
    findings = [
        {"scanner": stored.scanner, "id": item.id, "severity": item.severity, "action": next(actions)}
        for stored in verdicts
        for item in stored.verdict.findings
    ]
    return PolicyTest(row["name"], row["version"] or "", row["architecture"] or "", source, decision, findings=findings)


def check_member(workspace: Workspace, text: str, path: str, policy_name: str) -> Sequence[PolicyTest]:
    """The same for packages that are in a distribution, or wait to be."""
    catalog = workspace.catalog
    spec = PackageSpec.parse(text)
    distribution = catalog.repositories.distribution(path)
    rows = [row[1:] for row in catalog.holdings.holders(spec.name) if row[0] == distribution.path]
    rows += [
        (row["version"], row["architecture"], row["id"])
        for row in catalog.reviews.waiting()
        if (row["name"], row["distribution"]) == (spec.name, distribution.path)
    ]
    found = [
        import_id
        for version, architecture, import_id in rows
        if import_id and spec.version in (None, version) and spec.architecture in (None, architecture)
    ]
    if not found:
        raise NotFoundError(
            f"{distribution.path} has no {spec} that an import brought",
            hint="name its source with --source, or an import with --import",
        )
    return [check_import(workspace, import_id, policy_name) for import_id in dict.fromkeys(found)]


def check_available(
    workspace: Workspace, text: str, source_name: str, policy_name: str, path: str | None = None
) -> Sequence[PolicyTest]:
    """What is known of a policy's decision before packages of a source are fetched, the newest unless one is named."""
    catalog = workspace.catalog
    source = catalog.sources.get(source_name)
    spec = PackageSpec.parse(text)
    rows = [
        row
        for row in catalog.available.versions(spec.name, [source])
        if spec.version in (None, row.version) and spec.architecture in (None, row.architecture)
    ]
    if not rows:
        raise NotFoundError(f"{source.name} offers no {spec}", hint=f"try `entrepot search {spec.name}`")
    distribution = catalog.repositories.distribution(path) if path else None
    newest = [row for row in rows if spec.version or row.version_key == rows[0].version_key]
    return foresee_all(workspace, newest, source, workspace.settings.policy(policy_name), distribution)


def check_anywhere(workspace: Workspace, text: str, policy_name: str) -> Sequence[PolicyTest]:
    """The same in every distribution that has it or where it waits; else at every source that offers it."""
    catalog, name = workspace.catalog, PackageSpec.parse(text).name
    paths = {row[0] for row in catalog.holdings.holders(name)}
    paths |= {row["distribution"] for row in catalog.reviews.waiting() if row["name"] == name}
    found: list[PolicyTest] = []
    for path in sorted(paths):
        with suppress(NotFoundError):
            found += check_member(workspace, text, path, policy_name)
    for source in catalog.sources.list() if not found else ():
        with suppress(NotFoundError):
            found += check_available(workspace, text, source.name, policy_name)
    if not found:
        raise NotFoundError(
            f"{text} is in no distribution, and no source offers it", hint=f"try `entrepot search {name}`"
        )
    return found


def foresee_all(
    workspace: Workspace,
    packages: Sequence[Available],
    source: Source,
    policy: PolicySettings,
    distribution: Distribution | None,
) -> Sequence[PolicyTest]:
    """What is known before packages are fetched: by lists, size, and the scanners that need no files.

    Without a distribution no scanner is asked, and no waiver counts.
    """
    scanners = not_skipped(workspace)
    artifacts = {row.sha256 for row in packages if row.sha256}
    waivers = workspace.catalog.reviews.waivers(distribution.id, artifacts) if distribution else {}
    able = [name for name in scanners if getattr(scanners[name], "before_fetch", False)] if distribution else []
    tests = []
    with closing(workspace.catalog.lookup()) as advisories, workspace.scratch() as folder:
        for row in packages:
            info = described(row)
            contexts = {
                name: ScanContext(
                    format=workspace.format(source.format),
                    distribution=distribution,
                    info=info,
                    problem="",
                    available=row,
                    source=source,
                    upstream=workspace.catalog.available.raw(row.id),
                    keyring=workspace.keyring(source),
                    settings=workspace.settings.scanners.get(name, {}),
                    folder=folder,
                    now=workspace.now(),
                    advisories=advisories,
                )
                for name in able
                if distribution
            }
            verdicts = ask_before(scanners, contexts)
            case = Case(verdicts, info, source.name, workspace.now(), waivers.get(row.sha256 or "", ()))
            foresight = foresee(policy, case, list(scanners))
            tests.append(
                PolicyTest(
                    row.name,
                    row.version,
                    row.architecture,
                    source.name,
                    foresight.decision,
                    open_questions=foresight.open_questions,
                )
            )
    return tests


def foresee_import(workspace: Workspace, request: ImportRequest) -> tuple[ImportPlan, Sequence[PolicyTest]]:
    """What an import would bring in, and for each of its packages what is known of the policy's decision."""
    plan = plan_import(workspace, request)
    source = workspace.catalog.sources.get(request.source)
    policy = workspace.settings.policy(plan.distribution.policy)
    return plan, foresee_all(workspace, plan.packages, source, policy, plan.distribution)


def check(
    workspace: Workspace,
    text: str | None,
    policy_name: str,
    *,
    to: str | None,
    source: str | None,
    import_id: int | None,
) -> Sequence[PolicyTest]:
    """One of the four above, by what is named."""
    if import_id is not None:
        if text or to or source:
            raise UsageError("an import says what it is about: name it alone")
        return [check_import(workspace, import_id, policy_name)]
    if not text:
        raise UsageError("name a package, or an import with --import")
    if source:
        return check_available(workspace, text, source, policy_name, to)
    return check_member(workspace, text, to, policy_name) if to else check_anywhere(workspace, text, policy_name)
