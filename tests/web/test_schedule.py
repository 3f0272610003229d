"""The schedule in a server that runs, and from a shell beside it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.services import schedule
from entrepot.workspace import Workspace
from support.upstream import Fault, Upstream
from support.web import PAGES, Server, Shop, environment, open_shop, served

INDEX = "/toys/INDEX"
SETTINGS = '[schedule.upstream]\nrun = "sync"\nevery = "12h"\n[schedule.tidy]\nrun = "gc"\nevery = "52w"\n'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose schedule was looked at three days ago; its server leaves the schedule alone."""
    with open_shop(tmp_path, settings=SETTINGS, synced=False) as shop:
        look_long_ago(shop.server.home)
        yield shop


def look_long_ago(home: Path) -> None:
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    workspace = Workspace(home, clock=lambda: long_ago)
    assert schedule.begin_due(workspace) == []
    workspace.close()


def shell(home: Path, *arguments: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "entrepot", "--home", str(home), *arguments]
    done = subprocess.run(command, env=environment(home.parent), capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


def wait_for_sync(network: Upstream, server: Server) -> list[int]:
    """The tasks of the job, once one of them asked the upstream and all have ended."""
    network.wait_for(INDEX)
    workspace = server.workspace()
    found = [task["id"] for task in workspace.catalog.tasks.list(10) if task["job"] == "upstream"]
    workspace.close()
    for task_id in found:
        assert server.task(task_id, state="completed")["actor"] == "schedule"
    return found


def test_servers_with_the_schedule_begin_what_is_due_once_and_show_it(shop: Shop) -> None:
    home, tokens = shop.server.home, shop.server.tokens
    with served(home, "--schedule", tokens=tokens) as one, served(home, "--schedule", tokens=tokens):
        (task_id,) = wait_for_sync(shop.network, one)
        overview = one.ask("GET", PAGES).text
        assert "Done by itself" in overview
        assert "every 12h" in overview
        row = json.loads(shell(home, "schedule", "list", "--json"))[0]
        assert (row["status"], [task["id"] for task in row["tasks"]]) == ("completed", [task_id])
        assert row["missed"] in (4, 5), "two a day for three days, less the one that was done"
        assert json.loads(shell(home, "schedule", "run", "--json")) == []


def test_a_shell_does_what_is_due_and_ends_with_it(shop: Shop) -> None:
    home = shop.server.home
    (run,) = json.loads(shell(home, "--quiet", "schedule", "run", "--json"))
    assert (run["job"], run["status"]) == ("upstream", "begun")
    (task_id,) = run["tasks"]
    task = shop.server.ask("GET", f"/import/tasks/{task_id}").json()
    assert (task["state"], task["job"], task["result"]["packages"]) == ("completed", "upstream", 7)
    assert "nothing is due" not in shell(home, "schedule", "run", "tidy")
    assert "upstream" in shell(home, "task", "list")
    shop.network.fail(INDEX, Fault(status=404))
    assert "sync box" in json.loads(shell(home, "schedule", "run", "upstream", "--json", code=3))["failures"][0]["item"]


def test_a_server_is_not_started_for_a_schedule_that_is_empty(tmp_path: Path) -> None:
    shell(tmp_path / "home", "init")
    assert shell(tmp_path / "home", "serve", "--port", "0", "--schedule", code=2) == ""
