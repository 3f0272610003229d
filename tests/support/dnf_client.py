"""The real dnf in a root of its own: it sees no configuration, key, module or package of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

_CONFIGURATION = """\
[main]
best=1
install_weak_deps=1
skip_if_unavailable=0
retries=1
timeout=10
fastestmirror=0
plugins=0
zchunk=0
"""


class DnfClient:
    """A dnf client with one ``.repo`` text; skips the test where there is no dnf.

    ``skip_if_unavailable`` is off, or dnf would pass over a repository that is broken. Keys that the repository names
    are imported without asking (``-y``) into the root's own databases.
    """

    def __init__(self, root: Path, repo: str, *, release: str = "9", architecture: str = "x86_64") -> None:
        if not shutil.which("dnf"):
            pytest.skip("dnf is not installed")
        self.root = root
        self.installroot = root / "installroot"
        self.installroot.mkdir(parents=True)
        for folder in ("repos", "vars", "cache", "persist", "log", "home"):
            (root / folder).mkdir()
        (root / "repos/test.repo").write_text(repo)
        self._configuration = root / "dnf.conf"
        self._configuration.write_text(_CONFIGURATION)
        self._release, self._architecture = release, architecture
        # Debian's rpm has its database in the home, whose path counts from the root that it works on.
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(root / "home"), "LC_ALL": "C.UTF-8"}
        self.log: list[subprocess.CompletedProcess[str]] = []
        """Every program that was run, with what it printed."""

    def command(self, *arguments: str, cached: bool = False, options: Mapping[str, str] | None = None) -> list[str]:
        """A call of dnf on the root; ``options`` are those of dnf.conf.

        Every call asks for repomd.xml, or with ``cached`` makes do with what it has for the two days that dnf allows.
        """
        settings = {
            "reposdir": self.root / "repos",
            "varsdir": self.root / "vars",
            "cachedir": self.root / "cache",
            "persistdir": self.root / "persist",
            "logdir": self.root / "log",
            "pluginpath": "/none",
            "module_platform_id": f"platform:el{self._release}",
            **(options or {}),
        }
        return [
            "dnf",
            "--assumeyes",
            *([] if cached else ["--refresh"]),
            f"--config={self._configuration}",
            f"--installroot={self.installroot}",
            f"--releasever={self._release}",
            f"--forcearch={self._architecture}",
            *(f"--setopt={name}={value}" for name, value in settings.items()),
            *arguments,
        ]

    def run(
        self, *arguments: str, cached: bool = False, options: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs dnf in the root, as ``command`` says."""
        command = self.command(*arguments, cached=cached, options=options)
        result = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        self.log.append(result)
        return result

    def ask(self, *arguments: str, cached: bool = False, options: Mapping[str, str] | None = None) -> str:
        """As ``run``, for what has to succeed; answers what it printed."""
        result = self.run(*arguments, cached=cached, options=options)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def makecache(self) -> str:
        """``dnf makecache``: fetches and checks all metadata."""
        return self.ask("makecache")

    def packages(self) -> set[str]:
        """Name, epoch, version, release and architecture of every package: ``hello-0:1.0-1.x86_64``."""
        form = "%{name}-%{epoch}:%{version}-%{release}.%{arch}"
        return set(self._lines("repoquery", "--quiet", f"--queryformat={form}"))

    def files(self, package: str) -> set[str]:
        """``dnf repoquery --list``, which reads filelists."""
        return set(self._lines("repoquery", "--quiet", "--list", package))

    def changelog(self, package: str) -> str:
        """``dnf repoquery --changelog``, which reads other."""
        return self.ask("repoquery", "--quiet", "--changelogs", package)

    def providers(self, requirement: str) -> set[str]:
        """Names of the packages that provide something."""
        return set(self._lines("repoquery", "--quiet", "--queryformat=%{name}", "--whatprovides", requirement))

    def download(self, *packages: str) -> dict[str, bytes]:
        """What ``dnf install --downloadonly`` fetches, by file name: the packages and all that they need."""
        target = self.root / f"download-{len(self.log)}"
        self.ask("install", "--downloadonly", f"--downloaddir={target}", *packages)
        return {path.name: path.read_bytes() for path in target.glob("*.rpm")}

    def install(self, *packages: str) -> set[str]:
        """Installs into the root; answers what is installed there afterwards."""
        self.ask("install", *packages)
        return self.installed()

    def installed(self) -> set[str]:
        """Names and versions of what is installed in the root: ``hello-1.0-1.x86_64``."""
        command = ["rpm", f"--root={self.installroot}", "-qa"]
        listed = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return {name for name in listed.stdout.split() if not name.startswith("gpg-pubkey-")}

    def advisories(self) -> list[str]:
        """Lines of ``dnf updateinfo list``: advisories about updates of what is installed in the root."""
        return self._lines("updateinfo", "list", "--updates", "--quiet")

    def modules(self) -> str:
        """``dnf module list``."""
        return self.ask("module", "list", "--quiet")

    def groups(self) -> list[str]:
        """Names of the groups of ``dnf group list``, hidden ones too."""
        return [line.strip() for line in self._lines("group", "list", "--hidden", "--quiet")]

    def _lines(self, *arguments: str) -> list[str]:
        return [line for line in self.ask(*arguments).splitlines() if line.strip()]
