"""What docs/schedule.md says of settings, systemd and cron can be taken as it stands."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.settings import load_settings
from entrepot.timetable import WORKS

PAGE = (Path(__file__).parents[2] / "docs" / "schedule.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as files, with a program and a user that this machine has."""
    found = []
    for text in blocks("ini"):
        name = text.partition("\n")[0].removeprefix("# ")
        path = tmp_path / name
        path.write_text(text.replace("/usr/bin/entrepot", sys.executable).replace("User=entrepot", "User=root"))
        found.append(path)
    assert [path.name for path in found] == ["entrepot.service", "entrepot.timer"]
    return found


def test_the_settings_are_those_of_a_workspace(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    path = tmp_path / "entrepot.toml"
    path.write_text(text)
    assert {job.run for job in load_settings(path).schedule.values()} == set(WORKS)


def test_the_service_runs_what_is_due_and_is_not_left_before_it_ended(units: list[Path]) -> None:
    service, timer = configparser.ConfigParser(), configparser.ConfigParser()
    service.read(units[0])
    timer.read(units[1])
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["ExecStart"].endswith("--quiet --home /srv/entrepot schedule run")
    assert (timer["Timer"]["Persistent"], timer["Install"]["WantedBy"]) == ("true", "timers.target")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(units: list[Path]) -> None:
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "entrepot" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_every_line_of_cron_lets_one_run_at_a_time() -> None:
    lines = [line for block in blocks("crontab") for line in block.splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(
            r"(\S+ ){5}flock -n \S+\.lock entrepot --quiet --home /srv/entrepot (schedule run|sync)", line
        )
