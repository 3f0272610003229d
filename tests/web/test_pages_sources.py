"""The pages of sources: what they show, and the forms that add, change, sync and remove one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from support.populated import House
from support.web import PAGES, browser


@pytest.fixture
def mara(house: House) -> Iterator[httpx.Client]:
    """The browser of a maintainer."""
    with browser(house.server, "maintainer") as client:
        yield client


def draft(house: House, name: str, **more: str) -> dict[str, str]:
    """What a form sends."""
    assert house.apt.key
    base = {
        "name": name,
        "format": "apt",
        "url": f"{house.network.url}/debian",
        "distributions": "bookworm",
        "architectures": "amd64, arm64",
        "verify": "1",
        "keyring": house.apt.key.armored.decode(),
        "username": "somebody",
        "password": "a secret password",
        "headers": "X-Licence: secret-header\n",
        "concurrency": "3",
        "option_apt_udebs": "1",
        "option_rpm_releasever": "9",
    }
    return base | more


def test_a_source_page_tells_its_keys_and_syncs(house: House) -> None:
    page = house.server.ask("GET", f"{PAGES}/sources/debian").text
    assert house.apt.key
    assert house.apt.key.fingerprint in page
    assert "Archive &lt;archive@example.org&gt;" in page
    assert re.search(r'ep-good">completed', page)


def test_a_source_is_added_changed_synced_and_removed(house: House, mara: httpx.Client) -> None:
    answer = mara.post(f"{PAGES}/sources/add", data=draft(house, "second"))
    assert answer.url.path == f"{PAGES}/sources/second", answer.text
    assert "second is added" in answer.text
    source = mara.get("/import/sources/second").json()
    assert source["architectures"] == ["amd64", "arm64"]
    assert source["secrets"] == {"is_set": True}
    assert source["connection"]["concurrency"] == 3
    assert source["options"]["udebs"] is True
    assert "releasever" not in source["options"]

    form = mara.get(f"{PAGES}/sources/second/edit").text
    assert "a secret password" not in form
    assert "secret-header" not in form
    assert 'value="amd64 arm64"' in form
    changed = {"url": f"{house.network.url}/debian", "distributions": "bookworm", "verify": "1", "concurrency": "5"}
    changed["architectures"] = "amd64"
    answer = mara.post(f"{PAGES}/sources/second/edit", data=changed)
    assert "second is changed" in answer.text
    source = mara.get("/import/sources/second").json()
    assert (source["architectures"], source["connection"]["concurrency"]) == (["amd64"], 5)
    assert source["secrets"] == {"is_set": True}
    assert source["has_keyring"]
    assert source["options"]["udebs"] is False

    mara.post(f"{PAGES}/sources/second/edit", data=changed | {"forget_secrets": "1"})
    workspace = house.server.workspace()
    kept = workspace.secrets(workspace.catalog.sources.get("second"))
    workspace.close()
    assert (kept.username, kept.password, kept.headers) == (None, None, ())
    answer = mara.post(f"{PAGES}/sources/second/sync")
    assert answer.url.path == f"{PAGES}/sources/second"
    for events in re.findall(r'data-events="([^"]*)"', answer.text):
        with mara.stream("GET", events) as stream:
            assert "done" in [*stream.iter_lines()][-2]
    page = mara.get(f"{PAGES}/sources/second").text
    assert "<dt>Packages</dt><dd>15</dd>" in page
    answer = mara.post(f"{PAGES}/sources/second/remove")
    assert "second is removed" in answer.text
    assert mara.get(f"{PAGES}/sources/second").status_code == 404


def test_a_form_that_is_sent_as_it_is_shown_changes_nothing(house: House, mara: httpx.Client) -> None:
    before = mara.get("/import/sources/debian").json()
    form = mara.get(f"{PAGES}/sources/debian/edit").text
    sent = dict(re.findall(r'<input type="(?:text|number)" id="[^"]*" name="([^"]*)" value="([^"]*)"', form))
    sent |= dict(re.findall(r'<input type="checkbox" id="[^"]*" name="([^"]*)" value="(1)" checked', form))
    assert {"url", "proxy", "concurrency", "timeout", "verify"} <= sent.keys()
    assert "debian is changed" in mara.post(f"{PAGES}/sources/debian/edit", data=sent).text
    after = mara.get("/import/sources/debian").json()
    assert not any(after.pop("options").values())  # in which what was not said before is said to be as it is anyway
    assert after == {name: value for name, value in before.items() if name != "options"}


@pytest.mark.parametrize("path", ["repositories/shop/-/edit", "repositories/shop/bookworm/-/edit"])
def test_no_form_shows_what_is_not_set_as_a_word(house: House, mara: httpx.Client, path: str) -> None:
    form = mara.get(f"{PAGES}/{path}").text
    assert "<form" in form
    assert 'value="None"' not in form


def test_keys_are_uploaded_as_a_file(house: House, mara: httpx.Client) -> None:
    assert house.apt.key
    data = draft(house, "keyed", keyring="")
    answer = mara.post(f"{PAGES}/sources/add", data=data, files={"keyring_file": ("keys.gpg", house.apt.key.public)})
    assert house.apt.key.fingerprint in answer.text
    mara.post(f"{PAGES}/sources/keyed/remove")


def test_a_failed_sync_is_told_on_the_page_of_its_source(mara: httpx.Client) -> None:
    answer = mara.post(f"{PAGES}/sources/gone/sync")
    for events in re.findall(r'data-events="([^"]*)"', answer.text):
        with mara.stream("GET", events) as stream:
            assert [*stream.iter_lines()]
    page = mara.get(f"{PAGES}/sources/gone").text
    assert "The last sync failed:" in page
    assert "repomd.xml" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "a source needs a name"),
        ({"name": "debian"}, "there is a source called"),
        ({"name": "../up"}, "source"),
        ({"format": "zip"}, "choose a format"),
        ({"url": "gopher://example.org"}, "is no URL of a source"),
        ({"url": "file:///etc"}, "is for admins"),
        ({"keyring": ""}, "has no keys to verify it with"),
        ({"keyring": "nothing like a key"}, "key"),
        ({"concurrency": "9999"}, "concurrency must be between 1 and 64"),
        ({"concurrency": "many"}, "concurrency must be an integer"),
        ({"headers": "no colon"}, "a header is written as NAME: VALUE"),
    ],
)
def test_what_is_wrong_with_a_source_is_told_on_its_form(
    house: House, mara: httpx.Client, changes: dict[str, str], message: str
) -> None:
    answer = mara.post(f"{PAGES}/sources/add", data=draft(house, "wrong") | changes)
    assert 400 <= answer.status_code < 500
    assert message in answer.text.replace("&#39;", "'")
    assert "a secret password" not in answer.text
    assert mara.get("/import/sources/wrong").status_code == 404


def test_what_a_client_is_configured_with_is_pasted(house: House, mara: httpx.Client) -> None:
    assert house.apt.key
    text = f"Types: deb\nURIs: {house.network.url}/debian\nSuites: bookworm\nComponents: main\nArchitectures: amd64\n"
    data = {"text_format": "apt", "text": text, "file_name": "pasted.sources"}
    data["text_keyring"] = house.apt.key.armored.decode()
    answer = mara.post(f"{PAGES}/sources/paste", data=data)
    assert answer.url.path == f"{PAGES}/sources", answer.text
    added = re.search(r"([\w.-]+) is added", answer.text)
    assert added is not None
    assert mara.get(f"/import/sources/{added[1]}").json()["distributions"] == ["bookworm"]
    mara.post(f"{PAGES}/sources/{added[1]}/remove")


@pytest.mark.parametrize(
    "line",
    ["Signed-By: /root/private.key", "Signed-By: /usr/share/keyrings/../../../root/private.key"],
)
def test_pasted_text_does_not_read_files_of_the_server(house: House, mara: httpx.Client, line: str) -> None:
    text = f"Types: deb\nURIs: {house.network.url}/debian\nSuites: bookworm\nComponents: main\n{line}\n"
    answer = mara.post(f"{PAGES}/sources/paste", data={"text_format": "apt", "text": text})
    assert answer.status_code == 403
    assert "is a file of the server" in answer.text
