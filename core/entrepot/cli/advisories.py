"""``entrepot advisories``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from entrepot.cli.app import App, json_option, pass_app

COLUMNS = [
    ("NAME", "name"),
    ("FORMAT", "format"),
    ("RECORDS", "records"),
    ("ECOSYSTEMS", "ecosystems"),
    ("LAST UPDATE", "last_update"),
    ("LOCATION", "location"),
]


@click.group("advisories")
def command_advisories() -> None:
    """Offline vulnerability data that packages are compared with."""


@command_advisories.command("add")
@click.argument("name")
@click.argument("location", metavar="FILE|DIR|URL")
@click.option(
    "--format", "format_name", help="Form of the data; guessed unless given: osv, debian-tracker, openvex, kev, epss."
)
@json_option
@pass_app
def add(app: App, name: str, location: str, format_name: str | None) -> None:
    """Add vulnerability data and read it.

    It is compared with what is imported from then on; the network is asked again only by `update`.
    """
    from entrepot.services import advisories

    result = advisories.add_feed(app.workspace, name, location, app.progress, format_name=format_name)
    _print(app, [result])


@command_advisories.command("update")
@click.argument("names", nargs=-1)
@click.option("--force", is_flag=True, help="Fetch and read everything again, whatever was seen before.")
@json_option
@pass_app
def update(app: App, names: tuple[str, ...], force: bool) -> None:
    """Read again what changed, of all data unless some is named."""
    from entrepot.errors import BatchError
    from entrepot.services import advisories

    try:
        results = advisories.update_feeds(app.workspace, names, app.progress, force=force)
    except BatchError as error:
        if not app.json:
            _print(app, error.results)
        raise
    _print(app, results)


@command_advisories.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """All vulnerability data."""
    from entrepot.services import advisories

    views = advisories.list_feeds(app.workspace)
    nothing = "no vulnerability data; add some with `entrepot advisories add`"
    app.table([view.as_json() for view in views], COLUMNS, nothing)


@command_advisories.command("remove")
@click.argument("name")
@json_option
@pass_app
def remove(app: App, name: str) -> None:
    """Remove vulnerability data. Verdicts that were given stay."""
    from entrepot.services import advisories

    feed = advisories.remove_feed(app.workspace, name)
    app.result({"removed": feed.name}, f"removed {feed.name}")


def _print(app: App, results: Sequence[object]) -> None:
    from entrepot.services.advisories import FeedResult

    documents = []
    for result in results:
        assert isinstance(result, FeedResult)
        documents.append(result.as_json())
        what = "nothing changed"
        if result.counts:
            what = "{added} added, {changed} changed, {removed} removed".format(**documents[-1])
        if not app.json:
            app.result(None, f"{result.feed.name}: {result.feed.records} records; {what}")
    if app.json:
        app.result(documents)
