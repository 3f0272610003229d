"""What became of publications and snapshots, in lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from entrepot.cli.app import App, human_size

if TYPE_CHECKING:
    from entrepot.services.imports import BatchResult
    from entrepot.services.mirroring import MirrorResult
    from entrepot.services.publishing import TargetResult
    from entrepot.services.snapshots import SnapshotResult


def tell_publication(app: App, made: BatchResult | MirrorResult) -> None:
    """Where the version that was made can be had from now on, or why it cannot."""
    if made.publish_error:
        app.say(f"Error: the packages are in, but not published: {made.publish_error}")
        app.say("Hint: publish them with `entrepot publish`")
    elif made.publication and made.publication.status == "published":
        places = ", ".join(target.url for target in made.publication.targets)
        app.say(f"published version {made.publication.version} to {places}")
    elif made.version and not made.publication:
        app.say(f"version {made.version.number} is made; publish it with `entrepot publish`")


def tell_snapshots(app: App, results: Sequence[SnapshotResult]) -> None:
    """What became of snapshots, in one line for each target."""
    for result in results:
        snapshot = result.snapshot
        what = f"snapshot {snapshot.name} of {snapshot.distribution} version {snapshot.version}"
        for target in result.targets:
            tell_target(app, what, target)
        if result.removed:
            app.result(None, f"removed {what}")


def tell_target(app: App, what: str, target: TargetResult) -> None:
    """What was done, or would be, at one target."""
    for sentence in target.plan.stops if target.plan else ():
        app.say(f"Warning: {sentence}")
    if target.status == "unchanged":
        app.result(None, f"{what}: nothing changed at {target.url}")
    elif target.report:
        done = target.report
        written = f"{done.written} files written, {human_size(done.bytes)}, {done.kept} kept"
        app.result(None, f"{what}: {written}, {_requests(done.requests)}, at {target.url}")
    elif target.plan:
        plan = target.plan
        for step, path, size in plan.steps():
            app.result(None, f"{step:9} {human_size(size):>9}  {path}")
        written = f"{plan.files} files, {human_size(plan.size)}, keep {plan.kept}"
        app.result(None, f"{what}: would write {written}, {_requests(plan.requests())}, at {target.url}")
    for path in target.withdrawn:
        app.result(None, f"removed {path} from {target.url}: it waits for review again or was refused")


def _requests(requests: Mapping[str, int]) -> str:
    return "requests: " + ", ".join(f"{count} {name}" for name, count in requests.items() if count)
