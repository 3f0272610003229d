"""``entrepot task`` and ``entrepot plugins``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, json_option, pass_app


@click.group("task")
def command_task() -> None:
    """What was done, how far it came, how it ended."""


@command_task.command("list")
@click.option("--limit", type=click.IntRange(1, 10000), default=20, show_default=True)
@json_option
@pass_app
def task_list(app: App, limit: int) -> None:
    """The newest tasks."""
    from entrepot.services import operations

    columns = [
        ("ID", "id"),
        ("KIND", "kind"),
        ("SUBJECT", "subject"),
        ("STATE", "state"),
        ("STARTED", "started_at"),
        ("FINISHED", "finished_at"),
        ("BY", "actor"),
        ("JOB", "job"),
        ("AGAIN", "retry_of"),
    ]
    app.table(operations.tasks(app.workspace, limit), columns, "no tasks yet")


@command_task.command("show")
@click.argument("task_id", metavar="ID", type=int)
@json_option
@pass_app
def task_show(app: App, task_id: int) -> None:
    """One task with its progress."""
    from entrepot.services import operations

    task = operations.task(app.workspace, task_id)
    lines = [f"{key.replace('_', ' ')}: {value}" for key, value in task.items() if not isinstance(value, list | dict)]
    lines += [
        f"  {report['message']}: {report['state']}, {report['done']} of {report['total'] or '?'} {report['unit']}"
        for report in task["progress_reports"]
    ]
    lines += [f"  made {name}" for name in task["created_resources"]]
    if task["error"]:
        lines.append(f"  error: {task['error']['detail']}")
    app.result(task, "\n".join(lines))


@command_task.command("cancel")
@click.argument("task_id", metavar="ID", type=int)
@json_option
@pass_app
def task_cancel(app: App, task_id: int) -> None:
    """End a task that waits or runs on this machine."""
    from entrepot.services import queue

    task = queue.cancel(app.workspace, task_id)
    app.result(task, f"task {task_id} is {task['state']}" if task["state"] == "canceled" else f"task {task_id} is told")


@command_task.command("retry")
@click.argument("task_id", metavar="ID", type=int)
@click.option("--no-wait", is_flag=True, help="Do not wait until it has ended.")
@json_option
@pass_app
def task_retry(app: App, task_id: int, no_wait: bool) -> None:
    """Do a task again that failed or was cancelled.

    With what was asked for then, as a new task. Tasks of the web interface and of the schedule can be done again;
    commands are entered again.
    """
    from entrepot.services import operations, queue

    new_id = queue.retry(app.workspace, task_id)
    if no_wait:
        app.result(operations.task(app.workspace, new_id), f"task {task_id} is done again as task {new_id}")
        return
    (task,) = queue.wait(app.workspace, [new_id], app.progress)
    if error := queue.failed(task):
        raise error
    app.result(task, f"task {task_id} is done again, as task {new_id}")


@command_task.command("run", hidden=True)
@click.argument("task_id", metavar="ID", type=int)
@json_option
@pass_app
def task_run(app: App, task_id: int) -> None:
    """Do a task that waits, in this process."""
    from entrepot.services import queue

    app.result(queue.run(app.workspace, task_id), f"task {task_id} is done")


@click.command("plugins")
@json_option
@pass_app
def command_plugins(app: App) -> None:
    """The plugins and what they offer."""
    from entrepot.services import operations

    document = operations.plugins(app.workspace)
    if app.json:
        app.result(document)
        return
    app.table(document["offers"], [("PLUGIN", "plugin"), ("OFFERS", "kind"), ("NAME", "name")], "no plugins")
    for broken in document["broken"]:
        app.say(f"left out: {broken['plugin']}: {broken['error']}")
