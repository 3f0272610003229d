"""``entrepot version``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, human_size, json_option, pass_app


@click.group("version")
def command_version() -> None:
    """Versions of a distribution."""


@command_version.command("list")
@click.argument("path", metavar="DIST")
@json_option
@pass_app
def list_(app: App, path: str) -> None:
    """Every version of a distribution, newest first."""
    from entrepot.services import browse

    columns = [
        ("VERSION", "number"),
        ("MADE", "created_at"),
        ("PACKAGES", "packages"),
        ("ADDED", "added"),
        ("REMOVED", "removed"),
        ("WHAT", "message"),
    ]
    app.table(browse.versions(app.workspace, path), columns, "no versions")


@command_version.command("show")
@click.argument("path", metavar="DIST")
@click.argument("number", type=click.IntRange(0), required=False)
@json_option
@pass_app
def show(app: App, path: str, number: int | None) -> None:
    """The packages of a version; of the newest unless another is named."""
    from entrepot.services import browse

    rows = browse.members(app.workspace, path, number)
    columns = [
        ("NAME", "name"),
        ("VERSION", "version"),
        ("ARCH", "architecture"),
        ("COMPONENT", "component"),
        ("SIZE", "human_size"),
        ("PATH", "location"),
    ]
    app.table([row | ({} if app.json else {"human_size": human_size(row["size"])}) for row in rows], columns, "empty")
