"""``entrepot source`` and ``entrepot sync``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import App, clean, json_option, pass_app
from entrepot.cli.source_options import SourceCommand, change_from

if TYPE_CHECKING:
    from entrepot.services.sources import SourceView

SECRETS = ("username", "password", "headers")
COLUMNS = [
    ("ID", "id"),
    ("NAME", "name"),
    ("FORMAT", "format"),
    ("URL", "url"),
    ("DISTRIBUTIONS", "distributions"),
    ("VERIFIED", "verify"),
    ("PACKAGES", "packages"),
    ("LAST SYNC", "last_sync"),
]


@click.group("source")
def command_source() -> None:
    """External repositories that packages come from."""


@command_source.command("add", cls=SourceCommand, client_files=True)
@click.argument("name", required=False)
@click.argument("url", required=False)
@click.option("--format", "format_name", help="Format of the repository: apt, rpm ...")
@json_option
@pass_app
def add(app: App, /, name: str | None, url: str | None, format_name: str | None, **options: Any) -> None:
    """Add a source: NAME URL --format F, or the configuration files of a client.

    User name and password are kept in a file that only you may read. Keys are copied into the workspace.
    """
    from entrepot.models import SourceDraft
    from entrepot.services import sources

    files: Mapping[str, Sequence[Path]] = options.pop("client_files")
    change = change_from(options)
    views: list[SourceView] = []
    for format_of_files, paths in files.items():
        views += sources.add_from_client_file(app.workspace, format_of_files, paths, change)
    if name and url and format_name:
        draft = change.apply(SourceDraft(name=name, format=format_name, url=url))
        views.append(sources.add_source(app.workspace, draft))
    elif name or url or not files:
        raise click.UsageError("NAME, URL and --format belong together")
    app.table([view.as_json() for view in views], COLUMNS[:5], "")


@command_source.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """Every source."""
    from entrepot.services import sources

    views = sources.list_sources(app.workspace)
    app.table([view.as_json() for view in views], COLUMNS, "no sources; add one with `entrepot source add`")


@command_source.command("show")
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str) -> None:
    """Everything about a source but its secrets, and the keys that it is verified with.

    A key is good, expiring (within a month), expired, revoked or weak.
    """
    from entrepot.services import sources

    document = sources.show_source(app.workspace, name).as_json()
    app.result(document, "\n".join(_lines(document)))


@command_source.command("set", cls=SourceCommand)
@click.argument("name")
@click.option("--url", help="Another URL.")
@click.option(
    "--forget",
    multiple=True,
    type=click.Choice(SECRETS),
    help="A secret to take away; user name goes with its password.",
)
@json_option
@pass_app
def set_(app: App, /, name: str, url: str | None, forget: Sequence[str], **options: Any) -> None:
    """Change a source; what is not given stays. Its next sync reads everything again."""
    from entrepot.services import sources

    change = replace(change_from(options | {"url": url}), forget=forget)
    view = sources.set_source(app.workspace, name, change)
    app.table([view.as_json()], COLUMNS[:5], "")


@command_source.command("remove")
@click.argument("name")
@json_option
@pass_app
def remove(app: App, name: str) -> None:
    """Remove a source and what it offered. Packages that came from it stay."""
    from entrepot.services import sources

    source = sources.remove_source(app.workspace, name)
    app.result({"removed": source.name}, f"removed {source.name}")


@click.command("sync")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every source (the default where none is named).")
@click.option("--force", is_flag=True, help="Read everything again, whatever was seen before.")
@json_option
@pass_app
def command_sync(app: App, names: tuple[str, ...], everything: bool, force: bool) -> None:
    """Bring what sources offer now into the catalog. No package is downloaded."""
    from entrepot.errors import BatchError
    from entrepot.services import sources

    if names and everything:
        raise click.UsageError("name sources, or use --all")
    try:
        results = sources.sync_sources(app.workspace, names, app.progress, force=force)
    except BatchError as error:
        if not app.json:
            _print_syncs(app, error.results)
        raise
    if app.json:
        app.result([result.as_json() for result in results])
    else:
        _print_syncs(app, results)


def _print_syncs(app: App, results: Sequence[object]) -> None:
    from entrepot.sync import SyncResult

    for result in results:
        assert isinstance(result, SyncResult)
        for warning in result.warnings:
            app.say(f"Warning: {warning}")
        what = "nothing changed"
        if result.counts:
            what = "{added} added, {changed} changed, {removed} removed".format(**result.as_json())
        app.result(None, f"{result.source.name}: {result.packages} packages; {what}")


def _lines(document: Mapping[str, Any]) -> Sequence[str]:
    lines = []
    for name, value in document.items():
        if name == "keys":
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key}={item}" for key, item in value.items() if item not in (None, False, "")) or "-"
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "-"
        lines.append(f"{name.replace('_', ' ')}: {value if value is not None else '-'}")
    return lines + [_key_line(key) for key in document.get("keys", ())]


def _key_line(key: Mapping[str, Any]) -> str:
    """A key on one line; who made it wrote the user ids."""
    what = (
        f"subkey of {key['primary']}"
        if key["primary"]
        else ", ".join(clean(user, allowed="") for user in key["user_ids"])
    )
    until = f"until {key['expires'][:10]}" if key["expires"] else "never expires"
    bits = f" {key['bits']} bits" if key["bits"] else ""
    state = f"{key['state']} ({key['detail']})" if key["detail"] else key["state"]
    made = f"{key['algorithm']}{bits}, made {key['created'][:10]}, {until}"
    return f"key {key['fingerprint']}: {state}; {made}; {what}"
