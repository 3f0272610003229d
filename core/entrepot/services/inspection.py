"""The scanners of a workspace, ready to be asked; for every use case that inspects packages."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.contracts import Format, Scanner
from entrepot.isolation import ScanServices
from entrepot.pipeline.offers import CatalogOffers
from entrepot.pipeline.panel import Panel, open_panel
from entrepot.pipeline.surroundings import DistributionSurroundings

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def not_skipped(workspace: Workspace) -> Mapping[str, Scanner]:
    """The scanners that are asked at all, by name: all but those that the settings skip."""
    skip = workspace.settings.inspection.skip
    return {name: scanner for name, scanner in workspace.plugins.scanners.items() if name not in skip}


@contextmanager
def scanners(
    workspace: Workspace,
    formats: Sequence[Format],
    scratch: Path,
    only: Collection[str] | None = None,
    without: Collection[int] = (),
) -> Iterator[Panel]:
    """A panel of the scanners that the settings do not skip, for packages of these formats; ``only`` some of them.

    Packages whose memberships are in ``without`` are about to go: they are not there for who looks around.
    Call it before threads are started: isolated scanners run in forks of this process.
    """
    settings = workspace.settings.inspection
    services = ScanServices(
        formats={format_.name: format_ for format_ in formats},
        scanners={name: scanner for name, scanner in not_skipped(workspace).items() if only is None or name in only},
        settings=workspace.settings.scanners,
        advisories=workspace.catalog.lookup,
        offers=partial(CatalogOffers, lambda: workspace.catalog.path, without=without),
        surroundings=DistributionSurroundings,
    )
    with (
        closing(workspace.catalog.lookup()) as earlier,
        open_panel(services, settings, scratch, earlier, len(os.sched_getaffinity(0))) as panel,
    ):
        yield panel
