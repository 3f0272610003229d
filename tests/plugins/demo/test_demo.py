"""The demonstration runs to its end, on an upstream that it builds, with the real clients."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``entrepot demo`` as a person runs it."""
    command = [sys.executable, "-m", "entrepot", "demo", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.mark.client
@pytest.mark.parametrize(
    ("format_name", "client", "package"),
    [("apt", "apt-get", "hello_1.0-1_all.deb"), ("rpm", "dnf", "hello-1.0-1.noarch.rpm")],
)
def test_the_demonstration_ends_with_a_client_that_has_the_package(
    tmp_path: Path, format_name: str, client: str, package: str
) -> None:
    if not shutil.which(client):
        pytest.skip(f"{client} is not installed")
    result = run_demo(tmp_path / "demo", "--offline", "--format", format_name)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{client} fetched and verified 2 packages" in result.stdout
    assert package in result.stdout
    assert "What to type next" in result.stdout


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    result = run_demo(tmp_path, "--offline")
    assert result.returncode == 2
    assert "is not empty" in result.stderr
    assert (tmp_path / "mine").read_text() == "precious"
