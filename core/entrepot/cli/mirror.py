"""``entrepot mirror``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import HELD_FOR_REVIEW, PARTLY_FAILED, App, executor_option, human_size, json_option, pass_app
from entrepot.cli.telling import tell_publication

if TYPE_CHECKING:
    from entrepot.services.mirroring import MirrorResult

SHOWN = 40
"""Packages of a dry run that are printed; ``--json`` has all of them."""

CHANGES = [
    ("CHANGE", "change"),
    ("PACKAGE", "package"),
    ("ARCH", "architecture"),
    ("BEFORE", "before"),
    ("AFTER", "after"),
    ("SIZE", "human_size"),
]
RESULTS = [
    ("PACKAGE", "package"),
    ("VERSION", "version"),
    ("ARCH", "architecture"),
    ("STATUS", "status"),
    ("MESSAGE", "message"),
]


@click.command("mirror")
@click.argument("source")
@click.option("--to", "distribution", required=True, metavar="DIST", help="Where it goes.")
@click.option("--include", multiple=True, metavar="GLOB", help="Packages to take: NAME, NAME:ARCH or NAME=VERSION.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Packages never to take, needed or not.")
@click.option("--where", default="", metavar="QUERY", help="Which packages to take; see `docs/mirroring.md`.")
@click.option("--latest", type=click.IntRange(1), metavar="N", help="Take the newest N versions of each package only.")
@click.option("--with-dependencies", "dependencies", is_flag=True, help="Take what they need as well.")
@click.option("--recommends", is_flag=True, help="... and what they recommend.")
@click.option("--component", "-c", help="Component; that of the source where DIST has it, unless given.")
@click.option("--exact", is_flag=True, help="Take away what mirrors of SOURCE brought and that is not meant any more.")
@click.option("--sync", "sync_first", is_flag=True, help="Bring what SOURCE offers now into the catalog first.")
@click.option("--again", is_flag=True, help="Try again what the policy kept out before.")
@click.option(
    "--on-failure",
    type=click.Choice(["skip", "retry", "fail"]),
    default="skip",
    show_default=True,
    help="When a package cannot be had: go on without it, try again at the end, or change nothing.",
)
@click.option("--dry-run", is_flag=True, help="Show what would come and go; fetch nothing.")
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@executor_option
@json_option
@pass_app
def command_mirror(
    app: App, /, distribution: str, sync_first: bool, dry_run: bool, no_publish: bool, **more: Any
) -> None:
    """Bring a whole source, or what a query means of it, into a distribution.

    What is not in yet is fetched, inspected, decided about and added as one version, which is published. A mirror that
    was interrupted fetches nothing twice when it is run again.
    """
    from entrepot.services import mirroring, selecting, sources

    request = selecting.MirrorRequest(distribution=distribution, **more)
    if sync_first and not dry_run:
        for warning in sources.sync_source(app.workspace, request.source, app.progress).warnings:
            app.say(f"Warning: {warning}")
    if dry_run:
        _print_plan(app, mirroring.plan_mirror(app.workspace, request, files=True))
        return
    result = mirroring.mirror(app.workspace, request, app.progress, publish_after=not no_publish, files=True)
    _print_result(app, result)
    if result.publish_error or result.failed:
        raise click.exceptions.Exit(PARTLY_FAILED if result.version or result.waiting or result.publish_error else 1)
    if result.waiting:
        raise click.exceptions.Exit(HELD_FOR_REVIEW)


def _print_plan(app: App, result: MirrorResult) -> None:
    counts = result.plan.counts()
    if app.json:
        app.result(result.as_json())
    else:
        rows = [{**row, "human_size": human_size(row["size"])} for row in result.changes[:SHOWN]]
        app.table(rows, CHANGES, "nothing comes, nothing goes")
        if len(result.changes) > SHOWN:
            app.say(f"... and {len(result.changes) - SHOWN} more; --json has all of them")
    app.say(
        f"of {counts['chosen']} packages would add {counts['added']}, update {counts['updated']} and remove"
        f" {counts['removed']}; {human_size(result.plan.to_fetch)} to fetch"
    )
    _tell(app, result)


def _print_result(app: App, result: MirrorResult) -> None:
    if app.json:
        app.result(result.as_json())
    elif result.not_in:
        app.table([item.as_json() for item in result.not_in], RESULTS, "")
    path = result.plan.distribution.path
    if result.version is None:
        app.say(f"{path} stays as it is")
    else:
        app.say(f"{path} version {result.version.number}: {result.added} packages came, {result.removed} went")
    if result.kept:
        app.say(f"{result.kept} should go, and stay until what takes their place is in")
    if result.synced_again:
        app.say(f"{result.plan.source.name} had moved on: it was synced again, and the choice made anew")
    _tell(app, result)
    tell_publication(app, result)


def _tell(app: App, result: MirrorResult) -> None:
    """What a person has to know beside what changes."""
    counts = result.plan.counts()
    if not counts["chosen"]:
        app.say(f"Warning: {result.plan.source.name} has nothing that is meant by: {result.plan.query}")
    if counts["waiting"] or counts["refused_before"]:
        app.say(
            f"left out as before: {counts['waiting']} that wait for review, {counts['refused_before']} that the policy"
            " refused (--again tries them again)"
        )
    for problem in result.plan.problems[:SHOWN]:
        app.say(f"Problem: {problem}")
    if len(result.plan.problems) > SHOWN:
        app.say(f"... and {len(result.plan.problems) - SHOWN} more problems; --json has all of them")
    for ends in result.plan.loose_ends:
        app.say(f"Warning: {ends}")
