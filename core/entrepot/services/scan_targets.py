"""What a scan is about: distributions, repositories and packages by their names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from entrepot.errors import NotFoundError
from entrepot.models import Distribution

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def scan_targets(workspace: Workspace, texts: Sequence[str]) -> Sequence[tuple[Distribution, Collection[str] | None]]:
    """Distributions, each with the names of packages to look at; None for all of them."""
    repositories = workspace.catalog.repositories
    if not texts:
        return [(distribution, None) for distribution in repositories.distributions()]
    whole: dict[int, Distribution] = {}
    names: list[str] = []
    for text in texts:
        try:
            found = [repositories.distribution(text)]
        except NotFoundError:
            found = [item for item in repositories.distributions() if item.repository == text]
        whole |= {distribution.id: distribution for distribution in found}
        if not found:
            names.append(text)
    targets: list[tuple[Distribution, Collection[str] | None]] = [(item, None) for item in whole.values()]
    for distribution in repositories.distributions():
        if names and distribution.id not in whole:
            here = workspace.catalog.holdings.named(distribution, names)
            targets += [(distribution, here)] if here else []
    known = {name for _, here in targets for name in here or ()}
    if missing := [name for name in names if name not in known]:
        raise NotFoundError(
            f"there is no distribution, repository or package called {', '.join(missing)}",
            hint="`entrepot dist list` shows the distributions",
        )
    return targets
