"""What the pages show of a workspace that was used for a while, and what their forms do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from datasette_entrepot.pages import changes
from datasette_entrepot.server import make_datasette
from entrepot.workspace import Workspace
from support.debs import make_deb
from support.populated import HOSTILE, House
from support.web import PAGES, browser


@pytest.fixture
def mara(house: House) -> Iterator[httpx.Client]:
    """The browser of a maintainer."""
    with browser(house.server, "maintainer") as client:
        yield client


def text_of(answer: httpx.Response) -> str:
    """The words of a page, without its tags."""
    assert answer.status_code == 200, answer.text
    content = answer.text.partition('<section class="content">')[2].partition("<footer")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", content).split())


def ended(client: httpx.Client, answer: httpx.Response) -> str:
    """The page of a task that a form began, once it has ended; without scripts it is asked for again and again."""
    for _ in range(600):
        if "data-events" not in answer.text:
            return text_of(answer)
        with client.stream("GET", re.findall(r'data-events="([^"]*)"', answer.text)[0]) as events:
            for _ in events.iter_lines():
                pass
        answer = client.get(answer.url.path)
    raise AssertionError("the task does not end")


def test_the_overview_tells_what_there_is_and_what_waits(house: House) -> None:
    page = house.server.ask("GET", PAGES)
    text = text_of(page)
    for told in ("17 packages on offer", "3 distributions", "debian apt 15", "apps/bookworm apt version 3"):
        assert told in text
    assert re.search(r"nginx 1\.22\.1-9 apps/bookworm \d{4}-\d\d-\d\d \d\d:\d\d lena behind a proxy", text)
    assert '<svg class="ep-plot"' in page.text
    assert re.search(r"<desc[^>]*>From .* Now: apps/bookworm [\d.]+ kB", page.text)
    assert "The same as a table" in text


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ("q=nginx", ["1.24.0-2"], ["1.22.1-9"]),
        ("q=nginx&versions=all", ["1.24.0-2", "1.22.1-9"], ["tree"]),
        ("source=el9", ["bash", "tree"], ["curl"]),
        ("format=apt", ["curl"], ["Bourne"]),
        ("arch=noarch", ["tree"], ["curl"]),
        ("q=shell", ["bash"], ["tree"]),
        ("q=nothing-at-all", ["Nothing fits"], ["curl"]),
    ],
)
def test_the_catalog_is_searched_and_narrowed(house: House, query: str, there: list[str], not_there: list[str]) -> None:
    text = text_of(house.server.ask("GET", f"{PAGES}/catalog?{query}")).partition("Description")[2]
    text = text or text_of(house.server.ask("GET", f"{PAGES}/catalog?{query}"))
    assert [word for word in there if word not in text] == []
    assert [word for word in not_there if word in text] == []


def test_a_package_page_tells_versions_findings_and_history(house: House) -> None:
    page = house.server.ask("GET", f"{PAGES}/package/debian/nginx?version=1.22.1-9")
    text = text_of(page)
    for told in (
        "Offered by debian bookworm main",
        "apps/bookworm : 1.22.1-9",
        "critical CVE-2026-1001",
        "pool/main/n/nginx/nginx_1.24.0-2_amd64.deb",
        "Maintainer Test Builder",
    ):
        assert told in text
    assert f'<a href="{PAGES}/catalog?q=nginx-common">nginx-common</a> (&gt;= 1.22)' in page.text
    assert f'{PAGES}/advisories/CVE-2026-1001"' in page.text


def test_a_package_that_was_brought_as_a_file_has_a_page(house: House) -> None:
    text = text_of(house.server.ask("GET", f"{PAGES}/package/in-house"))
    assert "No source offers it now" in text
    assert "apps/staging : 3.1" in text


def test_fields_of_packages_are_text_and_their_links_are_of_the_web(house: House) -> None:
    for path in ("/catalog?q=hostile", "/package/hostile", "/imports/4"):
        page = house.server.ask("GET", PAGES + path)
        assert "<img src=x" not in page.text
        assert 'href="javascript:' not in page.text
    assert HOSTILE.replace("<", "&lt;").partition(">")[0] in house.server.ask("GET", f"{PAGES}/package/hostile").text


def test_an_import_page_tells_verdicts_rulings_and_decisions(house: House) -> None:
    text = text_of(house.server.ask("GET", f"{PAGES}/imports/8"))
    for told in (
        "Reviewed approve by lena",
        "warn osv findings",
        "CVE-2026-1001 critical 9.8 waived",
        "policies.gate.vulnerabilities.review publish osv",
        "Debian:12",
        "behind a proxy until it is replaced",
    ):
        assert told in text


def test_a_failed_import_says_why(house: House) -> None:
    text = text_of(house.server.ask("GET", f"{PAGES}/imports/7"))
    assert "Fetched failed" in text
    assert "upstream dropped vanished 1.0" in text


def test_imports_are_listed_by_state_name_and_distribution(house: House) -> None:
    text = text_of(house.server.ask("GET", f"{PAGES}/imports?state=failed&distribution=&name="))
    assert "vanished" in text.partition("When")[2]
    assert "published" not in text.partition("When")[2]
    text = text_of(house.server.ask("GET", f"{PAGES}/imports?name=hello&distribution=apps/staging"))
    assert text.partition("When")[2].count("hello") == 1


def test_a_dry_run_says_what_the_policy_would_decide_and_changes_nothing(house: House, mara: httpx.Client) -> None:
    query = "source=debian&package=curl&distribution=apps/bookworm&with_dependencies=1&preview=1"
    before = len(house.server.ask("GET", "/import/tasks/1").text)
    text = text_of(mara.get(f"{PAGES}/import?{query}"))
    assert "Nothing was fetched" in text
    assert re.search(r"curl 7\.88\.1-10 amd64 pending review .*CVE-2026-1002", text)
    assert len(house.server.ask("GET", "/import/tasks/1").text) == before


def test_a_form_brings_a_package_in(mara: httpx.Client) -> None:
    data = {"source": "debian", "package": "libalpha-dev", "distribution": "apps/staging", "version": "1.0-1"}
    text = ended(mara, mara.post(f"{PAGES}/import", data=data))
    assert re.search(r"libalpha-dev 1\.0-1 all published", text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"package": "no-such"}, "no-such"),
        ({"package": ""}, "name a package"),
        ({"distribution": "rpms/el9/x86_64"}, "debian has apt packages, rpms/el9/x86_64 takes rpm ones"),
        ({"distribution": "apps/nowhere"}, "there is no distribution called"),
        ({"version": "9"}, "9"),
        ({"package": "hello curl", "version": "1"}, "version and architecture go with one package"),
    ],
)
def test_what_a_form_has_wrong_is_told_on_it_with_what_was_typed(
    mara: httpx.Client, changes: dict[str, str], message: str
) -> None:
    data = {"source": "debian", "package": "hello", "distribution": "apps/staging", "component": "main"} | changes
    answer = mara.post(f"{PAGES}/import", data=data)
    assert 400 <= answer.status_code < 500
    assert "<form" in answer.text
    assert 'role="alert"' in answer.text
    assert message in answer.text
    assert f'name="package" value="{data["package"]}"' in answer.text


def test_files_are_uploaded_and_brought_in(mara: httpx.Client, tmp_path: Path) -> None:
    path = make_deb(tmp_path, "by-hand", "1.0")
    with path.open("rb") as stream:
        answer = mara.post(
            f"{PAGES}/upload", data={"distribution": "apps/staging", "component": ""}, files={"file": stream}
        )
    assert re.search(r"by-hand 1\.0 amd64 published", ended(mara, answer))


def test_an_upload_without_a_file_or_of_something_else_is_refused(mara: httpx.Client) -> None:
    data = {"distribution": "apps/staging"}
    answer = mara.post(f"{PAGES}/upload", data=data, files={"file": ("", b"")})
    assert answer.status_code == 422
    answer = mara.post(f"{PAGES}/upload", data=data, files={"file": ("two words.deb", b"x")})
    assert answer.status_code == 422
    assert "is no name for a package file" in answer.text


def test_a_snapshot_is_on_the_page_of_its_distribution_until_it_is_removed(house: House) -> None:
    path = "/repositories/apps/distributions/staging/snapshots"
    made = house.server.ask("POST", path, {"name": "spring"}, token="maintainer")
    assert made.status_code == 200, made.text
    assert "snapshots/spring/" in text_of(house.server.ask("GET", f"{PAGES}/repositories/apps/staging"))
    assert house.server.ask("DELETE", f"{path}/spring", token="reviewer").status_code == 403
    removed = house.server.ask("DELETE", f"{path}/spring", token="maintainer").json()
    assert (removed["name"], removed["removed"]) == ("spring", True)
    assert house.server.ask("GET", path, token="reader").json() == []
    assert house.server.ask("DELETE", f"{path}/spring", token="maintainer").status_code == 404


def test_what_would_take_long_to_plan_is_asked_for_as_a_task(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_PLANNED", 0)
    staging = f"{PAGES}/repositories/apps/staging/-"
    headers = {"Authorization": f"Bearer {house.server.tokens['maintainer']}"}

    async def pages() -> list[str]:
        workspace = Workspace(house.home, actor="tester")
        datasette = make_datasette(workspace, public=True, trees=False)
        try:
            paths = [f"{staging}/rollback?version=0", f"{staging}/promote?version=1&to=apps/bookworm"]
            return [(await datasette.client.get(path, headers=headers)).text for path in paths]
        finally:
            await datasette.invoke_shutdown()
            workspace.close()

    rollback, promotion = asyncio.run(pages())
    assert "is worked out as a task" in rollback
    assert '<input type="hidden" name="dry_run" value="1">' in rollback
    assert f'action="{staging}/promote"' in promotion
    assert '<input type="hidden" name="to" value="apps/bookworm">' in promotion
