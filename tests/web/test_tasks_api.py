"""Syncs, imports, uploads and reviews over HTTP: each is a task in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.services import queue, repositories
from support.toy import make_toy
from support.web import PAGES, Server, Shop, browser

PIPELINE = {"words": "pass", "format": "valid", "gpg": "unsigned_pass", "cve_scan": "skipped"}


def test_a_sync_is_a_stream_of_events(server: Server) -> None:
    events = server.events("POST", "/import/sources/1/sync")
    assert {event.data["status"] for event in events[:-1]} <= {"syncing"}
    assert events[-1].data == {"status": "done", "count": 7, "message": "Nothing changed"}
    assert [event.id for event in events] == [str(number + 1) for number in range(len(events))]


def test_with_accept_json_a_sync_is_answered_with_its_task(server: Server) -> None:
    answer = server.ask("POST", "/import/sources/box/sync", token="maintainer", headers={"Accept": "application/json"})
    assert answer.status_code == 202
    task = answer.json()
    assert answer.headers["location"] == f"/import/tasks/{task['id']}"
    assert task["kind"] == "sync"
    done = server.task(task["id"], state="completed")
    assert done["result"]["packages"] == 7
    assert {"code", "message", "state", "done", "total"} <= set(done["progress_reports"][0])


def test_a_sync_of_what_is_not_there_says_so_at_once(server: Server) -> None:
    answer = server.ask("POST", "/import/sources/nowhere/sync", token="maintainer")
    assert answer.status_code == 404
    assert "nowhere" in answer.json()["detail"]


def test_an_import_is_answered_with_its_result(server: Server, shop: Shop) -> None:
    body = {"source_id": 1, "package": "robot", "version": "1", "distribution": "window"}
    answer = server.ask("POST", "/import/packages", body, token="uploader")
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert (result["status"], result["package"], result["version"]) == ("published", "robot", "1")
    assert result["distribution"] == "window"
    assert result["pipeline"]["words"] == "said_pass"
    assert (shop.tree / "window").is_dir() or any(shop.tree.rglob("robot_1_any.toy"))
    again = server.ask("POST", "/import/packages", body, token="uploader").json()
    assert again["status"] == "already_published"
    shown = server.ask("GET", f"/security/imports/{result['import_id']}", token="reader").json()
    assert (shown["actor"], shown["state"]) == ("uploader", "published")


def test_a_list_is_answered_with_a_task(server: Server) -> None:
    body = {"source_id": "box", "package": ["battery", "hostile"], "distribution": "shop/cellar"}
    answer = server.ask("POST", "/import/packages", body, token="uploader")
    assert answer.status_code == 202
    done = server.task(answer.json()["id"], state="completed")
    results = done["result"]["results"]
    assert [result["package"] for result in results] == ["battery", "hostile"]
    # The shop is one for all tests: another one may have brought the battery in before.
    assert {result["status"] for result in results} <= {"published", "already_published"}
    (made,) = {f"shop/cellar version {result['repository_version']}" for result in results[1:]}
    assert done["created_resources"] == [made]
    assert {report["state"] for report in done["progress_reports"]} <= {"completed"}


def test_who_would_rather_not_wait_does_not(server: Server) -> None:
    body = {"source_id": 1, "package": "robot", "distribution": "cellar"}
    answer = server.ask("POST", "/import/packages", body, token="uploader", headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    done = server.task(answer.json()["id"], state="completed")
    assert done["result"]["version"] == "2"


def test_a_dry_run_brings_nothing_in(server: Server) -> None:
    body = {"source_id": 1, "package": "robot", "distribution": "window", "with_dependencies": True, "dry_run": True}
    plan = server.ask("POST", "/import/packages", body, token="uploader").json()
    assert plan["status"] == "dry_run", plan
    assert [row["package"] for row in plan["packages"]] == ["robot", "battery"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"package": "nothing"}, 404),
        ({"package": "robot", "version": "9"}, 404),
        ({"package": "robot", "distribution": "nowhere"}, 404),
        ({"package": "robot", "source_id": 99}, 404),
        ({"package": "robot", "source_id": "nowhere"}, 404),
        ({"package": ""}, 422),
        ({"package": []}, 422),
        ({"package": ["robot"], "version": "1"}, 422),
        ({"package": "robot", "recommends": True}, 422),
        ({"package": "robot", "with_dependencies": "yes"}, 422),
        ({"package": "robot", "what": 1}, 422),
        ({"package": 7}, 422),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_status(server: Server, body: dict[str, object], status: int) -> None:
    answer = server.ask(
        "POST", "/import/packages", {"source_id": 1, "distribution": "window", **body}, token="uploader"
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail", "hint"} <= set(answer.json())


def test_a_refused_package_is_a_result_and_no_error(server: Server) -> None:
    body = {"source_id": 1, "package": "evil", "distribution": "window"}
    result = server.ask("POST", "/import/packages", body, token="uploader").json()
    assert result["status"] == "rejected"
    assert result["findings"][0]["id"] == "toy-word"


def test_what_waits_is_approved_by_a_reviewer(server: Server) -> None:
    body = {"source_id": 1, "package": "odd", "distribution": "window"}
    held = server.ask("POST", "/import/packages", body, token="uploader").json()
    assert held["status"] == "pending_review"
    queue = server.ask("GET", "/security/review-queue", token="reader").json()
    assert held["import_id"] in [row["id"] for row in queue]
    path = f"/security/imports/{held['import_id']}/approve"
    assert server.ask("POST", path, {"justification": "fine"}, token="uploader").status_code == 403
    assert server.ask("POST", path, {}, token="reviewer").status_code == 422
    assert server.ask("POST", path, {"justification": "  "}, token="reviewer").status_code == 422
    assert server.ask("POST", path, {"justification": "x", "expires_in_days": 0}, token="reviewer").status_code == 422
    answer = server.ask("POST", path, {"justification": "looked at it", "expires_in_days": 30}, token="reviewer")
    assert (answer.status_code, answer.json()["status"]) == (200, "published")
    assert server.ask("POST", path, {"justification": "again"}, token="reviewer").status_code == 409
    shown = server.ask("GET", f"/security/imports/{held['import_id']}", token="reader").json()
    assert [(row["decision"], row["actor"]) for row in shown["reviews"]] == [("approve", "reviewer")]


def test_what_waits_is_rejected_by_a_reviewer(server: Server) -> None:
    body = {"source_id": 1, "package": "strange", "distribution": "window"}
    held = server.ask("POST", "/import/packages", body, token="uploader").json()
    path = f"/security/imports/{held['import_id']}/reject"
    answer = server.ask("POST", path, {"justification": "no"}, token="reviewer")
    assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
    assert (answer.json()["version"], answer.json()["new_version"]) == (held["version"], None)


def test_a_file_is_brought_in(server: Server, tmp_path: Path) -> None:
    toy = make_toy(tmp_path, "puppet", 3)
    answer = server.ask(
        "POST",
        "/upload/",
        token="uploader",
        files={"file": (toy.name, toy.read_bytes())},
        data={"distribution": "window"},
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "published"), answer.text
    assert not any((server.home / "uploads").iterdir())


def test_several_files_are_one_version(server: Server, tmp_path: Path) -> None:
    toys = [make_toy(tmp_path, name) for name in ("left", "right")]
    files = [("file", (toy.name, toy.read_bytes())) for toy in toys]
    answer = server.ask("POST", "/upload/", token="uploader", files=files, data={"distribution": "cellar"})
    assert [row["status"] for row in answer.json()["results"]] == ["published", "published"], answer.text


def test_a_version_is_published_and_shown(server: Server) -> None:
    base = "/repositories/shop/distributions/window"
    answer = server.ask("POST", f"{base}/publish", {"force": True}, token="maintainer")
    assert (answer.status_code, answer.json()["status"]) == (200, "published"), answer.text
    versions = server.ask("GET", f"{base}/versions", token="reader").json()
    assert versions[-1]["number"] == 0
    newest = server.ask("GET", f"{base}/versions/{versions[0]['number']}", token="reader").json()
    assert len(newest["packages"]) == versions[0]["packages"]
    assert server.ask("GET", f"{base}/versions/999", token="reader").status_code == 404
    (repository,) = server.ask("GET", "/repositories", token="reader").json()
    assert [row["name"] for row in repository["distributions"]] == ["cellar", "window"]


def test_events_go_on_after_the_last_one_that_was_seen(server: Server) -> None:
    answer = server.ask("POST", "/import/sources/box/sync", token="maintainer", headers={"Accept": "application/json"})
    path = f"/import/tasks/{answer.json()['id']}/events"
    whole = server.events("GET", path)
    assert len(whole) >= 2
    assert server.events("GET", path, last=whole[-2].id) == whole[-1:]
    over = server.ask("GET", path, token="reader", headers={"Last-Event-ID": whole[-1].id})
    assert over.status_code == 204


def test_no_request_of_a_task_holds_a_token(server: Server) -> None:
    workspace = server.workspace()
    rows = json.dumps([dict(row) for row in workspace.catalog.tasks.list(1000)])
    workspace.close()
    assert not [token for token in server.tokens.values() if token in rows]


def test_what_failed_is_done_again_over_http_and_on_its_page(server: Server) -> None:
    workspace = server.workspace()
    old = queue.submit(workspace, "scan", "shop/attic", {"distribution": "shop/attic"})
    assert server.task(old, state="failed")["retry_of"] is None
    assert server.ask("POST", f"/import/tasks/{old}/retry", token="reviewer").status_code == 403
    with browser(server, "maintainer") as client:
        assert "Do it again" in client.get(f"{PAGES}/tasks/{old}").text
        page = client.post(f"{PAGES}/tasks/{old}/retry")
        assert f"Task {old} is done again" in page.text
        assert f'<a href="{PAGES}/tasks/{old}">' in page.text
    second = int(str(page.url).rpartition("/")[2])
    assert server.task(second, state="failed")["retry_of"] == old
    repositories.create_distribution(workspace, "shop/attic")
    workspace.close()
    answer = server.ask("POST", f"/import/tasks/{second}/retry", token="maintainer")
    assert (answer.status_code, answer.json()["retry_of"]) == (202, second)
    server.task(answer.json()["id"], state="completed")
    assert server.ask("POST", f"/import/tasks/{answer.json()['id']}/retry", token="maintainer").status_code == 409
