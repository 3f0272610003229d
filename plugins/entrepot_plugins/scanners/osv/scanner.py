"""Compares a package with offline vulnerability data: the scanner ``osv``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import zip_longest

from entrepot.advisories import Hit
from entrepot.contracts import AdvisoryLookup, Format, ScanContext
from entrepot.models import FINDINGS, VULNERABILITY, Available, Finding, PackageInfo, Scalar, Source, Status, Verdict
from entrepot_plugins.scanners.osv.ahead import Ahead, Question
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
from entrepot_plugins.scanners.osv.vex import annotated, products, settle, statements
from entrepot_plugins.scanners.osv.vex import questions as vex_questions
from entrepot_plugins.scanners.osv.vex_format import PREFIX

OLD_DATA = "advisories-old"

_REBUILD = re.compile(r"\+b[0-9]+$")


@dataclass(frozen=True, slots=True)
class _Subject:
    """The package as advisories know it: names, each with the version that belongs to it."""

    context: ScanContext
    info: PackageInfo
    names: Mapping[str, str]
    ecosystems: tuple[str, ...]
    wanted: tuple[str, ...]
    """Those that are asked about: with the ones that are about all releases."""
    matching: _Matching
    own: Source | None
    """Its source, if that has advisories."""
    modules: Sequence[str]

    @property
    def compared(self) -> tuple[object, ...]:
        """The same for packages that the same advisories are about, unless their source has some."""
        name = self.info.name if self.info.format == "rpm" else ""  # what a source package alone tells is weighed
        return self.wanted, tuple(self.names.items()), tuple(self.modules), name


def scan(context: ScanContext) -> Verdict:
    """The verdict; see ``OsvScanner``."""
    return scan_many([context])[0]


def scan_many(contexts: Sequence[ScanContext]) -> Sequence[Verdict]:
    """A verdict for each of several packages of one distribution; the catalog is asked about all of them at once."""
    if not contexts:
        return []
    settings, lookup = osv_settings(contexts[0].settings), contexts[0].advisories
    matching = _Matching(settings, Ahead(lookup), contexts[0].format) if lookup else None
    subjects = [_subject(context, settings, matching) for context in contexts]
    if matching:
        matching.prepare([subject for subject in subjects if isinstance(subject, _Subject)])
    return [subject if isinstance(subject, Verdict) else subject.matching.verdict(subject) for subject in subjects]


def _subject(context: ScanContext, settings: OsvSettings, matching: _Matching | None) -> _Subject | Verdict:
    """The package, or the verdict if it can be compared with nothing."""
    info, source = context.info, context.source
    if info is None:
        return Verdict(Status.ERROR, "error", context.problem or "the package could not be read", tool="osv")
    if matching is None:
        return _nothing(settings, "there is no catalog to ask")
    ahead = matching.ahead
    own = source if source is not None and ahead.tells(source) else None
    chosen, wanted, why = matching.choose(context, info)
    if own is None and not any(base in ahead.known for base in wanted):
        return _nothing(settings, why)
    modules: Sequence[str] = [info.module] if info.module else []
    if not modules and source is not None and is_modular(info.version):
        modules = ahead.lookup.modules(source, info.name, info.version)
    return _Subject(context, info, _names(info), chosen, wanted, matching, own, modules)


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


class _Matching:
    """What is the same for all packages that are asked about together, or for several of them."""

    def __init__(self, settings: OsvSettings, ahead: Ahead, format_: Format) -> None:
        self.ahead = ahead
        self._settings = settings
        self._key = lru_cache(maxsize=1024)(format_.versions.key)
        self._products = products(ahead.known, format_.name)
        self._chosen: dict[tuple[object, ...], tuple[tuple[str, ...], tuple[str, ...], str]] = {}
        self._ages: dict[tuple[object, ...], int | None] = {}
        self._found: dict[tuple[object, ...], Sequence[Vulnerability]] = {}
        self._findings: dict[tuple[object, ...], tuple[tuple[Finding, ...], str]] = {}

    def choose(self, context: ScanContext, info: PackageInfo) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        """The ecosystems of a package, those that are asked about, and what to do if there is no data about any."""
        available, source = context.available, context.source
        suite = available.distribution if available else None
        place = (context.distribution.path, suite, source and source.name, *_tag(info))
        if place not in self._chosen:
            chosen, why = _ecosystems(context, info, self._settings, self.ahead.known)
            wanted = sorted({base for ecosystem in chosen for base in bases(ecosystem)})
            self._chosen[place] = tuple(chosen), tuple(wanted), why
        return self._chosen[place]

    def prepare(self, subjects: Sequence[_Subject]) -> None:
        """Asks the catalog about all of them."""
        questions = [
            (subject.wanted, name, self._key(version))
            for subject in subjects
            for name, version in subject.names.items()
        ]
        if self._products:
            questions += [question for subject in subjects for question in self._statements(subject)]
        self.ahead.ask(questions, [(subject.own, subject.info.name) for subject in subjects if subject.own])

    def verdict(self, subject: _Subject) -> Verdict:
        """The verdict about one of them."""
        found = self._vulnerabilities(subject)
        if not self._products:
            return self._verdict(subject, found)
        said = statements(self._statements(subject), self.ahead)
        found, settled = settle(found, said)
        return annotated(self._verdict(subject, found), said, settled)

    def _statements(self, subject: _Subject) -> Sequence[Question]:
        context, info = subject.context, subject.info
        return vex_questions(context, info, subject.ecosystems, subject.names, self._products, self._key)

    def _vulnerabilities(self, subject: _Subject) -> Sequence[Vulnerability]:
        compared = subject.compared
        if subject.own is None and compared in self._found:
            return self._found[compared]
        hits = [
            hit
            for name, version in subject.names.items()
            for hit in self.ahead.affecting(subject.wanted, name, self._key(version))
            if same_module(hit, name, version, subject.modules)
            and not _has_fix(hit, name, version, subject.info, self._key)
        ]
        if subject.own is not None:
            told = self.ahead.told(subject.own, subject.info.name)
            hits += told_hits(told, self._key, subject.info.version, subject.modules)
        found = vulnerabilities(hits, self._key, prefer=self._settings.severity)
        if subject.own is None:
            self._found[compared] = found
        return found

    def _verdict(self, subject: _Subject, found: Sequence[Vulnerability]) -> Verdict:
        info, age = subject.info, self._age(subject)
        findings, sentence = self._told(subject, found)
        evidence: dict[str, Scalar] = {
            "compared_with": " ".join(f"{name}={version}" for name, version in subject.names.items()),
            "ecosystems": ", ".join(subject.ecosystems),
            "updateinfo": subject.own is not None,
            "data_days": age,
            "vulnerabilities": len(found),
        }
        if age is not None and self._settings.max_age_days and age > self._settings.max_age_days:
            old = f"its vulnerability data is {age} days old: run `entrepot advisories update`"
            findings = (*findings, Finding(OLD_DATA, "low", old, data={"days": age}))
            sentence = sentence or old
        if not findings:
            message = f"no advisory of {evidence['ecosystems'] or 'its source'} affects {info.name} {info.version}"
            return Verdict(Status.PASS, "no_findings", message, tool="osv", evidence=evidence)
        return Verdict(Status.WARN, FINDINGS, sentence, "osv", "", findings, evidence)

    def _told(self, subject: _Subject, found: Sequence[Vulnerability]) -> tuple[tuple[Finding, ...], str]:
        """A finding for each vulnerability, and all of them in a sentence; an empty one if there are none."""
        if not found:
            return (), ""
        # Binary packages of one source share all this, where the same is offered of them.
        compared = subject.compared
        offers = _Offers(subject, self.ahead.lookup) if any(item.fixed for item in found) else None
        offered = tuple([offers.of(item.fixed) if item.fixed else None for item in found]) if offers else ()
        shared = found is self._found.get(compared)
        if shared and (compared, offered) in self._findings:
            return self._findings[compared, offered]
        facts = self.ahead.facts([item.id for item in found])
        findings = tuple(_finding(item, facts[item.id], at) for item, at in zip_longest(found, offered))
        told = findings, _sentence(found)
        if shared:
            self._findings[compared, offered] = told
        return told

    def _age(self, subject: _Subject) -> int | None:
        """Days since the oldest data that was used was read; None for what its source told with its last sync."""
        place = (subject.wanted, subject.context.now)
        if place not in self._ages:
            times = [self.ahead.known[name] for name in subject.wanted if name in self.ahead.known]
            self._ages[place] = max((subject.context.now - min(times)).days, 0) if times else None
        return self._ages[place]


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


def _sentence(found: Sequence[Vulnerability]) -> str:
    words = [*reversed(WORDS), UNKNOWN]
    counts = [(sum(item.severity == word for item in found), word) for word in words]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    names = [item.id for item in found]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} known ({told}): {', '.join(names[:5])}{more}"


class _Offers:
    """Which synced source has a version of the package that is new enough."""

    def __init__(self, subject: _Subject, lookup: AdvisoryLookup) -> None:
        info, context = subject.info, subject.context
        self._key = context.format.versions.key
        own = context.available
        rows = lookup.offers(info.format, info.name, info.architecture, info.version_key)
        declared = context.distribution.base_sources
        self._rows = [row for row in rows if row.source in declared or _same_release(row, own, subject.ecosystems)]

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
