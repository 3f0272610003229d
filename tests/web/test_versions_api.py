"""Versions over HTTP: what differs, going back, promoting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot.services import imports, repositories
from support.web import PAGES, Server, browser, open_shop

WINDOW = "/repositories/shop/distributions/window"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose window has had two versions."""
    with open_shop(tmp_path_factory.mktemp("versions")) as shop:
        workspace = shop.server.workspace()
        repositories.create_distribution(workspace, "shop/vault", policy="strict")
        for names in (["robot=1"], ["battery"]):
            imports.import_packages(workspace, imports.ImportRequest("box", names, "shop/window"))
        workspace.close()
        yield shop.server


def test_what_differs_between_two_versions(server: Server) -> None:
    document = server.ask("GET", f"{WINDOW}/diff?from=1", token="reader").json()
    assert document["counts"] == {"added": 1}
    (change,) = document["changes"]
    assert (change["package"], change["before"], change["after"]) == ("battery", [], ["1"])
    assert server.ask("GET", f"{WINDOW}/diff?from=2&to=0", token="reader").json()["counts"] == {"removed": 2}
    assert server.ask("GET", f"{WINDOW}/diff?from=9", token="reader").status_code == 404


def test_what_differs_comes_in_pages(server: Server) -> None:
    path = f"{WINDOW}/diff?from=0&to=2&_size=1"
    first = server.ask("GET", path, token="reader").json()
    assert (first["counts"], first["next"]) == ({"added": 2}, "1")
    second = server.ask("GET", f"{path}&_next={first['next']}", token="reader").json()
    assert (second["counts"], second["next"]) == ({"added": 2}, None)
    assert [row["package"] for row in first["changes"] + second["changes"]] == ["battery", "robot"]
    assert server.ask("GET", f"{path}&_next=2", token="reader").json()["changes"] == []


def test_the_page_of_what_differs_begins_where_it_is_asked_to(server: Server) -> None:
    page = server.ask("GET", f"{PAGES}/repositories/shop/window/-/diff?before=0&after=2&from=1").text
    assert "robot" in page
    assert "battery" not in page
    assert f'href="{PAGES}/repositories/shop/window/-/diff?before=0&amp;after=2"' in page


def test_a_dry_run_changes_nothing(server: Server) -> None:
    body = {"version": 1, "dry_run": True}
    document = server.ask("POST", f"{WINDOW}/rollback", body, token="maintainer").json()
    assert (document["status"], document["version"]) == ("dry_run", None)
    assert document["diff"]["counts"] == {"removed": 1}
    assert server.ask("GET", f"{WINDOW}/versions", token="reader").json()[0]["number"] == 2


def test_packages_of_a_version_come_in_pages(server: Server) -> None:
    path = f"{WINDOW}/versions/2"
    first = server.ask("GET", f"{path}?_size=1", token="reader").json()
    assert (first["number"], first["found"], first["next"]) == (2, 2, "1")
    second = server.ask("GET", f"{path}?_size=1&_next={first['next']}", token="reader").json()
    assert ([row["name"] for row in first["packages"] + second["packages"]], second["next"]) == (
        ["battery", "robot"],
        None,
    )
    assert server.ask("GET", f"{path}?q=walks", token="reader").json()["packages"][0]["name"] == "robot"
    assert server.ask("GET", f"{path}?_size=0", token="reader").status_code == 422


def test_a_plan_is_made_as_a_task_where_that_is_preferred_and_its_page_goes_on(server: Server) -> None:
    body, headers = {"to": "shop/cellar", "version": 2, "dry_run": True}, {"Prefer": "respond-async"}
    answer = server.ask("POST", f"{WINDOW}/promote", body, token="maintainer", headers=headers)
    assert answer.status_code == 202
    task = server.task(answer.json()["id"], state="completed")
    assert (task["result"]["status"], task["result"]["diff"]["counts"]) == ("dry_run", {"added": 2})
    with browser(server, "maintainer") as client:
        page = client.get(f"{PAGES}/tasks/{task['id']}").text
    assert f'action="{PAGES}/repositories/shop/window/-/promote"' in page
    assert '<input type="hidden" name="to" value="shop/cellar">' in page
    assert "Promote</button>" not in server.ask("GET", f"{PAGES}/tasks/{task['id']}").text


def test_a_version_is_promoted_and_rolled_back(server: Server) -> None:
    document = server.ask("POST", f"{WINDOW}/promote", {"to": "shop/cellar", "version": 1}, token="maintainer").json()
    assert (document["status"], document["distribution"], document["version"]) == ("changed", "shop/cellar", 1)
    assert document["publication"]["status"] == "published"
    answer = server.ask("POST", "/repositories/shop/distributions/cellar/rollback", {"version": 0}, token="maintainer")
    assert answer.json()["diff"]["counts"] == {"removed": 1}


def test_a_refusal_of_the_policy_is_a_conflict_that_names_the_packages(server: Server) -> None:
    answer = server.ask("POST", f"{WINDOW}/promote", {"to": "shop/vault"}, token="maintainer")
    assert answer.status_code == 409
    assert "does not let in" in answer.json()["detail"]
    body = {"to": "shop/vault", "hold_refused": True, "publish": False}
    document = server.ask("POST", f"{WINDOW}/promote", body, token="maintainer").json()
    assert document["status"] == "unchanged"
    assert len(document["held"]) == 2


def test_promoting_is_for_maintainers(server: Server) -> None:
    assert server.ask("POST", f"{WINDOW}/promote", {"to": "shop/cellar"}, token="reviewer").status_code == 403
    assert server.ask("POST", f"{WINDOW}/rollback", {"version": 1}, token="uploader").status_code == 403


def test_snapshots_are_listed_and_only_formats_that_have_them_make_any(server: Server) -> None:
    assert server.ask("GET", f"{WINDOW}/snapshots", token="reader").json() == []
    assert server.ask("POST", f"{WINDOW}/snapshots", {"name": "q1"}, token="reader").status_code == 403
    answer = server.ask("POST", f"{WINDOW}/snapshots", {"name": "q1"}, token="maintainer")
    assert (answer.status_code, answer.json()["detail"]) == (422, "the format toy has no snapshots")


def test_a_distribution_is_cut_to_what_it_keeps(server: Server) -> None:
    assert server.ask("POST", f"{WINDOW}/retain", token="uploader").status_code == 403
    everything = server.ask("POST", f"{WINDOW}/retain", {"dry_run": True}, token="maintainer")
    assert (everything.status_code, everything.json()["detail"]) == (422, "shop/window keeps everything")
    workspace = server.workspace()
    imports.import_packages(workspace, imports.ImportRequest("box", ["robot=2"], "shop/window"))
    repositories.set_distribution(workspace, "shop/window", {"keep": 1})
    workspace.close()
    planned = server.ask("POST", f"{WINDOW}/retain", {"dry_run": True}, token="maintainer").json()
    assert (planned["status"], planned["diff"]["counts"]) == ("dry_run", {"removed": 1})
    done = server.ask("POST", f"{WINDOW}/retain", {"publish": False}, token="maintainer").json()
    assert (done["status"], done["version"], done["publication"]) == ("changed", 4, None)
