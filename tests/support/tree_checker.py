"""Reads a published APT tree as the strictest of clients would, by the format's specification and nothing of ours.

https://wiki.debian.org/DebianRepository/Format; every deviation is an AssertionError that names the file.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import zstandard

from support.signers import StampSigner

_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(),
}
_LINE = re.compile(r" ([0-9a-f]{64}) +([0-9]+) (\S+)")
_EXPECTED = re.compile(r"InRelease|Release(\.gpg)?|.+/((Packages|Sources)\.(gz|xz|zst)|by-hash/SHA256/[0-9a-f]{64})")
_PRIVATE = (".entrepot", ".tmp")
"""Folders of a tree that are no client's business."""


class Signatures(Protocol):
    """How a client verifies."""

    def opened(self, clearsigned: Path) -> bytes:
        """What was signed."""
        ...

    def check(self, signed: Path, signature: Path) -> None:
        """Refuses a detached signature that is not of this content."""
        ...


@dataclass(frozen=True, slots=True)
class GpgvSignatures:
    """Real signatures; ``keyring`` is a file of public keys, armored or not."""

    keyring: Path

    def opened(self, clearsigned: Path) -> bytes:
        """What gpgv hands back."""
        return self._gpgv("--output", "-", str(clearsigned))

    def check(self, signed: Path, signature: Path) -> None:
        """Asks gpgv."""
        self._gpgv(str(signature), str(signed))

    def _gpgv(self, *arguments: str) -> bytes:
        result = subprocess.run(["gpgv", "--quiet", "--keyring", self.keyring, *arguments], capture_output=True)
        assert result.returncode == 0, f"{arguments[-1]}: {result.stderr.decode()}"
        return result.stdout


class StampSignatures:
    """Those of ``StampSigner``."""

    def opened(self, clearsigned: Path) -> bytes:
        """The text, if the stamp is of it."""
        head, signature = b"Hash: SHA512\n\n", b"-----BEGIN PGP SIGNATURE-----\n"
        text, mark, rest = clearsigned.read_bytes().partition(head)[2].rpartition(signature)
        self._check(clearsigned, text, mark + rest)
        return text

    def check(self, signed: Path, signature: Path) -> None:
        """Compares the stamp."""
        self._check(signed, signed.read_bytes(), signature.read_bytes())

    def _check(self, path: Path, text: bytes, signature: bytes) -> None:
        stamp = signature.split(b"\n\n")[-1]
        assert stamp.startswith(hashlib.sha256(text).hexdigest().encode()), f"{path}: signature of another text"
        assert signature.endswith(b"-----END PGP SIGNATURE-----\n"), path
        assert StampSigner.name


@dataclass(frozen=True, slots=True)
class _File:
    """A line of the Release file."""

    path: str
    size: int
    sha256: str

    @property
    def suffix(self) -> str:
        name = self.path.rpartition("/")[2]
        return name[name.index(".") :] if "." in name else ""

    @property
    def plain(self) -> str:
        return self.path.removesuffix(self.suffix)


def packages_in(root: Path, distribution: str, signatures: Signatures, *, settled: bool = True) -> frozenset[str]:
    """What a client sees in a distribution, as ``component:name:architecture=version``, after checking all of it.

    Indexes are taken from by-hash, and every file that they name has to be there. A tree that is ``settled`` serves
    the oldest of clients as well: plain names, Release and Release.gpg agree with InRelease.
    Otherwise somebody may have died while publishing; nothing at all is what a client then sees of a first one.
    """
    folder = root / "dists" / distribution
    if not settled and not (folder / "InRelease").exists() and not (folder / "Release.gpg").exists():
        return frozenset()
    if (folder / "InRelease").exists():
        release = signatures.opened(folder / "InRelease")
    else:
        assert not settled, f"{folder} has no InRelease"
        signatures.check(folder / "Release", folder / "Release.gpg")
        release = (folder / "Release").read_bytes()
    listed = _listed(release.decode())
    if settled:
        _check_settled(folder, release, listed, signatures)
    return frozenset(_check_indexes(root, folder, listed))


def packages_named(root: Path, distribution: str, release: bytes) -> frozenset[str]:
    """The same for a Release that a client has read and trusts, however it came to that."""
    return frozenset(_check_indexes(root, root / "dists" / distribution, _listed(release.decode())))


def indexes_in(root: Path, distribution: str, signatures: Signatures) -> frozenset[str]:
    """Where a client of the newest Release finds its indexes, relative to ``root``."""
    folder = root / "dists" / distribution
    listed = _listed(signatures.opened(folder / "InRelease").decode())
    return frozenset(_by_hash(folder, file).relative_to(root).as_posix() for file in listed if file.suffix)


def contents(root: Path) -> dict[str, bytes]:
    """All that clients can fetch, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] not in _PRIVATE
    }


def _listed(release: str) -> list[_File]:
    fields, _, table = release.partition("SHA256:\n")
    for name in ("Date", "Suite", "Codename", "Components", "Architectures"):
        assert re.search(rf"^{name}: \S", fields, re.MULTILINE), f"Release has no {name}"
    assert "\nAcquire-By-Hash: yes\n" in fields
    files = []
    for line in table.splitlines():
        found = _LINE.fullmatch(line)
        assert found, f"Release: {line!r}"
        files.append(_File(found[3], int(found[2]), found[1]))
    assert len({file.path for file in files}) == len(files), "Release lists a file twice"
    return files


def _check_indexes(root: Path, folder: Path, listed: list[_File]) -> Iterator[str]:
    for plain in (file for file in listed if not file.suffix):
        variants = [file for file in listed if file.suffix and file.plain == plain.path]
        assert variants, f"{plain.path} is not there in any compression"
        for file in variants:
            data = _checked(_by_hash(folder, file), file.size, file.sha256)
            text = _UNPACK[file.suffix](data)
            assert (len(text), _sha256(text)) == (plain.size, plain.sha256), f"{file.path} unpacks to something else"
        for stanza in filter(None, text.decode().split("\n\n")):
            yield f"{plain.path.partition('/')[0]}:{_check_stanza(root, stanza)}"


def _by_hash(folder: Path, file: _File) -> Path:
    return folder / file.path.rpartition("/")[0] / "by-hash/SHA256" / file.sha256


def _check_stanza(root: Path, stanza: str) -> str:
    fields = dict(re.findall(r"^([!-9;-~]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE))
    fields = {name: value.strip() for name, value in fields.items()}
    if "Directory" in fields:
        for line in fields["Checksums-Sha256"].splitlines():
            sha256, size, name = line.split()
            _checked(root / fields["Directory"] / name, int(size), sha256)
        return f"{fields['Package']}:source={fields['Version']}"
    _checked(root / fields["Filename"], int(fields["Size"]), fields["SHA256"])
    return f"{fields['Package']}:{fields['Architecture']}={fields['Version']}"


def _check_settled(folder: Path, release: bytes, listed: list[_File], signatures: Signatures) -> None:
    assert (folder / "Release").read_bytes() == release, f"{folder}: Release and InRelease differ"
    signatures.check(folder / "Release", folder / "Release.gpg")
    for file in listed:
        if file.suffix:
            _checked(folder / file.path, file.size, file.sha256)
    for path in folder.rglob("*"):
        # An index that the newest version lacks stays for a while, for clients that still know the one before.
        assert path.is_dir() or _EXPECTED.fullmatch(path.relative_to(folder).as_posix()), f"{path}: nobody asks for it"


def _checked(path: Path, size: int, sha256: str) -> bytes:
    assert path.is_file(), f"{path} is missing"
    data = path.read_bytes()
    assert len(data) == size, f"{path} has {len(data)} bytes, not {size}"
    assert _sha256(data) == sha256, f"{path} has other content than its index says"
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
