"""``entrepot home``."""

from __future__ import annotations

from pathlib import Path

import click

from entrepot.cli.app import App, human_size, json_option, pass_app

COLUMNS = [
    ("GENERATION", "number"),
    ("MADE", "at"),
    ("BY", "actor"),
    ("FROM", "origin"),
    ("SIZE", "size"),
    ("RESTORED", "restored_from"),
]


@click.group("home")
def command_home() -> None:
    """A workspace on a storage: its generations, who changes it; backups that came back."""


@command_home.command("show")
@json_option
@pass_app
def show(app: App) -> None:
    """The newest generation, who made it, and who has the lease."""
    from entrepot.services import homes

    view = homes.show(app.workspace)
    made = view.generation.made
    lease = "nobody"
    if view.lease is not None and view.lease.expires is not None:
        lease = f"process {view.lease.pid} on {view.lease.host}, until {view.lease.expires:%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"workspace   {view.url}",
        f"generation  {made.number}, {made.at:%Y-%m-%d %H:%M:%S} UTC, by {made.actor} ({made.origin})",
        f"size        {human_size(made.size)}, and {len(view.generation.files)} small files",
        f"kept        {len(view.generation.history) + 1} generations",
        f"changed by  {lease}",
        f"cache       {view.folder}",
    ]
    app.result(view.as_json(), "\n".join(lines))


@command_home.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """The generations that are kept, the newest first."""
    from entrepot.services import homes

    app.table([homes.generation_json(made) for made in homes.generations(app.workspace)], COLUMNS, "no generations")


@command_home.command("restore")
@click.argument("number", type=click.IntRange(1), metavar="GENERATION")
@click.option("--dry-run", is_flag=True, help="Show what would come back; change nothing.")
@json_option
@pass_app
def restore(app: App, number: int, dry_run: bool) -> None:
    """Make a new generation that is what an older one was.

    Published trees stay as they are until they are published again: `entrepot publish`, and `entrepot check --repair`
    for what `gc` has removed since.
    """
    from entrepot.services import homes

    old, newest = homes.restore(app.workspace, number, dry_run=dry_run)
    document = {"status": "dry_run" if dry_run else "restored", "restored": homes.generation_json(old)}
    text = f"generation {old.number}, made {old.at:%Y-%m-%d %H:%M:%S} UTC by {old.actor}"
    if dry_run:
        app.result(document, f"would bring back {text}")
    else:
        app.result(document | {"generation": homes.generation_json(newest)}, f"{newest.number} is {text}")


@command_home.command("adopt")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@json_option
@pass_app
def adopt(app: App, folder: Path) -> None:
    """Make a workspace on a storage of the one in FOLDER, which stays as it is.

    Nothing may change the folder meanwhile; files that its settings name elsewhere on this machine are not taken along.
    """
    from entrepot.services import homes

    done = homes.adopt(app.workspace, folder.absolute())
    text = f"{done['home']} has what {done['from']} has: {done['artifacts']} artifacts, {human_size(done['bytes'])}"
    app.result(done, text)


@command_home.command("fetch")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@pass_app
def fetch(app: App, folder: Path) -> None:
    """Make a workspace in FOLDER, a new one, of the one on a storage, which stays as it is.

    What `home adopt` does, the other way. Of two workspaces that publish to the same trees only one may go on doing so.
    """
    from entrepot.services import homes

    done = homes.fetch(app.workspace, folder.absolute())
    text = f"{done['home']} has what {done['from']} has: {done['artifacts']} artifacts, {human_size(done['bytes'])}"
    app.result(done, text)


@command_home.command("doubt")
@json_option
@pass_app
def doubt(app: App) -> None:
    """Say that trees may be ahead of the catalog: for after a backup came back, in a folder, too.

    Nothing is written to them. The next `entrepot publish` writes everything but packages anew, whatever it knows.
    """
    from entrepot.services import homes

    urls = homes.doubt(app.workspace)
    app.result({"trees": list(urls)}, "\n".join([*urls, "`entrepot publish` writes them anew"]))


@command_home.command("break-lease")
@json_option
@pass_app
def break_lease(app: App) -> None:
    """Take the lease from a command that has it: nothing of what that one has not kept yet will be.

    The lease of a command that is gone runs out by itself, in two minutes; on the machine where it ran, at once.
    """
    from entrepot.services import homes

    held = homes.break_lease(app.workspace)
    app.result({"host": held.host, "pid": held.pid}, f"taken from process {held.pid} on {held.host}")


@command_home.command("settings")
@click.argument("path", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@json_option
@pass_app
def settings(app: App, path: Path | None) -> None:
    """Print entrepot.toml of the workspace, or replace it by FILE."""
    from entrepot.services import homes

    if path is None:
        text = homes.read_settings(app.workspace)
        app.result({"settings": text}, text.rstrip("\n"))
        return
    homes.write_settings(app.workspace, path)
    app.result({"status": "saved"}, "settings saved")
