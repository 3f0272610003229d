"""A workspace whose packages have what reports tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from entrepot.contracts import Scanner
from entrepot.hookspecs import hookimpl
from entrepot.services import repositories
from support.reports import Saying
from support.workspaces import Depot


@pytest.fixture
def saying() -> Saying:
    """The scanner that says what a test tells it to."""
    return Saying()


@pytest.fixture
def depot(tmp_path: Path, saying: Saying) -> Iterator[Depot]:
    """An APT repository with the distribution ``stable``."""

    class Plugin:
        @hookimpl
        def register_scanners(self) -> Iterable[Scanner]:
            return [saying]

    depot = Depot(tmp_path / "depot", plugins=[("saying", Plugin())])
    depot.configure(
        "[policies.open.vulnerabilities]", 'block = "never"', 'review = "never"', 'unknown = "allow"', 'kev = "allow"'
    )
    depot.distribute("stable")
    repositories.set_distribution(depot.workspace, "example/stable", {"policy": "open"})
    yield depot
    depot.close()
