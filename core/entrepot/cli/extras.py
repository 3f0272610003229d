"""``entrepot extra``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, json_option, pass_app


@click.group("extra")
def command_extra() -> None:
    """Advisories, groups and modules that sources offer."""


@command_extra.command("list")
@click.argument("package", required=False)
@click.option("--source", help="Only this source.")
@click.option("--kind", help="Only this kind: advisory, group, module ...")
@json_option
@pass_app
def list_(app: App, package: str | None, source: str | None, kind: str | None) -> None:
    """What sources say besides packages; with a name, what is about that package."""
    from entrepot.services import browse

    columns = [
        ("ID", "id"),
        ("KIND", "kind"),
        ("NAME", "name"),
        ("TITLE", "title"),
        ("SOURCE", "source"),
        ("", "short"),
    ]
    rows = browse.list_extras(app.workspace, source=source, kind=kind, package=package)
    shown = [row if app.json else row | {"short": _short(row["data"])} for row in rows]
    app.table(shown, columns, "nothing; sources of this format may have none")


@command_extra.command("show")
@click.argument("extra_id", metavar="ID", type=int)
@json_option
@pass_app
def show(app: App, extra_id: int) -> None:
    """One of them, with the packages it is about."""
    from entrepot.services import browse

    document = browse.show_extra(app.workspace, extra_id)
    lines = [f"{document['kind']} {document['name']}: {document['title']}"]
    lines += [f"{key.replace('_', ' ')}: {value}" for key, value in document["data"].items() if value]
    lines += [f"  {ref['name']} {ref['version']} {ref['architecture']}".rstrip() for ref in document["packages"]]
    app.result(document, "\n".join(lines))


def _short(data: dict[str, object]) -> str:
    """What a person looks for first."""
    return " ".join(str(data[key]) for key in ("severity", "stream", "issued") if data.get(key))
