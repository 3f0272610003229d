"""The real apt-get in a root of its own: it sees no configuration, key or package of this machine."""

from __future__ import annotations

import os
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
        self._configuration = root / "apt.conf"
        self._configuration.write_text(_CONFIGURATION.format(root=root, architecture=architecture))

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ``apt-get`` or another of apt's programs in the root; what it downloads is left there."""
        environment = {**os.environ, "APT_CONFIG": str(self._configuration), "LC_ALL": "C.UTF-8"}
        return subprocess.run([program, *arguments], cwd=self.root, env=environment, capture_output=True, text=True)

    def ask(self, program: str, *arguments: str) -> str:
        """As ``run``, for what has to succeed without a warning; answers what it printed."""
        result = self.run(program, *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        assert not result.stderr, result.stderr
        return result.stdout
