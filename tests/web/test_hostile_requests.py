"""What requests get that send what must not be: names, bodies, sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.toy import make_toy
from support.web import Server

# ------------------------------------------------------------------------------------------------------- uploads


@pytest.mark.parametrize("name", ["../../sneaky.toy", "/etc/sneaky.toy", "..\\..\\sneaky.toy", "C:\\sneaky.toy"])
def test_the_name_of_an_upload_leads_nowhere(server: Server, tmp_path: Path, name: str) -> None:
    content = make_toy(tmp_path, "sneaky").read_bytes()
    answer = server.ask(
        "POST", "/upload/", token="uploader", files={"file": (name, content)}, data={"distribution": "cellar"}
    )
    # It is taken under the last part of its name.
    assert answer.status_code == 200, answer.text
    assert not list(server.home.rglob("*sneaky*"))
    assert not any((server.home / "uploads").iterdir())


@pytest.mark.parametrize("name", [".hidden.toy", "..", "a b.toy", "x" * 300 + ".toy", "-rf.toy"])
def test_a_name_that_is_none_is_refused(server: Server, name: str) -> None:
    answer = server.ask(
        "POST", "/upload/", token="uploader", files={"file": (name, b"x")}, data={"distribution": "cellar"}
    )
    assert answer.status_code == 422
    assert not any((server.home / "uploads").iterdir())


def test_what_is_no_form_is_refused(server: Server) -> None:
    token = "uploader"
    assert server.ask("POST", "/upload/", {"file": "x"}, token=token).status_code == 415
    broken = {"Content-Type": "multipart/form-data; boundary=B"}
    assert server.ask("POST", "/upload/", token=token, headers=broken, content=b"nonsense").status_code in (400, 422)
    assert server.ask("POST", "/upload/", token=token, files={"file": ("a.toy", b"x")}).status_code == 422
    lacking = server.ask(
        "POST", "/upload/", token=token, files={"other": ("a.toy", b"x")}, data={"distribution": "cellar"}
    )
    assert lacking.status_code == 422


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b'{"name": NaN}', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b" " * 2_000_000, "application/json", 413),
    ],
)
def test_a_body_has_to_be_what_it_says(server: Server, content: bytes, content_type: str, status: int) -> None:
    answer = server.ask(
        "POST", "/import/sources", token="maintainer", content=content, headers={"Content-Type": content_type}
    )
    assert answer.status_code == status, answer.text


# ------------------------------------------------------------------------------------------------------- sources


def test_secrets_of_a_source_are_taken_and_never_shown(server: Server) -> None:
    body = {
        "name": "guarded",
        "format": "toy",
        "url": "https://user:hidden1@example.org/toys",
        "distributions": ["toys"],
        "verify": False,
        "secrets": {"headers": {"X-Key": "hidden2"}},
    }
    added = server.ask("POST", "/import/sources", body, token="maintainer")
    assert added.status_code == 201, added.text
    changed = server.ask(
        "PATCH", "/import/sources/guarded", {"secrets": {"username": "u", "password": "hidden3"}}, token="maintainer"
    )
    shown = server.ask("GET", "/import/sources/guarded", token="admin")
    pages = [
        server.ask("GET", path).text for path in ("/catalog/sources.json", "/catalog/audit.json", "/catalog/tasks.json")
    ]
    assert shown.json()["secrets"] == {"is_set": True}
    ends = ({"username": None}, {"is_set": True}), ({"headers": None}, {"is_set": False})
    for secrets, left in ends:
        answer = server.ask("PATCH", "/import/sources/guarded", {"secrets": secrets}, token="maintainer")
        assert answer.json()["secrets"] == left
    for text in (added.text, changed.text, shown.text, *pages):
        assert "hidden" not in text
    assert server.ask("DELETE", added.headers["location"], token="maintainer").status_code == 204
    assert server.ask("GET", "/import/sources/guarded", token="admin").status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "file:///etc"}, 403),
        ({"url": "FILE:///etc"}, 403),
        ({"url": "gopher://example.org"}, 422),
        ({"connection": {"client_key": "/etc/shadow"}}, 422),
        ({"connection": {"ca_cert": "/etc/shadow"}}, 422),
        ({"connection": {"concurrency": 1000}}, 422),
        ({"secrets": {"headers": {"a\r\nb": "c"}}}, 422),
        ({"secrets": {"headers": {"a": 1}}}, 422),
        ({"name": "../x"}, 422),
        ({"format": "nothing"}, 404),
        ({"options": {"nothing": True}}, 422),
        ({"name": "box"}, 409),
    ],
)
def test_a_source_that_must_not_be_is_refused(server: Server, change: dict[str, object], status: int) -> None:
    body = {"name": "bad", "format": "toy", "url": "https://example.org/", "distributions": ["toys"], "verify": False}
    answer = server.ask("POST", "/import/sources", body | change, token="maintainer")
    assert answer.status_code == status, answer.text
    assert server.ask("GET", "/import/sources/bad", token="reader").status_code == 404


def test_tokens_and_users_are_no_table_of_datasette(server: Server) -> None:
    for table in ("tokens", "users", "sessions"):
        assert server.ask("GET", f"/catalog/{table}.json", token="admin").status_code == 404
    sql = "/catalog/-/query.json?sql=select+name+from+pragma_database_list"
    assert "access" not in server.ask("GET", sql, token="admin").text
    attach = "/catalog/-/query.json?sql=attach+'access.db'+as+x"
    assert server.ask("GET", attach, token="admin").status_code >= 400
