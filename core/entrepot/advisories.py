"""The records of offline vulnerability data: what advisories say, and what the catalog answers about a package.

An *ecosystem* is a release of a distribution as the OSV schema names it (``name:release``); the core takes it for
text. A *vulnerability* is what counts once however many advisories are about it: a CVE where there is one.

Records of which an update or a scan makes hundreds of thousands are named tuples, which are made in a third of the
time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple


class RawAdvisory(NamedTuple):
    """One record of a feed as it came. ``digest`` (16 bytes) is what an update compares.

    ``where`` names file and record for messages.
    """

    digest: bytes
    raw: bytes
    where: str


class Affected(NamedTuple):
    """A run of versions of one package that an advisory is about: ``introduced_key`` <= version < ``end_key``.

    Keys are those of the version scheme of the ecosystem's packages. ``introduced_key`` is empty where it begins with
    the first version; ``end_key`` is None where no version ends it, and itself affected if ``last_affected`` is set.
    """

    ecosystem: str
    package: str
    module: str = ""
    """``name:stream`` of the module that the package is of; ``*`` if it is of one that is not told."""
    introduced: str = ""
    introduced_key: bytes = b""
    fixed: str = ""
    """The version that fixes it; empty where there is none yet."""
    last_affected: str = ""
    end_key: bytes | None = None
    state: str = ""
    """What the vendor says of it besides: ``ignored``, ``postponed``, ``undetermined``, ``uncomparable`` ..."""
    severity: str = ""
    """The vendor's word for this very package; empty where the advisory's own holds."""


class Advisory(NamedTuple):
    """What one record says, in columns. ``affected`` is empty for what is withdrawn or about no package of ours."""

    name: str
    """The record's own id: of an advisory, or of a vendor's record of a CVE."""
    vulnerabilities: tuple[str, ...]
    """What it counts as: the CVEs that it is about, else its own id. Empty for what is no vulnerability (bug fixes)."""
    aliases: tuple[str, ...] = ()
    modified: str = ""
    withdrawn: str = ""
    """When it was withdrawn; empty if it was not."""
    severity: str = ""
    """The vendor's word, as one of ``negligible low medium high critical``; empty if there is none."""
    score: float | None = None
    """CVSS, 0.0 to 10.0, of ``vector``."""
    vector: str = ""
    summary: str = ""
    url: str = ""
    affected: tuple[Affected, ...] = ()
    issuer: str = ""
    """Who says it, where a record tells (VEX)."""
    justification: str = ""
    """Why something is not affected, as a word of the form that says so (VEX)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of a vulnerability wherever it occurs: ``kev`` (since when), ``epss`` (how probable)."""

    vulnerability: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Feed:
    """Vulnerability data that somebody added. ``location`` is a URL or a path of this machine, without secrets."""

    id: int
    name: str
    format: str
    location: str
    generation: str
    """Of the format that read it: another one reads everything again."""
    etag: str | None
    last_modified: str | None
    records: int
    checked_at: dt.datetime | None
    changed_at: dt.datetime | None


class AdvisoryState(NamedTuple):
    """What there is of vulnerability data, apart from its age."""

    number: int
    """Of the last change of advisories, or of what is known of vulnerabilities."""
    sources: str
    """A digest of which sources there are, with their indexes."""
    offers: str
    """A digest of what these offer and say themselves."""
    telling: bool
    """Whether one of them has advisories of its own."""


class Hit(NamedTuple):
    """One advisory that affects a version of a package."""

    feed: str
    name: str
    vulnerabilities: tuple[str, ...]
    aliases: tuple[str, ...]
    severity: str
    score: float | None
    vector: str
    summary: str
    url: str
    ecosystem: str
    package: str
    module: str
    introduced: str
    fixed: str
    state: str
    modified: str = ""
    issuer: str = ""
    justification: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An advisory that a source itself has (an RPM source's updateinfo): the versions that it brings.

    ``data`` is the format's own (``models.Extra``).
    """

    name: str
    title: str
    data: dict[str, object]
    package: str
    version: str
