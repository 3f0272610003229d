"""What every command has: the workspace, and one way to print rows, results, progress and errors."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, runtime_checkable

import click

from entrepot.cli.json_text import write_json
from entrepot.errors import BatchError, EntrepotError
from entrepot.progress import Progress, ProgressEvent, overall, silent

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])

HELD_FOR_REVIEW = 4
PARTLY_FAILED = 3
UNUSUAL = re.compile(r"[^\n\x20-\x7e]+")


@runtime_checkable
class Result(Protocol):
    """What a service answers and ``--json`` prints."""

    def as_json(self) -> Mapping[str, Any]: ...


class App:
    """One run of the program. Results go to standard output, everything else to standard error."""

    def __init__(self, home: Path | str, *, quiet: bool) -> None:
        """``home`` is the folder of the workspace, or the URL of one on a storage."""
        self.home = home if "://" in str(home) else Path(home).expanduser().absolute()
        self.quiet = quiet
        self.json = False
        self._kept = False

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace; nothing of it is opened yet."""
        from entrepot.workspace import Workspace, home_of

        return Workspace(home_of(str(self.home)))

    def close(self, *, tell: bool = False) -> None:
        """Closes what was opened; with ``tell``, after others were told what happened, if that was kept."""
        if "workspace" not in self.__dict__:
            return
        try:
            if tell and self._kept and self.workspace.is_open:
                self._notify()
        finally:
            self.workspace.close()

    def commit(self) -> None:
        """Keeps what the command did: before it says that it did it."""
        if "workspace" in self.__dict__:
            self._kept = False
            self.workspace.commit()
            self._kept = True

    def _notify(self) -> None:
        from entrepot.services import notifiers

        try:
            deliveries = notifiers.deliver_at_end(self.workspace)
            self.workspace.commit()
        except EntrepotError as error:
            # What was asked for is done all the same.
            self.warn([f"nobody was told of it: {error}"])
            return
        self.warn(
            f"{delivery.notifier} was not told, which is tried again: {delivery.error}"
            for delivery in deliveries
            if delivery.error
        )

    def say(self, message: str) -> None:
        """A message for a person."""
        if not self.quiet:
            click.echo(clean(message), err=True)

    def warn(self, sentences: Iterable[str]) -> None:
        """What a person should know before going on."""
        for sentence in sentences:
            self.say(f"Warning: {sentence}")

    def result(self, document: Any, text: str = "") -> None:
        """The result of a command: the document with ``--json``, else the text."""
        self.commit()
        if self.json:
            print_json(document)
        elif text:
            click.echo(clean(text))

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]], nothing: str) -> None:
        """Rows as a table of ``columns`` (heading, key), or as JSON with all they have."""
        self.commit()
        if self.json:
            print_json([dict(row) for row in rows])
        elif rows:
            from tabulate import tabulate

            cells = [[clean(_cell(row.get(key)), allowed="") for _, key in columns] for row in rows]
            click.echo(tabulate(cells, [heading for heading, _ in columns], tablefmt="plain", disable_numparse=True))
        else:
            self.say(nothing)

    @property
    def progress(self) -> Progress:
        """A sink for progress: a line that changes on a terminal, plain lines elsewhere."""
        if self.quiet:
            return silent
        return overall(_Bar() if sys.stderr.isatty() else _Lines())

    def fail(self, error: EntrepotError) -> NoReturn:
        """Ends the program with an error's message, hint and exit code."""
        try:
            self.commit()
        except EntrepotError as worse:
            # Not even what led to the error is kept.
            error = worse
        if self.json:
            document: dict[str, object] = {"title": error.title, "detail": str(error), "hint": error.hint}
            if isinstance(error, BatchError):
                document["results"] = [result.as_json() for result in error.results if isinstance(result, Result)]
            print_json(document | _plain(error.data))
        click.echo(clean(f"Error: {error}"), err=True)
        if isinstance(error, BatchError):
            for item, failure in error.failures:
                hint = f" ({failure.hint})" if failure.hint else ""
                click.echo(clean(f"  {item}: {failure}{hint}"), err=True)
        if error.hint:
            click.echo(clean(f"Hint: {error.hint}"), err=True)
        raise click.exceptions.Exit(error.exit_code)


pass_app = click.make_pass_decorator(App)


def json_option(function: F) -> F:
    """Adds ``--json`` to a command."""

    def switch_on(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        app = ctx.find_object(App)
        if app is not None and value:
            app.json = True

    return click.option(
        "--json", is_flag=True, expose_value=False, callback=switch_on, help="Print one JSON document."
    )(function)


def executor_option(function: F) -> F:
    """Adds ``--executor`` to a command."""

    def choose(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        app = ctx.find_object(App)
        if app is not None and value:
            app.workspace.executor = value

    text = "Where to inspect: threads:N, processes:N or dask://HOST:PORT; as the settings say unless given."
    return click.option("--executor", metavar="URL", expose_value=False, callback=choose, help=text)(function)


def print_json(document: Any) -> None:
    """Prints one JSON document, with escapes for all that a terminal would obey."""
    write_json(document, lambda text: click.echo(_safe(text), nl=False))
    click.echo()


def _safe(text: str) -> str:
    """JSON without anything that a terminal would obey. Hardly any has some: that is found out first."""
    if text.replace("\n", "").isprintable():
        return text
    return UNUSUAL.sub(_json_escapes, text)


def _json_escapes(found: re.Match[str]) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in found[0])


def clean(text: str, *, allowed: str = "\n\t") -> str:
    """Text without anything that a terminal would obey: what comes from outside may hold escape sequences."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in allowed else f"\\x{ord(char):02x}" for char in text)


def human_size(size: int) -> str:
    """``1.4 MB``, in powers of ten as package tools print it."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def _plain(data: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in data.items() if name not in ("title", "detail", "hint", "results")}


def _amount(event: ProgressEvent) -> str:
    if event.unit == "bytes":
        total = f" of {human_size(event.total)}" if event.total else ""
        return f"{human_size(event.done)}{total}"
    total = f" of {event.total}" if event.total is not None else ""
    return f"{event.done}{total} {event.unit}".rstrip() if event.done or event.total else ""


class _Bar:
    """One line that is written over, at most some times a second; finished work stays."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, event: ProgressEvent) -> None:
        import time

        now = time.monotonic()
        if event.state == "running" and now - self._last < 0.1:
            return
        self._last = now
        share = ""
        if event.total:
            filled = 24 * min(event.done, event.total) // event.total
            share = f"[{'#' * filled}{'.' * (24 - filled)}] "
        line = clean(f"{event.message} {share}{_amount(event)}").rstrip()
        click.echo(f"\r\x1b[K{line}", err=True, nl=event.state != "running")


class _Lines:
    """One line when a piece of work begins, one when it ends."""

    def __init__(self) -> None:
        self._begun: set[str] = set()

    def __call__(self, event: ProgressEvent) -> None:
        if event.state == "running":
            if event.message in self._begun:
                return
            self._begun.add(event.message)
            click.echo(clean(event.message), err=True)
        else:
            click.echo(clean(f"{event.message}: {_amount(event)}" if _amount(event) else event.message), err=True)
