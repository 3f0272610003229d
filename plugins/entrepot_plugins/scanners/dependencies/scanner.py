"""Asks a format's solver for the closure of one package on every machine that it is for: the scanner ``dependencies``.

Nothing is installed on these machines yet. What is on them by custom comes from the base sources like everything else.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from entrepot.contracts import (
    Candidate,
    CandidatePool,
    Closure,
    Format,
    Missing,
    ScanContext,
    Surroundings,
    TellsExcluded,
)
from entrepot.errors import EntrepotError
from entrepot.models import Basis, Finding, PackageInfo, Scalar, Status, Verdict
from entrepot_plugins.scanners.dependencies.settings import DependencySettings, dependency_settings

TOOL = "dependencies"
BINARY = "binary"
BATCH = "batch"
"""Where a package is from that comes in with the one."""
MAX_FINDINGS = 50
"""Of each kind; how many more there are is told in the evidence. A package with so many problems has one problem."""
MAX_NAMED = 5
"""Packages that are named in one sentence."""
MAX_TEXT = 200
"""Characters of a requirement in an id, which then ends in a digest of the whole."""
_BETWEEN = re.compile(r"[\s|,]+")
RANK = (Status.PASS, Status.WARN, Status.REVIEW, Status.BLOCK)


@dataclass(slots=True)
class _Requirement:
    """Something that is nowhere: who needs it, and on which machines."""

    text: str
    needed_by: dict[str, None] = field(default_factory=dict)
    machines: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Excluded:
    """A package that cannot be installed together with the one: why, where that is from, and on which machines."""

    why: str
    origin: str
    machines: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Report:
    """What the closures of one package say, for all machines together."""

    missing: dict[str, _Requirement] = field(default_factory=dict)
    unmet: dict[str, _Requirement] = field(default_factory=dict)
    conflicts: dict[str, dict[str, None]] = field(default_factory=dict)
    """Sentences, each with the machines that it is about."""
    excluded: dict[Candidate, _Excluded] = field(default_factory=dict)
    evidence: dict[str, Scalar] = field(default_factory=dict)

    @property
    def solved(self) -> bool:
        """Whether it can be installed on every machine."""
        return not (self.missing or self.conflicts)

    def add(self, machine: str, closure: Closure) -> None:
        for found, listed in ((closure.missing, self.missing), (closure.unmet, self.unmet)):
            for missing in found:
                _collect(listed, missing, machine)
        for sentence in closure.conflicts:
            self.conflicts.setdefault(plain(sentence), {})[machine] = None


def scan(context: ScanContext) -> Verdict:
    """The verdict; see ``DependenciesScanner``."""
    settings = dependency_settings(context.settings)
    info, surroundings = context.info, context.surroundings
    if info is None:
        return _error(context, context.problem or "the package could not be read")
    if info.kind != BINARY:
        return _skipped(context, f"packages of the kind {info.kind} are not installed on the machines of clients")
    if surroundings is None:
        return _skipped(context, "there is no catalog to ask")
    try:
        if unsynced := surroundings.unsynced():
            names = ", ".join(unsynced)
            return _error(context, f"nothing is known of base sources: {names}: run `entrepot sync {unsynced[0]}`")
        machines = surroundings.machines(info)
        # Where nothing tells which machines there are: what needs packages for all machines alone fits every one.
        asked = machines or [context.format.independent_architecture]
        report = _ask(context, info, surroundings, asked, recommends=settings.recommends)
        if not machines and not report.solved:
            wanted = "give it its --arch, or the source of its operating system as --base"
            return _skipped(context, f"nothing tells for which machines {context.distribution.path} is: {wanted}")
    except EntrepotError as error:
        return _error(context, str(error))
    return _verdict(context, info, settings, report, asked)


def basis(context: ScanContext) -> Basis | None:
    """What the verdict depends on."""
    if context.surroundings is None:
        return None
    try:
        state = context.surroundings.state(context.batch)
    except EntrepotError:
        return None
    return Basis(tool_version=context.format.solver.version, inputs=state)


def _ask(
    context: ScanContext, info: PackageInfo, surroundings: Surroundings, machines: Sequence[str], *, recommends: bool
) -> _Report:
    report = _Report()
    wanted = surroundings.candidate(info)
    for machine in machines:
        pool = surroundings.pool(machine, context.batch)
        solver = context.format.solver
        closure = solver.closure([wanted], pool, architecture=machine, recommends=recommends)
        report.add(machine, closure)
        if not closure.missing and not closure.conflicts:
            report.evidence |= _brought(machine, wanted, closure, surroundings)
            for other, why in _clashing(context.format, wanted, pool, surroundings, machine):
                known = report.excluded.setdefault(other, _Excluded(plain(why), surroundings.origin(other)))
                known.machines[machine] = None
    return report


def _clashing(
    format_: Format, wanted: Candidate, pool: CandidatePool, surroundings: Surroundings, machine: str
) -> Iterator[tuple[Candidate, str]]:
    """Packages of the distribution, or that come in, which a machine cannot have besides the wanted one, and why."""
    solver = format_.solver
    if isinstance(solver, TellsExcluded):
        ours = solver.excluded(wanted, pool, architecture=machine, among=lambda other: not surroundings.of_base(other))
        yield from islice(ours, MAX_FINDINGS)


def _brought(machine: str, wanted: Candidate, closure: Closure, surroundings: Surroundings) -> Mapping[str, Scalar]:
    """How many packages would come to a machine with the one, and from where."""
    origins = Counter(surroundings.origin(other) for other in closure.packages if other.id != wanted.id)
    return {
        f"brings_{machine}": sum(origins.values()),
        f"from_{machine}": ", ".join(f"{name} {count}" for name, count in sorted(origins.items())),
    }


def _collect(listed: dict[str, _Requirement], missing: Missing, machine: str) -> None:
    text = plain(missing.requirement)
    requirement = listed.setdefault(text, _Requirement(text))
    requirement.needed_by[plain(missing.needed_by)] = None
    requirement.machines[machine] = None


# ------------------------------------------------------------------------------------------------------- the verdict


def _verdict(
    context: ScanContext, info: PackageInfo, settings: DependencySettings, report: _Report, machines: Sequence[str]
) -> Verdict:
    based = bool(context.distribution.base_sources)
    severity = "high" if based else "low"
    held = _Held(context.held)
    missing = [_requirement("missing", severity, "needs", item, held) for item in report.missing.values()]
    unmet = [_requirement("recommends", "low", "recommends", item, held) for item in report.unmet.values()]
    conflicts = [_conflict(sentence, on) for sentence, on in report.conflicts.items()]
    excluded = [_exclusion(context, other, item) for other, item in report.excluded.items()]
    if missing:
        status, reason = settings.missing_status(based=based), "missing"
        if conflicts:
            status = max(status, Status(settings.conflict), key=RANK.index) if based else status
    elif conflicts:
        status, reason = Status(settings.conflict), "conflict"
    elif excluded and settings.excludes != Status.WARN:
        status, reason = Status(settings.excludes), "conflict"
    else:
        status, reason = (Status.WARN if unmet or excluded else Status.PASS), "satisfied"
    told = [*missing[:MAX_FINDINGS], *conflicts[:MAX_FINDINGS], *excluded, *unmet[:MAX_FINDINGS]]
    evidence: dict[str, Scalar] = {
        "machines": ", ".join(machines),
        "base_sources": ", ".join(context.distribution.base_sources),
        "missing": len(missing),
        "conflicts": len(conflicts),
        **({"unmet_recommends": len(unmet)} if settings.recommends else {}),
        **report.evidence,
    }
    message = _message(context, info, told, machines)
    return Verdict(status, reason, message, TOOL, context.format.solver.version, tuple(told), evidence)


class _Held:
    """Packages that were read in the same batch and are held back, by what they are called and what they provide."""

    def __init__(self, packages: Iterable[PackageInfo]) -> None:
        self._by_name: dict[str, dict[str, None]] = {}
        for info in packages:
            for name in (info.name, *info.provides.split()):
                self._by_name.setdefault(name, {})[plain(f"{info.name} {info.version}")] = None

    def named(self, requirement: str) -> Sequence[str]:
        """Those that have a name which a requirement has; nobody asked whether the version fits."""
        words = _BETWEEN.split(requirement)
        # As it is (``libc.so.6()(64bit)``), in a rich requirement's parentheses, and of any architecture.
        words += [word.strip("()").partition(":")[0] for word in words]
        return list(dict.fromkeys(chain.from_iterable(self._by_name.get(word, ()) for word in words)))


def _requirement(kind: str, severity: str, verb: str, item: _Requirement, held: _Held) -> Finding:
    on = ", ".join(item.machines)
    summary = f"{_listed(item.needed_by)} {verb} {item.text}, which nothing offers on {on}"
    data: dict[str, Scalar] = {
        "requirement": item.text,
        "needed_by": _listed(item.needed_by),
        "machines": on,
    }
    if names := held.named(item.text):
        data["held"] = _listed(names)
        summary += f"; {data['held']} came with it and {'is' if len(names) == 1 else 'are'} not let in"
    where = next(iter(item.needed_by))
    return Finding(f"{kind}:{_short(item.text)}", severity, summary, where=where, data=data, kind=kind)


def _conflict(sentence: str, on: Iterable[str]) -> Finding:
    digest = hashlib.sha256(sentence.encode()).hexdigest()[:12]
    return Finding(f"conflict:{digest}", "high", sentence, data={"machines": ", ".join(on)}, kind="conflict")


def _exclusion(context: ScanContext, other: Candidate, item: _Excluded) -> Finding:
    name, on = plain(f"{other.name} {other.version}"), ", ".join(item.machines)
    has = "comes in with it" if item.origin == BATCH else f"{context.distribution.path} has"
    summary = f"no machine can have it together with {name}, which {has}: {item.why}"
    data: dict[str, Scalar] = {"package": plain(other.name), "version": plain(other.version), "machines": on}
    return Finding(f"excludes:{_short(plain(other.name))}", "low", summary, where=name, data=data, kind="excludes")


def _message(context: ScanContext, info: PackageInfo, told: Sequence[Finding], machines: Sequence[str]) -> str:
    if not told:
        return f"{info.name} {info.version} can be installed on {', '.join(machines)}"
    more = f", and {len(told) - 1} more" if len(told) > 1 else ""
    sentence = f"{told[0].summary}{more}"
    if context.distribution.base_sources or told[0].kind == "excludes":
        return sentence
    return (
        f"{sentence}; what clients of {context.distribution.path} have besides is not known: name the source of their"
        f" operating system with `entrepot dist set {context.distribution.path} --base SOURCE`"
    )


def _error(context: ScanContext, message: str) -> Verdict:
    return Verdict(Status.ERROR, "error", message, TOOL, context.format.solver.version)


def _skipped(context: ScanContext, message: str) -> Verdict:
    return Verdict(Status.SKIPPED, "skipped", message, TOOL, context.format.solver.version)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more


def plain(text: str) -> str:
    """Text of packages as it may stand in a message: what does something to a terminal is escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _short(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}...{hashlib.sha256(text.encode()).hexdigest()[:12]}"
