"""Builds the metadata of RPM repositories in memory, signed or not, right or wrong in one place.

::

    repo = Repo([package("hello"), package("nginx", epoch="1")])
    with Upstream(files=repo.files()) as up: ...
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from entrepot.contracts import IndexUpdate, ReadContext
from entrepot.models import Available, Connection, Described, Extra, IndexPart, Scalar, Source
from entrepot.progress import Progress, silent
from entrepot_plugins.rpm.fragments import COMMON, ROOTS, RPM
from entrepot_plugins.rpm.index import RpmIndexReader
from entrepot_plugins.rpm.raw import Fragments, unpack
from support.apt_repository import COMPRESS, Key
from support.transfers import opened
from support.upstream import Upstream

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
REPOMD = "/repodata/repomd.xml"
TIME = 1_770_000_000
PART = IndexPart("packages", "digest", "", "main", "", "binary", None)


def package(
    name: str = "hello",
    version: str = "1.0",
    release: str = "1.el9",
    *,
    epoch: str = "0",
    arch: str = "x86_64",
    summary: str = "a package",
    description: str = "A package.",
    provides: Sequence[str] = (),
    files: Sequence[str] = (),
    sourcerpm: str | None = None,
    href: str | None = None,
    checksum: str = "sha256",
    pkgid: str | None = None,
) -> Fragments:
    """The elements of one package; texts are escaped here."""
    algorithm = {"sha": "sha1"}.get(checksum, checksum)
    id_ = pkgid or hashlib.new(algorithm, f"{name} {epoch} {version} {release} {arch}".encode()).hexdigest()
    evr = f'epoch="{epoch}" ver={quoteattr(version)} rel={quoteattr(release)}'
    file_name = f"{name}-{version}-{release}.{arch}.rpm"
    source = f"{name}-{version}-{release}.src.rpm" if sourcerpm is None else sourcerpm
    entries = "".join(f"<rpm:entry name={quoteattr(item)}/>" for item in (name, *provides))
    listed = "".join(f"<file>{escape(path)}</file>" for path in files)
    primary = (
        f'<package type="rpm">\n  <name>{escape(name)}</name>\n  <arch>{arch}</arch>\n  <version {evr}/>\n'
        f'  <checksum type="{checksum}" pkgid="YES">{id_}</checksum>\n  <summary>{escape(summary)}</summary>\n'
        f"  <description>{escape(description)}</description>\n  <packager></packager>\n"
        f'  <url>https://example.org/{name}</url>\n  <time file="{TIME}" build="{TIME}"/>\n'
        f'  <size package="1000" installed="2000" archive="2100"/>\n'
        f"  <location href={quoteattr(href or 'Packages/' + file_name)}/>\n  <format>\n"
        f"    <rpm:license>MIT</rpm:license>\n    <rpm:vendor/>\n    <rpm:group>Unspecified</rpm:group>\n"
        f"    <rpm:buildhost>builder.example.org</rpm:buildhost>\n    <rpm:sourcerpm>{source}</rpm:sourcerpm>\n"
        f'    <rpm:header-range start="280" end="2637"/>\n    <rpm:provides>{entries}</rpm:provides>\n'
        f"    {listed}\n  </format>\n</package>"
    )
    head = f'<package pkgid="{id_}" name={quoteattr(name)} arch="{arch}">\n  <version {evr}/>\n'
    filelists = f"{head}  {listed}\n</package>"
    other = (
        f'{head}  <changelog author="Somebody &lt;somebody@example.org&gt;" date="{TIME}">- a change</changelog>\n'
        "</package>"
    )
    return Fragments(primary.encode(), filelists.encode(), other.encode())


def document(kind: str, elements: Sequence[bytes], count: int | None = None) -> bytes:
    """A whole primary, filelists or other of the plain kind."""
    root, namespace = ROOTS[kind]
    rpm = f' xmlns:rpm="{RPM}"' if namespace == COMMON else ""
    number = len(elements) if count is None else count
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}"{rpm} packages="{number}">\n'
    return head.encode() + b"".join(element + b"\n" for element in elements) + f"</{root}>\n".encode()


@dataclass
class Repo:
    """A repository's repodata. ``documents`` replaces or adds plain contents by type of record (None: no such record).

    ``record`` changes what repomd.xml says of a type: ``{"primary": {"size": "5"}}``, None leaves an element out.
    """

    packages: Sequence[Fragments] = ()
    documents: Mapping[str, bytes | None] = field(default_factory=dict)
    record: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    suffix: str = ".gz"
    checksum: str = "sha256"
    revision: str = "1770000000"
    time: int = TIME
    base: str = ""

    def contents(self) -> dict[str, bytes]:
        """The plain contents by type of record."""
        found: dict[str, bytes | None] = {
            kind: document(kind, [getattr(item, kind) for item in self.packages]) for kind in ROOTS
        }
        found |= self.documents
        return {kind: content for kind, content in found.items() if content is not None}

    def payload(self) -> dict[str, bytes]:
        """The files that repomd.xml lists."""
        return {f"/{self._path(kind, content)}": self._packed(content) for kind, content in self.contents().items()}

    def repomd(self) -> bytes:
        """The text of its repomd.xml."""
        records = []
        for kind, content in self.contents().items():
            packed = self._packed(content)
            elements: dict[str, str | None] = {
                "href": self._path(kind, content),
                "checksum": self._digest(packed),
                "open-checksum": self._digest(content),
                "timestamp": str(self.time),
                "size": str(len(packed)),
                "open-size": str(len(content)),
            }
            elements.update(self.record.get(kind, {}))
            href = elements.pop("href")
            lines = [f'<location {self.base} href="{href}"/>']
            for name, value in elements.items():
                type_ = f' type="{self.checksum}"' if "checksum" in name else ""
                if value is not None:
                    lines.append(f"<{name}{type_}>{value}</{name}>")
            records.append(f'<data type="{kind}">{"".join(lines)}</data>\n')
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo">\n'
            f"<revision>{self.revision}</revision>\n{''.join(records)}</repomd>\n"
        ).encode()

    def files(self, key: Key | None = None) -> dict[str, bytes]:
        """Everything; with ``key`` there is a repomd.xml.asc."""
        text = self.repomd()
        signature = {f"{REPOMD}.asc": key.detach(text)} if key else {}
        return self.payload() | {REPOMD: text} | signature

    def _packed(self, content: bytes) -> bytes:
        return COMPRESS[self.suffix](content)

    def _path(self, kind: str, content: bytes) -> str:
        ending = "yaml" if kind == "modules" else "xml"
        return f"repodata/{self._digest(self._packed(content))}-{kind}.{ending}{self.suffix}"

    def _digest(self, content: bytes) -> str:
        return hashlib.new({"sha": "sha1"}.get(self.checksum, self.checksum), content).hexdigest()


@dataclass
class Reader:
    """Reads an upstream as a sync does: what it keeps between two reads is what the catalog would keep."""

    up: Upstream
    folder: Path
    architectures: Sequence[str] = ()
    key: Key | None = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    path: str = ""
    progress: Progress = silent
    state: Mapping[str, Any] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[Described]] = field(default_factory=dict)
    raws: dict[str, list[bytes]] = field(default_factory=dict)
    extras: dict[str, list[Extra]] = field(default_factory=dict)
    count: int = 0

    @property
    def source(self) -> Source:
        """The source that is read."""
        return Source(
            id=1,
            name="upstream",
            format="rpm",
            url=self.up.url + self.path,
            distributions=(),
            components=(),
            architectures=tuple(self.architectures),
            verify=self.key is not None,
            keyring="keyring.gpg" if self.key else None,
            options=self.options,
            connection=Connection(retries=0, timeout=0.5),
            created_at=NOW,
        )

    def context(self, transfer: Any, *, force: bool = False) -> ReadContext:
        """The context of one read, with a folder of its own."""
        self.count += 1
        scratch = self.folder / f"read-{self.count}"
        scratch.mkdir()
        keyring = self.folder / "keyring.gpg"
        if self.key:
            keyring.write_bytes(self.key.public)
        return ReadContext(self.source, transfer, keyring if self.key else None, scratch, NOW, self.progress, force)

    def read(self, *, force: bool = False) -> IndexUpdate | None:
        """One sync. What the catalog would hold afterwards is in ``rows``, ``raws`` and ``extras``, by part."""
        reader = RpmIndexReader()
        with ExitStack() as stack:
            transfer = stack.enter_context(opened(self.source.connection, source_url=self.source.url))
            context = self.context(transfer, force=force)
            update = reader.refresh(context, self.state, self.known)
            if update is None:
                return None
            raws, extras = {}, {}
            for part in update.parts:
                fresh = force or self.known.get(part.key) != part.digest
                raws[part.key] = [item.raw for item in reader.entries(context, part)] if fresh else self.raws[part.key]
            for part in update.extra_parts:
                fresh = force or self.known.get(part.key) != part.digest
                extras[part.key] = list(reader.extras(context, part)) if fresh else self.extras[part.key]
            parts = {part.key: part for part in update.parts}
            self.rows = {key: [reader.describe(raw, parts[key]) for raw in items] for key, items in raws.items()}
        self.raws, self.extras, self.state = raws, extras, update.state
        self.known = {part.key: part.digest for part in (*update.parts, *update.extra_parts)}
        return update

    @property
    def names(self) -> list[str]:
        """Names of all packages, binary ones first."""
        return [row.name for rows in self.rows.values() for row in rows]

    @property
    def fragments(self) -> list[Fragments]:
        """The elements of all packages."""
        return [unpack(raw) for raws in self.raws.values() for raw in raws]


def available(row: Described, kind: str = "binary") -> Available:
    """A row as the catalog has it."""
    return Available(
        id=1,
        source_id=1,
        source="upstream",
        format="rpm",
        name=row.name,
        version=row.version,
        version_key=row.version_key,
        architecture=row.architecture,
        kind=kind,
        distribution="",
        component="main",
        source_name=row.source_name,
        section=row.section,
        size=row.size,
        sha256=row.sha256,
        location=row.location,
        summary=row.summary,
        signed_by=None,
    )


def later(repo: Repo, **changes: Any) -> Repo:
    """The repository in its next state."""
    return replace(repo, time=repo.time + 60, revision=str(int(repo.revision) + 60), **changes)
