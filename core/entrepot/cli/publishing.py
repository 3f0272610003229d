"""``entrepot publish``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import App, human_size, json_option, pass_app
from entrepot.cli.telling import tell_snapshots, tell_target
from entrepot.errors import BatchError

if TYPE_CHECKING:
    from entrepot.services.snapshots import SnapshotResult


@click.command("publish")
@click.argument("names", nargs=-1, metavar="[REPO|DIST]...")
@click.option("--version", "number", type=click.IntRange(0), help="This version of one distribution, not the newest.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@click.option("--force", is_flag=True, help="Sign again, even if nothing changed.")
@click.option("--full", is_flag=True, help="Write everything, as if nothing were there.")
@click.option("--refresh", is_flag=True, help="Publish nothing new; sign again what is in place and would expire soon.")
@click.option(
    "--accept-release-change", is_flag=True, help="Publish even if clients stop until somebody there agrees (APT)."
)
@click.option("--allow-withdrawn", is_flag=True, help="Let --version bring back what was withdrawn or refused since.")
@click.option("--snapshot", is_flag=True, help="Keep what is published reachable under snapshots/NAME/ as well.")
@click.option("--snapshot-name", metavar="NAME", help="What the snapshot is called; the time of now unless given.")
@click.option("--catalog", is_flag=True, help="Publish a copy of the catalog for everybody, and no distribution.")
@click.option(
    "--to", "url", metavar="URL", help="Where --catalog goes: a folder or s3:// URL, not that of the settings."
)
@json_option
@pass_app
def command_publish(
    app: App,
    /,
    names: tuple[str, ...],
    number: int | None,
    snapshot: bool,
    snapshot_name: str | None,
    catalog: bool,
    url: str | None,
    **how: Any,
) -> None:
    """Put the newest version of distributions in place.

    Of all distributions if none is named. Where nothing changed, nothing is written.
    """
    if catalog or url:
        if names or number is not None or snapshot or snapshot_name or not catalog:
            raise click.UsageError("--catalog goes with --to and --dry-run alone")
        _publish_catalog(app, url, **how)
        return
    from entrepot.services import publishing, snapshots
    from entrepot.services.snapshots import SnapshotRequest

    request = publishing.PublishRequest(number, **how)
    made: Sequence[SnapshotResult] = ()
    try:
        if snapshot or snapshot_name:
            wanted = SnapshotRequest(snapshot_name, dry_run=request.dry_run, allow_withdrawn=request.allow_withdrawn)
            results, made = snapshots.publish_with_snapshots(app.workspace, names, app.progress, request, wanted)
        else:
            results, made = snapshots.publish_all(app.workspace, names, app.progress, request)
    except BatchError as error:
        if not app.json:
            _print(app, error.results)
        raise
    if not results:
        app.say("no distributions; make one with `entrepot dist create`")
    if app.json:
        named = {item.snapshot.distribution: item.as_json() for item in made} if snapshot or snapshot_name else {}
        documents = [result.as_json() for result in results]
        app.result([item | {"snapshot": named.get(item["distribution"])} for item in documents] if named else documents)
    else:
        _print(app, results)
        tell_snapshots(app, made)


def _publish_catalog(app: App, url: str | None, *, dry_run: bool, **others: bool) -> None:
    from entrepot.services import catalog_copies

    if any(others.values()):
        raise click.UsageError("--catalog goes with --to and --dry-run alone")
    made = catalog_copies.publish_catalog(app.workspace, url, app.progress, dry_run=dry_run)
    lines = [f"{count:>10,}  {table}" for table, count in made.rows.items() if count] if dry_run else []
    would = "would write" if dry_run else "wrote"
    app.result(made.as_json(), "\n".join([*lines, f"{would} the catalog, {human_size(made.size)}, to {made.url}"]))


def _print(app: App, results: Sequence[object]) -> None:
    from entrepot.services.publishing import PublishResult

    for result in results:
        assert isinstance(result, PublishResult)
        for sentence in result.lapsed:
            app.say(sentence)
        for target in result.targets:
            tell_target(app, f"{result.distribution.path} version {result.version}", target)
