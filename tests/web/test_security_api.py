"""Who may do what over HTTP, and what those get who pretend to be somebody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from datasette_entrepot import limiter
from datasette_entrepot.limiter import Limiter
from entrepot.errors import TooManyTriesError
from entrepot.models import Role
from entrepot.services import identity
from support.toy import make_toy
from support.web import PAGES, PLAIN, Server, Shop, browser, open_shop

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop where reading is not for everybody, and files have a limit."""
    text = "max_package_size = 100000\n[web]\npublic = false\n[web.roles]\nbigcorp = 'reviewer'\n"
    with open_shop(tmp_path_factory.mktemp("closed"), settings=text, synced=False) as shop:
        yield shop


def add(server: Server, name: str, role: Role, *, limits: tuple[str, ...] = ()) -> str:
    """A token of its own for a test."""
    workspace = server.workspace()
    secret = identity.create_token(workspace, name, role, distributions=limits).secret
    workspace.close()
    return secret


def cookie(server: Server, name: str = "kim", role: Role = Role.MAINTAINER) -> dict[str, str]:
    """The cookie of a user that signed in with a browser."""
    import itsdangerous

    workspace = server.workspace()
    if name not in [user["name"] for user in identity.list_users(workspace)]:
        identity.add_user(workspace, name, PASSWORD, role)
    stamp = identity.stamp_of(workspace, name)
    workspace.close()
    secret = (server.home / "secrets" / "web.key").read_text()
    value = {"a": {"id": name, "entrepot_user": name, "entrepot_stamp": stamp}}
    return {"ds_actor": itsdangerous.URLSafeSerializer(secret, "actor").dumps(value)}


# ------------------------------------------------------------------------------------------------ who may do what


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("POST", "/import/sources", "maintainer"),
        ("PATCH", "/import/sources/nowhere", "maintainer"),
        ("DELETE", "/import/sources/nowhere", "maintainer"),
        ("POST", "/import/sources/nowhere/sync", "maintainer"),
        ("POST", "/import/packages", "uploader"),
        ("POST", "/upload/", "uploader"),
        ("POST", "/import/tasks/999/cancel", "maintainer"),
        ("POST", "/security/imports/999/approve", "reviewer"),
        ("POST", "/security/imports/999/reject", "reviewer"),
        ("POST", "/repositories/shop/distributions/window/publish", "maintainer"),
    ],
)
def test_a_change_is_for_its_role_and_those_above(server: Server, method: str, path: str, least: str) -> None:
    refused = [role.value for role in Role if server.ask(method, path, {"x": 1}, token=role.value).status_code == 403]
    assert refused == [role.value for role in Role][: [role.value for role in Role].index(least)]
    anonymous = server.ask(method, path, {"x": 1})
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"].startswith("Bearer")


def test_reading_can_be_for_those_who_are_known(closed: Shop) -> None:
    with browser(closed.server) as client:
        for path in ("/", PAGES):
            answer = client.get(path)
            assert answer.url.path == f"{PAGES}/login"
            assert "shop/window" not in answer.text
            assert "Sources" not in answer.text
    with browser(closed.server, "reader") as client:
        assert "shop/window" in client.get(PAGES).text


@pytest.mark.parametrize(
    "path", ["/import/sources", "/import/catalog?q=robot", "/repositories", "/security/review-queue"]
)
def test_reading_needs_a_token_where_it_is_not_public(closed: Shop, path: str) -> None:
    assert closed.server.ask("GET", path).status_code == 401
    assert closed.server.ask("GET", path, token="reader").status_code == 200


@pytest.mark.parametrize(
    "path", ["/-/", "/catalog", "/catalog/sources", "/catalog/sources.json", "/catalog/-/query.json?sql=select+1"]
)
def test_pages_of_datasette_are_as_closed_as_the_rest(closed: Shop, path: str) -> None:
    assert closed.server.ask("GET", path).status_code == 403
    assert closed.server.ask("GET", path, token="reader").status_code == 200
    assert closed.server.ask("GET", path, cookies=cookie(closed.server)).status_code == 200


@pytest.mark.parametrize("secret", ["entrepot_unknown", "xxxx", "%00", "a b c"])
def test_an_unknown_token_is_refused_even_where_reading_is_public(server: Server, secret: str) -> None:
    answer = server.ask("GET", "/import/sources", token=secret)
    assert answer.status_code == 401
    assert secret not in answer.text


def test_a_revoked_token_is_refused(server: Server) -> None:
    secret = add(server, "leaver", Role.ADMIN)
    assert server.ask("GET", "/import/sources", token=secret).status_code == 200
    workspace = server.workspace()
    identity.revoke_token(workspace, "leaver")
    workspace.close()
    assert server.ask("GET", "/import/sources", token=secret).status_code == 401


def test_an_expired_token_is_refused(server: Server) -> None:
    secret = add(server, "old", Role.ADMIN)
    workspace = server.workspace()
    with workspace.access.transaction():
        workspace.access._db.conn.execute("UPDATE tokens SET expires_at = '2026-01-01T00:00:00Z' WHERE name = 'old'")
    workspace.close()
    assert server.ask("GET", "/import/sources", token=secret).status_code == 401


def test_a_limited_token_changes_its_distributions_and_nothing_else(server: Server, tmp_path: Path) -> None:
    secret = add(server, "limited", Role.MAINTAINER, limits=("cellar",))
    body = {"source_id": 1, "package": "battery"}
    assert server.ask("POST", "/import/packages", body | {"distribution": "window"}, token=secret).status_code == 403
    assert server.ask("POST", "/import/packages", body | {"distribution": "cellar"}, token=secret).status_code == 200
    files = {"file": ("a.toy", make_toy(tmp_path, "a").read_bytes())}
    refused = server.ask("POST", "/upload/", token=secret, files=files, data={"distribution": "window"})
    assert refused.status_code == 403
    assert not any((server.home / "uploads").iterdir())
    base = "/repositories/shop/distributions"
    assert server.ask("POST", f"{base}/window/publish", token=secret).status_code == 403
    assert server.ask("POST", f"{base}/cellar/publish", token=secret).status_code == 200
    assert server.ask("DELETE", "/import/sources/1", token=secret).status_code == 403


# ------------------------------------------------------------------------------------------------------- sign-in


def test_a_token_is_exchanged_for_one_that_expires(server: Server) -> None:
    answer = server.ask("POST", "/auth/token", token="uploader")
    short = answer.json()
    assert (answer.status_code, short["token_type"], short["expires_in"]) == (200, "bearer", 3600)
    assert server.ask("POST", "/import/packages", {}, token=short["access_token"]).status_code == 422
    assert server.ask("POST", "/import/sources", {}, token=short["access_token"]).status_code == 403


def test_name_and_password_are_exchanged_for_a_token_as_form_and_as_json(closed: Shop) -> None:
    server = closed.server
    cookie(server)
    by_form = server.ask(
        "POST", "/auth/token", data={"username": "kim", "password": PASSWORD, "grant_type": "password"}
    )
    by_json = server.ask("POST", "/auth/token", {"username": "kim", "password": PASSWORD})
    for answer in (by_form, by_json):
        assert answer.status_code == 200, answer.text
        assert "no-store" in answer.headers["cache-control"]
        assert server.ask("GET", "/import/sources", token=answer.json()["access_token"]).status_code == 200


def test_nobody_gets_a_token(server: Server) -> None:
    assert server.ask("POST", "/auth/token").status_code == 401
    assert server.ask("POST", "/auth/token", cookies=cookie(server)).status_code == 401
    assert server.ask("POST", "/auth/token", {"username": "kim"}).status_code == 422


def test_five_wrong_tries_slow_an_address_down(tmp_path: Path) -> None:
    with open_shop(tmp_path, synced=False) as shop:
        wrong = {"username": "nobody", "password": "wrong wrong"}
        answers = [shop.server.ask("POST", "/auth/token", wrong) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert shop.server.ask("GET", "/import/sources", token="reader").status_code == 200


def test_the_pause_grows_ends_and_is_forgotten() -> None:
    now = [0.0]
    slow = Limiter(lambda: now[0])
    for _ in range(limiter.FREE_TRIES):
        slow.begin("192.0.2.1")
    pauses: list[int] = []
    for _ in range(12):
        with pytest.raises(TooManyTriesError) as caught:
            slow.begin("192.0.2.1")
        pause = caught.value.data["retry_after"]
        assert isinstance(pause, int)
        pauses.append(pause)
        now[0] += pauses[-1]
        slow.begin("192.0.2.1")
    assert pauses == sorted(pauses)
    assert pauses[-1] == limiter.LONGEST_PAUSE
    slow.begin("192.0.2.2")
    slow.right("192.0.2.1")
    slow.begin("192.0.2.1")


def test_addresses_of_one_network_count_together_and_memory_is_bounded() -> None:
    slow = Limiter()
    for number in range(limiter.FREE_TRIES):
        slow.begin(f"2001:db8::{number}")
    with pytest.raises(TooManyTriesError):
        slow.begin("2001:db8::ffff")
    slow.begin("2001:db8:0:1::1")
    for number in range(limiter.MOST_ADDRESSES + 50):
        slow.begin(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    assert len(slow) == limiter.MOST_ADDRESSES


# --------------------------------------------------------------------------------------------- browsers and forgery


def test_a_cookie_reads_and_changes_on_its_own_site(closed: Shop) -> None:
    server = closed.server
    jar = cookie(server)
    assert server.ask("GET", "/import/sources", cookies=jar).status_code == 200
    same = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.ask("POST", "/import/sources", {}, cookies=jar, headers=same).status_code == 422


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example.org"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_another_site_cannot_use_a_cookie(closed: Shop, headers: dict[str, str]) -> None:
    server = closed.server
    answer = server.ask("POST", "/import/sources", {}, cookies=cookie(server), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert "another site" in answer.json()["detail"]
    # A form of another site cannot send JSON without asking first, and a form is not taken.
    form = server.ask("POST", "/import/sources", cookies=cookie(server), data={"name": "x"})
    assert form.status_code == 415


def test_a_bearer_call_needs_no_origin_and_looks_at_no_cookie(closed: Shop) -> None:
    server = closed.server
    jar = cookie(server)
    assert server.ask("GET", "/import/sources", token="entrepot_wrong", cookies=jar).status_code == 401
    assert server.ask("POST", "/import/sources", {}, token="reader", cookies=jar).status_code == 403
    evil = {"Origin": "https://evil.example.org"}
    assert server.ask("POST", "/import/sources", {}, token="maintainer", headers=evil).status_code == 422


def test_a_forged_or_old_cookie_is_nobody(closed: Shop) -> None:
    import itsdangerous

    server = closed.server
    forged = itsdangerous.URLSafeSerializer("guess", "actor").dumps({"a": {"id": "root"}})
    assert server.ask("GET", "/import/sources", cookies={"ds_actor": forged}).status_code == 401
    jar = cookie(server, "leaving")
    assert server.ask("GET", "/import/sources", cookies=jar).status_code == 200
    workspace = server.workspace()
    identity.set_user(workspace, "leaving", disabled=True)
    workspace.close()
    assert server.ask("GET", "/import/sources", cookies=jar).status_code == 401
    assert server.ask("GET", "/catalog", cookies=jar).status_code == 403


def test_an_actor_of_another_plugin_has_the_role_of_the_settings(closed: Shop) -> None:
    import itsdangerous

    server = closed.server
    secret = (server.home / "secrets" / "web.key").read_text()
    signer = itsdangerous.URLSafeSerializer(secret, "actor")
    known = {"ds_actor": signer.dumps({"a": {"id": "bigcorp"}})}
    unknown = {"ds_actor": signer.dumps({"a": {"id": "smallcorp"}})}
    path, body = "/security/imports/999/approve", {"justification": "x"}
    assert server.ask("POST", path, body, cookies=known).status_code == 404
    assert server.ask("POST", "/import/sources", {}, cookies=known).status_code == 403
    assert server.ask("GET", "/import/sources", cookies=unknown).status_code == 401


@pytest.mark.parametrize("path", ["/", "/import/sources", "/import/nothing", "/-/entrepot/health", "/catalog/sources"])
def test_every_answer_stays_out_of_frames_and_is_what_it_says(server: Server, path: str) -> None:
    headers = server.ask("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_hostile_fields_are_json_and_escaped_in_pages(server: Server) -> None:
    answer = server.ask("GET", "/import/catalog?name=hostile", token="reader")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["rows"][0]["description"] == "<script>alert(1)</script>"
    page = server.ask("GET", "/catalog/available?name=hostile")
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.text


def test_hostile_names_come_back_as_json(server: Server) -> None:
    answer = server.ask("GET", "/import/sources/%3Cscript%3Ealert(1)%3C%2Fscript%3E%0d%0aX-Evil:%201", token="reader")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    "path", ["//evil.example.org/tree/shop", "/tree//evil.example.org", "/tree/shop", "/\\evil.example.org/"]
)
def test_no_redirect_leads_to_another_site(server: Server, path: str) -> None:
    answer = server.ask("GET", path, follow_redirects=False)
    location = answer.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(closed: Shop) -> None:
    server = closed.server
    sent = []

    def endless() -> Iterator[bytes]:
        yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="big.toy"\r\n\r\n'
        for _ in range(400):
            sent.append(1)
            yield b"x" * 10_000

    headers = {
        "Authorization": f"Bearer {server.tokens['uploader']}",
        "Content-Type": "multipart/form-data; boundary=B",
    }
    whole = {"file": ("big.toy", b"x" * 3_000_000)}
    told = server.ask("POST", "/upload/", token="uploader", files=whole, data={"distribution": "cellar"})
    assert told.status_code == 413
    untold = httpx.post(f"{server.url}/upload/", headers=headers, content=endless(), **PLAIN)
    assert untold.status_code == 413
    assert not any((server.home / "uploads").iterdir())


def test_figures_tell_names_to_those_who_may_read(closed: Shop) -> None:
    assert "box" not in closed.server.ask("GET", "/-/entrepot/metrics").text
    text = closed.server.ask("GET", "/-/entrepot/metrics", token="reader").text
    assert 'entrepot_source_packages{source="box"} 0' in text
