"""``entrepot key``."""

from __future__ import annotations

from pathlib import Path

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.cli.workspace import DEFAULT_KEY_NAME


@click.group("key")
def command_key() -> None:
    """Keys that sign what is published."""


@command_key.command("generate")
@click.option("--name", default=DEFAULT_KEY_NAME, show_default=True, help="User id of the key.")
@json_option
@pass_app
def generate(app: App, name: str) -> None:
    """Make a key."""
    from entrepot.services import workspaces

    fingerprint = workspaces.generate_key(app.workspace, name)
    app.result({"fingerprint": fingerprint}, fingerprint)


@command_key.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_app
def import_(app: App, file: Path) -> None:
    """Take a secret key from a file."""
    from entrepot.services import workspaces

    fingerprint = workspaces.import_key(app.workspace, file)
    app.result({"fingerprint": fingerprint}, fingerprint)


@command_key.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """The keys that can sign."""
    from entrepot.services import workspaces

    columns = [("FINGERPRINT", "fingerprint"), ("KEY", "key")]
    app.table(workspaces.list_keys(app.workspace), columns, "no keys; make one with `entrepot key generate`")


@command_key.command("export")
@click.argument("key", required=False)
@pass_app
def export(app: App, key: str | None) -> None:
    """Print the public part of a key."""
    from entrepot.services import workspaces

    click.echo(workspaces.export_key(app.workspace, key).decode("ascii"), nl=False)
