"""The tutorial is followed from its begin to its end, on a source that is built here, with a real apt-get."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot_plugins.demo.apt import native_architecture
from support.apt_client import AptClient
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.documents import blocks, calls
from support.program import Program
from support.upstream import Upstream
from support.workspaces import keys

__all__ = ["keys"]

pytestmark = pytest.mark.client

PAGE = "docs/tutorial.md"


def debian(folder: Path, key: Key) -> AptUpstream:
    """What the tutorial needs of Debian."""
    upstream = AptUpstream(folder / "debian", key)
    packages = [
        make_deb(folder, "hello", "2.10-3", depends="libc6"),
        make_deb(folder, "telnet", "0.17-1", arch="all", depends="inetutils-telnet"),
        make_deb(folder, "libc6", "2.36-9"),
        make_deb(folder, "inetutils-telnet", "2.4-2"),
    ]
    upstream.add(*packages, distribution="bookworm")
    upstream.write()
    return upstream


def test_the_tutorial_can_be_followed(tmp_path: Path, keys: Callable[[], Key], monkeypatch: pytest.MonkeyPatch) -> None:
    key = keys()
    port = tmp_path / "port"
    program = Program(port / "home")
    clients = 0
    with Upstream(root=debian(tmp_path, key).root) as server:
        (tmp_path / "debian.asc").write_bytes(key.armored)
        sources = tmp_path / "debian.sources"
        stanza = f"Suites: bookworm\nComponents: main\nSigned-By: {tmp_path}/debian.asc\n"
        sources.write_text(f"Types: deb\nURIs: {server.url}\n{stanza}")
        places = {
            "/etc/apt/sources.list.d/debian.sources": str(sources),
            "$PWD": str(port),
            "--arch amd64": f"--arch {native_architecture()}",
        }
        for language, block in blocks(PAGE):
            if language == "toml":
                with (port / "home" / "entrepot.toml").open("a") as settings:
                    settings.write(block)
            elif language == "json":
                (port / "advisories").mkdir()
                (port / "advisories" / "EX-2026-1.json").write_text(block)
            elif language == "console":
                check_client(tmp_path, port / "www")
                clients += 1
            else:
                for words, code in calls(block, places):
                    if words[0] == "entrepot":
                        program(*words[1:], code=code)
                    elif words[0] == "cd":
                        port.mkdir()
                        monkeypatch.chdir(port)
    assert clients == 1
    assert not list(port.glob("www/pool/**/hello_*"))


def check_client(folder: Path, tree: Path) -> None:
    """apt-get, with the stanza of production that the tree offers, finds what was let in."""
    offered = (tree / "apps.sources").read_text().split("\n\n")
    (stanza,) = (part for part in offered if "Suites: prod\n" in part)
    with Upstream(root=tree) as server:
        stanza = re.sub(r"(?m)^URIs: .*$", f"URIs: {server.url}", stanza)
        client = AptClient(folder / "client", stanza + "\n", native_architecture())
        client.update()
        assert client.packages() == {"hello": "2.10-3", "telnet": "0.17-1"}
        assert [name.partition("_")[0] for name in client.download("hello")] == ["hello"]
