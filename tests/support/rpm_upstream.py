"""Upstream RPM repositories as createrepo_c makes them: what a source is, from nobody's own code.

::

    upstream = RpmUpstream(tmp_path / "upstream", key)
    upstream.add(make_rpm(tmp_path, "hello"))
    upstream.attach("updateinfo", b"<updates>...")
    upstream.write()
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.gnupg import gpg
from support.rpms import Key

IMAGES = {
    "images/pxeboot/vmlinuz": b"a kernel",
    "images/pxeboot/initrd.img": b"its files",
    "images/install.img": b"stage 2",
}


class RpmUpstream:
    """A repository in ``root``; with a key repomd.xml is signed. Skips the test where there is no createrepo_c."""

    def __init__(self, root: Path, key: Key | None = None, *, compression: str = "gz") -> None:
        if not shutil.which("createrepo_c"):
            pytest.skip("createrepo_c is not installed")
        self.root = root
        self.key = key
        self._compression = compression
        self._attached: dict[str, tuple[str, bytes]] = {}
        (root / "Packages").mkdir(parents=True)

    def add(self, *packages: Path) -> None:
        """Takes package files in, with the next ``write``."""
        for path in packages:
            shutil.copy2(path, self.root / "Packages")

    def attach(self, kind: str, content: bytes, name: str = "") -> None:
        """Another file of repodata: ``updateinfo``, ``modules``, ``group`` or any type; the next ``write`` lists it."""
        suffix = "yaml" if kind == "modules" else "xml"
        self._attached[kind] = (name or f"{kind}.{suffix}", content)

    def write(self) -> None:
        """Writes repodata anew."""
        options = ["--quiet", "--no-database", f"--general-compress-type={self._compression}"]
        subprocess.run(["createrepo_c", *options, self.root], check=True)
        repodata = self.root / "repodata"
        for kind, (name, content) in self._attached.items():
            path = self.root / name
            path.write_bytes(content)
            subprocess.run(["modifyrepo_c", f"--mdtype={kind}", path, repodata], check=True, capture_output=True)
            path.unlink()
        if self.key:
            repomd = (repodata / "repomd.xml").read_bytes()
            arguments = ("--local-user", self.key.fingerprint, "--armor", "--detach-sign")
            (repodata / "repomd.xml.asc").write_bytes(gpg(self.key.home, *arguments, text=repomd))

    def write_installer(self, images: Mapping[str, bytes]) -> None:
        """Writes repodata anew, and an installer's files, of which .treeinfo tells."""
        self.write()
        for path, data in images.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)
        listed = [*images, "repodata/repomd.xml"]
        sums = {path: hashlib.sha256((self.root / path).read_bytes()).hexdigest() for path in listed}
        checksums = "".join(f"{path} = sha256:{digest}\n" for path, digest in sums.items())
        (self.root / ".treeinfo").write_text(
            f"[checksums]\n{checksums}\n[general]\nfamily = Example\nversion = 9\narch = x86_64\n\n"
            "[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n\n"
            "[stage2]\nmainimage = images/install.img\n"
        )

    @property
    def public_key(self) -> bytes:
        """The armored key that signs."""
        assert self.key
        return gpg(self.key.home, "--armor", "--export", self.key.fingerprint)
