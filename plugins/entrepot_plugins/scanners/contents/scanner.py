"""Goes over the members of a package once: the scanner ``contents``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from entrepot.contracts import Artifact, ScanContext
from entrepot.errors import PackageError
from entrepot.models import Content, ContentKind, Finding, Scalar, Status, Verdict
from entrepot_plugins.scanners.contents.places import odd_name, unusual
from entrepot_plugins.scanners.contents.rules import RULES, RULES_VERSION, Hit
from entrepot_plugins.scanners.contents.scripts import LONGEST, unusual_script
from entrepot_plugins.scanners.contents.settings import ContentsSettings, contents_settings

MOST_EACH = 10
"""Findings of one id that are told one by one; of the rest, how many there are."""
LONGEST_PATH = 500
"""Characters of a path that a finding has."""
_ORDER = (Status.PASS, Status.WARN, Status.REVIEW, Status.BLOCK)
_SEVERITIES = ("low", "medium", "high", "critical")


@dataclass
class _Found:
    """What was found so far, bounded however much a package has."""

    settings: ContentsSettings
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    worst: dict[str, str] = field(default_factory=dict)
    changed: dict[str, tuple[Hit, str]] = field(default_factory=dict)
    """Programs that scripts change, until the package turns out to have them."""

    def add(self, hits: Iterable[Hit], path: str) -> None:
        for hit in hits:
            if hit.rule not in self.settings.actions or self.settings.allowed(path):
                continue
            self.counts[hit.rule] += 1
            self.worst[hit.rule] = max(self.worst.get(hit.rule, "low"), hit.severity, key=_SEVERITIES.index)
            told = self.findings.setdefault(hit.rule, [])
            if len(told) < MOST_EACH:
                where = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."
                told.append(Finding(hit.rule, hit.severity, _clean(hit.summary), where=_clean(where)))

    def all(self) -> Iterator[Finding]:
        for rule in RULES:
            told, count = self.findings.get(rule, []), self.counts[rule]
            yield from told
            if count > len(told):
                summary = f"and {count - len(told)} more"
                yield Finding(rule, self.worst[rule], summary, data={"count": count})


def scan(artifact: Artifact, context: ScanContext) -> Verdict:
    """The verdict; see ``ContentsScanner``."""
    found = _Found(contents_settings(context.settings))
    looked: Counter[str] = Counter()
    try:
        for content, chunks in context.format.packages.contents(artifact.paths):
            looked[content.part] += 1
            _look(found, content, chunks)
    except PackageError as error:
        return Verdict(Status.ERROR, "error", error.message, "contents", RULES_VERSION)
    for hit, script in found.changed.values():
        found.add([hit], script)
    evidence: dict[str, Scalar] = {f"looked_at_{part}": count for part, count in sorted(looked.items())}
    evidence |= dict(sorted(found.counts.items()))
    if not found.counts:
        return Verdict(Status.PASS, "usual", "nothing unusual is in it", "contents", RULES_VERSION, evidence=evidence)
    status = max((found.settings.actions[rule] for rule in found.counts), key=_ORDER.index)
    message = "; ".join(f"{RULES[rule]} ({found.counts[rule]})" for rule in RULES if rule in found.counts)
    return Verdict(status, "unusual", message, "contents", RULES_VERSION, tuple(found.all()), evidence)


def _look(found: _Found, content: Content, chunks: Iterator[bytes]) -> None:
    if content.part == "payload":
        found.changed.pop(content.path, None)
        found.add(unusual(content), content.path)
    elif content.part == "script" and content.kind is ContentKind.FILE:
        script = unusual_script(_beginning(chunks))
        found.add(script.hits.values(), content.path)
        for path, hit in script.changed.items():
            found.changed.setdefault(path, (hit, content.path))
    else:
        found.add(odd_name(content), content.path)


def _beginning(chunks: Iterator[bytes]) -> bytes:
    """A script, or as much of it as tells that it is too long."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > LONGEST:
            break
    return bytes(data[: LONGEST + 1])


def _clean(text: str) -> str:
    """Text that can be kept and shown: paths may have bytes that are no text, and characters that terminals obey."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else char.encode("unicode_escape").decode("ascii")
