"""``entrepot review``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.cli.imports import print_batch


@click.group("review")
def command_review() -> None:
    """Decide about imports that wait."""


@command_review.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """The imports that wait, oldest first."""
    from entrepot.services import reviews

    columns = [
        ("ID", "id"),
        ("PACKAGE", "name"),
        ("VERSION", "version"),
        ("ARCH", "architecture"),
        ("DISTRIBUTION", "distribution"),
        ("BY", "actor"),
        ("WHY", "message"),
    ]
    app.table(reviews.waiting(app.workspace), columns, "nothing waits")


@command_review.command("show")
@click.argument("import_id", metavar="ID", type=int)
@json_option
@pass_app
def show(app: App, import_id: int) -> None:
    """An import with all that scanners said of it, and what was decided."""
    from entrepot.services import reviews

    document = reviews.show_import(app.workspace, import_id).as_json()
    lines = [f"{key.replace('_', ' ')}: {value}" for key, value in document.items() if not isinstance(value, list)]
    for verdict in document["verdicts"]:
        lines.append(f"{verdict['scanner']}: {verdict['status']} ({verdict['reason']}) {verdict['message']}".rstrip())
        lines += [
            f"  {item['action']:6} {item['severity']:9} {item['id']}  {item['summary']}" for item in verdict["findings"]
        ]
    lines += [f"{item['outcome']} by {item['rule']}: {item['message']}" for item in document["rulings"]]
    lines += [f"{item['decision']} by {item['actor']}: {item['justification']}" for item in document["reviews"]]
    app.result(document, "\n".join(lines))


@command_review.command("approve")
@click.argument("import_id", metavar="ID", type=int)
@click.option("--justification", required=True, help="Why; it is kept.")
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@json_option
@pass_app
def approve(app: App, import_id: int, justification: str, no_publish: bool) -> None:
    """Let exactly this package in, and publish it."""
    from entrepot.services import reviews

    batch = reviews.approve(app.workspace, import_id, justification, app.progress, publish_after=not no_publish)
    print_batch(app, batch)


@command_review.command("reject")
@click.argument("import_id", metavar="ID", type=int)
@click.option("--justification", required=True, help="Why; it is kept.")
@json_option
@pass_app
def reject(app: App, import_id: int, justification: str) -> None:
    """Refuse this package. Other versions and distributions are not touched."""
    from entrepot.services import reviews

    view = reviews.reject(app.workspace, import_id, justification)
    app.result(view.as_json(), f"rejected {view.row['name']} {view.row['version']}")
