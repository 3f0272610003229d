"""Where things are in an APT repository: the folder of a distribution, and which of its indexes a source wants.

A distribution's files are under ``dists/<distribution>/``, except when its name ends in a slash: then the repository is
*flat*, the name is a folder below the URL, and one ``Packages`` there lists everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from entrepot.errors import IndexFormatError, NotFoundError, TrustError, UsageError
from entrepot.models import SOURCE_ARCHITECTURE, Source
from entrepot_plugins.shared.compression import SUFFIXES

from .release import ListedFile, Release

ALL = "all"
BINARY, UDEB, SOURCE = "binary", "udeb", "source"
_INDEX = re.compile(
    r"(?P<component>.+?)/(?:debian-installer/)?(?:binary-(?P<arch>[^/]+)/Packages|source/Sources)(?:\.[a-z0-9]+)?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a distribution is, relative to the source's URL."""

    distribution: str
    folder: str
    flat: bool

    @classmethod
    def of(cls, distribution: str) -> Place:
        """The place of a distribution by its name alone."""
        if distribution.endswith("/"):
            folder = "/".join(part for part in distribution.split("/") if part not in ("", "."))
            return cls(distribution, folder, flat=True)
        return cls(distribution, f"dists/{distribution}", flat=False)

    def path(self, name: str) -> str:
        """The path of one of its files."""
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True, slots=True)
class WantedIndex:
    """An index to read, by its path relative to the Release, without compression.

    ``files`` are those that the Release lists of it, by suffix; empty where no Release says anything.
    """

    path: str
    component: str
    architecture: str
    kind: str
    files: Mapping[str, ListedFile] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What changes whenever its content does: the digest of the plain text, or of the first compression listed."""
        suffix = "" if "" in self.files else next(suffix for suffix in SUFFIXES if suffix in self.files)
        return ":".join((*([suffix[1:]] if suffix else []), *self.files[suffix].strongest))


@dataclass
class Plan:
    """Which indexes of a distribution to read, and what to tell a person about it."""

    wanted: list[WantedIndex] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    folders: tuple[str, ...] = ()
    """Of the components; none where they have none of their own."""
    architectures: tuple[str, ...] = ()


def url(base: str, path: str) -> str:
    """The URL of a path below ``base``, quoted as apt does it: ``+``, too, which object stores take for a blank."""
    return f"{base.rstrip('/')}/{quote(path, safe='/:~')}"


def plan(source: Source, place: Place, release: Release) -> Plan:
    """The indexes that a source wants of a distribution.

    Components and architectures that the source does not name are all that the Release names. ``NotFoundError`` for
    those that it asks for and the distribution does not have, ``UsageError`` where flat and other repositories are
    mixed up, ``TrustError`` for indexes of which only weak digests are known.
    """
    return _flat(source, place, release) if place.flat else _layered(source, place, release)


def flat_indexes(source: Source) -> list[tuple[str, str]]:
    """Kinds and names of the indexes that a source wants of a flat repository."""
    wanted = [] if source.architectures == (SOURCE_ARCHITECTURE,) else [(BINARY, "Packages")]
    return [*wanted, (SOURCE, "Sources")] if source.flag("sources") else wanted


def _flat(source: Source, place: Place, release: Release) -> Plan:
    result = Plan()
    for kind, name in flat_indexes(source):
        if files := _files(source, release, name):
            architecture = SOURCE_ARCHITECTURE if kind == SOURCE else ""
            result.wanted.append(WantedIndex(name, "", architecture, kind, files))
        elif kind == SOURCE and result.wanted:
            result.warnings.append(f"{source.name}: {place.distribution} lists no Sources")
    if not result.wanted and any(_INDEX.fullmatch(path) for path in release.files):
        name = place.distribution.rstrip("/").removeprefix("dists/")
        raise UsageError(
            f"{place.distribution!r} of {source.name} is not flat: it has components "
            f"({', '.join(release.components) or 'unnamed'}), and its name must not end in a slash",
            hint=f"use the distribution {name!r}",
            distribution=place.distribution,
        )
    if not result.wanted:
        names = " or ".join(name for _, name in flat_indexes(source))
        raise IndexFormatError(f"the Release file of {place.distribution!r} of {source.name} lists no {names} file")
    return result


def _layered(source: Source, place: Place, release: Release) -> Plan:
    if release.files and not release.components and any(f"Packages{suffix}" in release.files for suffix in SUFFIXES):
        raise UsageError(
            f"{place.distribution!r} of {source.name} is flat: it has no components, and its name must end in a slash",
            hint=f"use the distribution 'dists/{place.distribution}/'",
            distribution=place.distribution,
        )
    seen = [match for match in map(_INDEX.fullmatch, release.files) if match]
    components = release.components or tuple(dict.fromkeys(match["component"] for match in seen))
    offered = release.architectures or tuple(dict.fromkeys(match["arch"] for match in seen if match["arch"]))
    chosen = _choose_components(source, place, components)
    architectures = _choose_architectures(source, place, release, offered)
    result = Plan(folders=tuple(_folder(component, release) for component in chosen), architectures=architectures)
    for component in chosen:
        folder = _folder(component, release)
        for architecture in architectures:
            _add(result, source, release, f"{folder}/binary-{architecture}/Packages", component, architecture, BINARY)
    _report_gaps(source, place, chosen, architectures, result)
    for component in chosen:
        folder = _folder(component, release)
        if source.flag("udebs"):
            for architecture in architectures:
                path = f"{folder}/debian-installer/binary-{architecture}/Packages"
                _add(result, source, release, path, component, architecture, UDEB)
        if source.flag("sources"):
            _add(result, source, release, f"{folder}/source/Sources", component, SOURCE_ARCHITECTURE, SOURCE)
    for option, kind in (("udebs", UDEB), ("sources", SOURCE)):
        if source.flag(option) and not any(index.kind == kind for index in result.wanted):
            result.warnings.append(f"{source.name}: {place.distribution} lists no indexes of {option}")
    return result


def _add(
    result: Plan, source: Source, release: Release, path: str, component: str, architecture: str, kind: str
) -> None:
    if files := _files(source, release, path):
        result.wanted.append(WantedIndex(path, component, architecture, kind, files))


def _files(source: Source, release: Release, path: str) -> dict[str, ListedFile]:
    """What the Release lists of an index, by suffix, in order of preference."""
    listed = {suffix: release.files[path + suffix] for suffix in SUFFIXES if path + suffix in release.files}
    strong = {suffix: file for suffix, file in listed.items() if not file.weak}
    if strong or not listed:
        return strong
    if source.flag("allow_weak"):
        return listed
    raise TrustError(
        f"{source.name}: the Release file gives only MD5 or SHA-1 digests of {path}",
        hint="accept them with --allow-weak, if you have to",
        file=path,
    )


def _choose_components(source: Source, place: Place, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Names as the Release has them. ``main`` also finds ``updates/main``, as it does for apt."""
    if not source.components:
        return offered
    chosen: list[str] = []
    for name in source.components:
        found = [item for item in offered if item == name] or [
            item
            for item in offered
            if item.rpartition("/")[2] == name.rpartition("/")[2] and ("/" in item) != ("/" in name)
        ]
        if not found:
            raise _unknown(source, place, "component", name, offered)
        chosen.append(found[0])
    return tuple(dict.fromkeys(chosen))


def _choose_architectures(source: Source, place: Place, release: Release, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The ``binary-*`` folders to read.

    ``binary-all`` beside others is read only where the packages of architecture ``all`` are not in every other folder
    as well, which a Release states as ``No-Support-for-Architecture-all: Packages``.
    """
    if source.architectures == (SOURCE_ARCHITECTURE,):
        return ()
    for name in source.architectures:
        if name not in offered:
            raise _unknown(source, place, "architecture", name, offered)
    wanted = source.architectures or offered
    chosen = tuple(dict.fromkeys(name for name in wanted if name not in (ALL, SOURCE_ARCHITECTURE)))
    if ALL in offered and (not chosen or not release.no_support_for_architecture_all):
        chosen += (ALL,)
    return chosen


def _folder(component: str, release: Release) -> str:
    """``updates/main`` is in the folder ``main``, unless the Release lists it under its whole name."""
    short = component.rpartition("/")[2]
    if short != component and not any(path.startswith(f"{component}/") for path in release.files):
        return short
    return component


def _report_gaps(
    source: Source, place: Place, components: tuple[str, ...], architectures: tuple[str, ...], result: Plan
) -> None:
    """What a source asked for by name, the Release names, too, and lists no index of."""
    asked = []
    if source.components and architectures:
        asked = [name for name in components if not _has(result, component=name)]
    asked += [name for name in architectures if name in source.architectures and not _has(result, architecture=name)]
    if not asked:
        return
    message = f"{source.name}: the Release file of {place.distribution!r} lists no Packages file for {', '.join(asked)}"
    if not source.flag("ignore_missing_indices"):
        raise NotFoundError(message, hint="go on without it with --ignore-missing-indices", missing=asked)
    result.warnings.append(message)


def _has(result: Plan, *, component: str = "", architecture: str = "") -> bool:
    return any(
        (not component or index.component == component) and (not architecture or index.architecture == architecture)
        for index in result.wanted
    )


def _unknown(source: Source, place: Place, what: str, name: str, offered: tuple[str, ...]) -> NotFoundError:
    return NotFoundError(
        f"distribution {place.distribution!r} of {source.name} has no {what} {name!r}",
        hint=f"it has: {', '.join(offered) or 'none that its Release file names'}",
        known=list(offered),
    )
