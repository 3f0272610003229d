"""``entrepot search`` and ``entrepot show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from entrepot.cli.app import App, human_size, json_option, pass_app
from entrepot.errors import NotFoundError

if TYPE_CHECKING:
    from entrepot.models import Available
    from entrepot.services.browse import HeldView, PackageView, StandingVerdictOf

COLUMNS = [
    ("NAME", "name"),
    ("VERSION", "version"),
    ("ARCH", "architecture"),
    ("SIZE", "human_size"),
    ("SOURCE", "source"),
    ("FROM", "from"),
    ("DESCRIPTION", "description"),
]


@click.command("search")
@click.argument("text")
@click.option("--source", help="Only this source.")
@click.option("--format", "format_name", default="", help="Only sources of this format.")
@click.option("--arch", "architecture", default="", help="Only this architecture.")
@click.option("--all-versions", is_flag=True, help="Every version, not only the newest.")
@click.option("--limit", type=click.IntRange(1, 1000), default=25, show_default=True, help="Names at the most.")
@json_option
@pass_app
def command_search(
    app: App,
    text: str,
    source: str | None,
    format_name: str,
    architecture: str,
    all_versions: bool,
    limit: int,
) -> None:
    """Search what synced sources offer.

    The exact name comes first, then names that start so, then full text.
    """
    from entrepot.services import browse

    found = browse.search(
        app.workspace,
        text,
        source=source,
        format_name=format_name,
        architecture=architecture,
        all_versions=all_versions,
        limit=limit,
    )
    rows = [
        browse.available_json(row) | ({} if app.json else {"human_size": human_size(row.size), "from": _place(row)})
        for row in found
    ]
    app.table(rows, COLUMNS, "nothing found; `entrepot source list` shows when sources were synced")


@click.command("show")
@click.argument("package", metavar="PKG")
@click.option("--source", help="Only this source.")
@json_option
@pass_app
def command_show(app: App, package: str, source: str | None) -> None:
    """Everything that is known about a package.

    Every field, all versions, where it is imported, and what scanners said of it there; of what no source offers the
    imports. PKG is NAME, NAME=VERSION or NAME:ARCH=VERSION.
    """
    from entrepot.services import browse

    try:
        view = browse.show_package(app.workspace, package, source=source)
    except NotFoundError:
        held = None if source else browse.show_held(app.workspace, package)
        if held is None:
            raise
        app.result(held.as_json(), "\n".join([f"{held.name}: no source offers it", *_held_lines(held)]))
        return
    lines = [f"{name}: {value}" for name, value in view.fields]
    shown = view.package
    trust = f"signed by {shown.signed_by}" if shown.signed_by else "not verified"
    lines += ["", f"Index: {shown.source} {_place(shown)}, {trust}, synced {view.last_sync}"]
    lines.append("Versions:")
    lines += [
        f"  {row.version} {row.architecture} {human_size(row.size)} {row.source} {_place(row)}" for row in view.versions
    ]
    lines += _holder_lines(view)
    app.result(view.as_json(), "\n".join(lines))


def _held_lines(view: HeldView) -> list[str]:
    lines = [*_holder_lines(view), "Imports:"]
    for row in view.imports:
        head = f"#{row['id']} {row['state']} {row['distribution']} {row['version']} {row['architecture']}"
        lines.append(f"  {head}: {row['message']}" if row["message"] else f"  {head}")
    return lines


def _holder_lines(view: PackageView | HeldView) -> list[str]:
    lines = ["Imported:" if view.holders else "Imported: nowhere"]
    for path, version, architecture, _ in view.holders:
        lines.append(f"  {path} {version} {architecture}")
        for item in view.verdicts:
            if (item.distribution, item.package.version, item.package.architecture) == (path, version, architecture):
                lines += _verdict_lines(item)
    return lines


def _verdict_lines(item: StandingVerdictOf) -> list[str]:
    verdict = item.verdict
    lines = [f"    {verdict.answers}: {verdict.status.value} ({verdict.reason})"]
    for found in item.findings:
        waiver = f" [let in: {found.waiver.justification}]" if found.waiver else ""
        lines.append(f"      {found.finding.id} {found.finding.severity}: {found.finding.summary}{waiver}")
    return lines


def _place(row: Available) -> str:
    """Where in its source a package is; some formats have no distributions."""
    return "/".join(part for part in (row.distribution, row.component) if part)
