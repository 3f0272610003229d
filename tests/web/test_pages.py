"""The frame of all pages: who may see them, where one signs in, errors, headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from entrepot.models import Role
from entrepot.services import identity
from support.web import PAGES, Server, browser, open_shop


def test_who_may_not_is_sent_to_sign_in_and_comes_back(server: Server) -> None:
    with browser(server) as client:
        answer = client.get(f"{PAGES}/sources/add")
        assert answer.url.path == f"{PAGES}/login"
        assert "Sign in first" in answer.text
        wanted = re.search(r'name="next" value="([^"]*)"', answer.text)
        assert wanted is not None
        answer = client.post(f"{PAGES}/login", data={"token": server.tokens["maintainer"], "next": wanted[1]})
        assert answer.url.path == f"{PAGES}/sources/add"
        assert "Signed in as maintainer" in answer.text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",
        "javascript:1",
    ],
)
def test_signing_in_leads_to_no_other_server(server: Server, elsewhere: str) -> None:
    with browser(server) as client:
        data = {"token": server.tokens["reader"], "next": elsewhere}
        answer = client.post(f"{PAGES}/login", data=data, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == PAGES


def test_a_role_that_is_not_enough_is_told_so_and_sees_no_button(server: Server) -> None:
    with browser(server, "uploader") as client:
        answer = client.get(f"{PAGES}/sources/add")
        assert answer.status_code == 403
        assert "this needs maintainer" in answer.text
        assert "Sync now" not in client.get(f"{PAGES}/sources/box").text
        assert client.post(f"{PAGES}/sources/box/sync").status_code == 403


def test_a_password_signs_in_and_a_new_one_signs_out_everywhere(server: Server) -> None:
    workspace = server.workspace()
    identity.add_user(workspace, "lena", "a long enough one", Role.REVIEWER)
    with browser(server) as client:
        wrong = client.post(f"{PAGES}/login", data={"username": "lena", "password": "a wrong password"})
        assert wrong.status_code == 401
        assert "the name or the password is wrong" in wrong.text
        assert 'value="lena"' in wrong.text
        assert "a wrong password" not in wrong.text
        right = client.post(f"{PAGES}/login", data={"username": "lena", "password": "a long enough one"})
        assert "Signed in as lena (reviewer)" in right.text
        assert ">reviewer</span>" in client.get(PAGES).text
        identity.set_user(workspace, "lena", password="another long one")
        assert "Sign out" not in client.get(PAGES).text
    workspace.close()


def test_a_revoked_token_signs_its_browsers_out(server: Server) -> None:
    workspace = server.workspace()
    token = identity.create_token(workspace, "brief", Role.MAINTAINER)
    with browser(server) as client:
        client.post(f"{PAGES}/login", data={"token": token.secret})
        assert client.get(f"{PAGES}/sources/add").url.path == f"{PAGES}/sources/add"
        identity.revoke_token(workspace, "brief")
        assert client.get(f"{PAGES}/sources/add").url.path == f"{PAGES}/login"
    workspace.close()


def test_an_access_token_is_not_what_a_browser_signs_in_with(server: Server) -> None:
    short = server.ask("POST", "/auth/token", token="reader").json()["access_token"]
    with browser(server) as client:
        answer = client.post(f"{PAGES}/login", data={"token": short})
        assert answer.status_code == 401
        assert "only a long-lived token" in answer.text


def test_signing_out_forgets_the_cookie(server: Server) -> None:
    with browser(server, "reader") as client:
        assert "Sign out" in client.get(PAGES).text
        assert "Signed out" in client.post(f"{PAGES}/logout").text
        assert "Sign out" not in client.get(PAGES).text


def test_the_cookie_is_kept_from_scripts_and_other_sites(server: Server) -> None:
    with browser(server) as client:
        answer = client.post(f"{PAGES}/login", data={"token": server.tokens["reader"]}, follow_redirects=False)
        cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("ds_actor="))
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert server.tokens["reader"] not in cookie


def test_a_form_from_another_site_is_refused(server: Server) -> None:
    with browser(server, "maintainer") as client:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
            assert client.post(f"{PAGES}/sources/box/remove", headers=headers).status_code == 403
        assert client.get(f"{PAGES}/sources/box").status_code == 200


def test_wrong_passwords_are_slowed_down(tmp_path: Path) -> None:
    with open_shop(tmp_path, synced=False) as shop, browser(shop.server) as client:
        tries = [client.post(f"{PAGES}/login", data={"token": f"wrong-{number}"}) for number in range(6)]
        assert [answer.status_code for answer in tries] == [401] * 5 + [429]
        assert "too many wrong tries" in tries[-1].text
        assert tries[-1].headers["retry-after"].isdecimal()


@pytest.mark.parametrize(
    "path", ["/nothing", "/sources/nowhere", "/tasks/999999", "/tasks/one", "/sources/%00", "/%FF"]
)
def test_what_is_not_there_has_a_page_that_says_so(server: Server, path: str) -> None:
    answer = server.ask("GET", PAGES + path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Not found" in answer.text


def test_pages_run_no_script_but_those_of_the_server(server: Server) -> None:
    answer = server.ask("GET", PAGES)
    rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["form-action"] == "'self'"
    assert re.fullmatch(r"'self'( 'sha256-[A-Za-z0-9+/=]+')+", rules["script-src"])
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_message_that_waits_for_its_page_breaks_no_call_of_the_api(server: Server) -> None:
    with browser(server) as client:
        client.post(f"{PAGES}/login", data={"token": server.tokens["reader"]}, follow_redirects=False)
        assert "ds_messages" in client.cookies
        assert client.get("/import/sources").status_code == 200
        assert client.get("/import/nothing").status_code == 404
        assert "Signed in as reader" in client.get(PAGES).text
        assert "Signed in as reader" not in client.get(PAGES).text


def test_what_a_url_says_is_text(server: Server) -> None:
    answer = server.ask("GET", f"{PAGES}/login?next=/x%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in answer.text
    answer = server.ask("GET", f"{PAGES}/sources/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text
