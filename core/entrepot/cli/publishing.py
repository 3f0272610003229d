"""``entrepot publish``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from entrepot.cli.app import App, human_size, json_option, pass_app
from entrepot.errors import BatchError


@click.command("publish")
@click.argument("names", nargs=-1, metavar="[REPO|DIST]...")
@click.option("--version", "number", type=click.IntRange(0), help="This version of one distribution, not the newest.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@click.option("--force", is_flag=True, help="Sign and write again, even if nothing changed.")
@json_option
@pass_app
def command_publish(app: App, names: tuple[str, ...], number: int | None, dry_run: bool, force: bool) -> None:
    """Put the newest version of distributions in place; of all of them if none is named.

    Where nothing changed, nothing is written.
    """
    from entrepot.services import publishing

    try:
        results = publishing.publish_many(
            app.workspace, names, app.progress, version=number, dry_run=dry_run, force=force
        )
    except BatchError as error:
        if not app.json:
            _print(app, error.results)
        raise
    if not results:
        app.say("no distributions; make one with `entrepot dist create`")
    if app.json:
        app.result([result.as_json() for result in results])
    else:
        _print(app, results)


def _print(app: App, results: Sequence[object]) -> None:
    from entrepot.services.publishing import PublishResult

    for result in results:
        assert isinstance(result, PublishResult)
        where = f"{result.distribution.path} version {result.version}"
        if result.status == "unchanged":
            app.result(None, f"{where}: nothing changed since it was published")
        elif result.report:
            written = f"{result.report.written} files written, {human_size(result.report.bytes)}"
            app.result(None, f"{where}: {written}, {result.report.kept} kept, in {result.repository.publish_to}")
        elif result.plan:
            for step, path, size in result.plan.steps():
                app.result(None, f"{step:9} {human_size(size):>9}  {path}")
            app.result(None, f"{where}: would write {result.plan.files} files, {human_size(result.plan.size)}")
