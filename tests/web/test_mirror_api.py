"""Mirrors over HTTP: a plan at once, the work as a task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.web import Server, open_shop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with open_shop(tmp_path_factory.mktemp("mirror")) as shop:
        yield shop.server


BODY = {"source_id": "box", "distribution": "shop/window", "where": "battery or robot", "latest": 1}


def test_a_dry_run_answers_what_would_come(server: Server) -> None:
    document = server.ask("POST", "/import/mirror", {**BODY, "dry_run": True}, token="maintainer").json()
    assert document["status"] == "dry_run"
    assert document["query"] == "latest(name = battery or name = robot, 1)"
    assert [row["package"] for row in document["changes"]] == ["battery", "robot"]
    assert document["counts"]["added"] == 2


def test_a_mirror_is_a_task_whose_result_says_what_came(server: Server) -> None:
    answer = server.ask("POST", "/import/mirror", BODY, token="maintainer")
    assert answer.status_code == 202
    task = server.task(answer.json()["id"], state="completed")
    assert (task["kind"], task["state"], task["result"]["added"]) == ("mirror", "completed", 2)
    assert "shop/window version 1" in task["created_resources"]


@pytest.mark.parametrize(
    ("changed", "status", "detail"),
    [
        ({"where": "robot and"}, 422, "column 10: "),
        ({"where": "@/etc/passwd"}, 422, "column 1: files cannot be named here"),
        ({"include": ["a b"]}, 422, "--include 'a b': column 3: "),
        ({"on_failure": "panic"}, 422, "on_failure must be one of skip, retry, fail"),
        ({"source_id": "nowhere"}, 404, ""),
    ],
)
def test_what_makes_no_sense_is_told_at_once(
    server: Server, changed: dict[str, object], status: int, detail: str
) -> None:
    answer = server.ask("POST", "/import/mirror", {**BODY, **changed}, token="maintainer")
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)


def test_mirroring_is_for_maintainers(server: Server) -> None:
    assert server.ask("POST", "/import/mirror", BODY, token="uploader").status_code == 403
