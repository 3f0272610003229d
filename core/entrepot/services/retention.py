"""What a distribution keeps, applied because somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.errors import EntrepotError, UsageError
from entrepot.progress import Progress, silent
from entrepot.services.publishing import publish
from entrepot.services.retaining import retain, surplus
from entrepot.services.tasks import running
from entrepot.services.version_changes import DEFAULT, ChangeRequest, VersionResult, difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RetentionResult:
    """What became of packages that are too many, and the numbers of the versions that are no more, or would be."""

    change: VersionResult
    versions: Sequence[int]

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """For ``--json`` and the HTTP API; at most so many of the changes."""
        return self.change.as_json(most) | {"versions_dropped": list(self.versions)}


def apply_retention(
    workspace: Workspace, path: str, progress: Progress = silent, request: ChangeRequest = DEFAULT
) -> RetentionResult:
    """Makes a version without the packages that are too many, forgets versions that are too old, and publishes.

    ``UsageError`` where the distribution keeps everything.
    """
    distribution = workspace.catalog.repositories.distribution(path)
    if distribution.keeps_everything:
        raise UsageError(
            f"{distribution.path} keeps everything",
            hint=f"say how much it is to keep with `entrepot dist set {distribution.path} --keep N`",
        )
    if request.dry_run:
        found, version, publication, failure = surplus(workspace, distribution, everything=True), None, None, None
    else:
        with running(workspace, "retain", distribution.path, progress) as task:
            found, newest = retain(workspace, distribution, everything=True)
            version = newest if newest.number != found.before.number else None
            publication, failure = None, None
            if version is not None:
                task.created.append(f"{distribution.path} version {version.number}")
            if version is not None and request.publish_after:
                try:
                    publication = publish(workspace, distribution.path, task.progress)
                except EntrepotError as error:
                    failure = error
    steps = (f"{distribution.path} version {found.before.number}", "what it keeps")
    told = difference(workspace, distribution, steps, found.packages, [])
    change = VersionResult(
        distribution, told, version, publication=publication, publish_error=failure, dry_run=request.dry_run
    )
    return RetentionResult(change, found.versions)
