"""What Datasette's own pages say of the catalog."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from entrepot.catalog.described import HIDDEN, QUERIES, TABLES, VIEWS
from entrepot.services import workspaces
from entrepot.workspace import Workspace
from support.populated import House
from support.web import PAGES


def test_every_table_is_described_or_hidden(house: House) -> None:
    tables = house.server.ask("GET", "/catalog.json?_size=max").json()["tables"]
    names = {table["name"] for table in tables}
    hidden = {table["name"] for table in tables if table["hidden"]}
    assert names - hidden == set(TABLES)
    assert set(HIDDEN) <= hidden
    views = house.server.ask("GET", "/catalog.json?_size=max").json()["views"]
    assert {view["name"] for view in views} == set(VIEWS)


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_a_table_has_a_title_and_describes_columns_that_it_has(house: House, name: str) -> None:
    described = {**TABLES, **VIEWS}[name]
    page = house.server.ask("GET", f"/catalog/{name}").text
    assert f">{described.title}" in page.replace("\n", "").replace("  ", "")
    columns = set(house.server.ask("GET", f"/catalog/{name}.json?_extra=columns&_size=0").json()["columns"])
    assert set(described.columns) <= columns
    order = {described.newest, described.sort, described.label, *described.facets} - {""}
    assert order <= columns


@pytest.mark.parametrize("name", QUERIES)
def test_a_usual_question_is_answered(house: House, name: str) -> None:
    answer = house.server.ask("GET", f"/catalog/{name}.json?package=nginx")
    assert answer.status_code == 200, answer.text
    assert answer.json()["ok"]


def test_answers_to_usual_questions_lead_to_pages(house: House) -> None:
    rows = house.server.ask("GET", "/catalog/in_with_a_critical_finding.json").json()["rows"]
    assert ("nginx", "CVE-2026-1001") in {(row["package"], row["finding"]) for row in rows}
    who = house.server.ask("GET", "/catalog/who_approved.json?package=nginx").json()["rows"]
    assert [(row["decided_by"], row["decision"]) for row in who] == [("lena", "approved")]
    page = house.server.ask("GET", "/catalog/who_approved?package=nginx").text
    assert f'<a href="{PAGES}/imports/{who[0]["import_id"]}">' in page


def test_rows_and_tables_lead_to_pages(house: House) -> None:
    assert f'href="{PAGES}/imports/8"' in house.server.ask("GET", "/catalog/imports/8").text
    assert f'href="{PAGES}/imports"' in house.server.ask("GET", "/catalog/imports").text
    front = house.server.ask("GET", "/-/").text
    assert f'<a href="{PAGES}/catalog">Catalog</a>' in front


def test_what_sources_offer_is_searched_by_words(house: House) -> None:
    rows = house.server.ask("GET", "/catalog/available.json?_search=nginx&_shape=array").json()
    assert {row["name"] for row in rows} == {"nginx", "nginx-common"}


def test_no_values_are_counted_that_nobody_asked_for(house: House) -> None:
    answer = house.server.ask("GET", "/catalog/imports.json?_extra=suggested_facets,facet_results").json()
    assert not answer["suggested_facets"]
    assert set(answer["facet_results"]["results"]) == set(TABLES["imports"].facets)


def test_who_opens_the_root_of_the_server_lands_on_the_overview(house: House) -> None:
    answer = house.server.ask("GET", "/", follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, PAGES)
    assert 'href="/-/">All tables' in answer.text


async def _plain(home: Path, **options: Any) -> Any:
    datasette = import_module("datasette.app").Datasette([str(home / "catalog.db")], **options)
    await datasette.invoke_startup()
    return datasette


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with nothing in it."""
    workspace = Workspace(tmp_path, actor="tester")
    workspaces.initialise(workspace)
    workspace.close()
    return tmp_path


def test_datasette_alone_shows_the_same(home: Path) -> None:
    async def look() -> None:
        config = {"databases": {"catalog": {"tables": {"imports": {"sort": "name"}, "package_raw": {"hidden": False}}}}}
        datasette = await _plain(home, config=config)
        try:
            front = await datasette.client.get("/")
            assert f'<a href="{PAGES}/sources">' in front.text
            assert (await datasette.client.get(PAGES)).status_code == 200
            assert (await datasette.client.get("/catalog/what_waits.json")).json()["rows"] == []
            # What the operator configured stays.
            assert (await datasette.table_config("catalog", "imports"))["sort"] == "name"
            assert "sort_desc" not in await datasette.table_config("catalog", "imports")
            assert "package_raw" not in await datasette.databases["catalog"].hidden_table_names()
        finally:
            await datasette.invoke_shutdown()

    asyncio.run(look())
