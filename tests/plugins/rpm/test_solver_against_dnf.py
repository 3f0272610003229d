"""Closures beside those of the real dnf, in a root of its own with nothing installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from entrepot_plugins.rpm.solver import RpmSolver
from support.rpm_shelf import Shelf, package, write_repository

pytestmark = [
    pytest.mark.client,
    pytest.mark.skipif(shutil.which("dnf") is None, reason="there is no dnf: run apt-get install dnf"),
]

ROW = re.compile(r"^ (\S+) +(x86_64|i686|noarch) +(\S+) +offered +", re.MULTILINE)


def dnf_install(folder: Path, *names: str, weak: bool) -> set[str] | None:
    """NAME-EVR.ARCH of all that dnf would install out of ``folder/repository``, or None if it says that it cannot."""
    for name in ("root", "logs", "repos"):
        (folder / name).mkdir()
    (folder / "dnf.conf").write_text("[main]\n")
    settings = {
        "reposdir": folder / "repos", "cachedir": folder / "cache", "persistdir": folder / "state",
        "logdir": folder / "logs", "varsdir": folder / "vars", "pluginpath": "/none",
        "module_platform_id": "platform:el9", "skip_if_unavailable": 0, "gpgcheck": 0, "best": 0,
        "install_weak_deps": int(weak),
    }  # fmt: skip
    command: list[str | Path] = [
        "dnf", "--config", folder / "dnf.conf", f"--installroot={folder / 'root'}", "--releasever=9",
        "--forcearch=x86_64", f"--repofrompath=offered,file://{folder / 'repository'}",
        *(f"--setopt={name}={value}" for name, value in settings.items()), "--assumeno", "install", *names,
    ]  # fmt: skip
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": str(folder), "COLUMNS": "200"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if "Operation aborted" in run.stderr:  # --assumeno: it would have done it
        return {f"{name}-{version}.{architecture}" for name, architecture, version in ROW.findall(run.stdout)}
    assert "Problem" in run.stderr, run.stderr
    return None


SCENARIOS: dict[str, Sequence[str]] = {
    "versions": ["w=1 / Requires: a >= 1:1, a < 1:3", "a=4", "a=1:2~rc", "a=1:2", "a=1:2^git", "a=1:3"],
    "an unversioned Provides and a version": ["w=1 / Requires: v >= 2", "a=1 / Provides: v", "b=1 / Provides: v = 1"],
    "providers that are alike": ["w=1 / Requires: v", "b=2 / Provides: v", "a=1 / Provides: v", "c:noarch=3"],
    "a program": ["w=1 / Requires: /usr/bin/x", "b=1 / Files: /usr/bin/x", "a=1 / Files: /usr/bin/xx"],
    "a path of filelists": ["w=1 / Requires: a, /usr/share/x", "a=2", "a=1 / Files: /usr/share/x"],
    "a path of filelists in a package that nothing else asks for": [
        "w=1 / Requires: /usr/share/x",
        "a=1 / Files: /usr/share/x",
    ],
    "an older version": ["w=1 / Requires: a, b < 2", "a=1 / Requires: b", "a=2 / Requires: b >= 2", "b=1", "b=2"],
    "a conflict": ["w=1 / Requires: a, b", "a=1 / Conflicts: b < 3", "b=2"],
    "a conflict with one's own name": ["w=1 / Conflicts: x / Provides: x"],
    "obsoletes": ["w=1 / Requires: a", "a=1", "b=1 / Provides: a = 2 / Obsoletes: a < 2"],
    "obsoletes of two that are needed": ["w=1 / Requires: a, b", "a=1", "b=1 / Obsoletes: a < 2"],
    "obsoletes of a capability": ["w=1 / Requires: a, b", "a=1 / Provides: x", "b=1 / Obsoletes: x"],
    "and": ["w=1 / Requires: (a and b)", "a=1", "b=1"],
    "or": ["w=1 / Requires: (b or a)", "a=1", "b=1"],
    "if that does not hold": ["w=1 / Requires: (a if b)", "a=1", "b=1"],
    "if that holds": ["w=1 / Requires: (a if b), c", "a=1", "b=1", "c=1 / Requires: b"],
    "if that cannot be": ["w=1 / Requires: (a if b), b", "b=1"],
    "else": ["w=1 / Requires: (a if b else c)", "a=1", "b=1", "c=1"],
    "else that is nowhere": ["w=1 / Requires: (a if b else c)", "a=1", "b=1"],
    "with": ["w=1 / Requires: (v >= 1 with v < 3)", "a=1 / Provides: v = 4", "b=1 / Provides: v = 2"],
    "without": ["w=1 / Requires: (v without x)", "a=1 / Provides: v, x", "b=1 / Provides: v"],
    "unless": ["w=1 / Requires: (a unless b)", "a=1", "b=1"],
    "unless that contradicts": ["w=1 / Requires: b, (a unless b)", "a=1", "b=1"],
    "a conflict unless": ["w=1 / Requires: a, b / Conflicts: (a unless b)", "a=1", "b=1"],
    "nested": ["w=1 / Requires: ((x and a) or (b and (c >= 1 or x)))", "a=1", "b=1", "c=1"],
    "recommended": ["w=1 / Recommends: a, nobody", "a=1 / Recommends: (b if w)", "b=1"],
    "recommended and impossible": ["w=1 / Requires: b / Recommends: a", "a=1", "b=1 / Conflicts: a"],
    "suggested": ["w=1 / Requires: v / Suggests: b", "a=1 / Provides: v", "b=1 / Provides: v"],
    "a library of 32 bits": ["w=1 / Requires: l32", "l=1 / Requires: x", "l:i686=1 / Provides: l32", "x=1"],
    "the machine's own architecture": ["w=1 / Requires: l", "l=1", "l:i686=2"],
    "nobody": ["w=1 / Requires: a", "a=1 / Requires: nobody"],
}


QUESTIONS = [(name, weak) for name in SCENARIOS for weak in (False, True) if not weak or "mmend" in name]


@pytest.mark.parametrize(("scenario", "weak"), QUESTIONS)
def test_dnf_comes_to_the_same_closure(scenario: str, weak: bool, tmp_path: Path) -> None:
    shelf = Shelf(map(package, SCENARIOS[scenario]))
    write_repository(tmp_path / "repository", shelf.candidates)
    closure = RpmSolver().closure([shelf.find("w")], shelf, architecture="x86_64", recommends=weak)
    solved = not (closure.missing or closure.conflicts)
    ours = {f"{found.name}-{found.version}.{found.architecture}" for found in closure.packages} if solved else None
    assert dnf_install(tmp_path, "w", weak=weak) == ours


@pytest.mark.parametrize("names", ["w.i686", "w.i686 w.x86_64"])
def test_dnf_comes_to_the_same_for_packages_of_32_bits(names: str, tmp_path: Path) -> None:
    lines = ["w=1 / Requires: a", "w:i686=1 / Requires: a32, c", "a=1", "a:i686=1 / Provides: a32", "c=1"]
    shelf = Shelf(map(package, lines))
    write_repository(tmp_path / "repository", shelf.candidates)
    wanted = [shelf.find(name.replace(".", ":")) for name in names.split()]
    closure = RpmSolver().closure(wanted, shelf, architecture="x86_64")
    ours = {f"{found.name}-{found.version}.{found.architecture}" for found in closure.packages}
    assert dnf_install(tmp_path, *names.split(), weak=False) == ours
