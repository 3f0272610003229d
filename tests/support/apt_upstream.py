"""A small signed APT repository in a folder, of real packages, that changes and is signed again as a test goes on.

::

    upstream = AptUpstream(tmp_path / "upstream", key)
    upstream.add(make_deb(tmp_path, "hello"), make_source(tmp_path, "hello"))
    upstream.add(make_deb(tmp_path, "extra"), component="contrib")
    upstream.add(make_deb(tmp_path, "loose"), distribution="flat/")
    upstream.write()
    with Upstream(root=upstream.root) as server:
        draft = upstream.draft(server.url)  # what ``add_source`` takes; all of it, verified by ``key``
        upstream.remove("hello")
        upstream.write()  # a minute later, as its Date says

What is wrong in one place is made with ``upstream.suite(...)``, whose fields say what its Release lists and how.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from entrepot.models import SourceDraft
from support.apt_repository import Key, Suite, index
from support.debs import packages_stanza, sources_stanza

FIRST_DATE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""The Date of what is written first; each time it is one minute more."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A package in the pool. ``indexes`` are those that list it, by path relative to the Release."""

    name: str
    distribution: str
    files: tuple[Path, ...]
    indexes: tuple[str, ...]
    stanza: bytes


@dataclass
class AptUpstream:
    """The repository in ``root``. Without a ``key`` it is not signed.

    A package for all architectures is in the index of each of ``architectures``. Indexes are gzipped and offered by
    hash; those of earlier writes stay, as upstreams keep them.
    """

    root: Path
    key: Key | None = None
    architectures: Sequence[str] = ("amd64",)
    further: dict[str, bytes] = field(default_factory=dict)
    """Other files that the Release of every distribution lists, by path relative to it."""
    writes: int = 0
    _packages: list[_Listed] = field(default_factory=list)
    _suites: dict[str, Suite] = field(default_factory=dict)

    def suite(self, distribution: str = "stable") -> Suite:
        """A distribution, made when it is first asked for; one that ends with a slash is a flat repository."""
        return self._suites.setdefault(distribution, Suite(distribution, by_hash=True))

    def add(self, *packages: Path | Sequence[Path], distribution: str = "stable", component: str = "main") -> None:
        """Copies packages into the pool: .debs and .udebs, and what ``make_source`` answers."""
        self.suite(distribution)
        for package in packages:
            files = [package] if isinstance(package, Path) else list(package)
            name = files[0].name.partition("_")[0]
            folder = distribution.strip("/") if distribution.endswith("/") else f"pool/{component}/{name[0]}/{name}"
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            places = tuple(Path(shutil.copy(file, self.root / folder)) for file in files)
            if files[0].suffix == ".dsc":
                stanza = sources_stanza(files, folder)
            else:
                stanza = packages_stanza(files[0], f"{folder}/{files[0].name}")
            indexes = self._indexes(files[0], distribution, component)
            self._packages.append(_Listed(name, distribution, places, indexes, stanza))

    def remove(self, name: str, distribution: str = "stable", *, only_files: bool = False) -> None:
        """Drops every package of a name, files included; with ``only_files`` the next index still lists it."""
        gone = [package for package in self._packages if (package.name, package.distribution) == (name, distribution)]
        assert gone, f"{distribution} has no {name}"
        for package in gone:
            for file in package.files:
                file.unlink()
            if not only_files:
                self._packages.remove(package)

    def write(self) -> None:
        """Writes the indexes of every distribution, and signs them."""
        for distribution, suite in self._suites.items():
            listed = [package for package in self._packages if package.distribution == distribution]
            suite.indexes = {
                path: index(*(package.stanza for package in listed if path in package.indexes))
                for path in self._all_indexes(suite, listed)
                if path not in self.further
            } | self.further
            date = format_datetime(FIRST_DATE + dt.timedelta(minutes=self.writes), usegmt=True).replace("GMT", "UTC")
            for path, content in replace(suite, header={"Date": date} | suite.header).files(self.key).items():
                file = self.root / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        self.writes += 1

    def draft(self, url: str, name: str = "upstream", **changes: Any) -> SourceDraft:
        """A source that takes everything there is, except for flat distributions."""
        whole = SourceDraft(
            name=name,
            format="apt",
            url=url,
            distributions=tuple(name for name in self._suites if not name.endswith("/")),
            architectures=tuple(self.architectures),
            verify=self.key is not None,
            keyring=self.key.public if self.key else None,
            options={"sources": True, "udebs": True},
        )
        return replace(whole, **changes)

    def _all_indexes(self, suite: Suite, listed: Sequence[_Listed]) -> list[str]:
        """Those that list something, those that once did, and the empty ones that a client would miss."""
        paths = dict.fromkeys([*suite.indexes, *(path for package in listed for path in package.indexes)])
        if not suite.name.endswith("/"):
            components = dict.fromkeys(path.partition("/")[0] for path in paths)
            kinds = [f"binary-{name}/Packages" for name in self.architectures]
            kinds += ["source/Sources"] if any(path.endswith("/Sources") for path in paths) else []
            paths |= dict.fromkeys(f"{component}/{kind}" for component in components for kind in kinds)
        return list(paths)

    def _indexes(self, file: Path, distribution: str, component: str) -> tuple[str, ...]:
        kind = {".deb": "Packages", ".udeb": "Packages", ".dsc": "Sources"}[file.suffix]
        if distribution.endswith("/"):
            return (kind,)
        if file.suffix == ".dsc":
            return (f"{component}/source/Sources",)
        architecture = file.stem.rpartition("_")[2]
        folder = f"{component}/debian-installer" if file.suffix == ".udeb" else component
        return tuple(
            f"{folder}/binary-{name}/Packages"
            for name in (self.architectures if architecture == "all" else (architecture,))
        )
