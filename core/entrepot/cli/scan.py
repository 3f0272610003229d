"""``entrepot scan``."""

from __future__ import annotations

import click

from entrepot.cli.app import HELD_FOR_REVIEW, PARTLY_FAILED, App, executor_option, json_option, pass_app


@click.command("scan")
@click.argument("targets", nargs=-1, metavar="[DIST|PKG]...")
@click.option("--scanner", "scanners", multiple=True, metavar="NAME", help="Ask this one only; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Tell what would follow; change nothing.")
@click.option("--no-publish", is_flag=True, help="Make versions without what is withdrawn, publish them later.")
@executor_option
@json_option
@pass_app
def command_scan(
    app: App, targets: tuple[str, ...], scanners: tuple[str, ...], dry_run: bool, no_publish: bool
) -> None:
    """Scan again what is already in, with today's advisories, policies and waivers.

    Nothing is downloaded. Of all distributions if none is named; a PKG wherever it is. What would not come in any more
    is reported, held for review again or withdrawn, as its policy says (on_change). Exit code 4 if there is such a
    package, 3 if something could not be looked at.
    """
    from entrepot.services import scanning

    request = scanning.ScanRequest(targets, scanners, dry_run=dry_run, publish_after=not no_publish)
    result = scanning.scan(app.workspace, request, app.progress)
    if app.json:
        app.result(result.as_json())
    else:
        rows = [
            package.as_json() | {"why": "; ".join(package.reasons)}
            for found in result.distributions
            for package in found.packages
        ]
        columns = [
            ("PACKAGE", "package"),
            ("VERSION", "version"),
            ("DISTRIBUTION", "distribution"),
            ("STATUS", "status"),
            ("ACTION", "action"),
            ("IMPORT", "import_id"),
            ("WHY", "why"),
        ]
        app.table(rows, columns, "nothing changed")
    for found in result.distributions:
        for label, error in found.failures:
            app.say(f"Failed: {found.distribution.path}: {label}: {error}")
        if found.publish_error:
            app.say(f"Error: the new version of {found.distribution.path} is not published: {found.publish_error}")
            app.say("Hint: publish it with `entrepot publish`")
    if result.worse:
        raise click.exceptions.Exit(HELD_FOR_REVIEW)
    if result.failed:
        raise click.exceptions.Exit(PARTLY_FAILED)
