"""Two small Debian packages, one of which needs the other, for an upstream on machines without a network."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CONTROL = """\
Package: {name}
Version: 1.0-1
Architecture: all
Maintainer: Entrepot demonstration <demo@example.org>
{depends}Section: misc
Priority: optional
Description: {summary}
 This package was built by the demonstration of Entrepot. It holds one text.
"""


def build_packages(folder: Path, name: str) -> Sequence[Path]:
    """``name`` and ``<name>-data``, which it needs, as .deb files."""
    folder.mkdir(parents=True, exist_ok=True)
    data = CONTROL.format(name=f"{name}-data", depends="", summary="text that a greeting is made of")
    main = CONTROL.format(name=name, depends=f"Depends: {name}-data (>= 1.0)\n", summary="a friendly greeting")
    return [
        _deb(folder / f"{name}-data_1.0-1_all.deb", data, {f"usr/share/{name}/greeting": b"Hello from the port.\n"}),
        _deb(folder / f"{name}_1.0-1_all.deb", main, {f"usr/share/doc/{name}/README": b"See the data package.\n"}),
    ]


def _deb(path: Path, control: str, files: Mapping[str, bytes]) -> Path:
    """deb(5): an ar archive of three members."""
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({"control": control.encode()}),
        "data.tar.gz": _tar(files),
    }
    with path.open("wb") as stream:
        stream.write(b"!<arch>\n")
        for name, content in members.items():
            stream.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            stream.write(content + b"\n" * (len(content) % 2))
    return path


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
