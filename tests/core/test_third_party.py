"""A third party's distribution, built and installed by pip, brings a scanner: nothing else has to be touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "toy-licences"
version = "1.0"

[project.entry-points.entrepot]
licences = "toy_licences"
""",
    "toy_licences.py": """\
from entrepot.hookspecs import hookimpl
from entrepot.models import Status, Verdict


class LicenceScanner:
    name = answers = "licence"
    version = "1"

    def scan(self, artifact, context):
        return Verdict(Status.PASS, "free")


@hookimpl
def register_scanners():
    return [LicenceScanner()]
""",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the distribution to."""
    project, target = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("target")
    for name, text in PROJECT.items():
        (project / name).write_text(text)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(project)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return target


def plugins(installed: Path, home: Path, settings: str = "") -> subprocess.CompletedProcess[str]:
    """What ``entrepot plugins --json`` says where the distribution is installed."""
    (home / "entrepot.toml").write_text(settings)
    code = "from entrepot.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *filter(None, sys.path)])}
    command = [sys.executable, "-W", "error", "-c", code, "--home", str(home), "plugins", "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_its_scanner_is_among_the_plugins(installed: Path, tmp_path: Path) -> None:
    result = plugins(installed, tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert {"plugin": "licences", "kind": "scanners", "name": "licence"} in document["offers"]
    assert document["broken"] == []


def test_it_is_named_where_it_is_broken_and_everything_else_works(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "toy_licences.py").write_text("raise RuntimeError('no licence')\n")
    both = Path(f"{tmp_path}{os.pathsep}{installed}")
    result = plugins(both, tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["broken"] == [{"plugin": "licences", "error": "RuntimeError: no licence"}]
    assert {"plugin": "entrepot_plugins.apt", "kind": "formats", "name": "apt"} in document["offers"]


def test_it_ends_the_program_where_it_is_broken_and_the_settings_ask_for_that(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "toy_licences.py").write_text("raise RuntimeError('no licence')\n")
    both = Path(f"{tmp_path}{os.pathsep}{installed}")
    result = plugins(both, tmp_path, "[plugins]\nstrict = true\n")
    assert result.returncode == 1
    assert json.loads(result.stdout)["detail"] == "plugin licences could not be loaded: no licence"
    assert "Error: plugin licences could not be loaded: no licence" in result.stderr
