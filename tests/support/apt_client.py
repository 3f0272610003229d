"""The real apt-get in a root of its own: it sees no configuration, key or package of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_CONFIGURATION = """\
Dir "{root}";
Dir::Etc::parts "apt.conf.d";
Dir::State::status "{root}/status";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::http::Proxy "DIRECT";
Acquire::Retries "0";
Debug::NoLocking "true";
"""
_FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/log/apt",
)


class AptClient:
    """An apt client of one architecture with one ``.sources`` text; skips the test where there is no apt-get."""

    def __init__(self, root: Path, sources: str, architecture: str = "amd64") -> None:
        if not shutil.which("apt-get"):
            pytest.skip("apt-get is not installed")
        self.root = root
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        (root / "etc/apt/apt.conf.d/none").touch()
        (root / "etc/apt/sources.list.d/test.sources").write_text(sources)
        self.log: list[subprocess.CompletedProcess[str]] = []
        """Every program that was run, with what it printed."""
        self._configuration = root / "apt.conf"
        self._configuration.write_text(_CONFIGURATION.format(root=root, architecture=architecture))

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ``apt-get`` or another of apt's programs in the root; what it downloads is left there."""
        environment = {**os.environ, "APT_CONFIG": str(self._configuration), "LC_ALL": "C.UTF-8"}
        result = subprocess.run([program, *arguments], cwd=self.root, env=environment, capture_output=True, text=True)
        self.log.append(result)
        return result

    def ask(self, program: str, *arguments: str) -> str:
        """As ``run``, for what has to succeed without a warning; answers what it printed."""
        result = self.run(program, *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        assert not result.stderr, result.stderr
        return result.stdout

    def update(self) -> str:
        """``apt-get update``."""
        return self.ask("apt-get", "update")

    def packages(self) -> dict[str, str]:
        """The versions that would be installed, by name."""
        policy = self.ask("apt-cache", "policy", *self.ask("apt-cache", "pkgnames").split())
        found = re.findall(r"^(\S+?):\n  Installed: .*\n  Candidate: (\S+)", policy, re.MULTILINE)
        return {name: version for name, version in found if version != "(none)"}

    def download(self, *packages: str) -> dict[str, bytes]:
        """``apt-get download``: the files that arrived, by name."""
        return self._arrived(self.root, "download", *packages)

    def install_download_only(self, *packages: str) -> dict[str, bytes]:
        """``apt-get install --download-only``: the files of the packages and of all that they need, by name."""
        archives = self.root / "var/cache/apt/archives"
        return self._arrived(archives, "install", "--download-only", "--yes", *packages)

    def source(self, *packages: str, unpack: bool = False) -> dict[str, bytes]:
        """``apt-get source``: the files that arrived, by name; with ``unpack`` dpkg-source has its say, too."""
        return self._arrived(self.root, "source", *([] if unpack else ["--download-only"]), *packages)

    def _arrived(self, folder: Path, *arguments: str) -> dict[str, bytes]:
        before = set(folder.iterdir())
        result = self.run("apt-get", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return {path.name: path.read_bytes() for path in set(folder.iterdir()) - before if path.is_file()}
