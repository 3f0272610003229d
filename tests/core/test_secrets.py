"""User names, passwords and headers: in one file that only its owner may read, and nowhere else."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.errors import EntrepotError, TransferError, UsageError
from entrepot.models import Connection, Secrets, SourceDraft
from entrepot.progress import ProgressEvent
from entrepot.services import imports, repositories, sources
from entrepot.services.sources import Change
from support.toybox import ToyBox
from support.upstream import Fault, Upstream

USER, PASSWORD, HEADER, PROXY = "user-c0ffee", "pässword/c0ffee@1", "header-c0ffee", "proxy-c0ffee"
SECRETS = Secrets(USER, PASSWORD, (("X-Token", HEADER),))
ALL = [USER, PASSWORD, HEADER, PROXY]


def hidden(*words: str) -> list[bytes]:
    """What must not be found: each secret as it is, and as it travels."""
    quoted = ["p%C3%A4ssword%2Fc0ffee%401", base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()]
    return [word.encode() for word in [*words, *quoted]]


@dataclass
class Guarded:
    """A toy box whose upstream wants a user name and a password."""

    box: ToyBox
    server: Upstream

    @property
    def file(self) -> Path:
        """Where the secrets of the source are."""
        return self.box.home / "secrets" / "source-1.json"

    def everything(self) -> bytes:
        """All bytes of the workspace and of the tree, but for the file with the secrets."""
        self.box.workspace.catalog.database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files = [path for path in self.box.folder.rglob("*") if path.is_file() and path != self.file]
        return b"".join(path.read_bytes() for path in files)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1)
    box.upstream.write()
    with Upstream(root=box.upstream.root) as server:
        for path in ("/toys/INDEX", "/robot_1_any.toy"):
            server.fail(path, Fault(auth=(USER, PASSWORD)))
        yield Guarded(box, server)
    box.workspace.close()


def add(guarded: Guarded, draft: SourceDraft | None = None) -> None:
    """Adds the source with its secrets."""
    draft = draft or guarded.box.upstream.draft(guarded.server.url, secrets=SECRETS)
    sources.add_source(guarded.box.workspace, draft)


def test_secrets_are_used_and_stand_in_one_private_file_alone(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    add(guarded)
    events: list[ProgressEvent] = []
    told: list[object] = [events, sources.sync_source(guarded.box.workspace, "box", events.append)]
    told += [guarded.box.one("robot").as_json(), sources.show_source(guarded.box.workspace, "box").as_json()]
    assert guarded.server.last("/toys/INDEX").headers["x-token"] == HEADER
    assert guarded.file.stat().st_mode & 0o777 == 0o600
    assert json.loads(guarded.file.read_text()) == {
        "username": USER,
        "password": PASSWORD,
        "headers": [["X-Token", HEADER]],
        "proxy": None,
    }
    seen = guarded.everything() + repr(told).encode() + caplog.text.encode()
    assert b"robot" in seen
    assert [word for word in hidden(*ALL) if word in seen] == []


def test_secrets_in_the_url_move_to_where_secrets_are_kept(guarded: Guarded) -> None:
    url = guarded.server.url.replace("//", f"//{USER}:p%C3%A4ssword%2Fc0ffee%401@")
    add(guarded, guarded.box.upstream.draft(url))
    source = guarded.box.workspace.catalog.sources.get("box")
    assert source.url == guarded.server.url
    assert guarded.box.workspace.secrets(source) == Secrets(USER, PASSWORD)
    assert guarded.box.sync().packages == 1
    assert [word for word in hidden(*ALL) if word in guarded.everything()] == []


def test_the_password_of_a_proxy_is_a_secret_too(guarded: Guarded) -> None:
    proxy = guarded.server.url.replace("//", f"//{USER}:{PROXY}@").rstrip("/")
    draft = guarded.box.upstream.draft("http://toys.example.org/", secrets=SECRETS, connection=Connection(proxy=proxy))
    add(guarded, draft)
    view = sources.show_source(guarded.box.workspace, "box").as_json()
    assert view["connection"]["proxy"] == guarded.server.url.rstrip("/")
    assert sources.sync_source(guarded.box.workspace, "box").packages == 1
    expected = "Basic " + base64.b64encode(f"{USER}:{PROXY}".encode()).decode()
    assert guarded.server.last().headers["proxy-authorization"] == expected
    assert [word for word in hidden(*ALL) if word in guarded.everything()] == []
    sources.set_source(guarded.box.workspace, "box", Change(connection={"timeout": 5.0}))
    source = guarded.box.workspace.catalog.sources.get("box")
    assert guarded.box.workspace.secrets(source).proxy == proxy
    sources.set_source(guarded.box.workspace, "box", Change(connection={"proxy": "http://proxy.example.org:3128"}))
    assert guarded.box.workspace.secrets(source).proxy is None


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_an_error_tells_no_secret(guarded: Guarded, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = guarded.server.url.replace("//", f"//{USER}:p%C3%A4ssword%2Fc0ffee%401@")
    draft = guarded.box.upstream.draft(url, secrets=Secrets(headers=(("X-Token", HEADER),)))
    add(guarded, draft)
    sources.set_source(guarded.box.workspace, "box", Change(connection={"retries": 0}))
    guarded.server.fail("/toys/INDEX", Fault(status=status))
    with pytest.raises(TransferError) as caught:
        sources.sync_source(guarded.box.workspace, "box")
    error = caught.value
    (task,) = guarded.box.workspace.catalog.tasks.list(1)
    seen = repr([str(error), error.hint, error.data, error.args, task]).encode()
    assert str(guarded.server.port).encode() in seen
    assert [word for word in hidden(*ALL) if word in seen + guarded.everything() + caplog.text.encode()] == []


def test_what_is_shown_of_a_source_says_only_that_there_are_secrets(guarded: Guarded) -> None:
    add(guarded)
    assert sources.show_source(guarded.box.workspace, "box").as_json()["secrets"] == {"is_set": True}
    guarded.box.follow(name="open")
    assert sources.show_source(guarded.box.workspace, "open").as_json()["secrets"] == {"is_set": False}
    assert [word for word in hidden(*ALL) if word in repr(SECRETS).encode()] == []
    assert [word for word in hidden(*ALL) if word in repr(guarded.box.upstream.draft(secrets=SECRETS)).encode()] == []


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (Secrets(password="new"), Secrets(USER, "new", SECRETS.headers)),
        (Secrets(username="new"), Secrets("new", PASSWORD, SECRETS.headers)),
        (Secrets(headers=(("A", "b"),)), Secrets(USER, PASSWORD, (("A", "b"),))),
        (Secrets(username=""), Secrets(headers=SECRETS.headers)),
        (None, SECRETS),
    ],
    ids=["password", "username", "headers", "none", "untouched"],
)
def test_a_change_of_one_secret_leaves_the_others(guarded: Guarded, change: Secrets | None, left: Secrets) -> None:
    add(guarded)
    sources.set_source(guarded.box.workspace, "box", Change(architectures=("any",), secrets=change))
    assert guarded.box.workspace.secrets(guarded.box.workspace.catalog.sources.get("box")) == left
    assert guarded.file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (Change(forget=["headers"]), Secrets(USER, PASSWORD)),
        (Change(forget=["username"]), Secrets(headers=SECRETS.headers)),
        (Change(forget=["password"]), Secrets(USER, headers=SECRETS.headers)),
        (Change(forget=["headers"], secrets=Secrets(headers=(("A", "b"),))), Secrets(USER, PASSWORD, (("A", "b"),))),
    ],
    ids=["headers", "username", "password", "replaced"],
)
def test_secrets_are_taken_away_one_by_one(guarded: Guarded, change: Change, left: Secrets) -> None:
    add(guarded)
    sources.set_source(guarded.box.workspace, "box", change)
    assert guarded.box.workspace.secrets(guarded.box.workspace.catalog.sources.get("box")) == left


def test_secrets_go_with_their_source_and_no_later_one_gets_them(guarded: Guarded) -> None:
    add(guarded)
    sources.remove_source(guarded.box.workspace, "box")
    assert not guarded.file.exists()
    guarded.box.follow(name="next")
    source = guarded.box.workspace.catalog.sources.get("next")
    assert guarded.box.workspace.secrets(source) == Secrets()


@pytest.mark.parametrize(
    "headers", [(("X Token", HEADER),), (("X-Token", f"{HEADER}\r\nEvil: yes"),), (("Host", HEADER),)]
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(
    guarded: Guarded, headers: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        add(guarded, guarded.box.upstream.draft(guarded.server.url, secrets=Secrets(headers=headers)))
    assert HEADER not in repr([str(caught.value), caught.value.hint, caught.value.data])
    assert guarded.box.workspace.catalog.sources.list() == []


def test_a_url_without_a_scheme_is_refused_without_its_password(guarded: Guarded) -> None:
    with pytest.raises(UsageError, match="is no URL of a source") as caught:
        add(guarded, guarded.box.upstream.draft(f"{USER}:{HEADER}@toys.example.org/x"))
    assert HEADER not in str(caught.value)


def test_a_tree_has_no_secret_in_its_urls(guarded: Guarded) -> None:
    url = f"file://{USER}:{HEADER}@localhost/srv"
    for more in ({"publish_to": url}, {"publish_to": "memory://x", "public_url": url}):
        with pytest.raises(UsageError, match="must not hold a user name or a password"):
            repositories.create_repository(guarded.box.workspace, "second", format_name="toy", sign=False, **more)
    with pytest.raises(EntrepotError):
        repositories.set_repository(guarded.box.workspace, "shop", {"public_url": url})
    assert [word for word in hidden(*ALL) if word in guarded.everything()] == []


def test_a_plan_of_an_import_has_no_secret(guarded: Guarded) -> None:
    add(guarded)
    guarded.box.sync()
    request = imports.ImportRequest("box", ["robot"], "shop/window")
    plan = imports.plan_import(guarded.box.workspace, request)
    assert [word for word in hidden(*ALL) if word in repr(plan).encode() + repr(plan.as_json()).encode()] == []
