"""``entrepot gc`` and ``entrepot check``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, human_size, json_option, pass_app


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@click.option("--yes", is_flag=True, help="Also if it is a large share of a tree.")
@json_option
@pass_app
def command_gc(app: App, dry_run: bool, yes: bool) -> None:
    """Remove what nobody needs any more, after a time of grace.

    That is: files of trees that newer publications no longer name, files of the private store that no version and no
    waiting import has, and what can be made again. What a version in place names is never touched.
    """
    from entrepot.services import upkeep

    result = upkeep.collect(app.workspace, app.progress, dry_run=dry_run, yes=yes)
    lines = []
    for tree in result.trees:
        if dry_run:
            lines += [f"remove {human_size(file.size):>9}  {file.path}" for file in tree.files]
        lines.append(f"{tree.target.url}: {len(tree.files)} of {tree.of} files, {human_size(tree.size)}")
    lines.append(f"private store: {result.artifacts} files, {human_size(result.artifact_bytes)}")
    if not dry_run:
        lines.append(f"cache: {human_size(result.cache_bytes)}")
    app.result(result.as_json(), "\n".join(lines))


@click.command("check")
@click.argument("repository", required=False, metavar="[REPO]")
@click.option("--content", is_flag=True, help="Read every byte, not only sizes.")
@click.option("--repair", is_flag=True, help="Write again what is missing or wrong.")
@json_option
@pass_app
def command_check(app: App, repository: str | None, content: bool, repair: bool) -> None:
    """Compare published trees with what the catalog says of them."""
    from entrepot.services import upkeep

    results = upkeep.check(app.workspace, app.progress, repository=repository, content=content, repair=repair)
    lines = []
    for result in results:
        lines += [f"{fault.kind:8} {fault.path}" for fault in result.faults]
        end = ", repaired" if result.repaired else ""
        lines.append(f"{result.url}: {result.checked} files, {len(result.faults)} faults{end}")
    app.result([result.as_json() for result in results], "\n".join(lines))
    if any(result.faults and not result.repaired for result in results):
        raise click.exceptions.Exit(1)
