"""Operations on versions of a distribution of 60,000 packages: whole processes, beside one that only starts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.material import Index
from bench.measure import Report, median
from bench.packages import fill
from bench.peers import Entrepot
from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Status, Verdict
from entrepot.services import browse
from entrepot.services.repositories import set_distribution
from entrepot.workspace import Workspace

pytestmark = pytest.mark.bench

PACKAGES = 60_000
FEW = 10
BUDGET = 1.0
"""Seconds of CPU above those of a process that starts, and opens the catalog."""
ROUNDS = 3
QUIET = ("--no-publish", "--json")


def approve(workspace: Workspace, artifacts: Sequence[str]) -> None:
    """Has a scanner say of each that it is well."""
    catalog = workspace.catalog
    verdicts = [StoredVerdict("format", "1", "format", Verdict(Status.PASS, "valid"))]
    with catalog.transaction():
        for name in ("stable", "prod"):
            distribution = catalog.repositories.distribution(f"example/{name}")
            for sha256 in artifacts:
                catalog.imports.add_verdicts(None, sha256, verdicts, workspace.now(), distribution.id)


def test_operations_on_versions(report: Report, index: Index, entrepot: Entrepot) -> None:
    entrepot.distribute("stable", "prod")
    stanzas = index.stanzas[:PACKAGES]
    with entrepot.opened() as workspace:
        fill(workspace, "example/stable", stanzas)
        fill(workspace, "example/prod", stanzas[:-FEW])
        members = browse.members(workspace, "example/stable", 1)
        names = [row["name"] for row in members][:FEW]
        approve(workspace, [row["original_sha256"] for row in members])
    entrepot.run("version", "remove-package", "example/stable", *names, *QUIET)
    start = median([entrepot.command("version", "list", "example/stable", "--json")] * ROUNDS)
    report.cost("version list", "entrepot", start)

    def measure(job: str, *arguments: str, rounds: int = ROUNDS) -> None:
        cost = median([entrepot.command("version", *arguments)] * rounds)
        report.limit(f"{job}, of {len(stanzas):,}", "CPU s above start-up", cost.cpu - start.cpu, BUDGET)

    shown = entrepot.command("version", "show", "example/stable", "1").cost()
    report.figure("version show", shown, f"a line for each of {len(stanzas):,}")
    measure(f"diff, {FEW} packages", "diff", "example/stable", "1", "2", "--json")
    measure(f"rollback, {FEW} packages, dry run", "rollback", "example/stable", "1", "--dry-run", "--json")
    measure(f"rollback, {FEW} packages", "rollback", "example/stable", "1", *QUIET, rounds=1)
    measure("remove-package", "remove-package", "example/stable", names[0], *QUIET, rounds=1)
    to_prod = ("promote", "example/stable", "--to", "example/prod")
    measure(f"promote, {FEW} packages, dry run", *to_prod, "--dry-run", "--json")
    measure(f"promote, {FEW} packages", *to_prod, *QUIET, rounds=1)
    measure("merge, nothing new", "merge", "example/prod", "--to", "example/stable", *QUIET, rounds=1)
    with entrepot.opened() as workspace:
        set_distribution(workspace, "example/stable", {"keep": 1, "keep_versions": 2})
    measure("retain, everything", "retain", "example/stable", *QUIET, rounds=1)
    again: Sequence[str] = ("retain", "example/stable", *QUIET)
    measure("retain, nothing to do", *again)
