"""``entrepot gc`` and ``entrepot check``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from entrepot.cli.app import App, human_size, json_option, pass_app
from entrepot.errors import BatchError

if TYPE_CHECKING:
    from entrepot.services.upkeep import CheckResult, GcResult


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@click.option("--yes", is_flag=True, help="Also if it is a large share of a tree.")
@click.option("--withdrawn", is_flag=True, help="Files of packages that were withdrawn or refused, without a grace.")
@json_option
@pass_app
def command_gc(app: App, dry_run: bool, yes: bool, withdrawn: bool) -> None:
    """Remove what nobody needs any more, after a time of grace.

    That is: files of trees that newer publications no longer name, files of the private store that no version and no
    waiting import has, and what can be made again. What a version in place names is never touched.
    """
    from entrepot.services import upkeep

    try:
        result = upkeep.collect(app.workspace, app.progress, dry_run=dry_run, yes=yes, withdrawn=withdrawn)
    except BatchError as error:
        if not app.json:
            for done in error.results:
                assert isinstance(done, upkeep.GcResult)
                _print_collected(app, done)
        raise
    if app.json:
        app.result(result.as_json())
    else:
        _print_collected(app, result)


def _print_collected(app: App, result: GcResult) -> None:
    lines = []
    for tree in result.trees:
        if result.dry_run:
            lines += [f"remove {human_size(file.size):>9}  {file.path}" for file in tree.files]
        lines.append(f"{tree.target.url}: {len(tree.files)} of {tree.of} files, {human_size(tree.size)}")
    lines.append(f"private store: {result.artifacts} files, {human_size(result.artifact_bytes)}")
    if not result.dry_run:
        lines.append(f"cache: {human_size(result.cache_bytes)}")
    if result.generation_objects:
        lines.append(f"older generations: {result.generation_objects} objects")
    app.result(None, "\n".join(lines))


@click.command("check")
@click.argument("repository", required=False, metavar="[REPO]")
@click.option("--content", is_flag=True, help="Read every byte, not only sizes.")
@click.option("--repair", is_flag=True, help="Write again what is missing or wrong.")
@json_option
@pass_app
def command_check(app: App, repository: str | None, content: bool, repair: bool) -> None:
    """Compare trees and the private store with what the catalog says of them."""
    from entrepot.services import upkeep

    try:
        results = upkeep.check(app.workspace, app.progress, repository=repository, content=content, repair=repair)
    except BatchError as error:
        if not app.json:
            _print_checked(app, [done for done in error.results if isinstance(done, upkeep.CheckResult)])
        raise
    if app.json:
        app.result([result.as_json() for result in results])
    else:
        _print_checked(app, results)
    if any(result.faults and not result.repaired for result in results):
        raise click.exceptions.Exit(1)


def _print_checked(app: App, results: Sequence[CheckResult]) -> None:
    lines = []
    for result in results:
        lines += [f"{fault.kind:8} {fault.path}" for fault in result.faults]
        end = ", repaired" if result.repaired else ""
        lines.append(f"{result.url}: {result.checked} files, {len(result.faults)} faults{end}")
    app.result(None, "\n".join(lines))
