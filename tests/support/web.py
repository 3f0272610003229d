"""A real ``entrepot serve`` in a process of its own, and a client for it.

::

    with served(workspace_home) as server:
        assert server.ask("GET", "/import/sources", token=server.tokens["reader"]).json() == []

The toy plugin is installed for the server and for the processes of its tasks.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import support.toy
from entrepot.models import Connection, Role
from entrepot.services import identity, repositories, sources, workspaces
from entrepot.workspace import Workspace
from support.toy import ToyUpstream
from support.upstream import Upstream

STARTED = re.compile(r"serving .* on (http://\S+)/\n")
TESTS = Path(__file__).parents[1]
PLAIN: dict[str, Any] = {"timeout": 60, "trust_env": False, "verify": False}
"""How a server is asked. It has no TLS; to read all authorities for each request is most of what one costs."""


@dataclass
class Server:
    """A server that runs. ``tokens`` has one for each role."""

    url: str
    home: Path
    process: subprocess.Popen[str]
    tokens: Mapping[str, str]
    output: list[str] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> httpx.Response:
        """One request; ``body`` is sent as JSON, ``token`` is one, or the name of a role."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        if body is not None:
            options["json"] = body
        return httpx.request(method, self.url + path, headers=headers, **PLAIN, **options)

    def events(self, method: str, path: str, *, token: str = "maintainer", last: str | None = None) -> list[Event]:
        """A stream of events, read to its end."""
        return list(self.streamed(method, path, token=token, last=last))

    def streamed(
        self, method: str, path: str, *, token: str = "maintainer", last: str | None = None
    ) -> Iterator[Event]:
        """Its events as they come."""
        headers = {"Authorization": f"Bearer {self.tokens[token]}"} | ({"Last-Event-ID": last} if last else {})
        with httpx.stream(method, self.url + path, headers=headers, **PLAIN) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"] == "text/event-stream"
            number = ""
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    number = line.removeprefix("id: ")
                elif line.startswith("data: "):
                    yield Event(number, json.loads(line.removeprefix("data: ")))

    def task(self, task_id: int, *, state: str) -> dict[str, Any]:
        """Follows a task to its end, which has to be this one; answers it."""
        for _ in self.streamed("GET", f"/import/tasks/{task_id}/events"):
            pass
        task: dict[str, Any] = self.ask("GET", f"/import/tasks/{task_id}", token="reader").json()
        assert task["state"] == state, task
        return task

    def workspace(self) -> Workspace:
        """The workspace as the command line of this moment sees it; the caller closes it."""
        return Workspace(self.home, actor="tester", extra_plugins=[("toy", support.toy)])


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    id: str
    data: dict[str, Any]


def environment(folder: Path) -> dict[str, str]:
    """The environment of programs that see these packages, and the toy plugin as an installed one."""
    site = folder / "site"
    info = site / "toys-1.0.dist-info"
    if not info.exists():
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[entrepot]\ntoys = support.toy\n")
    path = [str(site), str(TESTS), *(entry for entry in sys.path if entry)]
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**plain, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path))}


def make_tokens(home: Path) -> dict[str, str]:
    """A token for each role, called as the role."""
    workspace = Workspace(home, actor="tester")
    try:
        return {role.value: identity.create_token(workspace, role.value, role).secret for role in Role}
    finally:
        workspace.close()


@contextmanager
def served(
    home: Path, *options: str, tokens: Mapping[str, str] | None = None, url: str | None = None
) -> Iterator[Server]:
    """The server of a workspace, by its ``url`` if there is one; ended with SIGTERM, which has to be enough."""
    command = [sys.executable, "-m", "entrepot", "--home", url or str(home), "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command, env=environment(home.parent), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    output: list[str] = []
    try:
        for line in process.stderr:
            output.append(line)
            if found := STARTED.match(line):
                break
        else:
            raise AssertionError("".join(output))
        reader = threading.Thread(target=lambda: output.extend(process.stderr or ()), daemon=True)
        reader.start()
        yield Server(found[1], home, process, make_tokens(home) if tokens is None else tokens, output)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        reader.join(10)
        assert not [line for line in output if "Traceback" in line], "".join(output)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


PAGES = "/-/entrepot"


@contextmanager
def browser(server: Server, name: str = "") -> Iterator[httpx.Client]:
    """A client that keeps cookies and follows redirects; signed in with the token of a role, if one is named."""
    with httpx.Client(base_url=server.url, follow_redirects=True, **PLAIN) as client:
        if name:
            answer = client.post(f"{PAGES}/login", data={"token": server.tokens[name]})
            assert f"Signed in as {name}" in answer.text, answer.text
        yield client


@dataclass
class Shop:
    """A server whose workspace follows a toy upstream and publishes ``shop/window`` and ``shop/cellar``."""

    server: Server
    upstream: ToyUpstream
    network: Upstream
    tree: Path


SKIPPED = '[inspection]\nskip = ["clamav", "contents", "dependencies"]\n'
"""Scanners that have nothing to say about toys: every task would start a process for each of them."""


def make_shop(home: Path, url: str, tree: Path, *, settings: str = "") -> None:
    """The workspace of a ``Shop``: its source is not synced yet."""
    home.mkdir(parents=True)
    (home / "entrepot.toml").write_text(settings + SKIPPED)
    workspace = Workspace(home, actor="tester", extra_plugins=[("toy", support.toy)])
    workspaces.initialise(workspace)
    repositories.create_repository(workspace, "shop", format_name="toy", publish_to=str(tree), sign=False)
    for name in ("window", "cellar"):
        repositories.create_distribution(workspace, f"shop/{name}", architectures=("adult",))
    # Who stalls is given up soon, and asked again for long.
    patient = Connection(timeout=1.0, retries=20)
    draft = ToyUpstream(home.parent / "toys", {"toys": []}).draft(url, connection=patient)
    sources.add_source(workspace, draft)
    workspace.close()


def fill(upstream: ToyUpstream) -> None:
    """Toys that pass, that need others, that are odd, that are evil."""
    upstream.add("robot", 1, summary="walks")
    upstream.add("robot", 2, summary="walks and talks", requires="battery")
    upstream.add("battery", 1)
    upstream.add("odd", 1, text="review")
    upstream.add("strange", 1, text="review")
    upstream.add("evil", 1, text="block")
    upstream.add("hostile", 1, summary="<script>alert(1)</script>")
    upstream.write()


@contextmanager
def open_shop(folder: Path, *options: str, settings: str = "", synced: bool = True) -> Iterator[Shop]:
    """A shop that is open."""
    upstream = ToyUpstream(folder / "toys")
    fill(upstream)
    with Upstream(root=upstream.root) as network:
        make_shop(folder / "home", network.url, folder / "tree", settings=settings)
        if synced:
            workspace = Workspace(folder / "home", actor="tester", extra_plugins=[("toy", support.toy)])
            sources.sync_source(workspace, "box")
            workspace.close()
        with served(folder / "home", *options) as server:
            yield Shop(server, upstream, network, folder / "tree")
