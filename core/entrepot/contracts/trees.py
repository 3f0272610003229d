"""Rendering versions to files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from entrepot.contracts.signing import Signer
    from entrepot.models import Distribution, EntryRef, Extra, PackageInfo, Phase, PublishedEntry, Repository, Scalar


class FileBody(Protocol):
    """The content of a file of a tree, which can be read more than once."""

    def chunks(self) -> Iterator[bytes]:
        """The content from its start."""
        ...


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a tree, with all that is needed to decide whether it must be written."""

    path: str
    phase: Phase
    size: int
    sha256: str
    body: FileBody = field(repr=False)
    content_type: str = "application/octet-stream"
    copy_of: str | None = None
    """Path of a file of an earlier phase with the same content, so that a storage can copy within itself."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A rendered index in one compression (``""``: plain; its body exists, too)."""

    compression: str
    size: int
    sha256: str
    body: FileBody = field(repr=False)


class VersionView(Protocol):
    """A version as a tree builder sees it."""

    repository: Repository
    distribution: Distribution
    number: int

    def groups(self) -> Sequence[tuple[str, str, str]]:
        """The (component, kind, architecture) of which there is at least one package, sorted."""
        ...

    def entries(self, component: str, kind: str, architectures: Collection[str]) -> Iterator[EntryRef]:
        """Packages in index order: name, version, architecture, then digest of the main file."""
        ...

    def extras(self, kind: str) -> Iterator[Extra]:
        """Advisories, groups and the like of one kind that belong to the version, by name, without their packages."""
        ...

    def artifact(self, sha256: str) -> FileBody:
        """A file of the private store, as extras have them."""
        ...

    def extra_kinds(self) -> Sequence[str]:
        """The kinds of extras of which there is at least one, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class IndexText:
    """How an index is written: ``entry`` turns a package into bytes, ``head`` and ``tail`` stand around all of them.

    ``file_lists`` says that ``entry`` needs the lists of files of packages.

    A change of what ``entry`` writes has to change its ``__qualname__`` or the format's ``render_generation``.
    """

    entry: Callable[[PublishedEntry], bytes]
    head: bytes = b""
    tail: bytes = b""
    file_lists: bool = False


def _cannot_render(*_: object, **__: object) -> Mapping[str, Any]:
    raise AssertionError("these tools render nothing of this kind")


@dataclass(frozen=True, slots=True)
class TreeTools:
    """What the core does for a tree builder: compress by pieces, sign, tell the time."""

    render: Callable[..., Mapping[str, RenderedFile]]
    """``render(refs, entry, compressions=("gz",), head=b"", tail=b"", file_lists=False)``: an index of ``refs`` in
    every compression and plain (``""``), where ``entry`` turns a ``PublishedEntry`` into bytes; it has its
    ``file_list`` where those are asked for. Only pieces that changed are rendered.
    A change of what ``entry`` writes has to change ``entry.__qualname__`` or the format's ``render_generation``."""
    signer: Signer | None
    now: dt.datetime
    render_together: Callable[..., Mapping[str, Mapping[str, RenderedFile]]] = _cannot_render
    """``render_together(refs, texts, compressions=("gz",))``: several indexes of the same packages, of which each is
    loaded once. ``texts`` are ``IndexText`` by name; so are the files, which are as those of ``render``."""
    render_text: Callable[..., Mapping[str, RenderedFile]] = _cannot_render
    """``render_text(chunks, compressions=("gz",))``: a text that is no index of packages (advisories, groups), where
    ``chunks()`` gives it from its start. What did not change is not compressed again."""
    snapshots: bool = False
    """Whether the distribution has snapshots, so that the tree can say where they are."""
    upstream_keys: Mapping[str, bytes] = field(default_factory=dict)
    """What clients verify verbatim distributions with, armored, by name; one that nobody signed is not there."""


class TreeBuilder(Protocol):
    """Turns a version into files. Pure: the same version, tools and clock give the same bytes."""

    render_generation: int
    """Raised whenever the text that is written for an unchanged package changes, so that no old piece is used again."""
    compressions: tuple[str, ...]
    """What indexes are compressed with unless a distribution says otherwise."""
    offered_compressions: tuple[str, ...]
    """What a distribution may choose from."""
    payload_type: str
    """The media type under which package files are served."""

    def location(self, package: PackageInfo, distribution: Distribution, component: str) -> str:
        """The folder of a package's files, relative to the tree's root, by the format's custom."""
        ...

    def index_row(self, published: PublishedEntry) -> bytes:
        """A package as the format's ``IndexReader`` takes it: the text of an index with the place of its files in it.

        Only what a bundle carries: indexes of a tree may say it in other words.
        """
        ...

    def build(self, version: VersionView, tools: TreeTools) -> Iterator[TreeFile]:
        """The files of a distribution besides its packages: indexes, Release or repomd, signatures."""
        ...

    def expired(self, distribution: Distribution, published: dt.datetime, now: dt.datetime) -> bool:
        """Whether an unchanged version has to be published again because of its age (APT's Valid-Until)."""
        ...

    def front(
        self, repository: Repository, distributions: Sequence[Distribution], tools: TreeTools
    ) -> Iterator[TreeFile]:
        """The files of the repository as a whole: its key, client configuration, a page for people."""
        ...


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step of setting a client up: a sentence, which may be empty, and lines for a shell or a file."""

    text: str
    lines: tuple[str, ...] = ()


@runtime_checkable
class ExplainsSetup(Protocol):
    """A ``TreeBuilder`` that tells people how clients are set up for what it builds."""

    def setup_steps(
        self, repository: Repository, distributions: Sequence[Distribution], fingerprint: str
    ) -> Sequence[SetupStep]:
        """The steps, in order; ``fingerprint`` is empty if nothing is signed."""
        ...


@runtime_checkable
class ChecksOptions(Protocol):
    """A ``TreeBuilder`` that can tell before anything is rendered whether options of a distribution make sense."""

    def check_options(self, path: str, options: Mapping[str, Scalar]) -> None:
        """``UsageError`` for options of the distribution ``path`` that cannot be, or not together."""
        ...


@runtime_checkable
class StopsClients(Protocol):
    """A ``TreeBuilder`` whose clients stop when a distribution says something else of itself than it did before."""

    def identity(self, repository: Repository, distribution: Distribution) -> Mapping[str, str]:
        """What clients compare with what they read before, by name."""
        ...

    def stops(self, before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[str]:
        """What would stop clients that know ``before``, one sentence each."""
        ...


@runtime_checkable
class ListsFiles(Protocol):
    """A ``TreeBuilder`` with an index of the files of packages, for distributions that want one."""

    def lists_files(self, distribution: Distribution) -> Sequence[str]:
        """The kinds of packages whose lists of files a distribution needs; none if it has no such index."""
        ...


VERBATIM = "verbatim"
"""The kind of extras that are an upstream's own indexes, with all their files, and what the option is called.

``name`` is the distribution that they are of, or empty where sources have none. ``data`` has ``keys``: those that
clients verify them with, armored, or nothing.
"""


@runtime_checkable
class PublishesVerbatim(Protocol):
    """A ``TreeBuilder`` that publishes an upstream's own indexes, of distributions with the option ``verbatim``."""

    def upstream_root(self, distribution: Distribution) -> str:
        """The folder of the tree that stands for the source's root, with a slash, or empty: packages are below it."""
        ...


@runtime_checkable
class BuildsSnapshots(Protocol):
    """A ``TreeBuilder`` that can place a version beside the tree of its distribution, sharing its packages."""

    def build_snapshot(self, version: VersionView, name: str, tools: TreeTools) -> Iterator[TreeFile]:
        """As ``build``, below ``snapshots/<name>/``; what it says does not expire.

        Packages stay where they are: what clients read names them from there.
        """
        ...
