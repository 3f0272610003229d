"""``entrepot dist``."""

from __future__ import annotations

from typing import Any

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.cli.source_options import FormatOptionsCommand
from entrepot.errors import UsageError

COLUMNS = [
    ("ID", "id"),
    ("DISTRIBUTION", "path"),
    ("COMPONENTS", "components"),
    ("ARCHITECTURES", "architectures"),
    ("BASE", "base_sources"),
    ("POLICY", "policy"),
    ("VERSION", "version"),
    ("PUBLISHED", "published_version"),
    ("PACKAGES", "packages"),
]


@click.group("dist")
def command_dist() -> None:
    """Distributions of a repository."""


COUNT = click.IntRange(0, 100_000)


def _shared(function: Any) -> Any:
    for option in (
        click.option(
            "--base",
            "base_sources",
            multiple=True,
            metavar="SOURCE",
            help="Source whose packages its clients have anyway, as the operating system's.",
        ),
        click.option("--compression", "compressions", multiple=True, help="Of indexes: gz, xz, zst."),
        click.option("--keep", type=COUNT, help="Newest versions of each package that stay in; 0 for all."),
        click.option(
            "--keep-needed/--no-keep-needed",
            default=None,
            help="Older packages stay while one that stays depends on them.",
        ),
        click.option("--keep-versions", type=COUNT, help="Versions of the distribution that stay; 0 for all."),
        click.option("--keep-days", type=COUNT, help="Days for which they stay; 0 for ever."),
        click.option("--policy", help="What decides about packages: soft, strict or one of the settings."),
        click.option(
            "--arch", "-a", "architectures", multiple=True, help="Architecture; those of its packages unless given."
        ),
        click.option("--component", "-c", "components", multiple=True, help="Component; main unless given."),
    ):
        function = option(function)
    return function


@command_dist.command("create", cls=FormatOptionsCommand, declared="distribution_options")
@click.argument("path", metavar="REPO/DIST")
@_shared
@json_option
@pass_app
def create(app: App, /, path: str, **values: Any) -> None:
    """Make a distribution with its empty version 0."""
    from entrepot.services import policies, repositories

    distribution = repositories.create_distribution(app.workspace, path, **values)
    app.table([repositories.distribution_json(app.workspace, distribution)], COLUMNS, "")
    app.warn(policies.shortcomings(app.workspace, distribution.policy))


@command_dist.command("list")
@click.argument("repository", required=False)
@json_option
@pass_app
def list_(app: App, repository: str | None) -> None:
    """Every distribution, or those of one repository."""
    from entrepot.services import repositories

    table = app.workspace.catalog.repositories
    chosen = table.get(repository) if repository else None
    found = [repositories.distribution_json(app.workspace, item) for item in table.distributions(chosen)]
    app.table(found, COLUMNS, "no distributions; make one with `entrepot dist create`")


@command_dist.command("show")
@click.argument("path", metavar="DIST")
@json_option
@pass_app
def show(app: App, path: str) -> None:
    """One distribution, its newest version and what is published of it."""
    from entrepot.services import repositories

    document = repositories.distribution_json(app.workspace, app.workspace.catalog.repositories.distribution(path))
    app.result(document, "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in document.items()))


@command_dist.command("set", cls=FormatOptionsCommand, declared="distribution_options")
@click.argument("path", metavar="DIST")
@_shared
@click.option("--no-base", is_flag=True, help="Clients have nothing besides what the distribution has.")
@json_option
@pass_app
def set_(app: App, /, path: str, *, no_base: bool, **values: Any) -> None:
    """Change a distribution; what is not given stays."""
    from entrepot.services import policies, repositories

    app.warn(repositories.cautions(app.workspace, path, values["options"]))
    lists: dict[str, list[str] | None] = {
        key: list(values[key]) or None for key in ("components", "architectures", "compressions", "base_sources")
    }
    if no_base:
        if lists["base_sources"]:
            raise UsageError("--base and --no-base contradict each other")
        lists["base_sources"] = []
    distribution = repositories.set_distribution(app.workspace, path, values | lists)
    app.table([repositories.distribution_json(app.workspace, distribution)], COLUMNS, "")
    if values["policy"]:
        app.warn(policies.shortcomings(app.workspace, distribution.policy))


@command_dist.command("remove")
@click.argument("path", metavar="DIST")
@json_option
@pass_app
def remove(app: App, path: str) -> None:
    """Remove a distribution with all its versions; what is published stays until ``gc`` takes it."""
    from entrepot.services import repositories

    distribution = repositories.remove_distribution(app.workspace, path)
    app.result({"removed": distribution.path}, f"removed {distribution.path}")
