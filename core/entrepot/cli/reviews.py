"""``entrepot review``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from entrepot.cli.app import PARTLY_FAILED, App, json_option, pass_app
from entrepot.cli.imports import print_batch


@click.group("review")
def command_review() -> None:
    """Decide about imports that wait."""


STATES = ("pending_review", "published", "already_published", "rejected", "failed")


@command_review.command("list")
@click.option("--to", metavar="DIST", help="Only imports into this distribution.")
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="In this state; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="In whatever state.")
@click.option("--expired", is_flag=True, help="Only those that a waiver let in which has expired.")
@json_option
@pass_app
def list_(app: App, to: str | None, states: tuple[str, ...], everything: bool, expired: bool) -> None:
    """The imports that wait, oldest first. Those whose waiver has expired wait again from now on."""
    from entrepot.services import reviews

    if everything and states:
        raise click.UsageError("--all and --state exclude each other")
    columns = [
        ("ID", "id"),
        ("PACKAGE", "name"),
        ("VERSION", "version"),
        ("ARCH", "architecture"),
        ("DISTRIBUTION", "distribution"),
        ("STATE", "state"),
        ("BY", "actor"),
        ("WHY", "message"),
    ]
    chosen = STATES if everything else states or STATES[:1]
    app.table(reviews.queue(app.workspace, to=to, states=chosen, expired=expired), columns, "nothing waits")


@command_review.command("show")
@click.argument("import_id", metavar="ID", type=int)
@json_option
@pass_app
def show(app: App, import_id: int) -> None:
    """An import with all that scanners said of it, and what was decided."""
    from entrepot.services import reviews

    document = reviews.show_import(app.workspace, import_id, comparing=True).as_json()
    lines = [f"{name + ':':14} {value}" for name, value in _headlines(document) if value]
    for verdict in document["verdicts"]:
        lines.append(f"{verdict['scanner']}: {verdict['status']} ({verdict['reason']}) {verdict['message']}".rstrip())
        lines += [
            f"  {item['action']:6} {item['severity']:9} {item['id']}  {item['summary']}" for item in verdict["findings"]
        ]
    lines += [
        f"the sender's {item['scanner']}, for information: {item['status']} ({item['reason']}) {item['message']}"
        for item in document["told"]
    ]
    lines += [f"{item['outcome']} by {item['rule']}: {item['message']}" for item in document["rulings"]]
    for item in document["reviews"]:
        until = f", until {item['expires_at']}" if item["expires_at"] else ""
        lines.append(f"{item['decision']} by {item['actor']} on {item['created_at']}{until}: {item['justification']}")
        lines += [f"  covers {name}" for name in item["covers"]]
    lines += _differences(document["compared_with"])
    app.result(document, "\n".join(lines))


def _headlines(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a person wants to know first, under names instead of numbers of rows."""
    yield "package", f"{document['name']} {document['version'] or ''} {document['architecture'] or ''}".rstrip()
    component = f", component {document['component']}" if document["component"] else ""
    yield "distribution", f"{document['distribution']}{component}"
    yield "state", document["state"]
    yield "why", document["message"]
    source = f"from source {document['source']}" if document["source"] else "as a file"
    yield "brought by", f"{document['actor'] or 'nobody known'}, {source}, on {document['created_at']}"
    yield "in since", document["repository_version"] and f"version {document['repository_version']}"
    yield "waits again", document["reopened_at"] and f"since {document['reopened_at']}"
    yield "policy", document["policy"]
    yield "sha256", document["sha256"]


def _differences(compared: dict[str, Any] | None) -> list[str]:
    if compared is None:
        return []
    if compared["version"] is None:
        return ["no other version was in when it came" if compared["is_in"] else "no version of it is in now"]
    size = compared["size"]
    which = "which was in when it came" if compared["is_in"] else "which is in"
    lines = [f"compared with {compared['version']}, {which}: {size['before']} bytes, now {size['after']}"]
    for name, change in compared["fields"].items():
        lines += [f"  - {name}: {change['before']}"] if change["before"] is not None else []
        lines += [f"  + {name}: {change['after']}"] if change["after"] is not None else []
    return lines


@command_review.command("approve")
@click.argument("import_id", metavar="ID", type=int)
@click.option("--justification", required=True, help="Why; it is kept.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Until then; after that it waits again.")
@click.option("--cve", "cve_ids", multiple=True, metavar="ID", help="Let through this one alone; may be repeated.")
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@json_option
@pass_app
def approve(
    app: App,
    import_id: int,
    justification: str,
    expires_in_days: int | None,
    cve_ids: tuple[str, ...],
    no_publish: bool,
) -> None:
    """Let exactly this package in, and publish it.

    What holds it now is let through; what is found later is not.
    """
    from entrepot.services import reviews

    batch = reviews.approve(
        app.workspace,
        import_id,
        justification,
        app.progress,
        expires_in_days=expires_in_days,
        cve_ids=cve_ids,
        publish_after=not no_publish,
    )
    print_batch(app, batch)


@command_review.command("reject")
@click.argument("import_id", metavar="ID", type=int)
@click.option("--justification", required=True, help="Why; it is kept.")
@click.option("--no-publish", is_flag=True, help="If it was in: make the version without it, publish it later.")
@json_option
@pass_app
def reject(app: App, import_id: int, justification: str, no_publish: bool) -> None:
    """Refuse this package. Other versions and distributions are not touched.

    One that is in, and waits again, leaves its distribution with the next version.
    """
    from entrepot.services import reviews

    done = reviews.reject(app.workspace, import_id, justification, app.progress, publish_after=not no_publish)
    text = f"rejected {done.row['name']} {done.row['version']}"
    if done.version:
        text += f"; version {done.version.number} of {done.view.distribution.path} is without it"
    app.result(done.as_json(), text)
    if done.publish_error:
        app.say(f"Error: it is not published: {done.publish_error}")
        app.say("Hint: publish it with `entrepot publish`")
        raise click.exceptions.Exit(PARTLY_FAILED)
