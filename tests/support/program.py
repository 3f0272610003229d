"""The program ``entrepot`` as somebody calls it, with the toy plugin installed beside it.

::

    program = Program(tmp_path / "home")
    program("init")
    assert program.json("source", "list") == []
    assert program("sync", "nowhere", code=1).stderr.startswith("Error: ")

The fixture ``toy_plugin`` installs the plugin; a test module or a conftest takes it by importing it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrepot.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def toy_plugin(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an installer leaves behind of a distribution whose plugin is ``support.toy``; answers where."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[entrepot]\ntoys = support.toy\n")
    monkeypatch.syspath_prepend(folder)
    return folder


@dataclass
class Program:
    """Calls the program in this process, with a workspace of its own."""

    home: Path
    runner: CliRunner = field(default_factory=CliRunner)

    def __call__(self, *arguments: str | Path, code: int = 0) -> Result:
        """One call, which has to end with this exit code."""
        words = ["--home", str(self.home), *map(str, arguments)]
        result = self.runner.invoke(main, words, catch_exceptions=False)
        assert result.exit_code == code, (result.stdout, result.stderr)
        return result

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """One call with ``--json``: the one document that is all of its standard output."""
        output = self(*arguments, "--json", code=code).stdout
        document, end = json.JSONDecoder().raw_decode(output)
        assert output[end:] == "\n", output
        return document


def run_program(
    *arguments: str | Path, home: Path, path: Path | None = None, code: str = "from entrepot.cli import main; main()"
) -> subprocess.CompletedProcess[str]:
    """Calls the program in a process of its own, warnings being errors; ``path`` is searched for plugins first."""
    folders = [str(folder) for folder in (path,) if folder] + [entry for entry in sys.path if entry]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "ENTREPOT_HOME": str(home)}
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY)
