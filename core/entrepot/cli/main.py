"""The program ``entrepot``. Commands are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import gc
import importlib
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from entrepot import __version__
from entrepot.cli.app import App, clean, print_json
from entrepot.errors import EntrepotError, UsageError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("entrepot.cli.workspace", "Make a workspace: catalog, private store, signing key on request."),
    "home": ("entrepot.cli.home", "A workspace on a storage: its generations, who changes it; backups that came back."),
    "key": ("entrepot.cli.keys", "Keys that sign what is published."),
    "source": ("entrepot.cli.sources", "External repositories that packages come from."),
    "sync": ("entrepot.cli.sources", "Bring what sources offer now into the catalog."),
    "search": ("entrepot.cli.browse", "Search what synced sources offer."),
    "show": ("entrepot.cli.browse", "Everything that is known about a package."),
    "extra": ("entrepot.cli.extras", "Advisories, groups and modules that sources offer."),
    "repo": ("entrepot.cli.repositories", "Repositories that are published."),
    "dist": ("entrepot.cli.distributions", "Distributions of a repository."),
    "import": ("entrepot.cli.imports", "Bring packages of a source into a distribution."),
    "mirror": ("entrepot.cli.mirror", "Bring a whole source, or what a query means of it, into a distribution."),
    "upload": ("entrepot.cli.imports", "Bring package files of this machine into a distribution."),
    "bundle": ("entrepot.cli.bundles", "Carry a distribution to where no network is: one signed file."),
    "incoming": ("entrepot.cli.incoming", "Bring in what others have put into a folder or a bucket."),
    "advisories": ("entrepot.cli.advisories", "Offline vulnerability data that packages are compared with."),
    "policy": ("entrepot.cli.policies", "What decides about packages that come in."),
    "scan": ("entrepot.cli.scan", "Scan again what is already in, with today's advisories, policies and waivers."),
    "review": ("entrepot.cli.reviews", "Decide about imports that wait."),
    "report": ("entrepot.cli.reports", "Bills of materials, findings, statements about vulnerabilities."),
    "version": ("entrepot.cli.versions", "Versions of a distribution."),
    "publish": ("entrepot.cli.publishing", "Put the newest version of distributions in place."),
    "snapshot": ("entrepot.cli.snapshots", "Versions that stay reachable under a path of their own."),
    "gc": ("entrepot.cli.upkeep", "Remove what nobody needs any more, after a time of grace."),
    "check": ("entrepot.cli.upkeep", "Compare trees and the private store with what the catalog says of them."),
    "apply": ("entrepot.cli.declaration", "Make the workspace what a file says."),
    "export": ("entrepot.cli.declaration", "Write what the workspace has as such a file."),
    "schedule": ("entrepot.cli.schedule", "What is done by itself, and when."),
    "notify": ("entrepot.cli.notify", "Those who are told of events: webhooks, caches, log files."),
    "token": ("entrepot.cli.access", "Tokens for the HTTP API."),
    "user": ("entrepot.cli.access", "Persons who sign in with a password."),
    "task": ("entrepot.cli.operations", "What was done, how far it came, how it ended."),
    "audit": ("entrepot.cli.audit", "Who changed what, in a log that shows tampering."),
    "plugins": ("entrepot.cli.operations", "The plugins and what they offer."),
}
"""Name of a command -> module that has it, as ``command_<name>``, and its help in one line."""

ARGUMENTS = "entrepot.arguments"


class LazyGroup(click.Group):
    """Knows its commands by name and imports them when they are called; plugins add theirs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(name for name in _plugin_commands(ctx) if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name][0])
            command = getattr(module, f"command_{cmd_name}")
            assert isinstance(command, click.Command)
            return command
        return _plugin_commands(ctx).get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of ``--help``, without importing a single command."""
        rows = [(name, text) for name, (_, text) in COMMANDS.items()]
        try:
            plugins = _plugin_commands(ctx)
        except EntrepotError as error:
            # Who asks for help may do so because of just this error.
            plugins = {}
            click.echo(clean(f"Error: {error}"), err=True)
        rows += [(name, plugins[name].get_short_help_str(80)) for name in plugins if name not in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Turns errors into a message, a hint and an exit code: the one place that does."""
        arguments: Sequence[str] = ctx.meta[ARGUMENTS]
        ended = False
        try:
            for argument in arguments:
                if argument != argument.encode("utf-8", "replace").decode():
                    raise click.UsageError(f"{argument!a} is not UTF-8")
            answer = super().invoke(ctx)
            if app := ctx.find_object(App):
                app.commit()
            ended = True
            return answer
        except click.ClickException as error:
            if "--json" in arguments:
                print_json({"title": UsageError.title, "detail": error.format_message(), "hint": ""})
            raise
        except EntrepotError as error:
            app = ctx.find_object(App)
            assert app is not None
            ended = True
            app.fail(error)
        except (KeyboardInterrupt, click.exceptions.Exit) as end:
            if app := ctx.find_object(App):
                app.commit()
            # Who interrupts does not want to wait for others.
            ended = isinstance(end, click.exceptions.Exit)
            raise
        finally:
            app = ctx.find_object(App)
            if app is not None:
                app.close(tell=ended)


def _plugin_commands(ctx: click.Context) -> Mapping[str, click.Command]:
    app = ctx.find_object(App) or App(_default_home(), quiet=True)
    return app.workspace.plugins.commands


def _default_home() -> str:
    if home := os.environ.get("ENTREPOT_HOME"):
        return home
    import platformdirs

    return platformdirs.user_data_dir("entrepot")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", help="Folder of the workspace, or s3://BUCKET/PREFIX of one there (or ENTREPOT_HOME).")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no messages, only results and errors.")
@click.option("--verbose", "-v", is_flag=True, help="Log what plugins and transfers do.")
@click.version_option(__version__, prog_name="entrepot")
@click.pass_context
def main(ctx: click.Context, home: str | None, quiet: bool, verbose: bool) -> None:
    """Bring Linux packages in, inspect them, and publish them as signed APT and RPM repositories.

    Exit codes: 0 done, 1 failed, 2 usage, 3 partly failed, 4 held for review.
    """
    # Nearly nothing here refers to itself; to look for what does so cost up to a fifth of a command that makes much.
    gc.set_threshold(20_000, 20, 20)
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    ctx.obj = App(home or _default_home(), quiet=quiet)
