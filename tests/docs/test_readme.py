"""The commands of the README are run as they stand, on a source that is built here."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot_plugins.demo.apt import native_architecture
from support.debs import make_deb

README = Path(__file__).parents[2] / "README.md"


def commands() -> list[str]:
    """The shell block of the README that is meant to be typed."""
    block = re.search(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return [line for line in block[1].splitlines() if line]


@pytest.fixture(scope="module")
def entrepot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with a source called as in the README, and an environment whose workspace is in it."""
    folder = tmp_path_factory.mktemp("readme")
    packages = [
        make_deb(folder, name="nginx", version="1.24-1", arch="all", depends="nginx-common"),
        make_deb(folder, name="nginx-common", version="1.24-1", arch="all"),
    ]
    upstream = {**os.environ, "ENTREPOT_HOME": str(folder / "upstream")}
    for command in (
        "init --generate-key",
        f"repo create debian --format apt --publish-to {folder}/debian",
        f"dist create debian/bookworm --arch {native_architecture()}",
        f"upload {' '.join(map(str, packages))} --to bookworm",
    ):
        run(shlex.split(command), upstream)
    return folder, {**os.environ, "ENTREPOT_HOME": str(folder / "home")}


def run(arguments: list[str], environment: dict[str, str]) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "entrepot", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
    return result.stdout


def test_every_command_of_the_readme_works_in_its_order(entrepot: tuple[Path, dict[str, str]]) -> None:
    folder, environment = entrepot
    sources = folder / "debian.sources"
    sources.write_text((folder / "debian" / "debian.sources").read_text(encoding="utf-8"), encoding="utf-8")
    for line in commands():
        line = line.replace("/etc/apt/sources.list.d/debian.sources", str(sources))
        line = line.replace("/srv/www/apps", str(folder / "apps")).replace(
            "--arch amd64", f"--arch {native_architecture()}"
        )
        program, *arguments = shlex.split(line)
        assert program == "entrepot"
        run(arguments, environment)
    assert (folder / "apps" / "dists" / "jammy" / "InRelease").exists()
    assert "https://packages.example.org/apps" in (folder / "apps" / "apps.sources").read_text(encoding="utf-8")
