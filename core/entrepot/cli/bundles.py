"""``entrepot bundle``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrepot.cli.app import HELD_FOR_REVIEW, PARTLY_FAILED, App, human_size, json_option, pass_app
from entrepot.cli.mirror import CHANGES, RESULTS, SHOWN
from entrepot.cli.telling import tell_publication

if TYPE_CHECKING:
    from entrepot.services.bundle_applying import Applied

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


class Size(click.ParamType[int]):
    """Bytes, with a unit if there is one: ``4.7G``, ``650M``, ``4Gi``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([kmg]i?)?b?", str(value).lower())
        if not found:
            self.fail(f"{value!r} is no size; write it as 650M or 4.7G", param, ctx)
        return int(float(found[1]) * UNITS[found[2] or ""])


@click.group("bundle")
def command_bundle() -> None:
    """Carry a distribution to where no network is: one signed file."""


FILE = click.Path(dir_okay=False, path_type=Path)
KEYS = click.option(
    "--keyring", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Keys of who sends the bundles."
)


@command_bundle.command("create")
@click.argument("path", metavar="FILE", type=FILE)
@click.option("--from", "distribution", required=True, metavar="DIST", help="What is carried.")
@click.option("--version", type=click.IntRange(1), help="Which version of it; the newest unless given.")
@click.option("--include", multiple=True, metavar="GLOB", help="Packages to take: NAME, NAME:ARCH or NAME=VERSION.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Packages never to take.")
@click.option("--where", default="", metavar="QUERY", help="Which packages to take; see `docs/mirroring.md`.")
@click.option("--with-dependencies", "dependencies", is_flag=True, help="... and what they need.")
@click.option(
    "--packages/--no-packages", default=True, help="Without them it has advisories and files of scanners alone."
)
@click.option("--advisories", "feeds", multiple=True, metavar="NAME", help="Vulnerability data to take; `all` for all.")
@click.option("--scanner-data", "scanners", multiple=True, metavar="SCANNER", help="A scanner whose files to take.")
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="An earlier bundle, or its manifest: leave out what it had.",
)
@click.option("--chunk-size", type=Size(), help="Write pieces of this size, FILE.001 and so on, and FILE.sha256.")
@click.option("--sign-with", metavar="KEY", help="Who signs; the key of the repository unless given.")
@click.option("--no-sign", is_flag=True, help="Do not sign it.")
@click.option("--name", help="What its receiver calls the source; REPOSITORY-DISTRIBUTION unless given.")
@click.option("--dry-run", is_flag=True, help="Show what would be in it; write nothing.")
@json_option
@pass_app
def create(app: App, /, path: Path, feeds: tuple[str, ...], no_sign: bool, dry_run: bool, **more: Any) -> None:
    """Make a bundle of a version: packages, what indexes and scanners say of them, advisories."""
    from entrepot.services import bundle_making

    request = bundle_making.MakeRequest(feeds=None if "all" in feeds else feeds, sign=not no_sign, **more)
    if dry_run:
        made = bundle_making.plan(app.workspace, path, request)
    else:
        made = bundle_making.make(app.workspace, path, request, app.progress)
    document = made.as_json()
    app.result(document, "\n".join(made.files))
    told = document["bundle"]
    app.say(
        f"{told['packages']} packages, {told['carried']} of them in this bundle; {told['files']} files,"
        f" {human_size(told['size'])}"
    )
    app.say(f"signed by {told['signed_by']}" if told["signed_by"] else "not signed")


@command_bundle.command("show")
@click.argument("path", metavar="FILE", type=FILE)
@KEYS
@click.option("--packages", is_flag=True, help="List the packages as well.")
@click.option("--manifest", is_flag=True, help="Print the manifest as it is, for `create --since`.")
@json_option
@pass_app
def show(app: App, path: Path, keyring: Path | None, packages: bool, manifest: bool) -> None:
    """What a bundle has, from its beginning; nothing else of it is read, and nothing is changed.

    With --keyring, or where bundles of this name were applied before, the signature is checked.
    """
    from entrepot.services import bundle_reading

    head = bundle_reading.show(app.workspace, path, keyring)
    if manifest:
        click.echo(head.data, nl=False)
        return
    document = head.as_json()
    listed = [_package(item) for item in head.manifest.packages] if packages else []
    lines = [f"{name + ':':12} {value}" for name, value in _headlines(document) if value not in (None, "")]
    lines += [f"  {item['package']} {item['version']} {item['architecture']}" for item in listed]
    app.result(document | ({"listed": listed} if packages else {}), "\n".join(lines))


@command_bundle.command("verify")
@click.argument("path", metavar="FILE", type=FILE)
@KEYS
@click.option("--no-verify", "trust", is_flag=True, help="Do not ask for a signature; sizes and digests only.")
@json_option
@pass_app
def verify(app: App, path: Path, keyring: Path | None, trust: bool) -> None:
    """Check a bundle to its last byte: pieces, signature, digests. Nothing is changed."""
    from entrepot.services import bundle_reading

    head = bundle_reading.verify(app.workspace, path, keyring, progress=app.progress, trust=trust)
    app.result(head.as_json(), f"{path} is whole")
    app.say(f"signed by {head.signed_by}" if head.signed_by else "its signature was not checked")


@command_bundle.command("apply")
@click.argument("path", metavar="FILE", type=FILE)
@click.option("--to", "distribution", metavar="DIST", help="Where its packages go; needed if it has some.")
@KEYS
@click.option("--no-verify", "trust", is_flag=True, help="Take bundles of this source without a signature.")
@click.option("--source", metavar="NAME", help="What the source is called here; as the bundle says unless given.")
@click.option("--component", "-c", help="Component; that of the bundle where DIST has it, unless given.")
@click.option("--exact", is_flag=True, help="Take away what bundles brought before and this one does not list.")
@click.option("--again", is_flag=True, help="Try again what the policy kept out before.")
@click.option("--older", is_flag=True, help="Take it though a newer one was applied.")
@click.option("--dry-run", is_flag=True, help="Check everything, show what would come and go; change nothing.")
@click.option("--no-publish", is_flag=True, help="Make the version, publish it later.")
@json_option
@pass_app
def apply(app: App, /, path: Path, dry_run: bool, no_publish: bool, **more: Any) -> None:
    """Check a bundle and bring its packages into a distribution, under this side's own policy and scanners.

    FILE is a bundle, the first of its pieces, or - for standard input. Keys are given once; the source that it makes
    keeps them. A bundle that was interrupted is applied again and goes on.
    """
    from entrepot.services import bundle_applying

    request = bundle_applying.ApplyRequest(publish=not no_publish, **more)
    if dry_run:
        applied = bundle_applying.plan(app.workspace, path, request, app.progress)
        _print_plan(app, applied)
        return
    applied = bundle_applying.apply(app.workspace, path, request, app.progress)
    _print_result(app, applied)
    if (mirror := applied.mirror) is None:
        return
    if mirror.publish_error or applied.failed:
        partly = mirror.version or applied.waiting or mirror.publish_error
        raise click.exceptions.Exit(PARTLY_FAILED if partly else 1)
    if applied.waiting:
        raise click.exceptions.Exit(HELD_FOR_REVIEW)


def _package(item: Any) -> dict[str, Any]:
    return {
        "package": item.name,
        "version": item.version,
        "architecture": item.architecture,
        "component": item.component,
        "sha256": item.files[0].sha256,
        "size": sum(file.size for file in item.files),
    }


def _headlines(document: dict[str, Any]) -> list[tuple[str, Any]]:
    claims = ", ".join(document["claims"])
    signed = document["signed_by"] or (f"not checked; it says by {claims}" if document["signed"] else "no")
    feeds = ", ".join(f"{name} ({count})" for name, count in document["advisories"].items())
    return [
        ("bundle", document["bundle"]),
        ("name", document["name"]),
        ("signed", signed),
        ("made", f"{document['created_at']} by {document['made_by']}, form {document['form']}"),
        ("from", f"{document['from']} version {document['version']}, {document['format']}"),
        ("query", document["query"]),
        ("since", document["since"]),
        ("packages", f"{document['packages']}, {document['carried']} of them in this bundle"),
        ("extras", document["extras"] or ""),
        ("files", f"{document['files']}, {human_size(document['size'])} with all else"),
        ("advisories", feeds),
        ("members", ", ".join(document["members"])),
    ]


def _print_plan(app: App, applied: Applied) -> None:
    plan = applied.mirror
    if app.json:
        app.result(applied.as_json())
    elif plan:
        rows = [{**row, "human_size": human_size(row["size"])} for row in plan.changes[:SHOWN]]
        app.table(rows, CHANGES, "nothing comes, nothing goes")
    _tell_data(app, applied)
    if plan is None:
        app.say("the bundle is whole; it has no packages")
        return
    counts = plan.plan.counts()
    app.say(
        f"the bundle is whole; of {counts['chosen']} packages would add {counts['added']}, update {counts['updated']}"
        f" and remove {counts['removed']}"
    )


def _print_result(app: App, applied: Applied) -> None:
    result = applied.mirror
    if app.json or result is None:
        app.result(applied.as_json())
    else:
        app.table([item.as_json() for item in applied.results], RESULTS, "every package was in already")
    _tell_data(app, applied)
    if result is None:
        return
    path = result.plan.distribution.path
    if result.version is None:
        app.say(f"{path} stays as it is")
    else:
        app.say(f"{path} version {result.version.number}: {result.added} packages came, {result.removed} went")
    tell_publication(app, result)


def _tell_data(app: App, applied: Applied) -> None:
    """What comes besides packages, or would."""
    from entrepot.services.bundle_applying import DATABASES

    verb = "would come" if applied.dry_run else "came"
    for name, counts in applied.feeds.items():
        app.say(f"advisories {name}: {counts.added} {verb}, {counts.changed} changed, {counts.removed} went")
    for name in applied.scanners:
        place = app.workspace.local / DATABASES / name
        app.say(f"signatures for {name} {'would be' if applied.dry_run else 'are'} in {place}")
