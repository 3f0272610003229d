"""Renders distributions of an APT repository (https://wiki.debian.org/DebianRepository/Format).

Every index is there twice: under ``by-hash``, which no client ever sees change, and under its plain name for what is
older than that. A client follows InRelease to the digests, so that whatever it read last stays consistent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime

from entrepot.contracts import FileBody, RenderedFile, SetupStep, Signer, TreeFile, TreeTools, VersionView
from entrepot.errors import UsageError
from entrepot.models import Distribution, PackageInfo, Phase, PublishedEntry, Repository, Scalar
from entrepot.publish.bodies import BytesBody
from entrepot.publish.encoders import COMPRESSIONS
from entrepot_plugins.apt import release_fields, verbatim
from entrepot_plugins.apt.client_setup import component_folder, index_page, setup_steps, sources_file, upstream_key_name
from entrepot_plugins.apt.indexes import BESIDE, EntryText, binary_text, has_contents, indexes, source_text
from entrepot_plugins.apt.layout import ALL, BINARY, SOURCE, UDEB
from entrepot_plugins.apt.pool import pool_folder
from entrepot_plugins.apt.release_fields import valid_days
from entrepot_plugins.shared import page
from entrepot_plugins.shared.compression import content_type

TEXT = "text/plain; charset=utf-8"
SNAPSHOTS = "snapshots"


@dataclass(frozen=True, slots=True)
class _Listed:
    """A line of the Release file's table."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the files of a distribution go; ``texts`` take the place of those that write entries of indexes."""

    folder: str
    snapshot: bool = False
    texts: Mapping[EntryText, EntryText] = field(default_factory=dict)


class AptTree:
    """Renders versions of distributions, and the front of the repository that they are in."""

    render_generation = 1
    compressions: tuple[str, ...] = ("gz", "xz")
    offered_compressions: tuple[str, ...] = COMPRESSIONS
    payload_type = "application/octet-stream"
    """Not that of .deb files, since the files of source packages are payload, too."""

    def location(self, package: PackageInfo, distribution: Distribution, component: str) -> str:
        """``pool/main/h/hello``: one folder for everything that is built from one source."""
        return pool_folder(package.source_name, component)

    def index_row(self, published: PublishedEntry) -> bytes:
        """A stanza of Packages or Sources."""
        source = published.files[0].name.endswith(".dsc")
        return (source_text if source else binary_text)(published).rstrip(b"\n")

    def build(self, version: VersionView, tools: TreeTools) -> Iterator[TreeFile]:
        """Indexes under both their names, then Release, Release.gpg and InRelease.

        ``UsageError`` for an option that a Release file cannot hold, or two components that share a folder.
        """
        return self._build(version, tools, _Place(f"dists/{version.distribution.name}"))

    def _build(self, version: VersionView, tools: TreeTools, place: _Place) -> Iterator[TreeFile]:
        folder = place.folder
        if version.distribution.verbatim:
            yield from verbatim.tree_files(version, folder)
            return
        components = _components(version)
        architectures = _architectures(version)
        listed: list[_Listed] = []
        for index in indexes(version, components, architectures):
            rendered = tools.render(
                version.entries(index.component, index.kind, index.architectures),
                place.texts.get(index.entry, index.entry),
                compressions=index.compressions or version.distribution.compressions or self.compressions,
                file_lists=index.file_lists,
            )
            # The plain index is listed and not written, as in Debian: apt checks what it unpacked against the plain
            # digest, and never asks for the plain file where a compressed one is listed.
            for suffix, file in sorted(rendered.items()):
                path = f"{index.path}.{suffix}" if suffix else index.path
                listed.append(_Listed(path, file.size, file.sha256))
                if suffix:
                    yield from _under_both_names(f"{folder}/{path}", file)
        release = _release(version, components, architectures, listed, tools, place)
        yield from _signed(folder, release, tools.signer, tools.now)

    def build_snapshot(self, version: VersionView, name: str, tools: TreeTools) -> Iterator[TreeFile]:
        """``snapshots/NAME`` is a root for clients, which look for packages two folders further up.

        Object stores know no way up. So the same is there as a suite of the tree, ``DISTRIBUTION/NAME``: apt takes the
        name off again when it compares what it asked for with what a Release says that it is. An upstream's own index,
        which cannot say otherwise where packages are, is there as such a suite only.
        """
        distribution = version.distribution.name
        below = _Place(f"dists/{distribution}/{name}", snapshot=True)
        yield from self._build(version, tools, below)
        if version.distribution.verbatim:
            return
        beside = _Place(f"{SNAPSHOTS}/{name}/dists/{distribution}", snapshot=True, texts=BESIDE)
        yield from self._build(version, tools, beside)

    def expired(self, distribution: Distribution, published: dt.datetime, now: dt.datetime) -> bool:
        """Whether half of the days until ``Valid-Until`` are over: time enough to fail and try again."""
        days = 0 if distribution.verbatim else valid_days(distribution)
        return days > 0 and now - published >= dt.timedelta(days=days) / 2

    def upstream_root(self, distribution: Distribution) -> str:
        """The tree itself: suites of one upstream share its pool."""
        return ""

    def lists_files(self, distribution: Distribution) -> Sequence[str]:
        """For Contents."""
        return (BINARY, UDEB) if has_contents(distribution) else ()

    def check_options(self, path: str, options: Mapping[str, Scalar]) -> None:
        """``UsageError`` for options that a Release file cannot hold, or not together."""
        release_fields.check_options(path, options)

    def identity(self, repository: Repository, distribution: Distribution) -> Mapping[str, str]:
        """What apt compares with what it read before."""
        return release_fields.identity(repository, distribution)

    def stops(self, before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[str]:
        """What apt-get stops at, in its own words."""
        return release_fields.stops(before, after)

    def front(
        self, repository: Repository, distributions: Sequence[Distribution], tools: TreeTools
    ) -> Iterator[TreeFile]:
        """The key, a ready ``.sources`` file where clients can reach the tree by a URL, and a page for people."""
        key = tools.signer.public_key if tools.signer else None
        fingerprint = tools.signer.fingerprint if tools.signer else ""
        if key is not None:
            yield _file(f"{repository.name}.asc", Phase.INDEX, key, "application/pgp-keys")
        for name, upstream_key in tools.upstream_keys.items():
            path = f"{upstream_key_name(repository, name)}.asc"
            yield _file(path, Phase.INDEX, upstream_key, "application/pgp-keys")
        sources = sources_file(repository, distributions, key, tools.upstream_keys)
        if sources:
            yield _file(f"{repository.name}.sources", Phase.INDEX, sources.encode(), TEXT)
        page = index_page(repository, distributions, fingerprint)
        yield _file("index.html", Phase.INDEX, page.encode(), "text/html; charset=utf-8")

    def setup_steps(
        self, repository: Repository, distributions: Sequence[Distribution], fingerprint: str
    ) -> Sequence[SetupStep]:
        """What the page for people says, too."""
        return setup_steps(repository, distributions, signed=bool(fingerprint))


def _components(version: VersionView) -> dict[str, str]:
    """Components and their folders: those that the distribution has, in its order, then those of packages besides."""
    found = sorted({component for component, _, _ in version.groups()})
    names = dict.fromkeys((*(version.distribution.components or ("main",)), *found))
    folders = {name: component_folder(version.distribution.name, name) for name in names}
    if len(set(folders.values())) < len(folders):
        raise UsageError(
            f"components of {version.distribution.path} share a folder: {', '.join(folders)}",
            hint="a client could not tell them apart; name one of them differently",
        )
    return folders


def _architectures(version: VersionView) -> list[str]:
    """What ``Architectures`` says: what is declared or else there; ``all`` if there is nothing else, or for Contents.

    Packages of architecture ``all`` are in the index of each architecture. If ``all`` were named beside others, clients
    would look for them in an index of its own, unless ``No-Support-for-Architecture-all`` tells them not to, as Debian
    does. Their files are in such an index only.
    """
    declared = set(version.distribution.architectures) - {SOURCE}
    wanted = declared or {architecture for _, kind, architecture in version.groups() if kind in (BINARY, UDEB)}
    return [*([ALL] if has_contents(version.distribution) else []), *sorted(wanted - {ALL})] or [ALL]


def _under_both_names(path: str, file: RenderedFile) -> Iterator[TreeFile]:
    by_hash = f"{path.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}"
    kind = content_type(file.compression)
    yield TreeFile(by_hash, Phase.IMMUTABLE, file.size, file.sha256, file.body, kind)
    yield TreeFile(path, Phase.INDEX, file.size, file.sha256, file.body, kind, copy_of=by_hash)


def _signed(folder: str, release: bytes, signer: Signer | None, now: dt.datetime) -> Iterator[TreeFile]:
    """Release with its signatures.

    Without a signer there is a Release alone, and it is what clients read first: apt refuses an InRelease that is not
    signed, even where a client trusts the repository, but goes on to Release if there is no InRelease, whether the
    server says 404 or, as object stores without listing do, 403.
    """
    if signer is None:
        yield _file(f"{folder}/Release", Phase.ENTRY, release, TEXT)
        return
    yield _file(f"{folder}/Release", Phase.SIGNATURE, release, TEXT)
    detached = signer.detach(release, now=now)
    yield _file(f"{folder}/Release.gpg", Phase.SIGNATURE, detached, "application/pgp-signature")
    yield _file(f"{folder}/InRelease", Phase.ENTRY, signer.clearsign(release, now=now), TEXT)


def _release(
    version: VersionView,
    components: Collection[str],
    architectures: Sequence[str],
    listed: Sequence[_Listed],
    tools: TreeTools,
    place: _Place,
) -> bytes:
    """The Release file. SHA256 is the only table: apt asks by-hash for the strongest that is named, and we have one."""
    said = release_fields.release_fields(version.repository, version.distribution)
    # A snapshot is as old as it is: it does not expire.
    days = 0 if place.snapshot else valid_days(version.distribution)
    url = page.tree_url(version.repository) if tools.snapshots else ""
    fields = {
        **{name: said[name] for name in ("Origin", "Label", "Suite", "Version", "Codename")},
        "Date": _date(tools.now),
        "Valid-Until": _date(tools.now + dt.timedelta(days=days)) if days else "",
        **{name: said[name] for name in ("NotAutomatic", "ButAutomaticUpgrades")},
        "Acquire-By-Hash": "yes",
        "No-Support-for-Architecture-all": "Packages" if ALL in architectures and len(architectures) > 1 else "",
        "Architectures": " ".join(architectures),
        "Components": " ".join(components),
        "Snapshots": f"{url}{SNAPSHOTS}/@SNAPSHOTID@/" if url else "",
        "Description": said["Description"],
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    lines.append("SHA256:")
    for file in sorted(listed, key=lambda file: file.path):
        lines.append(f" {file.sha256} {file.size:>10} {file.path}")
    return "\n".join(lines).encode() + b"\n"


def _date(time: dt.datetime) -> str:
    return format_datetime(time.astimezone(dt.UTC), usegmt=True).replace("GMT", "UTC")


def _file(path: str, phase: Phase, data: bytes, content_type: str) -> TreeFile:
    body: FileBody = BytesBody(data)
    return TreeFile(path, phase, len(data), hashlib.sha256(data).hexdigest(), body, content_type)
