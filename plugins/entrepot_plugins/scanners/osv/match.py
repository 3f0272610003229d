"""From what the catalog says of a package to vulnerabilities: each once, however many advisories are about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from entrepot.advisories import Hit, Told
from entrepot_plugins.scanners.osv.intervals import UNCOMPARABLE
from entrepot_plugins.scanners.osv.osv_format import CVE
from entrepot_plugins.scanners.osv.severity import UNKNOWN, WORDS, score_word, vendor_word

_MODULAR = re.compile(r"\.module[_+]")


class Vulnerability(NamedTuple):
    """One vulnerability of a package. ``fixed`` is the version that has all the fixes; empty if there is none."""

    id: str
    severity: str
    score: float | None
    vector: str
    advisories: tuple[str, ...]
    package: str
    fixed: str
    state: str
    summary: str
    url: str


def is_modular(version: str) -> bool:
    """Whether a package's release says that it belongs to a module."""
    return _MODULAR.search(version) is not None


def same_module(hit: Hit, name: str, version: str, modules: Collection[str]) -> bool:
    """Whether an advisory is about a package of this module stream, or about those of none.

    ``modules`` are those that the package is known to be of. Where none is known, the version of the package that a
    module is named after tells its stream; for other packages of it all streams count, which may find too much.
    """
    if not is_modular(version):
        return not hit.module
    if not hit.module:
        return False
    module, _, stream = ":".join(hit.module.split(":")[:2]).partition(":")
    if not stream:
        return True
    if modules:
        return any(f"{known}:".startswith(f"{module}:{stream}:") for known in modules)
    if module != name or not stream[0].isdigit():
        return True
    upstream = version.partition(":")[2] or version
    return re.match(rf"{re.escape(stream)}(?![0-9])", upstream) is not None


def told_hits(
    told: Iterable[Told], key: Callable[[str], bytes], version: str, modules: Collection[str]
) -> Iterator[Hit]:
    """What a source's own advisories (updateinfo) say against a version: they bring a newer one of the same package.

    ``modules`` are those that the package is known to be of.
    """
    own = key(version)
    for item in told:
        found = tuple(dict.fromkeys(name for name in _texts(item, "cves") if CVE.fullmatch(name)))
        if not found and item.data.get("type") != "security":
            continue
        hit = Hit(
            feed="updateinfo",
            name=item.name,
            vulnerabilities=found or (item.name,),
            aliases=(),
            severity=vendor_word(item.data.get("severity")),
            score=None,
            vector="",
            summary=item.title,
            url="",
            ecosystem="",
            package=item.package,
            module="",
            introduced="",
            fixed=item.version,
            state="",
        )
        streams = (_texts(item, "modules") or ("*",)) if is_modular(item.version) else ("",)
        if not any(same_module(hit._replace(module=stream), item.package, version, modules) for stream in streams):
            continue
        try:
            if key(item.version) > own:
                yield hit
        except ValueError:  # an advisory that names no version is about none
            continue


def _texts(item: Told, name: str) -> Sequence[str]:
    values = item.data.get(name)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def vulnerabilities(hits: Sequence[Hit], key: Callable[[str], bytes], *, prefer: str) -> Sequence[Vulnerability]:
    """Each vulnerability once, the worst first. ``prefer`` is whose severity counts: ``cvss`` or ``vendor``."""
    groups: dict[str, list[Hit]] = {}
    names = _one_name(hits)
    for hit in hits:
        for vulnerability in hit.vulnerabilities:
            groups.setdefault(names.get(vulnerability, vulnerability), []).append(hit)
    found = [_merged(identifier, group, key, prefer) for identifier, group in groups.items()]
    return sorted(found, key=lambda item: (-rank(item.severity), -(item.score or 0), item.id))


def rank(severity: str) -> int:
    """The place of a word among ``WORDS``; -1 for what is not known."""
    return WORDS.index(severity) if severity in WORDS else -1


def _one_name(hits: Sequence[Hit]) -> Mapping[str, str]:
    """For every id without a CVE the one that stands for it and its aliases."""
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents.setdefault(name, name) != name:
            name = parents[name]
        return name

    for hit in hits:
        if any(CVE.fullmatch(name) for name in hit.vulnerabilities):
            continue
        for alias in (hit.name, *hit.aliases):
            first, second = sorted((root(hit.vulnerabilities[0]), root(alias)))
            parents[second] = first
    return {name: root(name) for name in parents}


def _merged(identifier: str, hits: Sequence[Hit], key: Callable[[str], bytes], prefer: str) -> Vulnerability:
    # An advisory about this vulnerability alone knows better how bad it is than one about twenty of them.
    by_focus = sorted(hits, key=lambda hit: len(hit.vulnerabilities))
    scored = next((hit for hit in by_focus if hit.score is not None), None)
    worded = next((hit for hit in by_focus if hit.severity), None)
    words = {
        "cvss": score_word(scored.score) if scored and scored.score is not None else "",
        "vendor": worded.severity if worded else "",
    }
    summary = next((hit.summary for hit in by_focus if hit.summary), "")
    fixes = [hit for hit in hits if hit.fixed and hit.state != UNCOMPARABLE]
    last = max(fixes, key=lambda hit: key(hit.fixed), default=None)
    fixed = last.fixed if last else next((hit.fixed for hit in hits if hit.fixed), "")
    return Vulnerability(
        id=identifier,
        severity=words[prefer] or words["cvss"] or words["vendor"] or UNKNOWN,
        score=scored.score if scored else None,
        vector=scored.vector if scored else "",
        advisories=tuple(dict.fromkeys(hit.name for hit in hits)),
        package=hits[0].package,
        fixed=fixed,
        state="" if last else next((hit.state for hit in hits if hit.state), ""),
        summary=summary,
        url=next((hit.url for hit in by_focus if hit.url), ""),
    )
