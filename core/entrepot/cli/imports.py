"""``entrepot import`` and ``entrepot upload``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from entrepot.cli.app import HELD_FOR_REVIEW, PARTLY_FAILED, App, executor_option, human_size, json_option, pass_app
from entrepot.cli.telling import tell_publication

if TYPE_CHECKING:
    from entrepot.events import ImportResult
    from entrepot.services.imports import BatchResult, ImportPlan
    from entrepot.services.policies import PolicyTest

PLAN_COLUMNS = [
    ("PACKAGE", "name"),
    ("VERSION", "version"),
    ("ARCH", "arch"),
    ("SIZE", "size"),
    ("AT LEAST", "outcome"),
    ("WHY", "why"),
]
COLUMNS = [
    ("PACKAGE", "package"),
    ("VERSION", "version"),
    ("ARCH", "architecture"),
    ("STATUS", "status"),
    ("PIPELINE", "words"),
    ("MESSAGE", "message"),
]


@click.command("import")
@click.argument("source")
@click.argument("packages", nargs=-1, metavar="PKG...")
@click.option("--to", "distribution", required=True, metavar="DIST", help="Where they go.")
@click.option("--component", "-c", help="Component; that of the source where DIST has it, unless given.")
@click.option("--with-dependencies", "dependencies", is_flag=True, help="Bring in what they need as well.")
@click.option("--recommends", is_flag=True, help="... and what they recommend.")
@click.option("--file", "-f", "list_file", type=click.File("r", encoding="utf-8"), help="Further packages, one a line.")
@click.option("--resign", is_flag=True, help="Sign packages with the repository's key, in place of who signed them.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show what would come in, and what the policy says of it as far as is known; fetch nothing.",
)
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@executor_option
@json_option
@pass_app
def command_import(
    app: App,
    source: str,
    packages: tuple[str, ...],
    distribution: str,
    component: str | None,
    dependencies: bool,
    recommends: bool,
    list_file: TextIO | None,
    resign: bool,
    dry_run: bool,
    no_publish: bool,
) -> None:
    """Bring packages of a source into a distribution.

    They are fetched, inspected, decided about and published. PKG is NAME, NAME=VERSION or NAME:ARCH=VERSION; the newest
    version unless one is given. NAME:source is the source package. All of them are one version and one publication.
    """
    from entrepot.services import imports, policies

    wanted = [*packages, *_lines(list_file)]
    if not wanted:
        raise click.UsageError("name a package, or give a list with --file")
    if recommends and not dependencies:
        raise click.UsageError("--recommends goes with --with-dependencies")
    request = imports.ImportRequest(source, wanted, distribution, component, dependencies, recommends, resign)
    app.warn(policies.shortcomings_at(app.workspace, distribution))
    if dry_run:
        _print_plan(app, *policies.foresee_import(app.workspace, request))
        return
    print_batch(app, imports.import_packages(app.workspace, request, app.progress, publish_after=not no_publish))


@click.command("upload")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "distribution", required=True, metavar="DIST", help="Where they go.")
@click.option("--component", "-c", help="Component; the first of DIST unless given.")
@click.option("--resign", is_flag=True, help="Sign packages with the repository's key, in place of who signed them.")
@click.option("--dry-run", is_flag=True, help="Inspect them and show what would be decided; keep nothing.")
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@executor_option
@json_option
@pass_app
def command_upload(
    app: App,
    files: tuple[Path, ...],
    distribution: str,
    component: str | None,
    resign: bool,
    dry_run: bool,
    no_publish: bool,
) -> None:
    """Bring package files of this machine into a distribution.

    They go through the same inspection as packages of a source. For a source package give its .dsc; the files that it
    names are taken from beside it. With --dry-run it ends as it would without.
    """
    from entrepot.services import imports, policies

    app.warn(policies.shortcomings_at(app.workspace, distribution))
    where = (app.workspace, files, distribution, app.progress)
    if dry_run:
        result = imports.plan_upload(*where, component=component, resign=resign)
    else:
        result = imports.upload(*where, component=component, resign=resign, publish_after=not no_publish)
    print_batch(app, result)


def _lines(stream: TextIO | None) -> list[str]:
    if stream is None:
        return []
    lines = (line.partition("#")[0].strip() for line in stream)
    return [line for line in lines if line]


def _print_plan(app: App, plan: ImportPlan, tests: Sequence[PolicyTest]) -> None:
    rows = [
        {
            "name": row.name,
            "version": row.version,
            "arch": row.architecture,
            "size": human_size(row.size),
            "outcome": test.decision.outcome.value,
            "why": "; ".join(test.decision.reasons),
        }
        for row, test in zip(plan.packages, tests, strict=True)
    ]
    if app.json:
        app.result({**plan.as_json(), "policy": [test.as_json() for test in tests]})
    else:
        app.table(rows, PLAN_COLUMNS, "nothing")
        questions = dict.fromkeys(question for test in tests for question in test.open_questions)
        app.say("\n".join(f"not known yet: {question}" for question in questions) or "everything is known")
        app.say(f"would bring in {len(plan.packages)} packages, {human_size(plan.size)}")
    for problem in plan.problems:
        app.say(f"Problem: {problem}")
    for package, error in plan.unresolved:
        app.say(f"Failed: {package}: {error}" + (f" ({error.hint})" if error.hint else ""))
    if plan.unresolved or plan.problems:
        raise click.exceptions.Exit(PARTLY_FAILED if plan.packages and not plan.problems else 1)


def _row(result: ImportResult) -> dict[str, str]:
    return {
        "package": result.package,
        "version": result.version,
        "architecture": result.architecture,
        "status": result.status,
        "words": " ".join(f"{key}={word}" for key, word in result.pipeline.items()),
        "message": result.message,
    }


def print_batch(app: App, batch: BatchResult) -> None:
    """Prints what became of packages, and ends the program with the exit code that it means."""
    if app.json:
        app.result(batch.as_json())
    else:
        app.table([_row(result) for result in batch.results], COLUMNS, "nothing to do")
    if batch.dry_run:
        app.say("nothing is kept: this is what would become of them")
    tell_publication(app, batch)
    if batch.publish_error:
        raise click.exceptions.Exit(PARTLY_FAILED)
    if batch.failed:
        raise click.exceptions.Exit(PARTLY_FAILED if len(batch.failed) < len(batch.results) else 1)
    if batch.waiting:
        raise click.exceptions.Exit(HELD_FOR_REVIEW)
