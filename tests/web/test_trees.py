"""Published trees under /tree/, and a catalog that is shown by Datasette alone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from support.web import PLAIN, Server, Shop, environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(shop: Shop) -> Path:
    """The published folder with a file to fetch, a link that leads out of it, and a secret beside it."""
    shop.tree.mkdir(exist_ok=True)
    (shop.tree / "file.deb").write_bytes(bytes(range(256)) * 4)
    (shop.tree / ".hidden").write_text("secret")
    (shop.tree / ".treeinfo").write_text("[general]\n")
    (shop.tree.parent / "secret.txt").write_text("secret")
    link = shop.tree / "link"
    if not link.is_symlink():
        link.symlink_to(shop.tree.parent)
    return shop.tree


def test_a_file_is_served_with_its_type_and_no_encoding(server: Server, tree: Path) -> None:
    answer = server.ask("GET", "/tree/shop/file.deb")
    assert answer.content == (tree / "file.deb").read_bytes()
    assert answer.headers["content-type"] == "application/vnd.debian.binary-package"
    assert "content-encoding" not in answer.headers
    assert server.ask("GET", "/tree/shop/.treeinfo").content == b"[general]\n"
    head = server.ask("HEAD", "/tree/shop/file.deb")
    assert (head.headers["content-length"], head.content) == ("1024", b"")


def test_what_has_not_changed_is_not_sent_again(server: Server, tree: Path) -> None:
    first = server.ask("GET", "/tree/shop/file.deb")
    for name, field in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        assert server.ask("GET", "/tree/shop/file.deb", headers={name: first.headers[field]}).status_code == 304
    assert server.ask("GET", "/tree/shop/file.deb", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=10-19", 206, slice(10, 20)),
        ("bytes=1000-", 206, slice(1000, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=1000-9999", 206, slice(1000, None)),
        ("bytes=1024-", 416, slice(0, 0)),
        ("bytes=5-2", 200, slice(None)),
        ("bytes=0-1,3-4", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
    ],
)
def test_ranges_are_served(server: Server, tree: Path, wanted: str, status: int, part: slice) -> None:
    answer = server.ask("GET", "/tree/shop/file.deb", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, (tree / "file.deb").read_bytes()[part])


def test_a_range_of_another_file_than_was_begun_is_all_of_it(server: Server, tree: Path) -> None:
    headers = {"Range": "bytes=10-19", "If-Range": '"other"'}
    assert server.ask("GET", "/tree/shop/file.deb", headers=headers).status_code == 200


def test_a_path_may_lead_upwards_within_a_tree_as_those_of_snapshots_do(server: Server, tree: Path) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"GET /tree/shop/snapshots/q1/../../file.deb HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split()[1] == b"200"
    assert answer.endswith((tree / "file.deb").read_bytes())


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "a/../../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "link/secret.txt",
        "link",
        ".hidden",
        "%2Fetc/passwd",
        "a//b",
        "..%5csecret.txt",
        "file.deb%00",
        "file.deb/x",
        "x" * 5000,
    ],
)
def test_no_path_leads_out_of_a_tree(server: Server, tree: Path, path: str) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET /tree/shop/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split()[1] in (b"404", b"400", b"302"), answer
    assert b"secret\n" not in answer
    assert not answer.endswith(b"secret")


def test_a_tree_is_only_read(server: Server) -> None:
    assert server.ask("PUT", "/tree/shop/file.deb", token="admin").status_code == 405
    assert server.ask("GET", "/tree/nowhere/file.deb").status_code == 404


def test_the_distribution_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["datasette"] == {"entrepot": "datasette_entrepot"}


def test_datasette_alone_shows_a_copy_of_a_catalog_and_changes_nothing(server: Server, tmp_path: Path) -> None:
    workspace = server.workspace()
    workspace.catalog.database.conn.execute("VACUUM INTO ?", [str(tmp_path / "catalog.db")])
    workspace.close()
    info = tmp_path / "site" / "web-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: web\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[datasette]\nentrepot = datasette_entrepot\n")
    command = [sys.executable, "-m", "datasette", "serve", "-p", "0", str(tmp_path / "catalog.db")]
    variables = environment(tmp_path)
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = None
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        assert found
        url = found[0]
        assert httpx.get(f"{url}/import/sources", **PLAIN).json()[0]["name"] == "box"
        assert httpx.get(f"{url}/-/entrepot/health", **PLAIN).json()["read_only"] is True
        assert httpx.post(f"{url}/auth/token", **PLAIN).status_code == 409
        bearer = {"Authorization": f"Bearer {server.tokens['admin']}"}
        assert httpx.get(f"{url}/import/sources", headers=bearer, **PLAIN).status_code == 401
        assert sorted(os.listdir(tmp_path)) == ["catalog.db", "site"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stderr.close()
