"""``entrepot repo``."""

from __future__ import annotations

import click

from entrepot.cli.app import App, json_option, pass_app

COLUMNS = [
    ("ID", "id"),
    ("NAME", "name"),
    ("FORMAT", "format"),
    ("PUBLISHED TO", "targets"),
    ("SIGNED WITH", "sign_with"),
    ("DISTRIBUTIONS", "distributions"),
]


@click.group("repo")
def command_repo() -> None:
    """Repositories that are published."""


@command_repo.command("create")
@click.argument("name")
@click.option("--format", "format_name", required=True, help="Format: apt, rpm ...")
@click.option(
    "--publish-to", required=True, multiple=True, metavar="URL", help="Where the tree goes: a folder or a storage URL."
)
@click.option("--public-url", default="", metavar="URL", help="Where clients find it; --publish-to unless given.")
@click.option("--sign-with", metavar="KEYID", help="The key; not needed where there is only one.")
@click.option("--no-sign", is_flag=True, help="Do not sign. Clients will have to be told to trust it.")
@click.option("--origin", default="", help="Origin in the Release file; the name unless given.")
@click.option("--label", default="", help="Label in the Release file; the name unless given.")
@json_option
@pass_app
def create(
    app: App,
    name: str,
    format_name: str,
    publish_to: tuple[str, ...],
    public_url: str,
    sign_with: str | None,
    no_sign: bool,
    origin: str,
    label: str,
) -> None:
    """Make a repository: one published tree."""
    from entrepot.services import repositories

    if no_sign and sign_with:
        raise click.UsageError("--sign-with and --no-sign exclude each other")
    repository = repositories.create_repository(
        app.workspace,
        name,
        format_name=format_name,
        publish_to=publish_to,
        public_url=public_url,
        sign=not no_sign,
        sign_with=sign_with,
        origin=origin,
        label=label,
    )
    app.table([repositories.repository_json(app.workspace, repository)], COLUMNS[:5], "")


@command_repo.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """Every repository."""
    from entrepot.services import repositories

    found = [repositories.repository_json(app.workspace, item) for item in app.workspace.catalog.repositories.list()]
    app.table(found, COLUMNS, "no repositories; make one with `entrepot repo create`")


@command_repo.command("show")
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str) -> None:
    """One repository."""
    from entrepot.services import repositories

    document = repositories.repository_json(app.workspace, app.workspace.catalog.repositories.get(name))
    app.result(document, "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in document.items()))


@command_repo.command("set")
@click.argument("name")
@click.option("--publish-to", multiple=True, metavar="URL", help="Publish there, and nowhere else, from now on.")
@click.option("--public-url", metavar="URL", help="Where clients find it.")
@click.option("--sign-with", metavar="KEYID", help="Another key.")
@click.option("--origin", help="Origin; clients stop and ask when it changes.")
@click.option("--label", help="Label; clients stop and ask when it changes.")
@json_option
@pass_app
def set_(app: App, /, name: str, publish_to: tuple[str, ...], **values: str | None) -> None:
    """Change a repository; takes effect when it is published next."""
    from entrepot.services import repositories

    if values["origin"] or values["label"]:
        app.say("Warning: clients may stop and ask their user when Origin or Label of a repository change")
    repository = repositories.set_repository(app.workspace, name, values, publish_to)
    app.table([repositories.repository_json(app.workspace, repository)], COLUMNS[:5], "")


@command_repo.command("remove")
@click.argument("name")
@json_option
@pass_app
def remove(app: App, name: str) -> None:
    """Remove a repository without distributions; its tree stays where it is."""
    from entrepot.services import repositories

    repository = repositories.remove_repository(app.workspace, name)
    places = ", ".join(target.url for target in repository.targets)
    app.result({"removed": repository.name}, f"removed {repository.name}; its tree stays in {places}")
