"""A format and a scanner that exist for tests only: what adding one takes, and all that it takes.

A toy repository is a folder with one file ``INDEX`` for each distribution. It has a line for each package, fields
between tabs: name, version (an integer), architecture, sha256, size, required names, summary, path. A package is a text
file that says the same of itself in its first lines::

    upstream = ToyUpstream(tmp_path / "toys")
    upstream.add("robot", 2, requires="battery", text="beep")
    upstream.write()

The plugin of a third party would be this module: ``register_formats`` and ``register_scanners`` are at its end.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from entrepot.contracts import (
    Candidate,
    CandidatePool,
    Closure,
    Format,
    IndexUpdate,
    Missing,
    Option,
    ReadContext,
    Scanner,
    SignatureCheck,
    Signer,
    TreeFile,
    TreeTools,
    Validators,
    VersionView,
)
from entrepot.errors import IndexFormatError, PackageError, UsageError
from entrepot.hookspecs import hookimpl
from entrepot.models import (
    Available,
    Content,
    ContentKind,
    Described,
    Distribution,
    Extra,
    IndexPart,
    PackageFile,
    PackageInfo,
    Phase,
    PublishedEntry,
    RawEntry,
    RemoteFile,
    Repository,
    Scalar,
    Sha256,
    Source,
    SourceDraft,
)
from entrepot.publish.bodies import BytesBody
from support.toy_words import ToyScanner

FIELDS = ("name", "version", "architecture", "sha256", "size", "requires", "summary", "path")
LIMIT = 1 << 20


# ---------------------------------------------------------------------------------------------------- the format


class ToyVersions:
    """Integers."""

    def key(self, version: str) -> bytes:
        """Eight bytes, big end first."""
        return int(version).to_bytes(8, "big")


class ToyIndexReader:
    """Reads ``INDEX`` files, one for each distribution."""

    def check(self, source: SourceDraft) -> SourceDraft:
        """Toys cannot be verified."""
        if source.verify:
            raise UsageError("toy repositories are not signed", hint="use --no-verify")
        return replace(source, distributions=source.distributions or ("toys",))

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        """One conditional request for each distribution."""
        state, parts = {}, []
        for name in context.source.distributions:
            key, before = f"{name}/INDEX", seen.get(name, {})
            held = not context.force and known.get(key) and known[key] == before.get("digest")
            url = self.urls(context.source, seen, key)[0]
            validators = Validators(before["etag"]) if held else None
            fetched = context.transfer.get(url, limit=LIMIT, validators=validators)
            if fetched is None:
                state[name] = before
            else:
                digest = hashlib.sha256(fetched.content).hexdigest()
                state[name] = {"etag": fetched.validators.etag, "digest": digest}
                (context.folder / digest).write_bytes(fetched.content)
            parts.append(IndexPart(key, state[name]["digest"], name, "main", "", "binary", None))
        return None if state == seen and not context.force else IndexUpdate(state, parts)

    def entries(self, context: ReadContext, part: IndexPart) -> Iterator[RawEntry]:
        """The lines of a file that ``refresh`` fetched."""
        with (context.folder / part.digest).open("rb") as file:
            for line in file:
                raw = line.rstrip(b"\n")
                yield RawEntry(hashlib.blake2b(raw, digest_size=16).digest(), raw)

    def extras(self, context: ReadContext, part: IndexPart) -> Iterator[Extra]:
        """There is nothing besides packages."""
        return iter(())

    def describe(self, raw: bytes, part: IndexPart) -> Described:
        """Columns of a line."""
        try:
            row = _row(raw)
            key = ToyVersions().key(row["version"])
            return Described(
                name=row["name"],
                version=row["version"],
                version_key=key,
                architecture=row["architecture"],
                size=int(row["size"]),
                sha256=row["sha256"],
                location=row["path"],
                summary=row["summary"],
            )
        except (ValueError, OverflowError) as error:
            raise IndexFormatError(f"{part.key}: {raw.decode()!r}: {error}") from error

    def files(self, raw: bytes, package: Available) -> Sequence[RemoteFile]:
        """The one file."""
        row = _row(raw)
        name = row["path"].rpartition("/")[2]
        if ".." in row["path"]:
            raise IndexFormatError(f"{package.name} lies outside: {row['path']}")
        return [RemoteFile(row["path"], name, package.size, {"sha256": package.sha256})]

    def fields(self, raw: bytes) -> Sequence[tuple[str, str]]:
        """As they come."""
        return list(_row(raw).items())

    def urls(self, source: Source, seen: Mapping[str, Any], path: str) -> Sequence[str]:
        """There are no mirrors."""
        return [f"{source.url.rstrip('/')}/{quote(path)}"]


class ToyPackageReader:
    """Reads toys."""

    suffixes: tuple[str, ...] = (".toy",)

    def read(self, files: Sequence[Path], upstream: bytes | None) -> PackageInfo:
        """The first lines, up to an empty one."""
        data = files[0].read_bytes()
        if not data.startswith(b"toy\n"):
            raise PackageError(f"{files[0].name} is no toy")
        head = data.decode().partition("\n\n")[0].splitlines()[1:]
        said = dict(line.split(": ", 1) for line in head)
        digest = Sha256(hashlib.sha256(data).hexdigest())
        row = {"sha256": digest, "size": str(len(data)), "requires": "", "summary": ""} | said
        return PackageInfo(
            format="toy",
            kind="binary",
            name=said["name"],
            version=said["version"],
            version_key=ToyVersions().key(said["version"]),
            architecture=said["architecture"],
            source_name="",
            summary=row["summary"],
            section="",
            raw="\t".join(row[name] for name in FIELDS[:-1]).encode(),
            files=(PackageFile(files[0].name, len(data), digest),),
        )

    def contents(self, files: Sequence[Path]) -> Iterator[tuple[Content, Iterator[bytes]]]:
        """What stands below the head, as a file; and before it the script, if the head has one."""
        if not files[0].read_bytes().startswith(b"toy\n"):
            raise PackageError(f"{files[0].name} is no toy")
        head, _, text = files[0].read_text().partition("\n\n")
        said = dict(line.split(": ", 1) for line in head.splitlines()[1:])
        if "script" in said:
            script = said["script"].encode()
            yield Content("script", "wind-up", ContentKind.FILE, len(script), 0o755), iter([script])
        data = text.encode()
        mode = int(said.get("mode", "644"), 8)
        content = Content(
            "payload", f"usr/share/toys/{said['name']}", ContentKind.FILE, len(data), mode, "", "root", "root"
        )
        yield content, iter([data])

    def disagreements(self, info: PackageInfo, upstream: bytes) -> Sequence[str]:
        """Name and version have to be those of the index."""
        row = _row(upstream)
        return [f"{name} is not {row[name]}" for name in ("name", "version") if getattr(info, name) != row[name]]

    def signature(self, files: Sequence[Path], keyring: Path | None) -> SignatureCheck:
        """Toys are not signed."""
        return SignatureCheck("unsigned")

    def resign(self, files: Sequence[Path], signer: Signer, folder: Path, now: dt.datetime) -> Sequence[Path]:
        raise UsageError("toys are not signed")

    def companions(self, path: Path) -> Sequence[RemoteFile]:
        """A toy is one file."""
        return []


class ToySolver:
    """Takes the newest of every name."""

    version = "toy 1"

    def scope(self, architecture: str) -> Sequence[str]:
        """Toys for any child, too."""
        return list(dict.fromkeys((architecture, ToyFormat.independent_architecture)))

    def closure(
        self, wanted: Sequence[Candidate], pool: CandidatePool, *, architecture: str, recommends: bool = False
    ) -> Closure:
        """Follows the required names."""
        chosen = {candidate.name: candidate for candidate in wanted}
        missing = []
        ahead = list(wanted)
        while ahead:
            candidate = ahead.pop()
            for name in filter(None, _row(candidate.raw)["requires"].split(" ")):
                offers = sorted(pool.named([name]), key=lambda offer: int(offer.version))
                if not offers:
                    missing.append(Missing(name, str(candidate)))
                elif name not in chosen:
                    chosen[name] = offers[-1]
                    ahead.append(offers[-1])
        return Closure(tuple(item for item in chosen.values() if not item.present), tuple(missing))


class ToyTree:
    """Renders a distribution: its INDEX, which is all that a client reads."""

    render_generation = 1
    compressions: tuple[str, ...] = ()
    offered_compressions: tuple[str, ...] = ("gz",)
    payload_type = "text/plain"

    def location(self, package: PackageInfo, distribution: Distribution, component: str) -> str:
        """A folder for each name."""
        return f"toys/{package.name}"

    def index_row(self, published: PublishedEntry) -> bytes:
        """A line."""
        return _line(published).rstrip(b"\n")

    def build(self, version: VersionView, tools: TreeTools) -> Iterator[TreeFile]:
        """One file."""
        refs = (ref for component, kind, name in version.groups() for ref in version.entries(component, kind, [name]))
        rendered = tools.render(refs, _line, compressions=version.distribution.compressions)
        for suffix, file in rendered.items():
            path = f"{version.distribution.name}/INDEX{f'.{suffix}' if suffix else ''}"
            yield TreeFile(path, Phase.ENTRY, file.size, file.sha256, file.body, "text/plain")

    def expired(self, distribution: Distribution, published: dt.datetime, now: dt.datetime) -> bool:
        """Toys do not age."""
        return False

    def front(
        self, repository: Repository, distributions: Sequence[Distribution], tools: TreeTools
    ) -> Iterator[TreeFile]:
        """A word of welcome."""
        data = f"{repository.label}: {', '.join(item.name for item in distributions)}\n".encode()
        yield TreeFile(
            "WELCOME", Phase.INDEX, len(data), hashlib.sha256(data).hexdigest(), BytesBody(data), "text/plain"
        )


class ToyClientFiles:
    """Lines of name, URL and distribution."""

    option = "from-toy"
    help = "Toy boxes: lines of NAME URL DISTRIBUTION."

    def read(self, text: str, path: Path, options: Mapping[str, Scalar] | None = None) -> Sequence[SourceDraft]:
        """One source for each line."""
        rows = [line.split() for line in text.splitlines()]
        return [SourceDraft(name, "toy", url, (distribution,), verify=False) for name, url, distribution in rows]


class ToyFormat:
    """All of it."""

    name = "toy"
    title = "Toys"
    independent_architecture = "any"
    source_options: tuple[Option, ...] = (Option("wooden", "only toys that are made of wood"),)
    distribution_options: tuple[Option, ...] = (Option("age", "for children from this age on", int, 3),)
    versions = ToyVersions()
    index = ToyIndexReader()
    packages = ToyPackageReader()
    solver = ToySolver()
    tree = ToyTree()
    clients = ToyClientFiles()


def _row(raw: bytes) -> dict[str, str]:
    values = raw.decode().split("\t")
    return dict(zip(FIELDS, values, strict=False)) | {"path": values[-1]}


def _line(entry: PublishedEntry) -> bytes:
    return entry.raw + f"\t{entry.location}/{entry.files[0].name}\n".encode()


# ---------------------------------------------------------------------------------------------------- an upstream


def make_toy(folder: Path, name: str = "robot", version: int = 1, architecture: str = "any", **said: str) -> Path:
    """A toy; ``text`` is what stands below its head, the rest stands in it."""
    text = said.pop("text", "beep")
    lines = [f"{key}: {value}" for key, value in said.items()]
    path = folder / f"{name}_{version}_{architecture}.toy"
    head = "\n".join(["toy", f"name: {name}", f"version: {version}", f"architecture: {architecture}", *lines])
    path.write_text(f"{head}\n\n{text}")
    return path


@dataclass
class ToyUpstream:
    """A toy repository in a folder."""

    root: Path
    lines: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def add(
        self, name: str = "robot", version: int = 1, architecture: str = "any", to: str = "toys", **said: str
    ) -> Path:
        """Makes a toy and lists it; ``write`` puts the list in place."""
        path = make_toy(self.root, name, version, architecture, **said)
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        row = [name, str(version), architecture, digest, str(len(data)), said.get("requires", "")]
        self.enter("\t".join([*row, said.get("summary", ""), path.name]), to)
        return path

    def enter(self, line: str, to: str = "toys") -> None:
        """Lists whatever the line says."""
        self.lines.setdefault(to, []).append(line)

    def drop(self, name: str, to: str = "toys") -> list[str]:
        """Takes all lines of a name out, and answers them."""
        gone = [line for line in self.lines[to] if line.startswith(f"{name}\t")]
        self.lines[to] = [line for line in self.lines[to] if line not in gone]
        return gone

    def write(self) -> None:
        """Puts the lists in place."""
        for name, lines in self.lines.items():
            path, text = self.root / name / "INDEX", "".join(f"{line}\n" for line in lines)
            path.parent.mkdir(exist_ok=True)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def draft(self, url: str = "", name: str = "box", **changes: Any) -> SourceDraft:
        """The source; by its folder unless a URL is given."""
        whole = SourceDraft(name, "toy", url or self.root.as_uri(), tuple(self.lines), verify=False)
        return replace(whole, **changes)


# ---------------------------------------------------------------------------------------------------- the plugin


@hookimpl
def register_formats() -> Iterable[Format]:
    """The format ``toy``."""
    return [ToyFormat()]


@hookimpl
def register_scanners() -> Iterable[Scanner]:
    """The scanner ``toy-words``."""
    return [ToyScanner()]
