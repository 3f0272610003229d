"""debootstrap makes a system from a mirrored part of what this machine's own apt is configured for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from entrepot_plugins.demo.apt import machine_files, native_architecture
from support.program import Program

pytestmark = [pytest.mark.client, pytest.mark.network]

ESSENTIAL = "with-dependencies(priority = required or field:Essential = yes or apt or usr-is-merged)"
"""What ``debootstrap --variant=minbase`` asks for, and what its scripts add to that."""


def test_debootstrap_finds_all_that_it_needs_in_a_mirrored_part(tmp_path: Path) -> None:
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed")
    file = next(iter(machine_files()), None)
    if file is None:
        pytest.skip("apt of this machine has no source")
    program = Program(tmp_path / "home")
    program("init")
    (program.home / "entrepot.toml").write_text('[inspection]\nskip = ["clamav", "osv", "dependencies"]\n')
    arguments = ("--component", "main", "--arch", native_architecture())
    added = program.json("source", "add", "--from-apt", file, *arguments)
    name, suite = added[0]["name"], re.sub("[-/].*", "", added[0]["distributions"][0])
    program("repo", "create", "base", "--format", "apt", "--publish-to", tmp_path / "tree", "--no-sign")
    program("dist", "create", f"base/{suite}", "--arch", native_architecture())
    result = program.json("mirror", name, "--to", suite, "--sync", "--where", ESSENTIAL, "--latest", "1")
    assert result["problems"] == result["results"] == []
    target = tmp_path / "system"
    command = ["debootstrap", "--variant=minbase", "--no-check-gpg", "--download-only", suite, target]
    made = subprocess.run(
        [*map(str, command), (tmp_path / "tree").as_uri()],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr
    names = {path.name.partition("_")[0] for path in (target / "var/cache/apt/archives").glob("*.deb")}
    assert {"apt", "dpkg", "libc6", "bash", "perl-base"} <= names
