"""``entrepot version``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import HELD_FOR_REVIEW, PARTLY_FAILED, App, human_size, json_option, pass_app

if TYPE_CHECKING:
    from entrepot.services.version_changes import ChangeRequest, VersionDiff, VersionResult

DIFF_COLUMNS = [
    ("CHANGE", "change"),
    ("PACKAGE", "package"),
    ("ARCH", "architecture"),
    ("COMPONENT", "component"),
    ("BEFORE", "before"),
    ("AFTER", "after"),
    ("FINDINGS", "found"),
]


def changing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every change of a version has; the command gets them as ``request``."""

    @click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
    @click.option(
        "--hold-refused",
        is_flag=True,
        help="Leave out what the policy does not let in; review it later.",
    )
    @click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
    @wraps(function)
    def command(*args: Any, dry_run: bool, hold_refused: bool, no_publish: bool, **more: Any) -> Any:
        from entrepot.services.version_changes import ChangeRequest

        request = ChangeRequest(dry_run, publish_after=not no_publish, hold_refused=hold_refused)
        return function(*args, request=request, **more)

    return command


@click.group("version")
def command_version() -> None:
    """Versions of a distribution."""


@command_version.command("list")
@click.argument("path", metavar="DIST")
@json_option
@pass_app
def list_(app: App, path: str) -> None:
    """Every version of a distribution, newest first."""
    from entrepot.services import browse

    columns = [
        ("VERSION", "number"),
        ("MADE", "created_at"),
        ("PACKAGES", "packages"),
        ("ADDED", "added"),
        ("REMOVED", "removed"),
        ("WHAT", "message"),
    ]
    app.table(browse.versions(app.workspace, path), columns, "no versions")


@command_version.command("show")
@click.argument("path", metavar="DIST")
@click.argument("number", type=click.IntRange(0), required=False)
@json_option
@pass_app
def show(app: App, path: str, number: int | None) -> None:
    """The packages of a version; of the newest unless another is named."""
    from entrepot.services import browse

    rows = browse.members(app.workspace, path, number)
    columns = [
        ("NAME", "name"),
        ("VERSION", "version"),
        ("ARCH", "architecture"),
        ("COMPONENT", "component"),
        ("SIZE", "human_size"),
        ("PATH", "location"),
    ]
    app.table([row | ({} if app.json else {"human_size": human_size(row["size"])}) for row in rows], columns, "empty")


@command_version.command("diff")
@click.argument("path", metavar="DIST")
@click.argument("before", type=click.IntRange(0), metavar="FROM")
@click.argument("after", type=click.IntRange(0), metavar="[TO]", required=False)
@json_option
@pass_app
def diff(app: App, path: str, before: int, after: int | None) -> None:
    """What changed from one version to another; to the newest unless another is named."""
    from entrepot.services import versions

    _print_diff(app, versions.diff(app.workspace, path, before, after))


@command_version.command("rollback")
@click.argument("path", metavar="DIST")
@click.argument("number", type=click.IntRange(0))
@changing_options
@json_option
@pass_app
def rollback(app: App, path: str, number: int, request: ChangeRequest) -> None:
    """Make a new version that is equal to an older one, and publish it.

    What comes back goes through the policy as it is today.
    """
    from entrepot.services import versions

    _print_result(app, versions.rollback(app.workspace, path, number, app.progress, request))


@command_version.command("promote")
@click.argument("path", metavar="DIST")
@click.argument("number", type=click.IntRange(0), metavar="[NUMBER]", required=False)
@click.option("--to", "target", required=True, metavar="DIST", help="Which distribution is to have the same.")
@changing_options
@json_option
@pass_app
def promote(app: App, path: str, number: int | None, target: str, request: ChangeRequest) -> None:
    """Make another distribution have what this one has, and nothing else.

    The other's own policy decides about what comes in. What scanners said of files is taken from here; vulnerabilities
    and dependencies are looked at anew, as they are there today. If it refuses a package, nothing is changed, unless
    those are to be left out with --hold-refused.
    """
    from entrepot.services import versions

    _print_result(app, versions.promote(app.workspace, path, target, number, app.progress, request))


@command_version.command("merge")
@click.argument("paths", nargs=-1, required=True, metavar="DIST...")
@click.option("--to", "target", required=True, metavar="DIST", help="Which distribution gets them.")
@click.option("--newest-only", is_flag=True, help="Older versions of a package give way to the newest one.")
@changing_options
@json_option
@pass_app
def merge(app: App, paths: tuple[str, ...], target: str, newest_only: bool, request: ChangeRequest) -> None:
    """Add to a distribution what others have; nothing of its own goes unless something newer comes."""
    from entrepot.services import versions

    results = versions.merge(app.workspace, paths, target, app.progress, request, newest_only=newest_only)
    _print_results(app, results)


@command_version.command("remove-package")
@click.argument("path", metavar="DIST")
@click.argument("packages", nargs=-1, required=True, metavar="PKG...")
@changing_options
@json_option
@pass_app
def remove_package(app: App, path: str, packages: tuple[str, ...], request: ChangeRequest) -> None:
    """Make a version without packages: NAME, NAME=VERSION or NAME:ARCH. Older versions keep them."""
    from entrepot.services import versions

    _print_result(app, versions.remove_packages(app.workspace, path, packages, app.progress, request))


@command_version.command("retain")
@click.argument("path", metavar="DIST")
@click.option("--dry-run", is_flag=True, help="Show what would go; change nothing.")
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@json_option
@pass_app
def retain(app: App, path: str, dry_run: bool, no_publish: bool) -> None:
    """Leave out packages and forget versions that are more than a distribution keeps.

    How much that is, `dist set` says. It is done before each publication of the newest version as well.
    """
    from entrepot.services.retention import apply_retention
    from entrepot.services.version_changes import ChangeRequest

    request = ChangeRequest(dry_run, publish_after=not no_publish)
    result = apply_retention(app.workspace, path, app.progress, request)
    if app.json:
        app.result(result.as_json())
    else:
        _tell(app, result.change)
        if result.versions:
            word = "would be forgotten" if dry_run else "are forgotten"
            app.result(None, f"versions that {word}: {', '.join(map(str, result.versions))}")
    _leave(result.change)


def _print_diff(app: App, told: VersionDiff) -> None:
    document = told.as_json()
    if app.json:
        app.result(document)
        return
    rows = [
        row
        | {
            "before": " ".join(row["before"]),
            "after": " ".join(row["after"]),
            "found": ", ".join(dict.fromkeys(_findings(row))),
        }
        for row in document["changes"]
    ]
    app.table(rows, DIFF_COLUMNS, "nothing changed")
    counts = ", ".join(f"{count} {word}" for word, count in document["counts"].items())
    app.say(f"from {told.before} to {told.after}: {counts or 'no package'}")


def _findings(row: Mapping[str, Any]) -> Iterator[str]:
    """What is known of what comes, and with a minus what goes with what goes."""
    yield from (f"{'+' if item['new'] else ''}{item['id']} ({item['severity']})" for item in row["findings"])
    yield from (f"-{item['id']} ({item['severity']})" for item in row["findings_gone"])


def _print_result(app: App, result: VersionResult) -> None:
    if app.json:
        app.result(result.as_json())
    else:
        _tell(app, result)
    _leave(result)


def _print_results(app: App, results: Sequence[VersionResult]) -> None:
    if app.json:
        app.result([result.as_json() for result in results])
    for result in results:
        if not app.json:
            _tell(app, result)
    for result in results:
        _leave(result)


def _tell(app: App, result: VersionResult) -> None:
    _print_diff(app, result.diff)
    for item in result.refused:
        app.say(f"Refused: {item.package}: {'; '.join(item.decision.reasons)}")
    if result.held:
        app.say(f"in the review queue: {', '.join(map(str, result.held))}")
    path = result.distribution.path
    if result.dry_run:
        app.say(f"nothing was changed in {path}: this is what would be")
    elif result.version is None:
        app.say(f"{path} stays as it is")
    else:
        app.result(None, f"{path} version {result.version.number}: {result.version.message}")
    if result.publish_error:
        app.say(f"Error: the version is made, but not published: {result.publish_error}")


def _leave(result: VersionResult) -> None:
    """Ends the program where a part of what was asked for was not done."""
    if result.publish_error:
        raise click.exceptions.Exit(PARTLY_FAILED)
    if result.refused:
        raise click.exceptions.Exit(HELD_FOR_REVIEW if result.version or result.held else 1)
