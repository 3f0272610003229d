"""``entrepot schedule``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.errors import BatchError, EntrepotError


@click.group("schedule")
def command_schedule() -> None:
    """What is done by itself, and when.

    Jobs are tables [schedule.NAME] of entrepot.toml. `entrepot serve --schedule` begins what is due while it runs;
    without a server, cron or a systemd timer calls `entrepot schedule run`. Both at once do no harm.
    """


@command_schedule.command("list")
@json_option
@pass_app
def schedule_list(app: App) -> None:
    """Jobs, with their next and their last run."""
    from entrepot.services import schedule

    rows = [view.as_json() for view in schedule.jobs(app.workspace)]
    columns = [
        ("JOB", "job"),
        ("DOES", "what"),
        ("WHEN", "when"),
        ("NEXT", "next"),
        ("LAST", "last"),
        ("ENDED", "status"),
        ("MISSED", "missed"),
    ]
    app.table(rows, columns, "nothing is scheduled; add a table [schedule.NAME] to entrepot.toml")


@command_schedule.command("run")
@click.argument("names", nargs=-1, metavar="[JOB]...")
@json_option
@pass_app
def schedule_run(app: App, names: tuple[str, ...]) -> None:
    """Do what is due, and end when that has ended; with a JOB do that now, due or not.

    A job that still runs is left alone. Exit code 3 if something failed.
    """
    from entrepot.services import queue, schedule

    runs, tasks = schedule.run(app.workspace, names, app.progress)
    failures: list[tuple[str, EntrepotError]] = []
    for task in tasks:
        if error := queue.failed(task):
            failures.append((f"{task['kind']} {task['subject']}", error))
    rows = [run.as_json() for run in runs]
    if failures:
        if not app.json:
            _print(app, rows)
        raise BatchError(f"{len(failures)} of {len(tasks)} tasks failed", failures, results=runs)
    if app.json:
        app.result(rows)
    else:
        _print(app, rows)


def _print(app: App, rows: list[dict[str, object]]) -> None:
    columns = [("JOB", "job"), ("DOES", "what"), ("DUE", "due"), ("WAS", "status"), ("TASKS", "tasks")]
    app.table(rows, [*columns, ("MISSED", "missed")], "nothing is due")
