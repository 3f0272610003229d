"""What a policy says, as records."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from entrepot.models import Outcome, Status
from entrepot.policies.files import GlobFile

Rules = Mapping[Status, Outcome]

SEVERITIES = ("negligible", "low", "medium", "high", "critical")
"""How bad a vulnerability is, the mildest first."""
UNKNOWN_SEVERITY = "unknown"
NEVER = "never"
"""In the place of a severity: no severity is bad enough."""

ACTIONS: Mapping[str, Status] = {
    "allow": Status.PASS,
    "warn": Status.WARN,
    "review": Status.REVIEW,
    "block": Status.BLOCK,
}
"""What a vulnerability leads to, the mildest first, and the status that its scanner is taken to have said."""


class OnChange(StrEnum):
    """What becomes of a package that is in, once it is evaluated again and would not come in any more."""

    REPORT = "report"
    REVIEW = "review"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A vulnerability that is always allowed, of packages that a glob fits, up to a moment."""

    id: str
    rule: str
    """The key of the settings that says so."""
    package: str = "*"
    until: dt.datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VulnerabilityRules:
    """What vulnerabilities lead to, whichever scanner finds them. The defaults are those of ``soft``."""

    block: str = "critical"
    """The severity from which on one blocks; ``never``. The same for the next two."""
    review: str = "high"
    warn: str = "negligible"
    """Anything below is allowed silently."""
    cvss_block: float | None = None
    """The CVSS base score from which on one blocks, whatever its severity says. The same for review."""
    cvss_review: float | None = None
    unknown: str = "review"
    """What one leads to of which nobody says how bad it is."""
    unknown_unfixed: str = "warn"
    """The same where there is no fix either."""
    unfixed: str = "review"
    """The most that one leads to of which no fixed version exists."""
    deferred: str = "review"
    """The most that one leads to of which the vendor says that it does not matter enough to be fixed now."""
    kev: str = "review"
    """The least that one leads to which is known to be exploited."""
    epss_review: float | None = None
    """The probability of being exploited, 0 to 1, from which on one is held for review at least."""
    epss_block: float | None = None
    ignore: tuple[Ignored, ...] = ()


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry of an allow- or deny-list: globs by field, all of which have to fit, and a list of packages in a file.

    Fields are those of ``PackageInfo`` and ``source``, the name of the source; empty for an upload.
    """

    rule: str
    """The key of the settings that has it."""
    fields: Mapping[str, str]
    reason: str = ""
    outcome: Outcome = Outcome.REJECT
    """What a deny-list makes of a package that fits."""
    file: GlobFile | None = None

    def __str__(self) -> str:
        globs = [f"{name} {glob!r}" for name, glob in sorted(self.fields.items())]
        if self.file is not None:
            globs.append(f"the list {self.file.path} ({len(self.file)} entries)")
        return ", ".join(globs)

    def line_for(self, name: str) -> ListEntry | None:
        """The entry that the file's line for a package is; this one if it has no file, None if no line fits."""
        if self.file is None:
            return self
        line = self.file.line_for(name)
        if line is None:
            return None
        rule = f"{self.rule} ({self.file.path}:{line.number})"
        return ListEntry(rule, {**self.fields, "package": line.glob}, line.comment or self.reason, self.outcome)


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """How large the files of a package may be together, in bytes; None for no limit."""

    most: int | None = None
    outcome: Outcome = Outcome.REJECT


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """A policy with all that it inherits.

    What verdicts lead to is given by scanner name, then for every scanner that is not named, by status. What nobody
    says of ``absent`` is what ``error`` leads to.
    """

    name: str
    default: Rules
    scanners: Mapping[str, Rules] = field(default_factory=dict)
    vulnerabilities: VulnerabilityRules = field(default_factory=VulnerabilityRules)
    deny: tuple[ListEntry, ...] = ()
    allow: tuple[ListEntry, ...] | None = None
    """None where everything is allowed that is not denied."""
    not_allowed: Outcome = Outcome.REVIEW
    """What a package leads to that no entry of ``allow`` fits."""
    size: SizeLimit = field(default_factory=SizeLimit)
    on_change: OnChange = OnChange.REVIEW
    four_eyes: bool = False
    """Whether who brought a package in may not approve it."""
    inherits: str = ""
    """The policy that it was made from; empty for one that is built in."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """By key (``osv.review``, ``vulnerabilities.block``): the policy whose table says it; the empty key stands for all
    that are not named."""

    def digest(self) -> str:
        """A digest of all that it says, with the lines of its lists: another one is another policy of the same name."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def named(self) -> dict[str, object]:
        """Which policy it is, as the audit log has it."""
        return {"policy": self.name, "policy_digest": self.digest()}

    def rule(self, key: str) -> str:
        """The full key of the settings by which something holds: ``policies.soft.vulnerabilities.block``."""
        return f"policies.{self.origins.get(key) or self.origins.get('', self.name)}.{key}"
