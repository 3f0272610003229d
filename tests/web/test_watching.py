"""An import is watched while it goes on, and ended where that is wished."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from support.upstream import Fault
from support.web import PAGES, Shop, browser, open_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


def begin(shop: Shop, client: httpx.Client, *packages: str) -> int:
    """Asks for an import whose fetching of the first package stops half-way; answers its task, once it does."""
    path = f"/{packages[0]}_1_any.toy"
    shop.network.fail(path, Fault(stall_after=2))
    sent = {"source": "box", "package": " ".join(packages), "distribution": "shop/window"}
    answer = client.post(f"{PAGES}/import", data=sent)
    shop.network.wait_for(path)
    found = re.search(r"/import/tasks/(\d+)/events|/tasks/(\d+)\"", answer.text)
    assert found is not None, answer.text
    return int(found[1] or found[2])


def stages(client: httpx.Client, path: str) -> list[tuple[str, str]]:
    """The stages that a page shows, with their states."""
    found = re.findall(r'"ep-stage">([^<]+)</span> <span class="ep-badge ep-\w+">([^<]+)<', client.get(path).text)
    return [(name, state) for name, state in found]


def test_the_page_of_an_import_shows_each_stage_while_it_goes_on(shop: Shop) -> None:
    with browser(shop.server, "maintainer") as client:
        task_id = begin(shop, client, "battery")
        page = client.get(f"{PAGES}/tasks/{task_id}?then=import").url.path
        assert re.fullmatch(rf"{PAGES}/imports/\d+", page)
        text = client.get(page).text
        assert f'data-events="/import/tasks/{task_id}/events"' in text
        assert '<noscript><meta http-equiv="refresh"' in text
        assert stages(client, page) == [
            ("Fetched", "running"),
            ("Inspected", "waiting"),
            ("Decided", "waiting"),
            ("In a version", "waiting"),
            ("Published", "waiting"),
        ]
        shop.network.heal()
        shop.server.task(task_id, state="completed")
        assert stages(client, page) == [
            ("Fetched", "completed"),
            ("Inspected", "completed"),
            ("Decided", "publish"),
            ("In a version", "completed"),
            ("Published", "completed"),
        ]
        text = client.get(page).text
        assert re.search(r'ep-good">pass</span> <a href="#said-toy-words">toy-words</a>', text)
        assert "data-events" not in text


def test_several_packages_are_watched_on_the_page_of_their_task(shop: Shop) -> None:
    with browser(shop.server, "maintainer") as client:
        task_id = begin(shop, client, "hostile", "robot=1")
        page = client.get(f"{PAGES}/tasks/{task_id}?then=import")
        assert page.url.path == f"{PAGES}/tasks/{task_id}"
        assert re.findall(r'/imports/\d+">(\w+)</a>', page.text) == ["hostile", "robot"]
        shop.network.heal()
        shop.server.task(task_id, state="completed")


def test_events_of_a_task_tell_of_each_import(shop: Shop) -> None:
    body = {"source_id": 1, "package": ["battery", "odd"], "distribution": "window"}
    task_id = shop.server.ask("POST", "/import/packages", body, token="uploader").json()["id"]
    events = [event.data for event in shop.server.events("GET", f"/import/tasks/{task_id}/events")]
    task = shop.server.task(task_id, state="completed")
    ids = {result["package"]: result["import_id"] for result in task["result"]["results"]}
    of_odd = [
        (event["code"], event["state"], event["outcome"]) for event in events if event.get("import_id") == ids["odd"]
    ]
    assert ("import.stage.fetch", "completed", "") in of_odd
    assert ("import.stage.scan.toy-words", "running", "") in of_odd
    assert ("import.stage.scan.toy-words", "completed", "review") in of_odd
    assert of_odd[-1] == ("import.stage.settle", "completed", "pending_review")
    assert not any(report["code"].startswith("import.stage") for report in task["progress_reports"])


def test_a_task_is_cancelled_on_its_page(shop: Shop) -> None:
    with browser(shop.server, "maintainer") as client:
        task_id = begin(shop, client, "strange")
        assert "Cancel the task" in client.get(f"{PAGES}/tasks/{task_id}").text
        answer = client.post(f"{PAGES}/tasks/{task_id}/cancel")
        assert f"Task {task_id} is being ended" in answer.text
        # What a thread fetches is given up at its next try.
        shop.network.heal()
        shop.server.task(task_id, state="canceled")
        text = client.get(f"{PAGES}/tasks/{task_id}").text
        assert "Cancel the task" not in text
        assert ">canceled<" in text
        assert client.post(f"{PAGES}/tasks/{task_id}/cancel").status_code == 409
