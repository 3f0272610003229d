"""The server: Datasette with the catalog of a workspace, in uvicorn."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import tempfile
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import datasette_entrepot
from datasette_entrepot.site import PLUGIN
from entrepot.cli.app import App
from entrepot.errors import MissingExtraError, UsageError
from entrepot.services.schedule import require_jobs
from entrepot.workspace import CATALOG_FILE, Workspace, write_private

GRACE_SECONDS = 3
"""Seconds that requests under way have when the server is ended; tasks go on by themselves."""


def run(app: App, host: str, port: int, *, trees: bool, schedule: bool) -> None:
    """Serves until SIGINT or SIGTERM."""
    if find_spec("datasette") is None:
        raise MissingExtraError("the web interface needs Datasette", hint="pip install 'entrepot[web]'")
    import uvicorn

    workspace = app.workspace
    workspace.catalog  # noqa: B018 - makes it what this release wants, or says that there is none
    if schedule:
        require_jobs(workspace)
    sockets = [_listen(host, port)]
    chosen = workspace.settings.web.public
    public = is_loopback(host) if chosen is None else chosen
    datasette = make_datasette(workspace, public=public, trees=trees, schedule=schedule)
    # Datasette's form parser keeps large uploads in the folder for temporary files, which may be memory.
    scratch = workspace.local / "scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    tempfile.tempdir = str(scratch)
    workspace.close()
    number = sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    app.say(f"serving {workspace.url} on http://{shown}:{number}/")
    app.say("everybody who reaches it may read" if public else "reading needs a token or a user")
    configuration = uvicorn.Config(
        datasette.app(),
        log_level="warning",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws="none",
    )
    uvicorn.Server(configuration).run(sockets=sockets)


def make_datasette(workspace: Workspace, *, public: bool, trees: bool, schedule: bool = False) -> Any:
    """A Datasette with the catalog of a workspace, and this plugin in it whether or not it was found as installed."""
    app = import_module("datasette.app")
    if app.pm.get_plugin(PLUGIN) is None and not app.pm.is_registered(datasette_entrepot):
        app.pm.register(datasette_entrepot, PLUGIN)
    # Where rich is installed, Datasette prints tracebacks with every local variable: tokens would be in the log.
    vars(import_module("datasette.handle_exception"))["rich"] = None
    plugin = {"home": workspace.url, "public": public, "trees": trees, "schedule": schedule}
    return app.Datasette(
        # A copy of what is on a storage is the plugin's to show, and to replace.
        [] if workspace.is_remote else [str(workspace.home / CATALOG_FILE)],
        config={"plugins": {PLUGIN: plugin}},
        secret=_secret(workspace),
        # To find out what could be a facet Datasette counts the values of each column: seconds for a large table.
        settings={"allow_download": False, "default_cache_ttl": 0, "suggest_facets": False},
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family[0], socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(family[4])
        # From here on clients wait instead of being refused: the address may be told.
        listening.listen(128)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error}", hint="choose with --host and --port"
        ) from error
    return listening


def _secret(workspace: Workspace) -> str:
    """What cookies are signed with: kept, so that a restart signs nobody out, nor does another server."""
    path = workspace.home / "secrets" / "web.key"
    if not path.exists():
        write_private(path, secrets.token_hex(32).encode())
        workspace.commit()
    return path.read_text(encoding="ascii")
