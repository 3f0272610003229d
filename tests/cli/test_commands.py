"""Every command is there, says what it does, and costs little before it does it."""

from __future__ import annotations

import importlib
import json
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from entrepot import __version__
from entrepot.cli import main
from entrepot.cli.main import COMMANDS
from support.program import Program, run_program

HEAVY = ("httpx", "sqlite_utils", "sqlite3", "solv", "gnupg", "debian", "zstandard", "tabulate", "boto3", "lxml")
HEAVY_PARTS = ("entrepot.contracts.trees", "entrepot.transfer.client", "entrepot_plugins.signers.home")
"""Of the program itself: what small commands do without."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group below a group, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = {words: command for words, command in commands(main) if words[0] in COMMANDS}
LEAVES = {words: command for words, command in ALL.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_the_list_exists_and_says_of_itself_what_the_list_says(name: str) -> None:
    module, text = COMMANDS[name]
    command = getattr(importlib.import_module(module), f"command_{name}")
    assert command.name == name
    assert command.get_short_help_str(200).removesuffix(".") == text.removesuffix(".")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_command_has_a_help_text_and_every_option_of_it_too(words: tuple[str, ...], program: Program) -> None:
    command = ALL[words]
    assert command.help
    assert command.help.partition("\n")[0].rstrip().endswith((".", ","))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.name == "limit", f"{words}: {parameter.opts}"
    assert program(*words, "--help").stdout.startswith("Usage: ")


# What these print has a form of its own: a key, a JSON schema.
PLAIN = {("key", "export"), ("notify", "schema")}


@pytest.mark.parametrize("words", [words for words in LEAVES if words not in PLAIN], ids=" ".join)
def test_every_command_that_prints_something_can_print_json(words: tuple[str, ...]) -> None:
    assert any("--json" in parameter.opts for parameter in LEAVES[words].params)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=["nothing", "help", "h"])
def test_without_a_command_it_lists_the_commands(program: Program, arguments: list[str]) -> None:
    text = program.runner.invoke(main, arguments).output
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "Exit codes: 0 done, 1 failed, 2 usage, 3 partly failed, 4 held for review." in " ".join(text.split())


def test_it_tells_its_version(program: Program) -> None:
    assert program("--version").stdout == f"entrepot, version {__version__}\n"


def test_the_list_of_commands_has_those_of_plugins(tmp_path: Path) -> None:
    info = tmp_path / "report-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: report\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[entrepot]\nreport = report_plugin\n")
    (tmp_path / "report_plugin.py").write_text(
        "import click\nfrom entrepot.hookspecs import hookimpl\n\n"
        "@click.command('toy-report')\n@click.pass_context\ndef report(context):\n"
        "    '''Says where the workspace is.'''\n    click.echo(context.obj.home.name)\n\n"
        "@hookimpl\ndef register_commands():\n    return [report]\n"
    )
    listed = run_program("--help", home=tmp_path / "home", path=tmp_path)
    assert "toy-report  Says where the workspace is." in listed.stdout
    called = run_program("toy-report", home=tmp_path / "home", path=tmp_path)
    assert (called.returncode, called.stdout) == (0, "home\n")


def heavy_imports(heavy: Iterable[str], *arguments: str, home: Path) -> list[str]:
    """Which of these modules a command has imported at its end."""
    code = (
        "import atexit, json, sys\n"
        f"atexit.register(lambda: print(json.dumps(sorted({set(heavy)!r} & set(sys.modules))), file=sys.stderr))\n"
        "from entrepot.cli import main; main()"
    )
    result = run_program("--quiet", *arguments, home=home, code=code)
    assert result.returncode == 0, result.stderr
    found: list[str] = json.loads(result.stderr)
    return found


def test_help_imports_nothing_heavy_and_opens_nothing(tmp_path: Path) -> None:
    for arguments in (("--help",), ("import", "--help"), ("source", "--help")):
        assert heavy_imports((*HEAVY, *HEAVY_PARTS), *arguments, home=tmp_path / "home") == [], arguments
    assert not (tmp_path / "home").exists()


def test_a_list_imports_only_the_tables_that_it_reads(program: Program) -> None:
    tables = ("entrepot.catalog.advisories", "entrepot.catalog.imports", "entrepot.catalog.search")
    assert heavy_imports((*HEAVY_PARTS, *tables), "source", "list", home=program.home) == []


@pytest.mark.bench
def test_help_is_quick(tmp_path: Path) -> None:
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    spent = []
    for _ in range(3):
        before = used()
        run_program("--help", home=tmp_path / "home")
        spent.append(used() - before)
    # The budget is 0.25 s of CPU on an idle machine; others may be at work.
    assert min(spent) < 0.5


def test_an_unknown_command_is_a_usage_error(program: Program) -> None:
    result = program("teapot", code=2)
    assert "No such command 'teapot'" in result.stderr
    assert result.stdout == ""


def test_a_workspace_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    result = Program(tmp_path / "none")("source", "list", code=1)
    assert result.stderr == (
        f"Error: there is no workspace in {tmp_path}/none\n"
        "Hint: make one with `entrepot init`, or name another with --home or ENTREPOT_HOME\n"
    )


def test_the_workspace_may_be_named_by_the_environment(tmp_path: Path) -> None:
    result = run_program("init", "--json", home=tmp_path / "home")
    assert json.loads(result.stdout) == {"home": str(tmp_path / "home"), "created": True, "key": None}
