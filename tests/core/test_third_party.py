"""Third parties' distributions, built and installed by pip, bring scanners: nothing else has to be touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.debs import make_deb

EXAMPLES = Path(__file__).parents[1] / "third_party"
DOCUMENT = Path(__file__).parents[2] / "docs/plugins.md"
SETTINGS = """\
[scanners.licence]
allowed = ["MIT"]
[scanners.clamav]
config = "/nonexistent/clamd.conf"
clamscan = "/nonexistent/clamscan"
[policies.production.licence]
review = "reject"
[inspection.scanners.odd]
timeout = 5
memory = 200
output = 64
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2026 Somebody
License: {}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the distributions to."""
    projects, target = tmp_path_factory.mktemp("projects"), tmp_path_factory.mktemp("target")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    paths = [str(shutil.copytree(EXAMPLES / name, projects / name)) for name in ("licences", "odd")]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), *paths]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return target


def entrepot(installed: Path, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The program where the distributions are installed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(installed), *filter(None, sys.path)]),
        "ODD_MARK": MARK,
    }
    code = "from entrepot.cli import main; main()"
    command = [sys.executable, "-W", "error", "-c", code, "--home", str(home), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


MARK = str(os.getpid())


Shop = Callable[..., Any]


@pytest.fixture(scope="module")
def shop(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Calls the program, which has distributions ``shop/open`` (soft) and ``shop/closed`` (production); JSON."""
    home = tmp_path_factory.mktemp("home")
    (home / "entrepot.toml").write_text(SETTINGS)

    def call(*arguments: str | Path, code: int = 0) -> Any:
        result = entrepot(installed, home, *arguments, "--json")
        assert result.returncode == code, result.stdout + result.stderr
        return json.loads(result.stdout)

    call("init")
    call("repo", "create", "shop", "--format", "apt", "--publish-to", home / "tree", "--no-sign")
    call("dist", "create", "shop/open", "--arch", "amd64")
    call("dist", "create", "shop/closed", "--arch", "amd64", "--policy", "production")
    return call


def plugins(installed: Path, home: Path, settings: str = "") -> subprocess.CompletedProcess[str]:
    """What ``entrepot plugins --json`` says where the distribution is installed."""
    (home / "entrepot.toml").write_text(settings)
    return entrepot(installed, home, "plugins", "--json")


def test_its_scanner_is_among_the_plugins(installed: Path, tmp_path: Path) -> None:
    result = plugins(installed, tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert {"plugin": "licence-check", "kind": "scanners", "name": "licence"} in document["offers"]
    assert document["broken"] == []


def test_it_is_named_where_it_is_broken_and_everything_else_works(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "entrepot_licence.py").write_text("raise RuntimeError('no licence')\n")
    both = Path(f"{tmp_path}{os.pathsep}{installed}")
    result = plugins(both, tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["broken"] == [{"plugin": "licence-check", "error": "RuntimeError: no licence"}]
    assert {"plugin": "entrepot_plugins.apt", "kind": "formats", "name": "apt"} in document["offers"]


def test_it_ends_the_program_where_it_is_broken_and_the_settings_ask_for_that(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "entrepot_licence.py").write_text("raise RuntimeError('no licence')\n")
    both = Path(f"{tmp_path}{os.pathsep}{installed}")
    result = plugins(both, tmp_path, "[plugins]\nstrict = true\n")
    assert result.returncode == 1
    assert json.loads(result.stdout)["detail"] == "plugin licence-check could not be loaded: no licence"
    assert "Error: plugin licence-check could not be loaded: no licence" in result.stderr


def licensed(folder: Path, name: str, licence: str) -> Path:
    """A package that says under which licence it is."""
    copyright_file = {f"usr/share/doc/{name}/copyright": COPYRIGHT.format(licence).encode()}
    return make_deb(folder, name, files=copyright_file)


def test_its_answer_is_in_the_result_under_its_own_key_and_policies_decide_about_it(shop: Shop, tmp_path: Path) -> None:
    free, closed = licensed(tmp_path, "free", "MIT"), licensed(tmp_path, "closed", "SSPL-1.0")
    document = shop("upload", free, closed, "--to", "shop/open", code=4)
    found = {result["package"]: result for result in document["results"]}
    assert (found["free"]["status"], found["free"]["pipeline"]["licence"]) == ("published", "allowed")
    assert (found["closed"]["status"], found["closed"]["pipeline"]["licence"]) == ("pending_review", "not_allowed")
    assert [finding["id"] for finding in found["closed"]["findings"]] == ["licence-SSPL-1.0"]
    assert found["closed"]["pipeline"]["odd"] == "fine"
    (result,) = shop("upload", closed, "--to", "shop/closed", code=1)["results"]
    assert (result["status"], result["pipeline"]["licence"]) == ("rejected", "not_allowed")
    assert "policies.production.licence.review" in json.dumps(result)


def test_whatever_one_does_is_an_error_and_the_others_come_in(shop: Shop, tmp_path: Path) -> None:
    ends = {
        "hang": "timed_out",
        "segfault": "crashed",
        "bomb": "out_of_memory",
        "flood": "flooded",
        "nonsense": "bad_answer",
        "breed": "timed_out",
    }
    paths = [licensed(tmp_path, package, "MIT") for package in ("before", *ends, "later")]
    results = shop("upload", *paths, "--to", "shop/open", code=4)["results"]
    said = {result["package"]: (result["status"], result["pipeline"]["odd"]) for result in results}
    assert said == {
        "before": ("published", "fine"),
        "later": ("published", "fine"),
        **{name: ("pending_review", word) for name, word in ends.items()},
    }
    assert {result["pipeline"]["licence"] for result in results} == {"allowed"}
    assert f"599.{MARK}" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def test_the_example_of_the_documentation_is_the_one_that_was_installed() -> None:
    block = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert block[1] == (EXAMPLES / "licences/entrepot_licence.py").read_text(encoding="utf-8")
