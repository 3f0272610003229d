"""Options of distributions are checked when they are set, not when they are published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot.errors import UsageError
from entrepot.models import Scalar
from entrepot.services import repositories
from support.workspaces import Depot


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    depot = Depot(tmp_path_factory.mktemp("site"))
    depot.distribute(options={"not_automatic": True})
    yield depot
    depot.close()


@pytest.mark.parametrize(
    "options",
    [
        {"suite": "two words"},
        {"codename": "a,b"},
        {"version": "1\nSigned-By: me"},
        {"description": "one\x1b[2J"},
        {"valid_days": -1},
        {"valid_days": 40_000},
        {"valid_days": "7"},
        {"valid_days": True},
        {"not_automatic": "yes"},
        {"not_automatic": False, "but_automatic_upgrades": True},
        {"colour": "blue"},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_and_nothing_changes(depot: Depot, options: dict[str, Scalar]) -> None:
    path = "example/stable"
    before = depot.workspace.catalog.repositories.distribution(path)
    with pytest.raises(UsageError, match=next(iter(set(options) - {"not_automatic"}), "not_automatic")):
        repositories.set_distribution(depot.workspace, path, {"options": options})
    assert depot.workspace.catalog.repositories.distribution(path) == before


def test_options_that_go_together_are_looked_at_together(depot: Depot) -> None:
    changed = repositories.set_distribution(
        depot.workspace, "example/stable", {"options": {"but_automatic_upgrades": True}}
    )
    assert dict(changed.options) == {"not_automatic": True, "but_automatic_upgrades": True}


def test_a_change_that_changes_nothing_leaves_no_entry(depot: Depot) -> None:
    def entries() -> list[int]:
        return [entry["id"] for entry in depot.workspace.catalog.audit.list(5)]

    before, held = entries(), depot.workspace.catalog.repositories.distribution("example/stable")
    same = {"options": dict(held.options), "components": list(held.components), "policy": held.policy, "keep": 0}
    assert repositories.set_distribution(depot.workspace, held.path, same) == held
    assert entries() == before
    repositories.set_distribution(depot.workspace, held.path, {"keep": 7})
    assert len(set(entries()) - set(before)) == 1
