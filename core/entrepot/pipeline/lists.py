"""What a policy says of a package whatever scanners say of it: deny- and allow-list, size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from entrepot.models import Outcome, PackageInfo, Ruling, Status
from entrepot.policies import ListEntry, PolicySettings

_STATUSES = {Outcome.PUBLISH: Status.PASS, Outcome.REVIEW: Status.REVIEW, Outcome.REJECT: Status.BLOCK}
_ANY_CASE = frozenset({"licence", "maintainer"})


def listed(policy: PolicySettings, package: PackageInfo | None, source: str) -> Iterator[Ruling]:
    """A ruling for each list and limit that the policy has. What could not be read is on no list."""
    if policy.deny:
        yield from _denied(policy, policy.deny, package, source)
    if policy.allow is not None:
        yield _allowed(policy, policy.allow, package, source)
    if policy.size.most is not None and package is not None:
        yield _sized(policy, policy.size.most, package)


def fits(entry: ListEntry, package: PackageInfo | None, source: str) -> bool:
    """Whether all globs of an entry fit."""
    return fitting(entry, package, source) is not None


def fitting(entry: ListEntry, package: PackageInfo | None, source: str) -> ListEntry | None:
    """The entry if all of its globs fit, or the line of its file that does; else None."""
    if not all(_fits(name, glob, package, source) for name, glob in entry.fields.items()):
        return None
    return entry.line_for(package.name if package else "")


def _fits(name: str, glob: str, package: PackageInfo | None, source: str) -> bool:
    if name == "source":
        return fnmatchcase(source, glob)
    if package is None:
        return False
    values = {
        "package": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "kind": package.kind,
        "section": package.section,
        "source_package": package.source_name or package.name,
        "licence": package.licence,
        "maintainer": package.maintainer,
    }
    value = values[name]
    return fnmatchcase(value.lower(), glob.lower()) if name in _ANY_CASE else fnmatchcase(value, glob)


def _denied(
    policy: PolicySettings, entries: Sequence[ListEntry], package: PackageInfo | None, source: str
) -> Iterator[Ruling]:
    found = [line for entry in entries if (line := fitting(entry, package, source))]
    if not found:
        message = f"none of the {len(entries)} entries of the deny-list fits"
        yield _ruling(policy.rule("deny"), Outcome.PUBLISH, message)
    for entry in found:
        why = f": {entry.reason}" if entry.reason else ""
        yield _ruling(entry.rule, entry.outcome, f"it is on the deny-list by {entry}{why}", f"deny {entry}")


def _allowed(policy: PolicySettings, entries: Sequence[ListEntry], package: PackageInfo | None, source: str) -> Ruling:
    for entry in entries:
        if line := fitting(entry, package, source):
            why = f": {line.reason}" if line.reason else ""
            return _ruling(line.rule, Outcome.PUBLISH, f"it is on the allow-list by {line}{why}")
    message = f"none of the {len(entries)} entries of the allow-list fits"
    return _ruling(policy.rule("not_allowed"), policy.not_allowed, message, "not_allowed")


def _sized(policy: PolicySettings, most: int, package: PackageInfo) -> Ruling:
    size = sum(file.size for file in package.files)
    if size <= most:
        return _ruling(policy.rule("max_size"), Outcome.PUBLISH, f"its {size} bytes are not more than {most}")
    return _ruling(policy.rule("max_size"), policy.size.outcome, f"its {size} bytes are more than {most}", "too_large")


def _ruling(rule: str, outcome: Outcome, message: str, waivable: str = "") -> Ruling:
    covers = (f"policy/{waivable}",) if waivable else ()
    return Ruling(rule, "", _STATUSES[outcome], outcome, "", message, covers=covers)
