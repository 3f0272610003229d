"""The real apt-get as a client in a root of its own, and what apt of this machine is configured for."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

APT_FOLDER = Path("/etc/apt")
FIRST = ("debian.sources", "ubuntu.sources", "sources.list")
"""The distribution's own files come before those that were added."""

FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/log/apt",
)

CONFIGURATION = """\
Dir "{root}";
Dir::Etc::parts "apt.conf.d";
Dir::State::status "{root}/status";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Debug::NoLocking "true";
"""


class AptRoot:
    """An apt client with one ``.sources`` text, in which nothing is installed: it sees nothing of this machine."""

    def __init__(self, root: Path, sources: str) -> None:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        # From a file: URL apt uses packages where they are; with copy: it fetches them as it would from a server.
        text = sources.replace("URIs: file:", "URIs: copy:")
        (root / "etc/apt/sources.list.d/demo.sources").write_text(text, encoding="utf-8")
        configuration = root / "apt.conf"
        settings = CONFIGURATION.format(root=root, architecture=native_architecture())
        configuration.write_text(settings, encoding="utf-8")
        self.archives = root / "var/cache/apt/archives"
        self.environment = {**os.environ, "APT_CONFIG": str(configuration)}

    def command(self, *arguments: str) -> Sequence[str]:
        """apt-get with arguments; to be run in ``environment``."""
        return ["apt-get", *arguments]


def machine_sources() -> Sequence[Path]:
    """The files that apt of this machine is configured with, the distribution's own first."""
    files = [APT_FOLDER / "sources.list", *sorted((APT_FOLDER / "sources.list.d").glob("*.sources"))]
    files += sorted((APT_FOLDER / "sources.list.d").glob("*.list"))
    present = [file for file in files if file.is_file() and file.stat().st_size]
    return sorted(present, key=lambda file: FIRST.index(file.name) if file.name in FIRST else len(FIRST))


def native_architecture() -> str:
    """Debian's name of this machine's architecture."""
    if shutil.which("dpkg"):
        return subprocess.run(
            ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
        ).stdout.strip()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
