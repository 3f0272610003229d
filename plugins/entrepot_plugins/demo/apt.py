"""The demonstration for APT: the upstream of this machine's own apt, and a real apt-get as the client."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from entrepot_plugins.demo.debs import build_packages
from entrepot_plugins.demo.scenario import Step

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


class AptScenario:
    """See ``scenario.Scenario``."""

    format = "apt"
    distribution = "stable"
    client = "apt-get"

    def __init__(self) -> None:
        self.architecture = native_architecture()

    def machine_sources(self) -> Iterator[Sequence[str]]:
        for file in machine_files():
            yield ("--from-apt", str(file), "--component", "main", "--arch", self.architecture)

    def build_packages(self, folder: Path, name: str) -> Sequence[Path]:
        return build_packages(folder, name)

    def local_source(self, tree: Path) -> Sequence[str]:
        keyring = ("--keyring", str(tree / "upstream.asc"))
        return ("local", tree.as_uri(), "--format", "apt", "-d", self.distribution, *keyring)

    def client_steps(self, folder: Path, tree: Path, package: str) -> Iterator[Step]:
        """In a root in which nothing is installed, and which sees nothing of this machine."""
        for path in FOLDERS:
            (folder / path).mkdir(parents=True)
        (folder / "status").touch()
        # From a file: URL apt uses packages where they are; with copy: it fetches them as it would from a server.
        sources = self.client_file(tree).read_text(encoding="utf-8").replace("URIs: file:", "URIs: copy:")
        (folder / "etc/apt/sources.list.d/demo.sources").write_text(sources, encoding="utf-8")
        configuration = folder / "apt.conf"
        text = CONFIGURATION.format(root=folder, architecture=self.architecture)
        configuration.write_text(text, encoding="utf-8")
        environment = {**os.environ, "APT_CONFIG": str(configuration)}
        yield Step(["apt-get", "update"], environment)
        yield Step(["apt-get", "install", "--download-only", "--yes", package], environment)

    def fetched(self, folder: Path) -> Sequence[str]:
        return sorted(path.name for path in (folder / "var/cache/apt/archives").glob("*.deb"))

    def client_file(self, tree: Path) -> Path:
        return tree / "demo.sources"


def machine_files() -> Sequence[Path]:
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
