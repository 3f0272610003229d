"""A batch of imports with all that it works with, opened and closed again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.contracts import Cluster, Transfer, is_isolated
from entrepot.errors import UsageError
from entrepot.models import Distribution, Source
from entrepot.pipeline.apart import Apart, stations
from entrepot.pipeline.run import Batch
from entrepot.pipeline.settle import Ledger
from entrepot.pipeline.station import Setup
from entrepot.progress import Task
from entrepot.services.inspection import not_skipped, scanners

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch is brought in. ``workers``: more threads than this would have nothing to do."""

    component: str | None = None
    resign: bool = False
    workers: int = 1
    source: Source | None = None
    """Where packages are fetched from."""
    keeps: bool = True
    """Whether files go into the private store."""


@contextmanager
def open_batch(
    workspace: Workspace, distribution: Distribution, task: Task, transfer: Transfer | None, options: BatchOptions
) -> Iterator[tuple[Batch, Executor]]:
    """A batch under the policy of a distribution, and the executor that it runs on."""
    repository = workspace.catalog.repositories.get(distribution.repository)
    signer = workspace.signer(repository) if options.resign else None
    if options.resign and signer is None:
        raise UsageError(f"{repository.name} signs nothing", hint="give it a key with `entrepot repo set --sign-with`")
    policy = workspace.settings.policy(distribution.policy)
    format_ = workspace.format(repository.format)
    # More threads than processors pay off where they wait for a server.
    side_by_side = transfer.concurrency if transfer else len(os.sched_getaffinity(0))
    workers = min(options.workers, side_by_side) or 1
    with (
        workspace.scratch() as folder,
        # Before the threads: it forks.
        scanners(workspace, [format_], folder) as panel,
        stations(),
        workspace.open_executor(workers) as executor,
    ):
        apart = None
        if isinstance(executor, Cluster) and options.source and not signer:
            setup = _setup(workspace, distribution, options.source)
            apart = Apart(executor, setup, panel, workspace.store) if setup.scanners else None
        batch = Batch(
            catalog=workspace.catalog,
            store=workspace.store,
            format=format_,
            panel=panel,
            repository=repository,
            distribution=distribution,
            ledger=Ledger(policy, workspace.actor, task.id, workspace.now(), options.component, workspace.origin),
            scratch=folder,
            max_size=workspace.settings.max_package_size,
            progress=task.progress,
            transfer=transfer,
            resigner=signer,
            apart=apart,
            keeps=options.keeps,
            pause=workspace.pause,
        )
        yield batch, executor


def _setup(workspace: Workspace, distribution: Distribution, source: Source) -> Setup:
    """What other processes have to know to fetch from a source and to inspect what comes."""
    settings = workspace.settings
    known = not_skipped(workspace).items()
    alone = [name for name, scanner in known if not getattr(scanner, "asks_catalog", True) and is_isolated(scanner)]
    connection, secrets = workspace.connection(source)
    return Setup(
        format=distribution.format,
        distribution=distribution,
        now=workspace.now(),
        max_size=settings.max_package_size,
        store=workspace.store_url,
        storage=settings.storage,
        source_url=source.url,
        connection=connection,
        secrets=secrets,
        allow_file=settings.allow_file_sources,
        scanners=tuple(sorted(alone)),
        tables=settings.scanners,
        inspection=settings.inspection,
    )
