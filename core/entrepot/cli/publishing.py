"""``entrepot publish``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import App, human_size, json_option, pass_app
from entrepot.errors import BatchError, EntrepotError

if TYPE_CHECKING:
    from entrepot.models import Version
    from entrepot.services.publishing import PublishResult, TargetResult
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
    from entrepot.cli.snapshots import tell
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
        tell(app, made)


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
            print_target(app, f"{result.distribution.path} version {result.version}", target)


def tell_publication(
    app: App, version: Version | None, publication: PublishResult | None, error: EntrepotError | None
) -> None:
    """What became of the version that a command made: where it is published, or why it is not."""
    if error:
        app.say(f"Error: the packages are in, but not published: {error}")
        app.say("Hint: publish them with `entrepot publish`")
    elif publication and publication.status == "published":
        places = ", ".join(target.url for target in publication.targets)
        app.say(f"published version {publication.version} to {places}")
    elif version and not publication:
        app.say(f"version {version.number} is made; publish it with `entrepot publish`")


def print_target(app: App, what: str, target: TargetResult) -> None:
    """What was done, or would be, at one target."""
    for sentence in target.plan.stops if target.plan else ():
        app.say(f"Warning: {sentence}")
    if target.status == "unchanged":
        app.result(None, f"{what}: nothing changed at {target.url}")
    elif target.report:
        done = target.report
        written = f"{done.written} files written, {human_size(done.bytes)}, {done.kept} kept"
        app.result(None, f"{what}: {written}, {_requests(done.requests)}, at {target.url}")
    elif target.plan:
        plan = target.plan
        for step, path, size in plan.steps():
            app.result(None, f"{step:9} {human_size(size):>9}  {path}")
        written = f"{plan.files} files, {human_size(plan.size)}, keep {plan.kept}"
        app.result(None, f"{what}: would write {written}, {_requests(plan.requests())}, at {target.url}")
    for path in target.withdrawn:
        app.result(None, f"removed {path} from {target.url}: it waits for review again or was refused")


def _requests(requests: Mapping[str, int]) -> str:
    return "requests: " + ", ".join(f"{count} {name}" for name, count in requests.items() if count)
