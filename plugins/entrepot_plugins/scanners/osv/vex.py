"""What VEX documents say of the vulnerabilities of a package: which do not count, and what is told of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from entrepot.advisories import Hit
from entrepot.contracts import ScanContext
from entrepot.models import SOURCE_ARCHITECTURE, PackageInfo, Scalar, Verdict
from entrepot_plugins.scanners.osv.ahead import Ahead, Question
from entrepot_plugins.scanners.osv.match import Vulnerability
from entrepot_plugins.scanners.osv.vex_format import FIXED, NOT_AFFECTED, PREFIX
from entrepot_plugins.shared.releases import DEBIAN, UBUNTU, codename

_TYPES = {"apt": "deb", "rpm": "rpm"}
_SOURCES = ("source", "src", "nosrc")
"""The architectures by which a product is the source package of what it is compared with."""


@dataclass(frozen=True, slots=True)
class Told:
    """The newest statement about one vulnerability of a package."""

    status: str
    justification: str
    words: str
    author: str
    document: str
    at: str

    @property
    def settles(self) -> bool:
        """Whether the vulnerability does not count by it."""
        return self.status in (NOT_AFFECTED, FIXED)

    def data(self) -> Mapping[str, Scalar]:
        """For a finding that counts all the same."""
        values = {
            "vex": self.status,
            "vex_action": self.words,
            "vex_author": self.author,
            "vex_document": self.document,
        }
        return {name: value for name, value in values.items() if value}


def products(known: Iterable[str], format_name: str) -> Sequence[str]:
    """The products of a format that there are statements about, of all ecosystems of which there is data."""
    return [name for name in known if name.startswith(f"{PREFIX}{_TYPES.get(format_name, '?')}/")]


def questions(
    context: ScanContext,
    info: PackageInfo,
    ecosystems: Sequence[str],
    names: Mapping[str, str],
    known: Sequence[str],
    key: Callable[[str], bytes],
) -> Sequence[Question]:
    """What is to be asked to know the statements about a package; ``known`` are the products of its format."""
    releases = _releases(context, ecosystems)
    vendors = {name.partition(":")[0].split()[0].lower() for name in ecosystems}
    own = tuple(name for name in known if _fits(name, info.architecture, vendors, releases))
    of_source = tuple(name for name in known if _fits(name, SOURCE_ARCHITECTURE, vendors, releases))
    asked = [(own, info.name, info.version), *((of_source, name, version) for name, version in names.items())]
    return [(chosen, name, key(version)) for chosen, name, version in asked if chosen]


def statements(asked: Iterable[Question], ahead: Ahead) -> Mapping[str, Told]:
    """The statements about a package by each name of the vulnerability; the newest counts."""
    hits: dict[tuple[str, str], Hit] = {}
    for question in asked:
        for hit in ahead.affecting(*question):
            hits.setdefault((hit.name, hit.ecosystem), hit)
    found: dict[str, Told] = {}
    for hit in sorted(hits.values(), key=lambda hit: (hit.modified, hit.name)):
        told = Told(hit.state, hit.justification, hit.summary, hit.issuer, hit.url, hit.modified)
        found |= dict.fromkeys((*hit.vulnerabilities, *hit.aliases), told)
    return found


def _fits(product: str, architecture: str, vendors: set[str], releases: set[str]) -> bool:
    """Whether a product's vendor, architecture and release are those of a package, as far as it names them."""
    path, _, query = product.partition("?")
    bounds = dict(parse_qsl(query))
    namespace = path.rpartition("/")[2].lower()
    if namespace and vendors and namespace not in vendors:
        return False
    arch = bounds.get("arch")
    if arch is not None and (SOURCE_ARCHITECTURE if arch in _SOURCES else arch) != architecture:
        return False
    release = bounds.get("distro")
    return release is None or release.lower() in releases


def _releases(context: ScanContext, ecosystems: Sequence[str]) -> set[str]:
    """The names by which the release may be called in the qualifier ``distro``."""
    suites = [context.distribution.name, *([context.available.distribution] if context.available else [])]
    found = {name.lower() for name in suites if name} | {codename(name) for name in suites}
    for ecosystem in ecosystems:
        vendor, _, number = ecosystem.partition(":")
        number = number.partition(":")[0] if vendor != "Red Hat" else number.split(":")[1] if ":" in number else number
        word = vendor.split()[0].lower()
        found |= {number, f"{word}-{number}", f"el{number}"}
        found |= {
            name for table in (DEBIAN, UBUNTU) for name, held in table.items() if held == ecosystem.partition(":")[2]
        }
    return found - {""}


def settle(
    found: Sequence[Vulnerability], told: Mapping[str, Told]
) -> tuple[Sequence[Vulnerability], Mapping[str, Scalar]]:
    """The vulnerabilities that count, and evidence of those that do not by a statement."""
    if not told:
        return found, {}
    left, settled = [], []
    for item in found:
        statement = told.get(item.id)
        if statement is None or not statement.settles:
            left.append(item)
            continue
        values = {
            "id": item.id,
            "status": statement.status,
            "justification": statement.justification,
            "impact": statement.words,
            "author": statement.author,
            "document": statement.document,
            "at": statement.at,
        }
        settled.append({name: value for name, value in values.items() if value})
    return left, {"vex": json.dumps(settled, sort_keys=True)} if settled else {}


def annotated(verdict: Verdict, told: Mapping[str, Told], settled: Mapping[str, Scalar]) -> Verdict:
    """A verdict with what is said of its findings, and with evidence of the vulnerabilities that do not count."""
    if not told:
        return verdict
    findings = tuple(
        replace(item, data={**item.data, **told[item.id].data()}) if item.id in told else item
        for item in verdict.findings
    )
    return replace(verdict, findings=findings, evidence={**verdict.evidence, **settled})
