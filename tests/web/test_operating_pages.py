"""Pages on which a release engineer works: reviews, versions, publications, audit, access, set-up of clients."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from entrepot.services import imports, publishing, repositories
from support.advisories import osv, package, write_zip
from support.web import PAGES, Server, Shop, browser, open_shop

CAREFUL = '[policies.careful]\ninherits = "soft"\nfour_eyes = true\n'
WINDOW, CELLAR = f"{PAGES}/repositories/shop/window", f"{PAGES}/repositories/shop/cellar"


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop in whose window is something, whose cellar wants four eyes, and where two toys wait."""
    with open_shop(tmp_path_factory.mktemp("counter"), settings=CAREFUL) as shop:
        workspace = shop.server.workspace()
        repositories.set_distribution(workspace, "shop/cellar", {"policy": "careful"})
        workspace.actor = "reviewer"
        for names, to in ((["robot=1", "battery"], "window"), (["hostile"], "window"), (["odd"], "cellar")):
            request = imports.ImportRequest(source="box", packages=names, distribution=f"shop/{to}")
            imports.import_packages(workspace, request)
        workspace.close()
        yield shop


@pytest.fixture
def server(counter: Shop) -> Server:
    """Its server."""
    return counter.server


def ended(client: httpx.Client, answer: httpx.Response, state: str = "completed") -> str:
    """The page of the task that an answer led to, once it has ended in this state."""
    found = re.fullmatch(rf"{PAGES}/tasks/(\d+)", answer.url.path)
    assert found is not None, answer.text
    with client.stream("GET", f"/import/tasks/{found[1]}/events") as events:
        last = [line for line in events.iter_lines() if line.startswith("data: ")][-1]
    assert json.loads(last.removeprefix("data: "))["status"] == state, last
    return client.get(answer.url.path).text


def plain(text: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


# ----------------------------------------------------------------------------------------------------------- reviews


def waiting(server: Server, name: str) -> int:
    rows = server.ask("GET", "/security/review-queue", token="reader").json()
    return next(int(row["id"]) for row in rows if row["name"] == name)


def test_the_queue_tells_what_waits_since_when_and_who_brought_it(server: Server) -> None:
    with browser(server, "reader") as client:
        text = plain(client.get(f"{PAGES}/review", params={"to": "shop/cellar"}).text)
        assert re.search(r"odd 1 any shop/cellar low 1 .*it says review.* reviewer \d{4}-\d\d-\d\d \d\d:\d\d", text)
        assert "Nothing waits." in client.get(f"{PAGES}/review", params={"to": "shop/window"}).text


def test_who_may_not_decide_sees_no_form(server: Server) -> None:
    path = f"{PAGES}/review/{waiting(server, 'odd')}"
    with browser(server, "uploader") as client:
        assert "Approve and publish" not in client.get(path).text
        answer = client.post(f"{path}/decide", data={"decision": "approve", "justification": "me too"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"decision": "approve"}, "a decision needs a justification"),
        ({"justification": "fine"}, "approved or rejected"),
        ({"decision": "approve", "justification": "fine", "expires_in_days": "0"}, "ends in 1 to 3650 days"),
        ({"decision": "approve", "justification": "fine", "covers": "some"}, "tick the vulnerabilities"),
    ],
)
def test_a_decision_that_is_not_whole_is_told_on_its_page(server: Server, sent: dict[str, str], said: str) -> None:
    with browser(server, "admin") as client:
        answer = client.post(f"{PAGES}/review/{waiting(server, 'odd')}/decide", data=sent)
        assert answer.status_code == 422
        assert said in plain(answer.text)
        assert ("fine" in answer.text) == ("justification" in sent)


def test_four_eyes_are_told_to_who_brought_the_package(server: Server) -> None:
    sent = {"decision": "approve", "justification": "looks fine to me"}
    with browser(server, "reviewer") as client:
        answer = client.post(f"{PAGES}/review/{waiting(server, 'odd')}/decide", data=sent)
        assert answer.status_code == 409
        assert "reviewer may not approve it: policy 'careful' wants four eyes" in plain(answer.text)
        assert "looks fine to me</textarea>" in answer.text


def test_an_approval_that_ends_is_among_the_waivers_and_a_rejection_among_the_decisions(server: Server) -> None:
    with browser(server, "maintainer") as client:
        for name in ("odd", "strange"):
            body = {"source_id": "box", "package": name, "distribution": "shop/window"}
            server.ask("POST", "/import/packages", body, token="uploader")
        rows = server.ask("GET", "/security/review-queue", token="reader").json()
        odd, strange = (
            next(row["id"] for row in rows if (row["name"], row["distribution"]) == (name, "shop/window"))
            for name in ("odd", "strange")
        )
        sent = {"decision": "approve", "justification": "seen <b>it</b>", "expires_in_days": "30"}
        ended(client, client.post(f"{PAGES}/review/{odd}/decide", data=sent))
        ended(client, client.post(f"{PAGES}/review/{strange}/decide", data=sent | {"decision": "reject"}))
        queue = client.get(f"{PAGES}/review", params={"to": "shop/window"}).text
        assert "Nothing waits." in queue
        assert "seen &lt;b&gt;it&lt;/b&gt;" in queue
        decided = plain(client.get(f"{PAGES}/review/decided").text)
        assert "strange 1 any shop/window reject maintainer seen <b>it</b>" in decided
        assert re.search(r"odd 1 any shop/window approve maintainer seen <b>it</b> \d{4}-", decided)


# ---------------------------------------------------------------------------------------------------------- versions


def test_packages_of_a_version_are_found_by_name_and_told_as_text(server: Server) -> None:
    with browser(server, "reader") as client:
        everything = client.get(f"{WINDOW}/-/versions/2").text
        assert "&lt;script&gt;alert(1)" in everything
        assert "<script>alert" not in everything
        found = plain(client.get(f"{WINDOW}/-/versions/2", params={"q": "BATT"}).text)
        assert "battery 1 any" in found
        assert "robot 1 any" not in found
        assert "Remove" not in found.partition("Packages")[2]


def test_a_removal_shows_what_would_go_first(server: Server) -> None:
    with browser(server, "maintainer") as client:
        shown = client.get(f"{WINDOW}/-/remove-packages", params={"package": "battery:any=1"})
        assert "1 removed" in plain(shown.text)
        before = server.ask("GET", "/repositories/shop/distributions/window/versions", token="reader").json()
        answer = client.post(f"{WINDOW}/-/remove-packages", data={"package": "battery:any=1"})
        ended(client, answer)
        after = server.ask("GET", "/repositories/shop/distributions/window/versions", token="reader").json()
        assert after[0]["packages"] == before[0]["packages"] - 1
        assert "remove battery 1" in client.get(WINDOW).text


def test_a_plan_of_a_publication_names_files_bytes_and_requests(server: Server) -> None:
    with browser(server, "maintainer") as client:
        text = plain(client.get(f"{WINDOW}/-/publish", params={"version": 1}).text)
        assert re.search(r"Files written \d+, [\d.]+ k?B", text)
        assert re.search(r"Requests .*\d+ write", text)
        assert "Nothing is written yet" in text


def test_what_a_policy_refuses_stands_before_a_promotion(server: Server) -> None:
    workspace = server.workspace()
    repositories.create_distribution(workspace, "shop/vault", policy="strict")
    workspace.close()
    with browser(server, "maintainer") as client:
        text = plain(client.get(f"{WINDOW}/-/promote", params={"to": "shop/vault", "version": 1}).text)
        assert "The policy strict does not let in:" in text
        answer = client.post(f"{WINDOW}/-/promote", data={"to": "shop/vault", "version": "1"})
        assert "nothing was changed" in ended(client, answer, "failed")
        sent = {"to": "shop/vault", "version": "1", "hold_refused": "1"}
        assert "wait for review or were rejected" in plain(ended(client, client.post(f"{WINDOW}/-/promote", data=sent)))
        assert "robot" in client.get(f"{PAGES}/review", params={"to": "shop/vault"}).text


@pytest.mark.parametrize(
    "path",
    [
        "/repositories/nowhere",
        "/repositories/shop/nowhere",
        "/repositories/shop/window/-/versions/999",
        "/repositories/shop/window/-/diff?before=998&after=999",
        "/review/999999",
        "/setup/nowhere",
        "/policies/nowhere",
        "/advisories/CVE-1999-0001",
    ],
)
def test_what_is_not_there_is_not_found(server: Server, path: str) -> None:
    answer = server.ask("GET", PAGES + path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


@pytest.mark.parametrize("page", ["publish", "rollback?version=1", "promote", "edit", "remove-packages?package=robot"])
def test_pages_that_change_a_distribution_are_for_maintainers(server: Server, page: str) -> None:
    with browser(server, "reviewer") as client:
        assert client.get(f"{WINDOW}/-/{page}").status_code in (200, 403)
        assert client.post(f"{WINDOW}/-/{page.partition('?')[0]}").status_code == 403


# ------------------------------------------------------------------------------------------------------- set-up forms


def test_a_repository_and_its_distribution_are_made_and_changed(server: Server, counter: Shop) -> None:
    tree = counter.tree.parent / "second"
    with browser(server, "admin") as client:
        sent = {
            "name": "second",
            "format": "apt",
            "publish_to": str(tree),
            "public_url": "https://p.example.org/second",
        }
        answer = client.post(f"{PAGES}/repositories/-/add", data=sent)
        assert answer.url.path == f"{PAGES}/repositories/second"
        sent = {"name": "stable/main", "components": "main extra", "architectures": "amd64", "policy": "soft"}
        answer = client.post(f"{PAGES}/repositories/second/-/add", data=sent)
        assert answer.url.path == f"{PAGES}/repositories/second/stable/main"
        sent = {"components": "main", "policy": "strict", "option_valid_days": "9", "compressions": "xz", "keep": "3"}
        answer = client.post(f"{answer.url.path}/-/edit", data=sent)
        text = plain(answer.text)
        assert "Policy strict" in text
        assert "scanner osv is not set up, so by policy strict all leads to pending_review" in text
        assert "valid days 9" in text
        assert "Compression xz" in text
        assert "Keeps the newest 3 of each package" in text
        wrong = client.post(f"{PAGES}/repositories/second/stable/main/-/edit", data=sent | {"keep": "many"})
        assert wrong.status_code == 422
        wrong = client.post(f"{PAGES}/repositories/second/stable/main/-/edit", data={"components": "../x"})
        assert wrong.status_code == 422
        assert 'value="../x"' in wrong.text


def test_what_would_stop_clients_is_on_the_page_of_a_plan(server: Server, counter: Shop) -> None:
    tree = counter.tree.parent / "fourth"
    workspace = server.workspace()
    repositories.create_repository(workspace, "fourth", format_name="apt", publish_to=str(tree), sign=False)
    repositories.create_distribution(workspace, "fourth/stable")
    publishing.publish(workspace, "fourth/stable")
    repositories.set_distribution(workspace, "fourth/stable", {"options": {"codename": "other"}})
    workspace.close()
    with browser(server, "maintainer") as client:
        text = client.get(f"{PAGES}/repositories/fourth/stable/-/publish").text
    assert "changed its &#39;Codename&#39; value from &#39;stable&#39; to &#39;other&#39;" in text
    assert 'name="accept_release_change"' in text


def test_folders_of_the_server_are_chosen_by_admins(server: Server, counter: Shop) -> None:
    with browser(server, "maintainer") as client:
        for folder in (str(counter.tree.parent / "mine"), (counter.tree.parent / "mine").as_uri()):
            sent = {"name": "mine", "format": "apt", "publish_to": folder}
            answer = client.post(f"{PAGES}/repositories/-/add", data=sent)
            assert answer.status_code == 403
            assert "a folder of the server is for admins" in answer.text
            assert folder in answer.text
        answer = client.post(f"{PAGES}/repositories/shop/-/edit", data={"publish_to": "/elsewhere"})
        assert answer.status_code == 403


def test_the_set_up_page_has_what_the_published_tree_has(server: Server, counter: Shop) -> None:
    tree = counter.tree.parent / "third"
    workspace = server.workspace()
    url = "https://packages.example.org/third"
    repositories.create_repository(
        workspace, "third", format_name="apt", publish_to=str(tree), public_url=url, sign=False
    )
    for name in ("alpha", "beta"):
        repositories.create_distribution(workspace, f"third/{name}")
    workspace.close()
    with browser(server, "reader") as client:
        page = client.get(f"{PAGES}/setup/third").text
        blocks = [html.unescape(text) for text in re.findall(r"<code id=\"[^\"]*\">(.*?)</code>", page, re.S)]
    assert any(f"sudo curl -fsSLo /etc/apt/sources.list.d/third.sources {url}/third.sources" in text for text in blocks)
    alone = [text for text in blocks if "URIs: https://packages.example.org/third/" in text]
    assert [re.findall(r"Suites: (\w+)", text) for text in alone] == [["alpha"], ["beta"]]
    assert "This repository is not signed" in page
    assert "alpha, beta are not published yet" in page


# ------------------------------------------------------------------------------------------------------ audit, access


def test_the_audit_log_is_filtered_and_verified(server: Server) -> None:
    with browser(server, "reader") as client:
        text = plain(client.get(f"{PAGES}/audit", params={"action": "distribution", "subject": "shop/cellar"}).text)
        assert "policy soft → careful" in text
        assert "source.add" not in text.partition("Before and after")[2]
        verified = client.post(f"{PAGES}/audit/verify")
        assert re.search(r"The log is whole: \d+ entries, the last one has the digest [0-9a-f]{64}", verified.text)


def test_a_token_is_shown_once_and_revoked(server: Server) -> None:
    with browser(server, "maintainer") as client:
        assert client.get(f"{PAGES}/access").status_code == 403
    with browser(server, "admin") as client:
        sent = {"name": "ci", "role": "uploader", "distributions": "shop/window", "expires_in_days": "9"}
        answer = client.post(f"{PAGES}/access/tokens", data=sent)
        found = re.search(r"entrepot_[\w-]+", answer.text)
        assert found is not None
        assert server.ask("GET", "/import/sources", token=found[0]).status_code == 200
        assert found[0] not in client.get(f"{PAGES}/access").text
        client.post(f"{PAGES}/access/tokens/revoke", data={"name": "ci"})
        assert server.ask("GET", "/import/sources", token=found[0]).status_code == 401


def test_users_are_added_kept_out_and_removed(server: Server) -> None:
    with browser(server, "admin") as client:
        sent = {"name": "mara", "password": " blanks count ", "role": "reviewer"}
        assert "mara may sign in now" in client.post(f"{PAGES}/access/users", data=sent).text
        sign_in = {"username": "mara", "password": " blanks count "}
        assert server.ask("POST", "/auth/token", sign_in).status_code == 200
        client.post(f"{PAGES}/access/users/change", data={"name": "mara", "what": "disable"})
        assert server.ask("POST", "/auth/token", sign_in).status_code == 401
        assert (
            "mara is removed"
            in client.post(f"{PAGES}/access/users/change", data={"name": "mara", "what": "remove"}).text
        )


# --------------------------------------------------------------------------------------------------------- advisories


def test_a_feed_is_added_searched_and_removed(server: Server, counter: Shop) -> None:
    file = counter.tree.parent / "CVE-2026-7.json"
    record = osv(
        "CVE-2026-7", package("Debian:12", "robot", fixed="3"), summary="<i>falls</i> over", aliases=["GHSA-aaaa"]
    )
    file.write_text(json.dumps(record))
    sent = {"name": "robots", "location": str(file)}
    with browser(server, "maintainer") as client:
        refused = client.post(f"{PAGES}/advisories/-/add", data=sent)
        assert refused.status_code == 403
        assert "is for admins" in plain(refused.text)
    with browser(server, "admin") as client:
        ended(client, client.post(f"{PAGES}/advisories/-/add", data=sent))
        about = client.get(f"{PAGES}/advisories", params={"q": "robot"}).text
        assert "&lt;i&gt;falls&lt;/i&gt; over" in about
        assert "Debian:12 3" in plain(about)
        one = client.get(f"{PAGES}/advisories", params={"q": "GHSA-aaaa"})
        assert one.url.path == f"{PAGES}/advisories/GHSA-aaaa"
        assert "robot Debian:12 always 3" in plain(one.text)
        client.post(f"{PAGES}/advisories/-/remove", data={"name": "robots"})
        assert client.get(f"{PAGES}/advisories/CVE-2026-7").status_code == 404


def test_scan_again_looks_at_what_is_in_as_a_task(server: Server) -> None:
    with browser(server, "maintainer") as client:
        assert "Scan again" in client.get(WINDOW).text
        text = plain(ended(client, client.post(f"{WINDOW}/-/scan")))
        assert "Scan of shop/window" in text
        assert "Scanned" in text


def test_a_feed_is_read_again_from_its_page(server: Server, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "again.zip", [osv("CVE-2026-2001", package("Debian:12", "robot"))])
    with browser(server, "admin") as client:
        sent = {"name": "again", "location": str(archive)}
        ended(client, client.post(f"{PAGES}/advisories/-/add", data=sent))
        write_zip(archive, [osv(f"CVE-2026-200{number}", package("Debian:12", "robot")) for number in (1, 2)])
        assert "Vulnerability data again" in ended(client, client.post(f"{PAGES}/advisories/-/update", data=sent))
        assert "CVE-2026-2002" in client.get(f"{PAGES}/advisories/CVE-2026-2002").text
        client.post(f"{PAGES}/advisories/-/remove", data=sent)
