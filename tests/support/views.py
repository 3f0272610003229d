"""Repositories, distributions and versions for tests of tree builders, without a catalog."""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from entrepot.contracts import FileBody, TreeFile
from entrepot.models import (
    Distribution,
    EntryRef,
    Extra,
    PackageFile,
    PackageInfo,
    PublishedEntry,
    Repository,
    Sha256,
    Target,
)

_NO_FILES = zlib.compress(b"")
NOW = dt.datetime(2026, 2, 3, 4, 5, 6, tzinfo=dt.UTC)


def a_repository(**changes: Any) -> Repository:
    """A signed APT repository called ``example``."""
    plain = Repository(
        id=1,
        name="example",
        format="apt",
        targets=(Target(1, "file:///srv/example"),),
        public_url="https://packages.example.org/",
        signer="gpg",
        sign_with=None,
        origin="Example",
        label="Example packages",
        options={},
        created_at=NOW,
    )
    return replace(plain, **changes)


def a_distribution(name: str = "stable", **changes: Any) -> Distribution:
    """A distribution with the component ``main`` and whatever architectures its packages have."""
    plain = Distribution(
        id=1,
        repository_id=1,
        repository="example",
        format="apt",
        name=name,
        components=("main",),
        architectures=(),
        policy="soft",
        compressions=(),
        keep=0,
        options={},
        created_at=NOW,
    )
    return replace(plain, **changes)


def a_package(
    name: str = "hello", version: str = "1.0-1", architecture: str = "amd64", kind: str = "binary", **changes: Any
) -> PackageInfo:
    """A package of which there is only a text and one file that does not exist."""
    suffix = {"binary": "deb", "udeb": "udeb", "source": "dsc"}.get(kind, kind)
    digest = Sha256(hashlib.sha256(f"{name} {version} {architecture} {kind}".encode()).hexdigest())
    plain = PackageInfo(
        format="apt",
        kind=kind,
        name=name,
        version=version,
        version_key=version.encode(),
        architecture=architecture,
        source_name=name,
        summary="",
        section="misc",
        raw=f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nSHA256: {digest}".encode(),
        files=(PackageFile(f"{name}_{version}_{architecture}.{suffix}", 1234, digest),),
    )
    return replace(plain, **changes)


class MemoryView:
    """A version of packages that are given with their components; ``load`` is for a renderer."""

    number = 1

    def __init__(
        self,
        repository: Repository,
        distribution: Distribution,
        members: Iterable[tuple[str, PackageInfo, str]] = (),
    ) -> None:
        """``members`` are component, package and the folder of its files."""
        self.repository = repository
        self.distribution = distribution
        self._members = sorted(members, key=lambda member: _index_order(member[1]))

    def groups(self) -> Sequence[tuple[str, str, str]]:
        """See ``VersionView``."""
        return sorted({(component, info.kind, info.architecture) for component, info, _ in self._members})

    def entries(self, component: str, kind: str, architectures: Collection[str]) -> Iterator[EntryRef]:
        """See ``VersionView``."""
        for number, (of, info, folder) in enumerate(self._members):
            if (of, info.kind) == (component, kind) and info.architecture in architectures:
                text = b"\0".join((info.raw, folder.encode(), repr(info.files).encode()))
                yield EntryRef(number, hashlib.blake2b(text, digest_size=16).digest())

    def extras(self, kind: str) -> Iterator[Extra]:
        """See ``VersionView``; none."""
        return iter(())

    def artifact(self, sha256: str) -> FileBody:
        """See ``VersionView``; none."""
        raise AssertionError(f"there is no file {sha256}")

    def extra_kinds(self) -> Sequence[str]:
        """See ``VersionView``; none."""
        return ()

    def load(self, ids: Sequence[int]) -> Iterator[PublishedEntry]:
        """The packages of these ids."""
        for number in ids:
            _, info, folder = self._members[number]
            yield PublishedEntry(info.raw, folder, info.files, zlib.decompress(info.file_list or _NO_FILES))


def _index_order(info: PackageInfo) -> tuple[str, bytes, str, str]:
    return info.name, info.version_key, info.architecture, info.files[0].sha256


def content(file: TreeFile) -> bytes:
    """The content of a file of a tree, checked against what is said of it."""
    data = b"".join(file.body.chunks())
    assert len(data) == file.size, file.path
    assert hashlib.sha256(data).hexdigest() == file.sha256, file.path
    return data


def write_tree(root: Path, files: Iterable[TreeFile]) -> None:
    """Puts files where a client looks for them, copies as copies."""
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(file) if file.copy_of is None else (root / file.copy_of).read_bytes())
