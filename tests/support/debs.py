"""Builds tiny Debian packages: real enough for dpkg, dpkg-source and apt, always the same bytes for the same arguments.

    path = make_deb(tmp_path, "nginx", "1:1.24-2", depends="nginx-common (>= 1.24)")
    udeb = make_udeb(tmp_path, "di-utils", "1.146")
    dsc, orig, debian = make_source(tmp_path, "hello", "2.10-3")
    packages = b"\\n".join(packages_stanza(path, f"pool/{path.name}") for path in (path, ...))

About 4,000 .debs a second. ``ar_archive``, ``tar_archive`` and ``compress`` are what they are made of, for tests that
need a package which is wrong in one place.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import zstandard

MAINTAINER = "Test Builder <builder@example.org>"
TIME = 1_700_000_000


def make_deb(
    folder: Path,
    name: str = "hello",
    version: str = "1.0-1",
    arch: str = "amd64",
    *,
    depends: str = "",
    fields: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    scripts: Mapping[str, bytes] | None = None,
    compression: str = "gz",
    suffix: str = ".deb",
) -> Path:
    """A binary package in ``folder``, under the name that Debian gives it.

    ``fields`` are added to the control file or replace what would be there; an empty one is left out. ``files`` maps
    paths without a slash in front to contents; by default there is one. ``scripts`` maps names of maintainer scripts,
    or of other members of ``control.tar``, to contents. ``compression`` (``gz``, ``xz``, ``zst``, ``bz2``, ``lzma`` or
    ``""``) is that of ``data.tar``, and of ``control.tar`` where dpkg can read that.
    """
    if files is None:
        files = {f"usr/share/{name}/version": f"{version}\n".encode()}
    control = {
        "Package": name,
        "Version": version,
        "Architecture": arch,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(1 + sum(map(len, files.values())) // 1024),
        "Depends": depends,
        "Section": "misc",
        "Priority": "optional",
        "Description": f"{name} for tests\n It is {name}, and nothing else.\n .\n It does nothing.",
        **(fields or {}),
    }
    text = "".join(f"{field}: {value}\n" for field, value in control.items() if value).encode()
    control_compression = "gz" if compression in ("bz2", "lzma") else compression
    path = folder / f"{name}_{version.partition(':')[2] or version}_{arch}{suffix}"
    path.write_bytes(
        ar_archive(
            [
                ("debian-binary", b"2.0\n"),
                _tar_member("control", {"control": text, **(scripts or {})}, control_compression),
                _tar_member("data", files, compression),
            ]
        )
    )
    return path


def make_udeb(
    folder: Path, name: str = "di-hello", version: str = "1.0", arch: str = "amd64", *, depends: str = ""
) -> Path:
    """A package for Debian's installer."""
    fields = {"Section": "debian-installer", "Package-Type": "udeb"}
    return make_deb(folder, name, version, arch, depends=depends, fields=fields, compression="xz", suffix=".udeb")


def make_source(folder: Path, name: str = "hello", version: str = "1.0-1") -> list[Path]:
    """A source package in format 3.0 (quilt): its .dsc, the upstream's tarball, Debian's tarball. Needs a revision."""
    plain = version.partition(":")[2] or version
    upstream, hyphen, _ = plain.rpartition("-")
    if not hyphen:
        raise ValueError(f"{version} has no Debian revision")
    orig = folder / f"{name}_{upstream}.orig.tar.gz"
    orig.write_bytes(compress(tar_archive({f"{name}-{upstream}/README": f"{name}\n".encode()}), "gz"))
    debian = folder / f"{name}_{plain}.debian.tar.xz"
    debian.write_bytes(compress(tar_archive(_debian_folder(name, version)), "xz"))
    tarballs = [(path.name, path.read_bytes()) for path in (orig, debian)]
    dsc = folder / f"{name}_{plain}.dsc"
    dsc.write_text(
        f"Format: 3.0 (quilt)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: {version}\n"
        f"Maintainer: {MAINTAINER}\nStandards-Version: 4.6.2\nBuild-Depends: debhelper-compat (= 13)\n"
        f"Package-List:\n {name} deb misc optional arch=any\n"
        f"Checksums-Sha1:\n{_table('sha1', tarballs)}Checksums-Sha256:\n{_table('sha256', tarballs)}"
        f"Files:\n{_table('md5', tarballs)}"
    )
    return [dsc, orig, debian]


def packages_stanza(path: Path, filename: str | None = None) -> bytes:
    """What a Packages index says of a .deb or .udeb, with one line end at its end and no blank line.

    ``filename`` is where the file lies below the root of its repository; the bare name unless it is given.
    """
    data = path.read_bytes()
    end = 8 + 60 + 4  # magic, then debian-binary
    name = data[end : end + 16].strip().decode()
    size = int(data[end + 48 : end + 58])
    content = data[end + 60 : end + 60 + size]
    with tarfile.open(fileobj=io.BytesIO(decompress(content, name.partition(".tar")[2].removeprefix(".")))) as tar:
        control = tar.extractfile("./control")
        assert control is not None
        text = control.read()
    return (
        text
        + (
            f"Filename: {filename or path.name}\nSize: {len(data)}\nMD5sum: {hashlib.md5(data).hexdigest()}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        ).encode()
    )


def sources_stanza(files: Sequence[Path], directory: str) -> bytes:
    """What a Sources index says of what ``make_source`` made; ``directory`` is where its files lie."""
    dsc = files[0].read_text()
    head = dsc.partition("Checksums-Sha1:")[0].replace("Source: ", "Package: ").split("\n")
    package = next(line for line in head if line.startswith("Package: "))
    kept = [package, *(line for line in head if line not in (package, ""))]
    contents = [(path.name, path.read_bytes()) for path in files]
    tables = f"Files:\n{_table('md5', contents)}Checksums-Sha256:\n{_table('sha256', contents)}"
    return ("\n".join(kept) + f"\nDirectory: {directory}\n{tables}").encode()


def ar_contents(path: Path) -> list[tuple[str, bytes]]:
    """The members of a .deb, as ``ar_archive`` takes them."""
    data, members, at = path.read_bytes(), [], 8
    while at < len(data):
        size = int(data[at + 48 : at + 58])
        members.append((data[at : at + 16].decode().strip().removesuffix("/"), data[at + 60 : at + 60 + size]))
        at += 60 + size + size % 2
    return members


def ar_archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """An ar archive as dpkg-deb writes it."""
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts.append(f"{name:<16}{TIME:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def tar_archive(files: Mapping[str, bytes], extra: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> bytes:
    """A tar archive as dpkg-deb writes it, folders included; ``extra`` members follow as they stand."""
    members: dict[str, tuple[tarfile.TarInfo, bytes]] = {"./": (_info("./", tarfile.DIRTYPE, 0), b"")}
    for path, data in files.items():
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            folder = "./" + "/".join(parents[:depth]) + "/"
            members.setdefault(folder, (_info(folder, tarfile.DIRTYPE, 0), b""))
        members[f"./{path}"] = (_info(f"./{path}", tarfile.REGTYPE, len(data)), data)
    parts: list[bytes] = []
    for info, data in [*members.values(), *extra]:
        parts.append(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        parts.append(data + bytes(-len(data) % 512))
    return b"".join(parts) + bytes(1024)


def compress(data: bytes, compression: str) -> bytes:
    """``data`` as one stream of ``compression``, fast rather than small."""
    if compression == "gz":
        packer = zlib.compressobj(1, wbits=31)
        return packer.compress(data) + packer.flush()
    if compression == "xz":
        return lzma.compress(data, preset=0)
    if compression == "lzma":
        return lzma.compress(data, lzma.FORMAT_ALONE, preset=0)
    if compression == "bz2":
        return bz2.compress(data, 1)
    if compression == "zst":
        return zstandard.ZstdCompressor(level=1).compress(data)
    return data


def decompress(data: bytes, compression: str) -> bytes:
    """The opposite of ``compress``."""
    if compression == "gz":
        return zlib.decompress(data, wbits=31)
    if compression in ("xz", "lzma"):
        return lzma.decompress(data)
    if compression == "bz2":
        return bz2.decompress(data)
    if compression == "zst":
        return zstandard.ZstdDecompressor().decompress(data)
    return data


def _table(algorithm: str, contents: Iterable[tuple[str, bytes]]) -> str:
    return "".join(f" {hashlib.new(algorithm, data).hexdigest()} {len(data)} {name}\n" for name, data in contents)


def _info(name: str, kind: bytes, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.mtime = TIME
    info.uname = info.gname = "root"
    return info


def _tar_member(name: str, files: Mapping[str, bytes], compression: str) -> tuple[str, bytes]:
    suffix = f".{compression}" if compression else ""
    return f"{name}.tar{suffix}", compress(tar_archive(files), compression)


def _debian_folder(name: str, version: str) -> dict[str, bytes]:
    changelog = (
        f"{name} ({version}) unstable; urgency=medium\n\n  * Made for tests.\n\n"
        f" -- {MAINTAINER}  Tue, 14 Nov 2023 22:13:20 +0000\n"
    )
    control = (
        f"Source: {name}\nSection: misc\nPriority: optional\nMaintainer: {MAINTAINER}\n"
        f"Build-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\n\n"
        f"Package: {name}\nArchitecture: any\nDescription: {name} for tests\n It does nothing.\n"
    )
    return {
        "debian/changelog": changelog.encode(),
        "debian/control": control.encode(),
        "debian/copyright": b"Nobody's.\n",
        "debian/rules": b"#!/usr/bin/make -f\n%:\n\tdh $@\n",
        "debian/source/format": b"3.0 (quilt)\n",
    }
