"""What is measured with: a real index where this machine has one, and upstream trees that offer it."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from support.apt_repository import Key

APT_HELPER = "/usr/lib/apt/apt-helper"
PACKAGES = 63_440
"""In Debian 12's main for amd64, which the budgets were made with; a synthetic index has as many."""
INDEX = "main/binary-amd64/Packages"
NAME = re.compile(rb"^Package: (.+)$", re.MULTILINE)
VERSION = re.compile(rb"^(Version: .+)$", re.MULTILINE)
FILENAME = re.compile(rb"^(Filename: .*/)([^/\n]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Index:
    """A Packages index. ``origin`` says where it comes from."""

    plain: bytes
    origin: str

    @property
    def stanzas(self) -> list[bytes]:
        """Its stanzas, without the line end after their last line."""
        return self.plain.rstrip(b"\n").split(b"\n\n")


def load_index() -> Index:
    """The largest Packages index that apt has on this machine for amd64, or a synthetic one of the same size."""
    found = _downloaded()
    if found:
        index = Index(found, "the largest index that this machine's apt has downloaded")
        if len(index.stanzas) > PACKAGES // 2:
            return index
    text = b"\n\n".join(islice(_synthetic(), PACKAGES)) + b"\n\n"
    return Index(text, "synthetic, because this machine's apt has no large index; run `apt-get update` for a real one")


def _downloaded() -> bytes:
    if not shutil.which("apt-get"):
        return b""
    asked = ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages", "Architecture: amd64"]
    paths = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    if not paths:
        return b""
    largest = max(paths, key=lambda path: Path(path).stat().st_size)
    return subprocess.run([APT_HELPER, "cat-file", largest], capture_output=True, check=True).stdout


def _synthetic() -> Iterator[bytes]:
    """Stanzas with as many bytes and fields as real ones have."""
    number = 0
    while True:
        number += 1
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        name = f"lib{digest[:8]}-{number}"
        depends = ", ".join(f"lib{digest[at : at + 8]} (>= {int(digest[at], 16)}.{at})" for at in range(0, 56, 8))
        yield (
            f"Package: {name}\nSource: {digest[:8]}\nVersion: {number % 40}.{number % 7}-{number % 5 + 1}\n"
            f"Installed-Size: {number}\nMaintainer: Somebody <somebody@example.org>\nArchitecture: amd64\n"
            f"Depends: {depends}\nDescription: words about {digest[8:20]} and {digest[20:32]}\n"
            f"Homepage: https://{digest[:8]}.example.org/\nDescription-md5: {digest[:32]}\n"
            f"Tag: implemented-in::{digest[:6]}, role::shared-lib\nSection: libs\nPriority: optional\n"
            f"Filename: pool/main/{digest[0]}/{digest[:8]}/{name}_amd64.deb\nSize: {number * 37}\n"
            f"MD5sum: {digest[32:]}\nSHA256: {digest}"
        ).encode()


def changed(plain: bytes, every: int) -> bytes:
    """The index with one of ``every`` packages in another version."""
    stanzas = plain.rstrip(b"\n").split(b"\n\n")
    stanzas[::every] = [VERSION.sub(rb"\1+b9", stanza, count=1) for stanza in stanzas[::every]]
    return b"\n\n".join(stanzas) + b"\n\n"


def of_one_file(plain: bytes, path: str, content: bytes) -> bytes:
    """The index with all packages being one and the same file, so that there is nothing to download."""
    fields = {
        "Filename": path,
        "Size": str(len(content)),
        "MD5sum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "SHA256": hashlib.sha256(content).hexdigest(),
    }
    for name, value in fields.items():
        plain = re.sub(rf"^{name}: .*$".encode(), f"{name}: {value}".encode(), plain, flags=re.MULTILINE)
    return plain


def multiplied(plain: bytes, times: int) -> Iterator[bytes]:
    """An index ``times`` as long, in parts; the packages of each part have names and files of their own."""
    yield plain
    for number in range(1, times):
        renamed = NAME.sub(rb"Package: \1-copy%d" % number, plain)
        yield FILENAME.sub(rb"\1copy%d-\2" % number, renamed)


class UpstreamTree:
    """A repository on disk with one distribution, ``stable``, one component and one architecture."""

    def __init__(self, root: Path, key: Key) -> None:
        self.root = root
        self._key = key
        self._folder = root / "dists/stable"
        (self._folder / INDEX).parent.mkdir(parents=True)
        self._release = 0

    def publish(self, plain: bytes) -> None:
        """Replaces the index, in xz and gz as an archive has it, and signs it anew."""
        files = {"": plain, ".gz": gzip.compress(plain, 6, mtime=0), ".xz": lzma.compress(plain, preset=6)}
        for suffix in (".gz", ".xz"):
            (self._folder / f"{INDEX}{suffix}").write_bytes(files[suffix])
        self._sign(
            f" {hashlib.sha256(content).hexdigest()} {len(content)} {INDEX}{suffix}"
            for suffix, content in files.items()
        )

    def publish_parts(self, parts: Iterable[bytes]) -> None:
        """The same for an index that is too large for memory: in gz only, quick rather than small."""
        path = self._folder / f"{INDEX}.gz"
        plain, size = hashlib.sha256(), 0
        with gzip.open(path, "wb", compresslevel=1) as file:
            for part in parts:
                plain.update(part)
                size += len(part)
                file.write(part)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._sign([f" {plain.hexdigest()} {size} {INDEX}", f" {digest} {path.stat().st_size} {INDEX}.gz"])

    def _sign(self, lines: Iterable[str]) -> None:
        self._release += 1
        text = (
            "Origin: Bench\nSuite: stable\nCodename: stable\nArchitectures: amd64\nComponents: main\n"
            f"Date: Sun, 01 Mar 2026 10:00:{self._release:02} UTC\nSHA256:\n" + "\n".join(lines) + "\n"
        ).encode()
        (self._folder / "InRelease").write_bytes(self._key.clearsign(text))
        (self._folder / "Release").write_bytes(text)
        (self._folder / "Release.gpg").write_bytes(self._key.detach(text))
