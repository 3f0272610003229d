"""``entrepot incoming``."""

from __future__ import annotations

import click

from entrepot.cli.app import HELD_FOR_REVIEW, PARTLY_FAILED, App, json_option, pass_app

COLUMNS = [("FILE", "key"), ("DISTRIBUTION", "distribution"), ("BECAME", "outcome"), ("WHY", "message")]


@click.command("incoming")
@click.option("--dry-run", is_flag=True, help="Show where what is there would go; take nothing.")
@json_option
@pass_app
def command_incoming(app: App, dry_run: bool) -> None:
    """Bring in what others have put into a folder or a bucket.

    [incoming] of entrepot.toml says which. A file incoming/REPOSITORY/DISTRIBUTION/FILE is inspected and decided about
    as an upload is, and moved to accepted/, held/ or rejected/; reports/ says why. All that is there is one version of
    each distribution, published once.
    """
    from entrepot.services import incoming

    intake = incoming.take(app.workspace, app.progress, dry_run=dry_run)
    if app.json:
        app.result(intake.as_json())
    else:
        app.table([taken.as_json() for taken in intake.objects], COLUMNS, "nothing waits")
        for publication in intake.publications:
            if publication["status"] == "failed":
                app.warn([f"{publication['distribution']} is not published: {publication['error']}"])
    outcomes = {taken.outcome for taken in intake.objects}
    if dry_run:
        return
    if incoming.REJECTED in outcomes or any(item["status"] == "failed" for item in intake.publications):
        raise click.exceptions.Exit(PARTLY_FAILED)
    if incoming.HELD in outcomes:
        raise click.exceptions.Exit(HELD_FOR_REVIEW)
