"""``entrepot report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import App, json_option, pass_app

if TYPE_CHECKING:
    from entrepot.services.reports import Report


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every report has."""
    number = click.option("--version", "number", type=click.IntRange(0), help="This version; the newest unless given.")
    file = click.Path(dir_okay=False, path_type=Path)
    output = click.option("-o", "--output", type=file, help="Write to this file, as a whole.")
    return number(output(json_option(pass_app(function))))


@click.group("report")
def command_report() -> None:
    """Bills of materials, findings, statements about vulnerabilities.

    Without --output the report goes to standard output; with it, --json prints what was written.
    """


@command_report.command("sbom")
@click.argument("path", metavar="DIST")
@click.option("--format", "format_name", default="cyclonedx", show_default=True, help="cyclonedx or spdx.")
@click.option("--no-findings", is_flag=True, help="Packages only: the same version is always the same bytes.")
@_options
def sbom(app: App, path: str, format_name: str, no_findings: bool, output: Path | None, number: int | None) -> None:
    """Every package of a version: what it is, where it came from, its licence, what is known against it."""
    from entrepot.services import reports

    made = reports.make_report(
        app.workspace, reports.SBOM, path, format_name, number=number, with_findings=not no_findings
    )
    _deliver(app, made, output)


@command_report.command("findings")
@click.argument("path", metavar="[DIST]", required=False)
@click.option("--format", "format_name", default="json", show_default=True, help="sarif, json or csv.")
@_options
def findings(app: App, path: str | None, format_name: str, output: Path | None, number: int | None) -> None:
    """What scanners found in the packages of a version. DIST may be left out where there is only one."""
    from entrepot.services import reports

    path = path or reports.only_distribution(app.workspace)
    _deliver(app, reports.make_report(app.workspace, reports.FINDINGS, path, format_name, number=number), output)


@command_report.command("vex")
@click.argument("path", metavar="DIST")
@click.option("--format", "format_name", default="openvex", show_default=True, help="openvex.")
@_options
def vex(app: App, path: str, format_name: str, output: Path | None, number: int | None) -> None:
    """Which known vulnerabilities concern a version, and what was decided about them.

    What was let in by a review is `affected`, with its justification as the action; what nobody decided about is
    `under_investigation`; what a VEX document settled is told as that document does.
    """
    from entrepot.services import reports

    _deliver(app, reports.make_report(app.workspace, reports.VEX, path, format_name, number=number), output)


def _deliver(app: App, report: Report, output: Path | None) -> None:
    if output is not None:
        result = report.save(output)
        app.result(result.as_json(), f"wrote {result.path} ({result.size} bytes)")
        return
    for piece in report.text():
        click.echo(piece, nl=False)
