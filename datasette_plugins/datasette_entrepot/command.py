"""``entrepot serve``. Registered with Entrepôt's plugins; Datasette is imported when it is called."""

from __future__ import annotations

from collections.abc import Iterable

import click

from entrepot.cli.app import App, pass_app
from entrepot.hookspecs import hookimpl


@hookimpl
def register_commands() -> Iterable[click.Command]:
    """The command."""
    return [serve]


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: one that is free.")
@click.option("--trees", is_flag=True, help="Serve published trees of this machine under /tree/REPOSITORY/.")
@click.option("--schedule", is_flag=True, help="Do what [schedule] of entrepot.toml says while it runs.")
@pass_app
def serve(app: App, host: str, port: int, trees: bool, schedule: bool) -> None:
    """Serve the catalog and the HTTP API with Datasette, until it is ended.

    Everybody may read where it listens on this machine alone; elsewhere a token is needed, unless `[web] public` in
    entrepot.toml says otherwise. Changes always need one: `entrepot token create`.
    """
    from datasette_entrepot.server import run

    run(app, host, port, trees=trees, schedule=schedule)
