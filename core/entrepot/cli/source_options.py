"""The options of ``source add`` and ``source set``: connection, trust, and what the formats declare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import App
from entrepot.errors import UsageError

if TYPE_CHECKING:
    from entrepot.contracts import Format, Option
    from entrepot.services.sources import Change

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

SHARED = (
    click.Option(["--distribution", "-d", "distributions"], multiple=True, help="Distribution to read (APT: suite)."),
    click.Option(["--component", "-c", "components"], multiple=True, help="Component to read; all unless given."),
    click.Option(["--arch", "-a", "architectures"], multiple=True, help="Architecture to read."),
    click.Option(["--keyring"], type=FILE, help="Public keys that may sign it, binary or armored."),
    click.Option(
        ["--verify/--no-verify", "verify"], default=None, help="Whether signatures are required (default: yes)."
    ),
    click.Option(["--username"], help="User name for the server."),
    click.Option(["--password-file"], type=FILE, help="File whose first line is the password."),
    click.Option(["--header", "headers"], multiple=True, metavar="K:V", help="Further request header; kept secret."),
    click.Option(["--client-cert"], type=FILE, help="TLS client certificate (PEM)."),
    click.Option(["--client-key"], type=FILE, help="Its key (PEM)."),
    click.Option(["--ca-cert"], type=FILE, help="Certificates that the server may be signed by (PEM)."),
    click.Option(["--proxy"], help="URL of a proxy; the environment's unless given."),
    click.Option(["--concurrency"], type=click.IntRange(1, 64), help="Connections at once."),
    click.Option(["--rate-limit"], type=click.IntRange(0), help="Bytes per second, all connections together."),
    click.Option(["--retries"], type=click.IntRange(0, 20), help="Tries after the first one."),
    click.Option(["--timeout"], type=click.FloatRange(0.1), help="Seconds without a byte."),
)

CONNECTION = ("client_cert", "client_key", "ca_cert", "proxy", "concurrency", "rate_limit", "retries", "timeout")


class FormatOptionsCommand(click.Command):
    """A command with options that the formats declare. The command gets those that were given as ``options``, by name.

    ``declared`` is the attribute of a format that lists them.
    """

    def __init__(self, *args: Any, declared: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._declared = declared

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *own, help_option = super().get_params(ctx)
        return [*own, *self.added(ctx), help_option]

    def added(self, ctx: click.Context) -> list[click.Parameter]:
        """The options besides the command's own."""
        declared = {option.name: option for format_ in _formats(ctx) for option in getattr(format_, self._declared)}
        return [_as_click(option) for option in declared.values()]

    def invoke(self, ctx: click.Context) -> Any:
        ctx.params["options"] = _gather(ctx, "option_")
        return super().invoke(ctx)


class SourceCommand(FormatOptionsCommand):
    """A command that says how a source is to be read; with ``client_files`` also from which files of clients."""

    def __init__(self, *args: Any, client_files: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, declared="source_options", **kwargs)
        self._client_files = client_files

    def added(self, ctx: click.Context) -> list[click.Parameter]:
        files: list[click.Parameter] = [
            click.Option(
                [f"--{format_.clients.option}", f"client_files_{format_.name}"],
                multiple=True,
                type=FILE,
                help=format_.clients.help,
            )
            for format_ in _formats(ctx)
            if self._client_files
        ]
        return [*files, *SHARED, *super().added(ctx)]

    def invoke(self, ctx: click.Context) -> Any:
        if self._client_files:
            ctx.params["client_files"] = _gather(ctx, "client_files_")
        return super().invoke(ctx)


def _as_click(option: Option) -> click.Option:
    flag = option.name.replace("_", "-")
    if option.type is bool:
        return click.Option([f"--{flag}/--no-{flag}", f"option_{option.name}"], default=None, help=f"{option.help}.")
    return click.Option([f"--{flag}", f"option_{option.name}"], type=option.type, default=None, help=f"{option.help}.")


def _gather(ctx: click.Context, prefix: str) -> dict[str, Any]:
    """Takes the parameters with a prefix out of the context: those that were given, by the rest of their names."""
    names = [name for name in ctx.params if name.startswith(prefix)]
    taken = {name.removeprefix(prefix): ctx.params.pop(name) for name in names}
    return {name: value for name, value in taken.items() if value not in (None, ())}


def change_from(options: dict[str, Any]) -> Change:
    """What the options ask for, as a change; files are read, nothing else happens."""
    from entrepot.models import Secrets
    from entrepot.services.sources import Change

    connection = {
        name: str(options[name]) if isinstance(options[name], Path) else options[name]
        for name in CONNECTION
        if options.get(name) is not None
    }
    secrets = None
    if options.get("username") is not None or options.get("password_file") or options.get("headers"):
        headers = tuple(_header(text) for text in options["headers"])
        secrets = Secrets(options["username"], _password(options["password_file"]), headers)
    keyring: Path | None = options.get("keyring")
    return Change(
        url=options.get("url"),
        distributions=options["distributions"] or None,
        components=options["components"] or None,
        architectures=options["architectures"] or None,
        verify=options["verify"],
        keyring=keyring.read_bytes() if keyring else None,
        options=options["options"],
        connection=connection,
        secrets=secrets,
    )


def _formats(ctx: click.Context) -> Sequence[Format]:
    app = ctx.find_object(App)
    if app is None:
        return ()
    return list(app.workspace.plugins.formats.values())


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines:
        raise UsageError(f"{path} is empty", hint="its first line has to be the password")
    return lines[0]


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError("--header wants NAME:VALUE")
    return name.strip(), value.strip()
