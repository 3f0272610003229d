"""What happens to tasks when servers and clients go, and when they are told to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from entrepot.processes import alive
from support.upstream import Fault
from support.web import PAGES, PLAIN, Server, Shop, open_shop, served

STALLED = Fault(stall_after=-1)
INDEX = "/toys/INDEX"
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("lifecycle"), settings="[web]\ntasks = 1\n", synced=False) as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Iterator[Shop]:
    """The shop that these tests share: each waits for the end of its tasks, and what it broke is healed after it."""
    yield opened
    opened.network.heal()


def begin(shop: Shop, source: str = "box") -> int:
    """Starts a sync that hangs until the fault is healed; answers its task once it asks the upstream."""
    shop.network.forget()
    shop.network.fail(INDEX, STALLED)
    answer = shop.server.ask("POST", f"/import/sources/{source}/sync", token="maintainer", headers=JSON)
    assert answer.status_code == 202
    shop.network.wait_for(INDEX)
    task_id: int = answer.json()["id"]
    return task_id


def pid_of(server: Server, task_id: int) -> int:
    workspace = server.workspace()
    pid: int = workspace.catalog.tasks.get(task_id)["pid"]
    workspace.close()
    return pid


def test_a_server_says_that_a_newer_release_has_upgraded_its_catalog(shop: Shop) -> None:
    server, row = shop.server, {"migration_set": "entrepot", "name": "tomorrow", "applied_at": "2030-01-01"}
    workspace = server.workspace()
    applied = workspace.catalog.database.table("_sqlite_migrations")
    applied.insert(row)
    try:
        called = [server.ask("GET", "/import/sources", token=token) for token in (None, "reader")]
        pages = [server.ask("GET", PAGES + path) for path in ("", "/sources", "/nowhere")]
        health = server.ask("GET", "/-/entrepot/health")
    finally:
        applied.delete_where("name = 'tomorrow'")
        workspace.close()
    assert [answer.status_code for answer in called] == [503, 503]
    assert called[0].headers["content-type"] == "application/problem+json"
    assert "newer release (tomorrow)" in called[0].json()["detail"]
    assert [answer.status_code for answer in pages] == [503, 503, 404]
    assert "newer release (tomorrow)" in pages[0].text
    assert "start servers again" in pages[0].text
    assert (health.status_code, health.json()["status"]) == (503, "failed")
    assert server.ask("GET", PAGES).status_code == 200


def test_a_task_goes_on_when_its_server_is_killed(tmp_path: Path) -> None:
    with open_shop(tmp_path, synced=False) as shop:
        task_id = begin(shop)
        shop.server.process.kill()
        shop.server.process.wait()
        assert alive(pid_of(shop.server, task_id))
        shop.network.heal()
        with served(shop.server.home, tokens=shop.server.tokens) as again:
            again.task(task_id, state="completed")


def test_a_task_whose_process_is_killed_is_marked_and_can_be_done_again(shop: Shop) -> None:
    task_id = begin(shop)
    os.kill(pid_of(shop.server, task_id), signal.SIGKILL)
    task = shop.server.task(task_id, state="failed")
    assert task["error"]["title"] == "Interrupted"
    shop.network.heal()
    assert shop.server.events("POST", "/import/sources/box/sync")[-1].data["status"] == "done"


def test_a_task_that_runs_is_cancelled(shop: Shop) -> None:
    task_id = begin(shop)
    answer = shop.server.ask("POST", f"/import/tasks/{task_id}/cancel", token="maintainer")
    assert answer.status_code == 200
    error = shop.server.task(task_id, state="canceled")["error"]
    assert (error["title"], error["status"]) == ("Canceled", 409)
    assert shop.server.ask("POST", f"/import/tasks/{task_id}/cancel", token="maintainer").status_code == 409


def test_a_second_sync_follows_the_first(shop: Shop) -> None:
    task_id = begin(shop)
    again = shop.server.ask("POST", "/import/sources/box/sync", token="maintainer", headers=JSON)
    assert again.json()["id"] == task_id
    shop.server.ask("POST", f"/import/tasks/{task_id}/cancel", token="maintainer")
    shop.server.task(task_id, state="canceled")


def test_tasks_beyond_the_number_allowed_wait_and_can_be_cancelled(shop: Shop) -> None:
    first = begin(shop)
    path = "/repositories/shop/distributions/window/publish"
    waiting = [
        shop.server.ask("POST", path, token="maintainer", headers={"Prefer": "respond-async"}).json() for _ in range(2)
    ]
    assert [task["state"] for task in waiting] == ["waiting", "waiting"]
    assert pid_of(shop.server, waiting[0]["id"]) is None
    cancelled = shop.server.ask("POST", f"/import/tasks/{waiting[0]['id']}/cancel", token="maintainer").json()
    assert cancelled["state"] == "canceled"
    shop.server.ask("POST", f"/import/tasks/{first}/cancel", token="maintainer")
    shop.server.task(waiting[1]["id"], state="completed")


def test_a_server_ends_though_somebody_follows_a_task(tmp_path: Path) -> None:
    with open_shop(tmp_path, synced=False) as shop:
        task_id = begin(shop)
        headers = {"Authorization": f"Bearer {shop.server.tokens['reader']}"}
        with httpx.stream(
            "GET", f"{shop.server.url}/import/tasks/{task_id}/events", headers=headers, **PLAIN
        ) as answer:
            assert answer.status_code == 200
            shop.server.process.send_signal(signal.SIGTERM)
            assert shop.server.process.wait(30) in (0, -signal.SIGTERM)
        os.kill(pid_of(shop.server, task_id), signal.SIGINT)


def test_a_failed_sync_is_an_event_and_no_broken_stream(shop: Shop) -> None:
    shop.network.fail(INDEX, Fault(status=404))
    last = shop.server.events("POST", "/import/sources/box/sync")[-1].data
    assert last["status"] == "error"
    assert last["message"]


def test_the_audit_log_says_who_and_from_where(shop: Shop) -> None:
    body = {"name": "new", "format": "toy", "url": shop.network.url, "distributions": ["toys"], "verify": False}
    assert shop.server.ask("POST", "/import/sources", body, token="maintainer").status_code == 201
    workspace = shop.server.workspace()
    newest = next(iter(workspace.catalog.audit.list(1)))
    workspace.close()
    assert (newest["actor"], newest["origin"], newest["action"]) == ("maintainer", "http:127.0.0.1", "source.add")


def test_two_servers_of_one_workspace_do_each_task_once(shop: Shop) -> None:
    with served(shop.server.home, tokens=shop.server.tokens) as other:
        ids = {
            server.ask("POST", "/import/sources/box/sync", token="maintainer", headers=JSON).json()["id"]
            for server in (shop.server, other)
        }
        for task_id in ids:
            other.task(task_id, state="completed")
