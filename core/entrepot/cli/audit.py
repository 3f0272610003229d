"""``entrepot audit``."""

from __future__ import annotations

from pathlib import Path

import click

from entrepot.cli.app import App, json_option, pass_app


@click.group("audit")
def command_audit() -> None:
    """Who changed what, in a log that shows tampering."""


@command_audit.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
@pass_app
def list_(app: App, limit: int) -> None:
    """The newest entries."""
    from entrepot.services import operations

    columns = [
        ("ID", "id"),
        ("AT", "at"),
        ("WHO", "actor"),
        ("FROM", "origin"),
        ("WHAT", "action"),
        ("SUBJECT", "subject"),
        ("DETAIL", "detail"),
    ]
    app.table(operations.audit(app.workspace, limit), columns, "nothing yet")


@command_audit.command("head")
@json_option
@pass_app
def head(app: App) -> None:
    """Where the log ends now: note the digest elsewhere, and give it to `audit verify --head` later."""
    from entrepot.services import operations

    found = operations.audit_head(app.workspace)
    app.result(found.as_json(), f"{found.digest} after {found.entries} entries")


@command_audit.command("verify")
@click.option("--head", "known", metavar="DIGEST", default="", help="A digest noted elsewhere: it has to be there.")
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An export.")
@json_option
@pass_app
def verify(app: App, known: str, path: Path | None) -> None:
    """Follow the chain of digests from the first entry to the last, and compare its end with the anchor.

    With --file that of an export, which needs no workspace. What is wrong is told with the first entry that is.
    """
    from entrepot.services import operations

    end = operations.verify_export(path, known) if path else operations.verify_audit(app.workspace, known)
    document = {**end.as_json(), "intact": True, "anchored_again": list(end.anchored_again)}
    app.result(document, f"{end.entries} entries, every one continues the one before it; the last is {end.digest}")
    if end.anchored_again:
        entries = ", ".join(map(str, end.anchored_again))
        app.say(f"Its key was lost and made anew by {entries}: compare with a head that was noted before (--head)")


@command_audit.command("anchor")
@click.option("--reason", required=True, metavar="TEXT", help="What became of the key; it is kept in the log.")
@json_option
@pass_app
def anchor(app: App, reason: str) -> None:
    """Give the log a new key, where the old one is lost.

    Every entry has to continue the one before it. That this was done is an entry of its own, which `audit verify` tells
    from then on: before it, only a digest that was noted elsewhere shows that the log was not written anew.
    """
    from entrepot.services import operations

    end = operations.anchor_audit(app.workspace, reason)
    app.result(end.as_json(), f"{end.digest} after {end.entries} entries; keep a copy of secrets/audit.key")


@command_audit.command("export")
@click.option("--since", metavar="ID|DATE", help="After the entry of this id, or from a day or moment (UTC) on.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of the terminal.")
@json_option
@pass_app
def export(app: App, since: str | None, output: Path | None) -> None:
    """Entries as lines of JSON with their digests; `audit verify --file` follows them anywhere."""
    from entrepot.services import operations

    # A file is there whole or not at all.
    with click.open_file(str(output or "-"), "w", encoding="utf-8", atomic=output is not None) as stream:
        for line in operations.export_audit(app.workspace, since):
            stream.write(f"{line}\n")
