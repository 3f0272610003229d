"""A published catalog in Datasette: as it is, and with the pages of the plugin."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from entrepot.services import catalog_copies
from entrepot.workspace import Workspace
from support.populated import House
from support.web import PAGES, environment

TOLD = ("-m", "metadata.json", "-c", "metadata.json")
"""Datasette 1.0 takes titles from the one and usual questions from the other."""


ELSEWHERE = {"/setup/": 404, "/access": 403}


@pytest.fixture(scope="module")
def folder(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the catalog of the house was published."""
    folder = tmp_path_factory.mktemp("published")
    workspace = Workspace(house.home, actor="mara")
    catalog_copies.publish_catalog(workspace, str(folder))
    workspace.close()
    return folder


def plain(folder: Path, path: str) -> str:
    """What Datasette without any plugin answers."""
    command = [sys.executable, "-m", "datasette", "-i", "catalog.db", *TOLD, "--get", path]
    env = {**environment(folder.parent / "environment"), "DATASETTE_LOAD_PLUGINS": ""}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_datasette_alone_shows_the_copy_with_titles_and_questions(folder: Path) -> None:
    database = json.loads(plain(folder, "/catalog.json"))
    shown = {table["name"] for table in database["tables"] if not table["hidden"]}
    assert {"available", "packages", "imports", "advisories"} <= shown
    assert not shown & {"tasks", "audit", "reviews", "published_files"}
    assert {query["name"] for query in database["queries"]} >= {"came_in_this_week", "largest_packages"}
    page = plain(folder, "/catalog/packages")
    assert "Packages that came in" in page
    assert "nginx-common" in page
    found = json.loads(plain(folder, "/catalog/available.json?_search=nginx&_shape=array"))
    assert {row["name"] for row in found} == {"nginx", "nginx-common"}


def test_every_page_of_the_plugin_works_on_the_copy(folder: Path) -> None:
    async def look() -> None:
        datasette = import_module("datasette.app").Datasette(immutables=[str(folder / "catalog.db")])
        await datasette.invoke_startup()
        try:
            seen: set[str] = set()
            todo = [PAGES, f"{PAGES}/catalog?q=nginx", f"{PAGES}/package/nginx"]
            while todo and len(seen) < 80:
                path = todo.pop(0)
                seen.add(path)
                answer = await datasette.client.get(path)
                # What needs a workspace is not there: its keys, its users.
                expected = next((status for part, status in ELSEWHERE.items() if part in path), 200)
                assert answer.status_code == expected, (path, answer.text)
                assert not re.search(r"\b(lena|mara|udo)\b", answer.text)
                found = re.findall(rf'href="({PAGES}[^"#]*)"', answer.text)
                todo += [link.replace("&amp;", "&") for link in dict.fromkeys(found)]
                todo = [link for link in dict.fromkeys(todo) if link not in seen and "/login" not in link]
            assert f"{PAGES}/imports/1" in seen
            refused = await datasette.client.post(f"{PAGES}/sources/-/add", data={})
            assert refused.status_code in (401, 403, 404, 405, 409)
        finally:
            await datasette.invoke_shutdown()

    asyncio.run(look())


def test_a_copy_stays_as_it_is_while_it_is_looked_at(folder: Path) -> None:
    before = (folder / "catalog.db").read_bytes()
    plain(folder, "/catalog/sources.json")
    assert (folder / "catalog.db").read_bytes() == before
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["catalog.db", "metadata.json"]
