"""Compares a package with offline vulnerability data: the scanner ``osv``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain

from entrepot.advisories import Hit
from entrepot.contracts import AdvisoryLookup, ScanContext
from entrepot.models import FINDINGS, VULNERABILITY, Available, Finding, PackageInfo, Scalar, Status, Verdict
from entrepot_plugins.scanners.osv.ecosystems import bases, format_of, guess, vendors
from entrepot_plugins.scanners.osv.enrichment import EPSS, KEV
from entrepot_plugins.scanners.osv.match import (
    Vulnerability,
    is_modular,
    same_module,
    told_hits,
    vulnerabilities,
)
from entrepot_plugins.scanners.osv.settings import OsvSettings, osv_settings
from entrepot_plugins.scanners.osv.severity import UNKNOWN, WORDS
from entrepot_plugins.scanners.osv.vex import annotated, settle, statements
from entrepot_plugins.scanners.osv.vex_format import PREFIX

OLD_DATA = "advisories-old"

_REBUILD = re.compile(r"\+b[0-9]+$")


@dataclass(frozen=True, slots=True)
class _Subject:
    """The package as advisories know it: names, each with the version that belongs to it."""

    info: PackageInfo
    names: Mapping[str, str]
    ecosystems: tuple[str, ...]
    told: bool
    """Whether its own source has advisories."""


def scan(context: ScanContext) -> Verdict:
    """The verdict; see ``OsvScanner``."""
    settings = osv_settings(context.settings)
    info = context.info
    if info is None:
        return Verdict(Status.ERROR, "error", context.problem or "the package could not be read", tool="osv")
    lookup = context.advisories
    if lookup is None:
        return _nothing(settings, "there is no catalog to ask")
    known = lookup.ecosystems()
    told = context.source is not None and lookup.tells(context.source)
    chosen, why = _ecosystems(context, info, settings, known)
    if not told and not any(base in known for ecosystem in chosen for base in bases(ecosystem)):
        return _nothing(settings, why)
    subject = _Subject(info, _names(info), tuple(chosen), told)
    hits = _hits(subject, context, lookup)
    found = vulnerabilities(hits, context.format.versions.key, prefer=settings.severity)
    said = statements(context, info, chosen, subject.names, lookup, known)
    found, settled = settle(found, said)
    return annotated(_verdict(subject, context, lookup, settings, found, known), said, settled)


def _nothing(settings: OsvSettings, why: str) -> Verdict:
    if settings.required:
        return Verdict(Status.ERROR, "error", why, tool="osv")
    return Verdict(Status.SKIPPED, "skipped", why, tool="osv")


# --------------------------------------------------------------------------------------------- what it is compared with


def _ecosystems(
    context: ScanContext, info: PackageInfo, settings: OsvSettings, known: Mapping[str, object]
) -> tuple[Sequence[str], str]:
    """The ecosystems that a package belongs to, and what to do if there are none of which there is data."""
    distribution, available = context.distribution, context.available
    suites = [available.distribution] if available else []
    named = [distribution.path, distribution.name, *([context.source.name] if context.source else []), *suites]
    patterns = next((settings.ecosystems[name] for name in named if name in settings.ecosystems), settings.ecosystem)
    if patterns:
        chosen = [name for pattern in patterns for name in _meant(pattern, known)]
        return chosen, f"there is no data about {', '.join(patterns)}: add some with `entrepot advisories add`"
    guessed = guess([*suites, distribution.name, distribution.path, *_tag(info)], known)
    guessed = [name for name in guessed if format_of(name) == info.format]
    if not guessed:
        return (), (
            f"nobody knows which ecosystem {distribution.path} belongs to: name it in entrepot.toml, as in"
            f' [scanners.osv.ecosystems] "{distribution.path}" = "Debian:12"'
        )
    held = [name for name in guessed if any(base in known for base in bases(name))]
    if len(vendors(held)) > 1:
        return (), (
            f"{distribution.path} could be {' or '.join(held)}: say which in entrepot.toml, as in"
            f' [scanners.osv.ecosystems] "{distribution.path}" = "{held[0]}"'
        )
    return held, f"there is no data about {' or '.join(guessed)}: add some with `entrepot advisories add`"


def _meant(pattern: str, known: Mapping[str, object]) -> Sequence[str]:
    """The ecosystem that is named, or those with data that a pattern fits."""
    if "*" not in pattern:
        return [pattern]
    return [name for name in known if fnmatchcase(name, pattern) and not name.startswith(PREFIX)]


def _tag(info: PackageInfo) -> Sequence[str]:
    """The release of an RPM package, whose tag names the release of the distribution: ``3.el9_2``."""
    return [info.version.rpartition("-")[2]] if info.format == "rpm" else []


def _names(info: PackageInfo) -> Mapping[str, str]:
    """The names under which advisories list a package, each with the version that they compare with.

    Those of APT distributions are about source packages, those of RPM distributions about binary packages and some
    about source packages, too.
    """
    source = info.source_name or info.name
    if info.format == "apt":
        return {source: info.source_version or _REBUILD.sub("", info.version)}
    return {source: info.source_version or info.version, info.name: info.version}


def _hits(subject: _Subject, context: ScanContext, lookup: AdvisoryLookup) -> Sequence[Hit]:
    key = context.format.versions.key
    source, info = context.source, subject.info
    wanted = sorted({base for ecosystem in subject.ecosystems for base in bases(ecosystem)})
    modules: Sequence[str] = [info.module] if info.module else []
    if not modules and source is not None and is_modular(info.version):
        modules = lookup.modules(source, info.name, info.version)
    hits = [
        hit
        for name, version in subject.names.items()
        for hit in lookup.affecting(wanted, name, key(version))
        if same_module(hit, name, version, modules) and not _has_fix(hit, name, version, subject.info, key)
    ]
    if source is not None and subject.told:
        told = lookup.told(source, [info.name])
        hits += told_hits(told, key, info.version, modules)
    return hits


def _has_fix(hit: Hit, name: str, version: str, info: PackageInfo, key: Callable[[str], bytes]) -> bool:
    """Whether a package has a fix that its source package alone tells of.

    The name of a source package's file, which is all that an RPM package has of it, is without an epoch. So it is
    compared as if it had that of the advisory: packages of one source may have others (perl-Errno has none, perl 4).
    """
    if info.format != "rpm" or name == info.name or ":" in version or ":" not in hit.fixed:
        return False
    try:
        return key(f"{hit.fixed.partition(':')[0]}:{version}") >= key(hit.fixed)
    except ValueError:
        return False


# ------------------------------------------------------------------------------------------------------- the verdict


def _verdict(
    subject: _Subject,
    context: ScanContext,
    lookup: AdvisoryLookup,
    settings: OsvSettings,
    found: Sequence[Vulnerability],
    known: Mapping[str, dt.datetime],
) -> Verdict:
    info = subject.info
    facts = lookup.facts([item.id for item in found])
    offers = _Offers(subject, context, lookup) if any(item.fixed for item in found) else None
    findings = [
        _finding(item, facts.get(item.id, {}), offers.of(item.fixed) if offers and item.fixed else None)
        for item in found
    ]
    age = _age(subject, known, context.now)
    evidence: dict[str, Scalar] = {
        "compared_with": " ".join(f"{name}={version}" for name, version in subject.names.items()),
        "ecosystems": ", ".join(subject.ecosystems),
        "updateinfo": subject.told,
        "data_days": age,
        "vulnerabilities": len(found),
    }
    if age is not None and settings.max_age_days and age > settings.max_age_days:
        old = f"its vulnerability data is {age} days old: run `entrepot advisories update`"
        findings.append(Finding(OLD_DATA, "low", old, data={"days": age}))
    if not findings:
        message = f"no advisory of {evidence['ecosystems'] or 'its source'} affects {info.name} {info.version}"
        return Verdict(Status.PASS, "no_findings", message, tool="osv", evidence=evidence)
    return Verdict(Status.WARN, FINDINGS, _sentence(found, findings), "osv", "", tuple(findings), evidence)


def _finding(item: Vulnerability, about: Mapping[str, str], offered: str | None) -> Finding:
    data: dict[str, Scalar] = {
        "advisories": " ".join(item.advisories),
        "fixed": item.fixed,
        "kev": KEV in about,
    }
    optional = {
        "state": item.state,
        "score": f"{item.score:.1f}" if item.score is not None else "",
        "vector": item.vector,
        "kev_since": about.get(KEV, ""),
        "epss": about.get(EPSS, ""),
        "url": item.url,
        "offered": offered or "",
    }
    data |= {name: value for name, value in optional.items() if value}
    fix = f"fixed in {item.fixed}" if item.fixed else f"not fixed{_reason(item.state)}"
    if offered:
        fix += f", offered by {offered}"
    if KEV in about:
        fix += ", known to be exploited"
    summary = f"{fix}: {item.summary}" if item.summary else fix
    return Finding(item.id, item.severity, summary, where=item.package, data=data, kind=VULNERABILITY)


def _reason(state: str) -> str:
    return f" ({state.replace('_', ' ')})" if state else ""


def _sentence(found: Sequence[Vulnerability], findings: Sequence[Finding]) -> str:
    if not found:
        return findings[0].summary
    words = [*reversed(WORDS), UNKNOWN]
    counts = [(sum(item.severity == word for item in found), word) for word in words]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    names = [item.id for item in found]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} known ({told}): {', '.join(names[:5])}{more}"


def _age(subject: _Subject, known: Mapping[str, dt.datetime], now: dt.datetime) -> int | None:
    """Days since the oldest data that was used was read; None for what its source told with its last sync."""
    names = chain.from_iterable(bases(name) for name in subject.ecosystems)
    times = [known[name] for name in names if name in known]
    return max((now - min(times)).days, 0) if times else None


class _Offers:
    """Which synced source has a version of the package that is new enough."""

    def __init__(self, subject: _Subject, context: ScanContext, lookup: AdvisoryLookup) -> None:
        info = subject.info
        self._key = context.format.versions.key
        own = context.available
        rows = lookup.offers(info.format, info.name, info.architecture, info.version_key)
        self._rows = [row for row in rows if _same_release(row, own, subject.ecosystems)]

    def of(self, fixed: str) -> str | None:
        """``source version`` of the oldest offer that has the fix; None if there is no such offer."""
        try:
            least = self._key(fixed)
        except ValueError:
            return None
        # The fixed version is that of the source package, which a rebuild and some packages have beside their own.
        fitting = [row for row in self._rows if self._key(row.source_version or _REBUILD.sub("", row.version)) >= least]
        return f"{fitting[-1].source} {fitting[-1].version}" if fitting else None


def _same_release(row: Available, own: Available | None, ecosystems: Sequence[str]) -> bool:
    """Whether an offer is for the same release of the distribution: another one's package may not even install."""
    if own is not None and (row.source_id, row.distribution) == (own.source_id, own.distribution):
        return True
    guessed = guess([row.distribution, row.source, row.version], ecosystems)
    return any(name in ecosystems for name in guessed)
