"""``entrepot apply`` and ``entrepot export``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import App, json_option, pass_app
from entrepot.errors import BatchError

if TYPE_CHECKING:
    from entrepot.services.applying import Applied
    from entrepot.services.planning import Step

SIGNS = {"create": "+", "change": "~", "remove": "-"}
FORMS = ("toml", "yaml")
_NOTHING: tuple[Any, ...] = (None, "", [], {}, 0)
form_option = click.option(
    "--format", "form", type=click.Choice(FORMS), help="TOML or YAML; what the file's name says unless given."
)


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@form_option
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing.")
@click.option("--prune", is_flag=True, help="Remove what the file does not describe.")
@click.option("--yes", is_flag=True, help="Also where that removes something.")
@json_option
@pass_app
def command_apply(app: App, file: Path, form: str | None, dry_run: bool, prune: bool, yes: bool) -> None:
    """Make the workspace what a file says.

    That is sources, repositories, distributions, policies, schedule and other settings.

    Does what is left to do, and nothing where nothing is. What the file does not describe stays, unless --prune is
    given. `-` reads from standard input.
    """
    from entrepot.declaration import parse_declaration, read_declaration
    from entrepot.services import applying

    if str(file) == "-":
        declaration = parse_declaration(sys.stdin.read(), Path("standard input"), form or FORMS[0])
    else:
        declaration = read_declaration(file, form or "")
    try:
        applied = applying.apply(app.workspace, declaration, prune=prune, yes=yes, dry_run=dry_run)
    except BatchError as error:
        for result in error.results:
            if not app.json and isinstance(result, applying.Applied):
                _print(app, result)
        raise
    _print(app, applied)


def _print(app: App, applied: Applied) -> None:
    plan = applied.plan
    lines = []
    for step, state in zip(plan.steps, applied.states, strict=True):
        lines.append(f"{SIGNS[step.action]} {step.kind} {step.name}{' (failed)' if state == 'failed' else ''}")
        lines += [f"    {line}" for line in _details(step)]
    app.result(applied.as_json(), "\n".join(lines))
    if plan.left:
        names = ", ".join(f"{kind} {name}" for kind, name in plan.left)
        app.say(f"not described, and left as it is: {names}")
    if not plan.steps:
        app.say("nothing to do")


def _details(step: Step) -> Iterator[str]:
    for name in dict.fromkeys((*step.before, *step.after)):
        before, after = step.before.get(name), step.after.get(name)
        if step.action == "change":
            yield f"{name}: {_text(before)} -> {_text(after)}"
        elif (value := before if after is None else after) is False or value not in _NOTHING:
            yield f"{name}: {_text(value)}"


def _text(value: Any) -> str:
    import json

    if value in _NOTHING[:-1]:
        return "-"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@form_option
@json_option
@pass_app
def command_export(app: App, file: Path | None, form: str | None) -> None:
    """Write what the workspace has as such a file.

    It is one for `entrepot apply`, and goes to standard output unless another place is named.

    Secrets are not in it: it names the environment variables that they are to be in where it is applied.
    """
    from entrepot.services import declared

    exported = declared.export(app.workspace)
    is_yaml = form == "yaml" or (form is None and file is not None and file.suffix in (".yaml", ".yml"))
    text = exported.text("yaml" if is_yaml else "toml")
    if file is not None:
        file.write_text(text, encoding="utf-8")
    app.result(dict(exported.document), "" if file else text.rstrip("\n"))
    for name, what in exported.variables.items():
        app.say(f"where it is applied, {name} has to be the {what}")
