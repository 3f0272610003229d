"""The documentation says what the code does."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from entrepot import contracts, hookspecs
from entrepot.cli.app import App
from entrepot.cli.main import main

ROOT = Path(__file__).parents[2]
CLI = ROOT / "docs" / "cli.md"
HOOKS = sorted(
    (name, function)
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if hasattr(function, "entrepot_spec")
)


def commands(command: click.Command, name: str, parent: click.Context | None = None) -> list[click.Context]:
    """A command with all those below it, each as a context that prints its help."""
    context = click.Context(command, parent, name, terminal_width=100, **command.context_settings)
    if parent is None:
        context.obj = App(Path("/nowhere"), quiet=True)
    found = [context]
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            assert child is not None
            found += commands(child, child_name, context)
    return found


def cli_reference() -> str:
    """The help of every command, as the documentation has it."""
    parts = ["# Commands\n\nThe help of every command, as the program prints it.\n"]
    for context in commands(main, "entrepot"):
        parts.append(f"## {context.command_path}\n\n```\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def test_the_command_reference_is_what_the_program_prints() -> None:
    if os.environ.get("UPDATE_DOCS"):
        CLI.write_text(cli_reference(), encoding="utf-8")
    assert CLI.read_text(encoding="utf-8") == cli_reference(), "run the tests with UPDATE_DOCS=1"


@pytest.mark.parametrize(("name", "function"), HOOKS, ids=[name for name, _ in HOOKS])
def test_every_hook_is_documented_with_its_exact_signature(name: str, function: Callable[..., object]) -> None:
    signature = inspect.signature(function)
    assert f"`{name}{signature}`".replace("'", "") in (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


def test_every_optional_part_of_an_object_is_documented() -> None:
    optional = {name for name in contracts.__all__ if getattr(getattr(contracts, name), "_is_runtime_protocol", False)}
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert "SignatureVerifier" in optional
    assert {name for name in optional if f"| `{name}` |" not in text} == set()


def test_links_between_documents_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken
