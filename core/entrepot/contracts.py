"""The protocols that plugins implement, and what the core hands to them.

A format is six small objects held together by one; a scanner, a storage, a signer and an executor are one each. The
core calls them only through what is written here, and they see of the core only what they are handed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from entrepot.advisories import Advisory, Fact, Hit, RawAdvisory, Told
from entrepot.models import (
    Available,
    Described,
    Distribution,
    EntryRef,
    Extra,
    IndexPart,
    PackageInfo,
    Phase,
    PublishedEntry,
    RemoteFile,
    Repository,
    Scalar,
    Source,
    SourceDraft,
    Verdict,
)
from entrepot.progress import Progress

# ---------------------------------------------------------------------------------------------------- storage


@dataclass(frozen=True, slots=True)
class StorageProperties:
    """What differs between backends, as data.

    ``conditional_writes``: ``if_absent`` and ``if_match`` are atomic. ``local_root``: the folder that is the storage,
    where there is one. ``shared``: others can write to it from another machine.
    """

    scheme: str
    conditional_writes: bool = True
    local_root: Path | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a storage knows of an object. ``etag`` is opaque and changes whenever the content does."""

    key: str
    size: int
    etag: str
    modified: dt.datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What travels with an object to whoever serves it."""

    content_type: str = "application/octet-stream"
    cache_control: str = ""
    sha256: str | None = None


Body = bytes | Path | Iterable[bytes]
"""What is written: bytes, a file on this machine, or chunks (read once)."""


class Storage(Protocol):
    """Objects under keys. Keys are relative POSIX paths that ``entrepot_storage.base.check_key`` admits.

    A write is atomic: a reader gets the old object or the new one, whole, and a writer that is killed leaves the old.
    Every method may be called from several threads. Errors are ``StorageError``; what is not there is ``None`` or
    ``NotFoundError`` where a method says so.
    """

    properties: StorageProperties

    def read(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Opens an object for reading from ``offset``; ``NotFoundError`` if there is none. The caller closes it."""
        ...

    def write(
        self,
        key: str,
        body: Body,
        *,
        meta: ObjectMeta | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Writes an object; ``PreconditionError`` if it is there (``if_absent``) or is not that etag (``if_match``)."""
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object; no error if there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with ``prefix`` (any text, not only whole folders), in key order."""
        ...

    def copy(self, origin: Storage, origin_key: str, key: str, *, meta: ObjectMeta | None = None) -> ObjectInfo:
        """Copies an object in, from this or another storage, without moving bytes through here where possible."""
        ...

    def close(self) -> None:
        """Gives up connections and handles."""
        ...


class StorageFactory(Protocol):
    """Opens storages of one URL scheme."""

    scheme: str

    def open(self, url: str, settings: Mapping[str, Any]) -> Storage:
        """``settings`` is the table ``[storage.<scheme>]``; ``SettingsError``, ``StorageError`` if not."""
        ...


# ---------------------------------------------------------------------------------------------------- transfer


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional: the answer's own ``ETag`` and ``Last-Modified``, as they came."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small file that was fetched. ``url`` is where it came from at last, without user information."""

    url: str
    content: bytes
    validators: Validators


class Transfer(Protocol):
    """Fetches from one source: its connection options, secrets, retries and limits are already in it."""

    concurrency: int

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched | None:
        """A whole small file of at most ``limit`` bytes; None if it did not change since ``validators``.

        ``MissingError`` if there is none, ``TransferError`` otherwise.
        """
        ...

    def download(
        self,
        url: str,
        path: Path,
        *,
        size: int | None,
        digests: Mapping[str, str],
        limit: int | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """A file to ``path``, resumed where an earlier try stopped, put in place only when size and digests are right.

        Without ``size``, at most ``limit`` bytes. ``on_bytes`` gets the number of bytes of each chunk.
        """
        ...


# ---------------------------------------------------------------------------------------------------- formats


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a format's sources or distributions: offered by the command line, the API and the pages alike."""

    name: str
    """With underscores: ``ignore_missing_indices``; ``--ignore-missing-indices`` on the command line."""
    help: str
    type: type = bool
    default: Scalar = False
    caution: str = ""
    """What a person has to know before it is changed on something that clients use already."""


class VersionScheme(Protocol):
    """The order of versions in a format."""

    def key(self, version: str) -> bytes:
        """Bytes whose order is the order of versions; ``ValueError`` for text that is no version."""
        ...


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What an index reader works with. ``now`` is the clock; ``folder`` is empty, private and removed afterwards."""

    source: Source
    transfer: Transfer
    keyring: Path | None
    folder: Path
    now: dt.datetime
    progress: Progress
    force: bool = False
    """Read everything again, as if nothing had been seen before."""


@dataclass(frozen=True, slots=True)
class IndexUpdate:
    """What a source says now.

    ``state`` is JSON-able data that the next read gets back as ``seen``. ``parts`` are all indexes of packages that the
    source has now, ``extra_parts`` those of other things: those that vanished from it take their rows with them.
    ``warnings`` are for a person.
    """

    state: Mapping[str, Any]
    parts: Sequence[IndexPart]
    warnings: Sequence[str] = ()
    extra_parts: Sequence[IndexPart] = ()


class IndexEntry(Protocol):
    """One package of an index as it is read; ``models.RawEntry`` is the plain one."""

    @property
    def digest(self) -> bytes:
        """16 bytes that change whenever ``raw`` does: what sync compares."""
        ...

    @property
    def raw(self) -> bytes:
        """The entry as the catalog keeps it. Asked for once, in order, and only where the digest is new."""
        ...


class IndexReader(Protocol):
    """Reads what a source offers. Nothing it hands over is unverified where the source asks for verification."""

    def check(self, source: SourceDraft) -> SourceDraft:
        """The draft with what can be filled in; ``UsageError`` for what makes no sense in this format."""
        ...

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        """Asks the source what changed; None if nothing did since ``seen``.

        ``known`` maps keys of parts to digests that the catalog holds; the content of every part that is not in it is
        fetched to ``context.folder`` and checked, so that ``entries`` afterwards needs no network.
        """
        ...

    def entries(self, context: ReadContext, part: IndexPart) -> Iterator[IndexEntry]:
        """The packages of a part that ``refresh`` fetched, streamed, in the order of the index."""
        ...

    def extras(self, context: ReadContext, part: IndexPart) -> Iterator[Extra]:
        """What an extra part that ``refresh`` fetched holds."""
        ...

    def describe(self, raw: bytes, part: IndexPart) -> Described:
        """Columns of one entry; ``IndexFormatError`` naming part and entry if it lacks what every package must have."""
        ...

    def files(self, raw: bytes, package: Available) -> Sequence[RemoteFile]:
        """The files to fetch for a package; the main one first. Paths are checked, not quoted."""
        ...

    def fields(self, raw: bytes) -> Sequence[tuple[str, str]]:
        """Every field as a person reads it, in the order it came."""
        ...

    def urls(self, source: Source, seen: Mapping[str, Any], path: str) -> Sequence[str]:
        """The URLs of a file of a source, quoted, best first: more than one where the source has mirrors.

        ``seen`` is what the last sync saw.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The signature of a package's own file. ``keys`` are key ids or fingerprints, ``detail`` a sentence.

    ``status`` is ``trusted`` (good, by a key of the keyring), ``untrusted`` (by another key), ``unsigned`` or ``bad``
    (it does not fit the file, or its key is expired, revoked or weak).
    """

    status: str
    keys: tuple[str, ...] = ()
    detail: str = ""


class PackageReader(Protocol):
    """Reads package files. They are hostile until proven otherwise."""

    suffixes: tuple[str, ...]
    """Of file names that this format takes, main files only: ``(".deb", ".udeb", ".dsc")``."""

    def read(self, files: Sequence[Path], upstream: bytes | None) -> PackageInfo:
        """What a package says of itself; the main file first, each under the name it is to be published by.

        ``upstream`` is the index's text where it came from a source; its fields survive. ``PackageError`` for a file
        that is damaged or hostile.
        """
        ...

    def disagreements(self, info: PackageInfo, upstream: bytes) -> Sequence[str]:
        """Where the package's own data and the index's contradict each other, one sentence each."""
        ...

    def signature(self, files: Sequence[Path], keyring: Path | None) -> SignatureCheck:
        """What the signatures in a package's own files are worth to whoever trusts the keys of ``keyring``."""
        ...

    def resign(self, files: Sequence[Path], signer: Signer, folder: Path, now: dt.datetime) -> Sequence[Path]:
        """The files of a package with the signature of ``signer`` in place of those they had, in ``folder``.

        ``UsageError`` in a format whose packages are not signed themselves.
        """
        ...

    def companions(self, path: Path) -> Sequence[RemoteFile]:
        """The further files that an uploaded main file needs beside it (those a .dsc names); usually none."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that a solver may choose. ``present``: the distribution has it already."""

    id: int
    name: str
    version: str
    architecture: str
    raw: bytes = field(repr=False)
    present: bool = False

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture}={self.version}"


class CandidatePool(Protocol):
    """Where a solver finds packages. Asked as the closure grows, so that only what can be reached is ever loaded."""

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate of one of these names."""
        ...

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate that provides one of these names besides its own."""
        ...

    def everything(self) -> Iterable[Candidate]:
        """Every candidate there is, streamed: for what only reading all of them can tell. Takes seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Missing:
    """A requirement that nothing satisfies, in the format's own words, and who has it."""

    requirement: str
    needed_by: str


@dataclass(frozen=True, slots=True)
class Closure:
    """What has to come in so that what was wanted can be installed; ``packages`` has the wanted ones, too.

    Packages that the distribution holds already are not in it. ``missing`` and ``conflicts`` are empty if it is solved.
    """

    packages: tuple[Candidate, ...]
    missing: tuple[Missing, ...] = ()
    conflicts: tuple[str, ...] = ()


class Solver(Protocol):
    """Finds what a package needs."""

    def scope(self, architecture: str) -> Sequence[str]:
        """The architectures whose packages a machine of ``architecture`` installs, with that of packages for all."""
        ...

    def closure(
        self, wanted: Sequence[Candidate], pool: CandidatePool, *, architecture: str, recommends: bool = False
    ) -> Closure:
        """What ``wanted`` needs on a machine of ``architecture`` that has nothing installed yet."""
        ...


# ------------------------------------------------------------------------------------------- formats: publishing


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

    def extra_kinds(self) -> Sequence[str]:
        """The kinds of extras of which there is at least one, sorted."""
        ...


class Signer(Protocol):
    """Signs with one key. ``fingerprint`` is the key's, ``public_key`` its armored public part."""

    name: str
    fingerprint: str
    public_key: bytes

    def clearsign(self, data: bytes, *, now: dt.datetime) -> bytes:
        """The text with its signature around it (RFC 9580, 7), verified before it is handed back."""
        ...

    def detach(self, data: bytes, *, now: dt.datetime) -> bytes:
        """An armored detached signature of ``data``, verified before it is handed back."""
        ...


class SigningKey(Protocol):
    """A key that can be opened; its text tells a person which it is."""

    @property
    def fingerprint(self) -> str:
        """What ``SignerFactory.open`` takes."""
        ...


class SignerFactory(Protocol):
    """Opens signers of one kind (``gpg``)."""

    name: str

    def open(self, key: str | None, settings: Mapping[str, Any], home: Path) -> Signer:
        """The signer with key ``key`` (fingerprint, long id or address; None: the only one there is)."""
        ...

    def generate(self, user_id: str, settings: Mapping[str, Any], home: Path) -> str:
        """Makes a key and answers its fingerprint; ``SigningError`` where keys are made elsewhere."""
        ...

    def import_key(self, path: Path, settings: Mapping[str, Any], home: Path) -> str:
        """Takes a secret key from a file and answers its fingerprint."""
        ...

    def keys(self, settings: Mapping[str, Any], home: Path) -> Sequence[SigningKey]:
        """The keys that can be opened; none is not an error."""
        ...


@dataclass(frozen=True, slots=True)
class IndexText:
    """How an index is written: ``entry`` turns a package into bytes, ``head`` and ``tail`` stand around all of them.

    A change of what ``entry`` writes has to change its ``__qualname__`` or the format's ``render_generation``.
    """

    entry: Callable[[PublishedEntry], bytes]
    head: bytes = b""
    tail: bytes = b""


def _cannot_render(*_: object, **__: object) -> Mapping[str, Any]:
    raise AssertionError("these tools render nothing of this kind")


@dataclass(frozen=True, slots=True)
class TreeTools:
    """What the core does for a tree builder: compress by pieces, sign, tell the time."""

    render: Callable[..., Mapping[str, RenderedFile]]
    """``render(refs, entry, compressions=("gz",), head=b"", tail=b"")``: an index of ``refs`` in every compression and
    plain (``""``), where ``entry`` turns a ``PublishedEntry`` into bytes. Only pieces that changed are rendered.
    A change of what ``entry`` writes has to change ``entry.__qualname__`` or the format's ``render_generation``."""
    signer: Signer | None
    now: dt.datetime
    render_together: Callable[..., Mapping[str, Mapping[str, RenderedFile]]] = _cannot_render
    """``render_together(refs, texts, compressions=("gz",))``: several indexes of the same packages, of which each is
    loaded once. ``texts`` are ``IndexText`` by name; so are the files, which are as those of ``render``."""
    render_text: Callable[..., Mapping[str, RenderedFile]] = _cannot_render
    """``render_text(chunks, compressions=("gz",))``: a text that is no index of packages (advisories, groups), where
    ``chunks()`` gives it from its start. What did not change is not compressed again."""


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


class ClientFiles(Protocol):
    """Reads what clients of a format are configured with."""

    option: str
    """Name of the option of ``source add`` that takes such files: ``from-apt``."""
    help: str

    def read(self, text: str, path: Path, options: Mapping[str, Scalar] | None = None) -> Sequence[SourceDraft]:
        """The sources that a client's file configures, disabled ones left out; ``UsageError`` naming file and line.

        ``options`` are those source options that were given with the file (values for its variables, say).
        """
        ...


class Format(Protocol):
    """A package format: six objects, each to be read, tested and replaced alone."""

    name: str
    title: str
    independent_architecture: str
    """The architecture of packages that fit every machine: ``all``, ``noarch``."""
    source_options: tuple[Option, ...]
    distribution_options: tuple[Option, ...]

    # Read-only, so that a format may make each of them when it is first asked for.
    @property
    def versions(self) -> VersionScheme: ...
    @property
    def index(self) -> IndexReader: ...
    @property
    def packages(self) -> PackageReader: ...
    @property
    def solver(self) -> Solver: ...
    @property
    def tree(self) -> TreeBuilder: ...
    @property
    def clients(self) -> ClientFiles: ...


# ---------------------------------------------------------------------------------------------------- advisories


class VersionKeys(Protocol):
    """The order of versions of every format."""

    def __call__(self, format_name: str, version: str) -> bytes:
        """The key of a version; ``ValueError`` for text that is none, ``NotFoundError`` for an unknown format."""
        ...


class AdvisoryFormat(Protocol):
    """A form in which vulnerability data comes: OSV, a vendor's tracker, a list of what is exploited.

    What it reads is hostile: ``IndexFormatError`` names file and record, memory does not grow with their number. A
    form has advisories or facts; the other of the two methods yields nothing.
    """

    name: str
    title: str
    generation: str
    """Another one whenever ``describe`` says something else of the same record, so that all are read again."""

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder of this machine is of this form, by its first bytes and its name."""
        ...

    def advisories(self, path: Path) -> Iterator[RawAdvisory]:
        """The records of a file or folder, streamed."""
        ...

    def describe(self, record: RawAdvisory, keys: VersionKeys) -> Advisory:
        """What a record says; asked only for those whose digest is new."""
        ...

    def facts(self, path: Path) -> Iterator[Fact]:
        """What the file knows of vulnerabilities, streamed."""
        ...


class AdvisoryLookup(Protocol):
    """What a scanner may ask the catalog. From any thread; every answer is of the catalog as it is at that moment."""

    def ecosystems(self) -> Mapping[str, dt.datetime]:
        """Every ecosystem of which there is data, and when the oldest of its feeds was last read."""
        ...

    def affecting(self, ecosystems: Collection[str], package: str, key: bytes) -> Sequence[Hit]:
        """The advisories that affect a version of a package."""
        ...

    def facts(self, vulnerabilities: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What is known of vulnerabilities wherever they occur: value by kind, by vulnerability."""
        ...

    def told(self, source: Source, packages: Collection[str]) -> Sequence[Told]:
        """The advisories of a source's own about packages of these names."""
        ...

    def tells(self, source: Source) -> bool:
        """Whether a source has advisories of its own."""
        ...

    def modules(self, source: Source, name: str, version: str) -> Sequence[str]:
        """The modules of a source (``name:stream``) that a package is of."""
        ...

    def offers(self, format_name: str, name: str, architecture: str, above: bytes) -> Sequence[Available]:
        """What synced sources offer of a package, newer than ``above``; the newest first."""
        ...


# ---------------------------------------------------------------------------------------------------- scanners


@dataclass(frozen=True, slots=True)
class Artifact:
    """The files of one package, on this machine, the main one first; read-only, in quarantine."""

    paths: tuple[Path, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What a scanner knows besides the files.

    ``info`` is None when the package could not be read; ``problem`` then says why. ``available`` and ``upstream`` are
    None for an uploaded file.
    """

    format: Format
    distribution: Distribution
    info: PackageInfo | None
    problem: str
    available: Available | None
    source: Source | None
    upstream: bytes | None
    keyring: Path | None
    """Keys of the source, or of whoever may bring files in."""
    settings: Mapping[str, Any]
    folder: Path
    now: dt.datetime
    advisories: AdvisoryLookup | None = None
    """The offline vulnerability data; None where there is no catalog to ask."""


class Scanner(Protocol):
    """Inspects an artifact. It says what it saw; what follows from that is the policy's business."""

    name: str
    answers: str
    """The key under which an import's result reports it: ``gpg``, ``antivirus``; its own name for a third party's."""
    version: str
    """Part of what makes a verdict reusable: a verdict of another version of the scanner is asked for again."""

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict; an exception is recorded as ``error`` under the scanner's name."""
        ...


# ---------------------------------------------------------------------------------------------------- executors


class ExecutorFactory(Protocol):
    """Opens executors of one URL scheme (``threads:``)."""

    scheme: str

    def open(self, url: str, workers: int) -> AbstractContextManager[Executor]:
        """An executor that is shut down at the end of the context."""
        ...
