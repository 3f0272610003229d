"""``entrepot init``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, json_option, pass_app

DEFAULT_KEY_NAME = "Entrepôt package signing"


@click.command("init")
@click.option("--generate-key", is_flag=True, help="Make a key to sign what is published.")
@click.option("--key-name", default=DEFAULT_KEY_NAME, show_default=True, help="User id of that key.")
@json_option
@pass_app
def command_init(app: App, generate_key: bool, key_name: str) -> None:
    """Make a workspace: catalog, private store, signing key on request.

    What is there already stays as it is.
    """
    from entrepot.services import workspaces

    result = workspaces.initialise(app.workspace, key_name if generate_key else None)
    text = f"workspace in {result['home']}"
    if result["key"]:
        text += f"\nsigning key {result['key']}"
    app.result(result, text)
