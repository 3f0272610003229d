"""``entrepot snapshot``."""

from __future__ import annotations

import datetime as dt

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.cli.telling import tell_snapshots

COLUMNS = [
    ("DISTRIBUTION", "distribution"),
    ("NAME", "name"),
    ("VERSION", "version"),
    ("MADE", "created_at"),
    ("PATH", "path"),
]
TIMES = ["%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]


@click.group("snapshot")
def command_snapshot() -> None:
    """Versions that stay reachable under a path of their own."""


@command_snapshot.command("list")
@click.argument("path", metavar="[DIST]", required=False)
@click.option(
    "--at",
    type=click.DateTime(TIMES),
    help="Only what was in place at this time (UTC): the newest snapshot that is not younger.",
)
@json_option
@pass_app
def list_(app: App, path: str | None, at: dt.datetime | None) -> None:
    """The snapshots of a distribution, or of all, oldest first."""
    from entrepot.services import snapshots

    found = snapshots.list_snapshots(app.workspace, path, at.replace(tzinfo=dt.UTC) if at else None)
    app.table([snapshots.snapshot_json(item) for item in found], COLUMNS, "no snapshots")


@command_snapshot.command("create")
@click.argument("path", metavar="DIST")
@click.argument("number", type=click.IntRange(0), metavar="[NUMBER]", required=False)
@click.option("--name", help="What it is called; the time of now, as 20261128T031500Z, unless given.")
@click.option("--move", is_flag=True, help="Have a name that is taken name this version from now on.")
@click.option("--allow-withdrawn", is_flag=True, help="Let it have what was withdrawn or refused since.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@json_option
@pass_app
def create(
    app: App, path: str, number: int | None, name: str | None, move: bool, allow_withdrawn: bool, dry_run: bool
) -> None:
    """Keep a version reachable under snapshots/NAME/; the one in place unless another is named."""
    from entrepot.services import snapshots

    request = snapshots.SnapshotRequest(name, move=move, dry_run=dry_run, allow_withdrawn=allow_withdrawn)
    result = snapshots.create(app.workspace, path, number, app.progress, request)
    if app.json:
        app.result(result.as_json())
    else:
        tell_snapshots(app, [result])


@command_snapshot.command("remove")
@click.argument("path", metavar="DIST")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@json_option
@pass_app
def remove(app: App, path: str, names: tuple[str, ...], dry_run: bool) -> None:
    """Remove snapshots: clients find them no more, and `gc` takes their files after the grace."""
    from entrepot.services import snapshots

    results = [snapshots.remove(app.workspace, path, name, app.progress, dry_run=dry_run) for name in names]
    if app.json:
        app.result([result.as_json() for result in results])
    else:
        tell_snapshots(app, results)
