"""Packages of a usual size: what is installed on this machine, packed again as .deb and .rpm."""

from __future__ import annotations

import hashlib
import lzma
import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.packages import PLACE
from support.debs import ar_archive, tar_archive
from support.rpms import make_rpm

NAME = re.compile(rb"^Package: (.+)$", re.MULTILINE)
VERSION = re.compile(rb"^Version: (.+)$", re.MULTILINE)
INFO = Path("/var/lib/dpkg/info")
LARGEST = 4 << 20
"""Bytes of the files of a package; a few that are larger would be most of the work."""
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "triggers", "conffiles")
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 8 << 20}]


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of this machine, with what an index says of it."""

    name: str
    architecture: str
    control: bytes

    def files(self) -> Mapping[str, bytes]:
        """Its regular files, by absolute paths."""
        listed = self._info("list").read_text().splitlines()
        return {
            path: Path(path).read_bytes() for path in listed if Path(path).is_file() and not Path(path).is_symlink()
        }

    def scripts(self) -> Mapping[str, bytes]:
        """Its maintainer scripts and the like."""
        return {name: self._info(name).read_bytes() for name in SCRIPTS if self._info(name).is_file()}

    def _info(self, what: str) -> Path:
        plain = INFO / f"{self.name}.{what}"
        return plain if plain.exists() else INFO / f"{self.name}:{self.architecture}.{what}"


def installed(stanzas: Sequence[bytes], count: int) -> Sequence[Installed]:
    """Packages of this machine that an index has in the same version: any ones, the same each time."""
    fields = "${Package}\t${Version}\t${Architecture}\t${Installed-Size}\n"
    said = subprocess.run(["dpkg-query", "-W", "-f", fields], capture_output=True, text=True, check=False).stdout
    here: dict[tuple[str, str], str] = {}
    for line in said.splitlines():
        name, version, architecture, size = line.split("\t")
        if size.isdigit() and int(size) << 10 <= LARGEST:
            here[name, version] = architecture
    found = []
    for stanza in stanzas:
        name, version = [match[1].decode() if (match := field.search(stanza)) else "" for field in (NAME, VERSION)]
        if architecture := here.get((name, version), ""):
            found.append(Installed(name, architecture, PLACE.sub(b"", stanza + b"\n")))
    return sorted(found, key=lambda item: hashlib.sha256(item.name.encode()).digest())[:count]


def write_debs(folder: Path, packages: Sequence[Installed]) -> list[Path]:
    """A .deb of each."""
    folder.mkdir()
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_write_deb, [folder] * len(packages), packages))


def write_rpms(folder: Path, packages: Sequence[Installed]) -> list[Path]:
    """An RPM of the files of each."""
    folder.mkdir()
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_write_rpm, [folder] * len(packages), packages))


def _write_deb(folder: Path, package: Installed) -> Path:
    control = {"control": package.control, **package.scripts()}
    data = {path.lstrip("/"): content for path, content in package.files().items()}
    members = [
        (f"{name}.tar.xz", lzma.compress(tar_archive(files), filters=XZ))
        for name, files in (("control", control), ("data", data))
    ]
    path = folder / f"{package.name}_{package.architecture}.deb"
    path.write_bytes(ar_archive([("debian-binary", b"2.0\n"), *members]))
    return path


def _write_rpm(folder: Path, package: Installed) -> Path:
    return make_rpm(folder, package.name, arch="x86_64", files=package.files(), compression="gzip")
