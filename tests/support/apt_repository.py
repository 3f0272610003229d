"""Builds the metadata of APT repositories in memory, signed or not, right or wrong in one place.

::

    suite = Suite("stable", {"main/binary-amd64/Packages": stanza("hello") + b"\\n"})
    with Upstream(files=suite.files(signer)) as up: ...
"""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import hashlib
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from entrepot.contracts import IndexUpdate, ReadContext
from entrepot.models import Connection, Described, Scalar, Source
from entrepot.progress import Progress, silent
from entrepot_plugins.apt.index import AptIndexReader
from support.gnupg import gnupg_home, gpg, make_key
from support.transfers import opened
from support.upstream import Upstream

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
DATE = "Sun, 01 Mar 2026 10:00:00 UTC"
HASHES = {"MD5Sum": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key and how to sign with it."""

    home: Path
    fingerprint: str

    @property
    def public(self) -> bytes:
        """The public key, binary."""
        return gpg(self.home, "--export", self.fingerprint)

    @property
    def armored(self) -> bytes:
        """The public key, armored."""
        return gpg(self.home, "--armor", "--export", self.fingerprint)

    def clearsign(self, text: bytes, *options: str) -> bytes:
        """An InRelease."""
        return gpg(self.home, *options, "--local-user", self.fingerprint, "--clearsign", text=text)

    def detach(self, text: bytes, *options: str) -> bytes:
        """A Release.gpg."""
        return gpg(self.home, *options, "--local-user", self.fingerprint, "--armor", "--detach-sign", text=text)


@contextmanager
def key_maker() -> Iterator[Callable[..., Key]]:
    """Makes keys: ``make("who", "rsa2048", "2025-01-01", "--faked-system-time", ...)``."""
    with gnupg_home() as home:
        yield lambda *arguments: Key(home, make_key(home, *arguments))


def stanza(name: str = "hello", version: str = "1.0", architecture: str = "amd64", **fields: str) -> bytes:
    """A stanza of Packages with what every one has; a field with an empty value is left out."""
    base = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "Somebody <somebody@example.org>",
        "Filename": f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb",
        "Size": "1000",
        "SHA256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
        "Description": f"the package {name}",
    }
    merged = base | {key.replace("_", "-"): value for key, value in fields.items()}
    return b"".join(f"{key}: {value}\n".encode() for key, value in merged.items() if value)


def index(*stanzas: bytes) -> bytes:
    """A Packages index."""
    return b"".join(text + b"\n" for text in stanzas)


@dataclass
class Suite:
    """One distribution. ``indexes`` are by path relative to the Release, uncompressed.

    ``listed`` compressions are in the Release, ``served`` ones are there. ``header`` adds to its fields, or takes one
    away with an empty value.
    """

    name: str = "stable"
    indexes: dict[str, bytes] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    listed: Sequence[str] = ("", ".gz")
    served: Sequence[str] = (".gz",)
    hashes: Sequence[str] = ("SHA256",)
    by_hash: bool = False
    plain: Sequence[str] = ()
    """Paths of files that are listed and served as they are, and in no compression."""

    @property
    def folder(self) -> str:
        """Where its files are, with a slash at the end."""
        return self.name.removeprefix("./") if self.name.endswith("/") else f"dists/{self.name}/"

    def release(self) -> bytes:
        """The text of its Release."""
        paths = [path.split("/") for path in self.indexes]
        components = dict.fromkeys(path[0] for path in paths if len(path) > 1)
        architectures = dict.fromkeys(
            part.removeprefix("binary-") for path in paths for part in path if part.startswith("binary-")
        )
        fields = {
            "Origin": "Test",
            "Suite": self.name,
            "Codename": self.name,
            "Date": DATE,
            "Architectures": " ".join(architectures),
            "Components": " ".join(components),
            "Acquire-By-Hash": "yes" if self.by_hash else "",
        } | self.header
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        for table in self.hashes:
            lines.append(f"{table}:")
            for path, plain in self.indexes.items():
                for suffix in [""] if path in self.plain else self.listed:
                    content = COMPRESS[suffix](plain)
                    digest = hashlib.new(HASHES[table], content).hexdigest()
                    lines.append(f" {digest} {len(content):8} {path}{suffix}")
        return ("\n".join(lines) + "\n").encode()

    def payload(self) -> dict[str, bytes]:
        """Its indexes as they are served."""
        found = {}
        for path, plain in self.indexes.items():
            for suffix in [""] if path in self.plain else self.served:
                content = COMPRESS[suffix](plain)
                found[f"/{self.folder}{path}{suffix}"] = content
                if self.by_hash:
                    strongest = [name for name in HASHES if name in self.hashes][-1]
                    digest = hashlib.new(HASHES[strongest], content).hexdigest()
                    parent = (self.folder + path).rpartition("/")[0]
                    found[f"/{parent}/by-hash/{strongest}/{digest}"] = content
        return found

    def files(self, key: Key | None = None, *, detached: bool = False) -> dict[str, bytes]:
        """Everything, signed by ``key``: as InRelease, or as Release and Release.gpg."""
        text = self.release()
        root = f"/{self.folder}"
        if key is None:
            return self.payload() | {f"{root}Release": text}
        if detached:
            return self.payload() | {f"{root}Release": text, f"{root}Release.gpg": key.detach(text)}
        return self.payload() | {f"{root}InRelease": key.clearsign(text)}


@dataclass
class Reader:
    """Reads an upstream as a sync does: what it keeps between two reads is what the catalog would keep."""

    up: Upstream
    folder: Path
    distributions: Sequence[str] = ("stable",)
    components: Sequence[str] = ()
    architectures: Sequence[str] = ()
    key: Key | None = None
    keyring: bytes | None = None
    """Keys to verify with in place of ``key``; with neither, nothing is verified."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    now: dt.datetime = NOW
    progress: Progress = silent
    path: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[Described]] = field(default_factory=dict)
    count: int = 0

    def context(self, transfer: Any, *, force: bool = False) -> ReadContext:
        """The context of one read, with a folder of its own."""
        self.count += 1
        scratch = self.folder / f"read-{self.count}"
        scratch.mkdir()
        keys = self.keyring or (self.key.public if self.key else None)
        keyring = self.folder / "keyring.gpg"
        if keys:
            keyring.write_bytes(keys)
        source = Source(
            id=1,
            name="upstream",
            format="apt",
            url=self.up.url.rstrip("/") + self.path,
            distributions=tuple(self.distributions),
            components=tuple(self.components),
            architectures=tuple(self.architectures),
            verify=keys is not None,
            keyring=keyring.name if keys else None,
            options=self.options,
            connection=Connection(),
            created_at=self.now,
        )
        return ReadContext(source, transfer, keyring if keys else None, scratch, self.now, self.progress, force)

    def read(self, *, force: bool = False) -> IndexUpdate | None:
        """One sync. ``rows`` are then, by part, what the catalog would hold; a part that did not change stays."""
        reader = AptIndexReader()
        with ExitStack() as stack:
            transfer = stack.enter_context(opened())
            context = self.context(transfer, force=force)
            update = reader.refresh(context, self.state, self.known)
            if update is None:
                return None
            rows = {}
            for part in update.parts:
                if self.known.get(part.key) == part.digest and not force:
                    rows[part.key] = self.rows[part.key]
                else:
                    rows[part.key] = [reader.describe(item.raw, part) for item in reader.entries(context, part)]
        self.rows, self.state = rows, update.state
        self.known = {part.key: part.digest for part in update.parts}
        return update

    @property
    def names(self) -> dict[str, list[str]]:
        """Names of packages by part."""
        return {key: [row.name for row in rows] for key, rows in self.rows.items()}
