"""``entrepot token`` and ``entrepot user``."""

from __future__ import annotations

from typing import TextIO

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.models import Role

ROLES = click.Choice([role.value for role in Role])
DISTRIBUTIONS = click.option(
    "--dist", "distributions", multiple=True, metavar="DIST", help="The only ones that may be changed; several allowed."
)
PASSWORD_FILE = click.option(
    "--password-file", type=click.File("r", encoding="utf-8"), help="File with the password in its first line."
)


@click.group("token")
def command_token() -> None:
    """Tokens for the HTTP API."""


@command_token.command("create")
@click.argument("name")
@click.option("--role", type=ROLES, required=True, help="What it may do; each role may do what those before it may.")
@DISTRIBUTIONS
@click.option("--expires-in-days", type=click.IntRange(1, 36500), help="Never, unless given.")
@json_option
@pass_app
def token_create(app: App, name: str, role: str, distributions: tuple[str, ...], expires_in_days: int | None) -> None:
    """Make a token and print it, this once: only a hash is kept."""
    from entrepot.services import identity

    issued = identity.create_token(
        app.workspace, name, Role(role), distributions=distributions, expires_in_days=expires_in_days
    )
    app.result(issued.as_json(), issued.secret)


@command_token.command("list")
@json_option
@pass_app
def token_list(app: App) -> None:
    """Every token, with what it may do and when it was used; not the tokens themselves."""
    from entrepot.services import identity

    columns = [
        ("NAME", "name"),
        ("ROLE", "role"),
        ("DISTRIBUTIONS", "distributions"),
        ("STATE", "state"),
        ("EXPIRES", "expires_at"),
        ("LAST USED", "last_used_at"),
        ("MADE BY", "created_by"),
    ]
    app.table(identity.list_tokens(app.workspace), columns, "no tokens; make one with `entrepot token create`")


@command_token.command("revoke")
@click.argument("name")
@json_option
@pass_app
def token_revoke(app: App, name: str) -> None:
    """End a token, from this moment on."""
    from entrepot.services import identity

    app.result(identity.revoke_token(app.workspace, name), f"revoked {name}")


@click.group("user")
def command_user() -> None:
    """Persons who sign in with a password."""


@command_user.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, required=True, help="What the user may do.")
@DISTRIBUTIONS
@PASSWORD_FILE
@json_option
@pass_app
def user_add(app: App, name: str, role: str, distributions: tuple[str, ...], password_file: TextIO | None) -> None:
    """Add a user; asks for the password unless it is in a file."""
    from entrepot.services import identity

    user = identity.add_user(app.workspace, name, _password(password_file), Role(role), distributions=distributions)
    app.result(user, f"added {name}")


@command_user.command("list")
@json_option
@pass_app
def user_list(app: App) -> None:
    """Every user."""
    from entrepot.services import identity

    columns = [
        ("NAME", "name"),
        ("ROLE", "role"),
        ("DISTRIBUTIONS", "distributions"),
        ("DISABLED", "disabled"),
        ("SINCE", "created_at"),
    ]
    app.table(identity.list_users(app.workspace), columns, "no users; add one with `entrepot user add`")


@command_user.command("set")
@click.argument("name")
@click.option("--role", type=ROLES, help="What the user may do.")
@DISTRIBUTIONS
@click.option("--all-dists", is_flag=True, help="Take the limit to distributions away.")
@click.option("--disable/--enable", "disabled", default=None, help="Whether the user may sign in.")
@click.option("--password", "ask", is_flag=True, help="Ask for a new password.")
@PASSWORD_FILE
@json_option
@pass_app
def user_set(
    app: App,
    name: str,
    role: str | None,
    distributions: tuple[str, ...],
    all_dists: bool,
    disabled: bool | None,
    ask: bool,
    password_file: TextIO | None,
) -> None:
    """Change a user, who is signed out everywhere by it."""
    from entrepot.services import identity

    if all_dists and distributions:
        raise click.UsageError("--all-dists and --dist exclude each other")
    user = identity.set_user(
        app.workspace,
        name,
        password=_password(password_file) if ask or password_file else None,
        role=Role(role) if role else None,
        distributions=distributions if distributions or all_dists else None,
        disabled=disabled,
    )
    app.result(user, f"changed {name}")


@command_user.command("remove")
@click.argument("name")
@json_option
@pass_app
def user_remove(app: App, name: str) -> None:
    """Remove a user."""
    from entrepot.services import identity

    app.result(identity.remove_user(app.workspace, name), f"removed {name}")


def _password(stream: TextIO | None) -> str:
    if stream is not None:
        return stream.readline(10_000).rstrip("\r\n")
    answer = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    assert isinstance(answer, str)
    return answer
