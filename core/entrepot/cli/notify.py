"""``entrepot notify``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.errors import BatchError, DeliveryError

if TYPE_CHECKING:
    from entrepot.services.delivering import Delivery


@click.group("notify")
def command_notify() -> None:
    """Those who are told of events: webhooks, caches, log files.

    They are tables [notify.NAME] of entrepot.toml. Every command tells at its end what is due; what cannot be told is
    kept and tried again by a later command, for about three days.
    """


@command_notify.command("list")
@json_option
@pass_app
def notify_list(app: App) -> None:
    """Notifiers, with what they are still to be told and why they were not."""
    from entrepot.services import notifiers

    rows = notifiers.notifiers(app.workspace)
    columns = [
        ("NAME", "name"),
        ("KIND", "kind"),
        ("DELIVERED", "delivered"),
        ("LAST", "delivered_at"),
        ("WAITING", "waiting"),
        ("NEXT", "next_at"),
        ("GIVEN UP", "given_up"),
        ("LAST ERROR", "error"),
    ]
    app.table(rows, columns, "nobody is told of anything; add a table [notify.NAME] to entrepot.toml")
    app.warn(f"{row['name']}: {row['problem']}" for row in rows if row["problem"])


@command_notify.command("events")
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="So many at the most.")
@json_option
@pass_app
def notify_events(app: App, name: str | None, limit: int) -> None:
    """What is still to be told, or was given up, oldest first."""
    from entrepot.services import notifiers

    rows = notifiers.pending(app.workspace, name, limit)
    columns = [
        ("TO", "notifier"),
        ("EVENT", "event"),
        ("OF", "subject"),
        ("AT", "created_at"),
        ("STATE", "state"),
        ("TRIED", "attempts"),
        ("NEXT", "next_at"),
        ("ERROR", "error"),
    ]
    app.table(rows, columns, "everything was told")


@command_notify.command("run")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@pass_app
def notify_run(app: App, names: tuple[str, ...]) -> None:
    """Tell what is due, without the short time that other commands have. Exit code 3 if something was not told."""
    from entrepot.services import notifiers

    _print(app, notifiers.deliver_now(app.workspace, names))


@command_notify.command("retry")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@pass_app
def notify_retry(app: App, names: tuple[str, ...]) -> None:
    """Tell now what waits for its next try, and what was given up."""
    from entrepot.services import notifiers

    _print(app, notifiers.retry(app.workspace, names))


@command_notify.command("drop")
@click.argument("name")
@json_option
@pass_app
def notify_drop(app: App, name: str) -> None:
    """Forget what a notifier is still to be told."""
    from entrepot.services import notifiers

    done = notifiers.drop(app.workspace, name)
    app.result(done, f"{name}: {done['dropped']} events are not told any more")


@command_notify.command("test")
@click.argument("name")
@json_option
@pass_app
def notify_test(app: App, name: str) -> None:
    """Send a notifier an event of type `test`, and say whether it arrived."""
    from entrepot.services import notifiers

    app.result(notifiers.attempt(app.workspace, name), f"{name} took it")


@command_notify.command("schema")
def notify_schema() -> None:
    """Print the JSON Schema of the documents that are told."""
    from entrepot.services.event_documents import schema

    click.echo(schema().rstrip())


def _print(app: App, deliveries: Sequence[Delivery]) -> None:
    rows = [delivery.as_json() for delivery in deliveries]
    failures = [(item.notifier, DeliveryError(item.error)) for item in deliveries if item.error]
    if not (failures and app.json):
        columns = [("NAME", "notifier"), ("DELIVERED", "delivered"), ("FAILED", "failed"), ("GIVEN UP", "given_up")]
        app.table(rows, columns, "nothing is due")
    if failures:
        message = f"{len(failures)} of {len(deliveries)} notifiers were not told everything"
        raise BatchError(message, failures, results=deliveries)
