"""The real nginx, unprivileged, in a folder of its own, on loopback only.

::

    with Nginx(folder, origin.replace("/srv/www/apps", str(tree))) as server:
        fetch(server.url + "dists/stable/InRelease")
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
_TIMEOUT = 30.0
_CONFIGURATION = """\
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format short '$status $upstream_cache_status $request_uri';
    access_log {folder}/access.log short;
    client_body_temp_path {folder}/temp-body;
    proxy_temp_path {folder}/temp-proxy;
    fastcgi_temp_path {folder}/temp-fastcgi;
    uwsgi_temp_path {folder}/temp-uwsgi;
    scgi_temp_path {folder}/temp-scgi;
    {servers}
}}
"""


def examples(page: Path) -> list[str]:
    """The configurations of nginx that a page of the documentation recommends."""
    return re.findall(r"(?ms)^```nginx\n(.*?)^```$", page.read_text(encoding="utf-8"))


class Nginx:
    """Serves with one ``server`` block (and what stands before it), which says ``listen 80``; skips without nginx."""

    def __init__(self, folder: Path, servers: str) -> None:
        self._program = shutil.which("nginx", path=_PATH)
        if not self._program:
            pytest.skip("nginx is not installed")
        self.folder = folder
        folder.mkdir(parents=True)
        self._servers = servers
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        assert self._program
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        assert self._servers.count("listen 80;") == 1
        servers = self._servers.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        # Its workers change to another user where they can, who cannot read what tests make.
        user = "user root;" if os.getuid() == 0 else ""
        configuration = self.folder / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(user=user, folder=self.folder, servers=servers))
        command = [self._program, "-p", str(self.folder), "-c", str(configuration), "-e", f"{self.folder}/error.log"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    @property
    def url(self) -> str:
        """The URL of the root, with a slash at its end."""
        return f"http://127.0.0.1:{self.port}/"

    def log(self) -> list[tuple[int, str, str]]:
        """Status, what its cache had to say (``-``, ``MISS``, ``HIT``, ``EXPIRED`` ...) and path of every request."""
        lines = (line.split(" ", 2) for line in (self.folder / "access.log").read_text().splitlines())
        return [(int(status), cache, path) for status, cache, path in lines]

    def _wait(self) -> None:
        assert self._process is not None
        end = time.monotonic() + _TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                log = self.folder / "error.log"
                assert self._process.poll() is None, f"nginx has ended: {log.read_text() if log.exists() else ''}"
                assert time.monotonic() < end, "nginx does not answer"
                time.sleep(0.02)
            else:
                return
