"""A server whose workspace is on a storage: it shows the newest generation, and what it changes is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datasette_entrepot import following
from datasette_entrepot.following import Following
from entrepot.models import Role
from entrepot.services import identity, repositories
from entrepot.services.workspaces import initialise, open_workspace
from entrepot.workspace import Workspace
from support.debs import make_deb
from support.remote import make_repository, names_in
from support.web import PAGES, Server, served


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A workspace that publishes ``shop/stable``."""
    monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "cache"))
    url = (tmp_path / "remote").as_uri()
    with open_workspace(url) as workspace:
        initialise(workspace)
        tree = str(tmp_path / "tree")
        repositories.create_repository(workspace, "shop", format_name="apt", publish_to=tree, sign=False)
        repositories.create_distribution(workspace, "shop/stable")
    return url


@pytest.fixture
def server(home: str, tmp_path: Path) -> Iterator[Server]:
    """Its server."""
    with open_workspace(home) as workspace:
        tokens = {"maintainer": identity.create_token(workspace, "ci", Role.MAINTAINER).secret}
    with served(tmp_path / "home", tokens=tokens, url=home) as server:
        yield server


def test_changes_by_a_server_are_generations_that_others_and_it_see(home: str, server: Server, tmp_path: Path) -> None:
    """By itself, by a process of its own, and shown by the API, by pages and by Datasette."""
    assert server.ask("GET", "/repositories/").json()[0]["name"] == "shop"
    assert server.ask("POST", "/auth/token", {}, token="maintainer").status_code == 200
    with make_deb(tmp_path).open("rb") as file:
        fields = {"distribution": "shop/stable"}
        sent = server.ask("POST", "/upload/", token="maintainer", files={"file": file}, data=fields)
    assert sent.json()["status"] == "published", sent.text
    assert (tmp_path / "tree/dists/stable/Release").exists()
    (shown,) = server.ask("GET", "/catalog/versions.json?number=1&_shape=array").json()
    assert shown["packages"] == 1
    assert "shop/stable" in server.ask("GET", f"{PAGES}/repositories").text
    with open_workspace(home) as elsewhere:
        (task,) = elsewhere.catalog.tasks.list(9)
        assert (task["state"], task["actor"]) == ("completed", "ci")
        elsewhere.catalog.audit.verify()
        assert (elsewhere.home / "secrets/web.key").exists()
    assert server.ask("POST", "/import/tasks/1/cancel", token="maintainer").status_code == 409
    assert server.ask("POST", "/import/tasks/1/cancel").status_code == 401


def test_who_reads_goes_on_with_a_generation_and_the_next_one_sees_a_newer(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "EVERY", 1000.0)
    closed: list[str] = []
    follower = Following(Workspace(home))
    with follower.reading() as older:
        older.ended.append(lambda: closed.append("older"))
        with open_workspace(home) as writer:
            make_repository(writer, "second")
        follower.look()
        assert follower.enter() is older, "it looked too soon"
        follower.leave(older)
        follower.look(now=True)
        with follower.reading() as newer:
            assert names_of(newer.workspace) == ["second", "shop"]
        assert names_of(older.workspace) == ["shop"]
        assert not closed
    assert closed == ["older"]
    follower.look(now=True)
    with follower.reading() as still:
        assert still is newer
    follower.close()


def names_of(workspace: Workspace) -> list[str]:
    """The repositories that somebody finds who reads."""
    shown = workspace.shown("reader")
    try:
        return names_in(shown)
    finally:
        shown.close()
