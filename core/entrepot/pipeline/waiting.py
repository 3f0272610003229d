"""Packages that wait beside what is in: to each other they are what comes in together, as far as nothing holds them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.catalog.holdings import Holding
from entrepot.models import Distribution, PackageInfo
from entrepot.pipeline.foresight import lets_in
from entrepot.pipeline.handed import Companions
from entrepot.pipeline.policy import Case
from entrepot.policies import PolicySettings

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


class Waiting:
    """``coming`` are those that would come in together, ``held`` those that would not whoever comes in beside them."""

    def __init__(self, coming: Iterable[PackageInfo], folder: Path, held: Iterable[PackageInfo] = ()) -> None:
        infos = {info.files[0].sha256: info for info in coming}
        self._places: dict[str, int] = {sha256: place for place, sha256 in enumerate(infos)}
        self._together = Companions(list(infos.values()), folder, list(held))
        self._alone = Companions((), folder)

    def beside(self, holding: Holding) -> tuple[Companions, int]:
        """What comes in together with a package, and its place there; nothing for one that is in."""
        if holding.membership_id is not None:
            return self._alone, -1
        return self._together, self._places.get(holding.sha256, -1)


def waiting(
    catalog: Catalog,
    distribution: Distribution,
    policy: PolicySettings,
    later: Collection[str],
    now: dt.datetime,
    folder: Path,
) -> Waiting:
    """The packages that wait, by what was said of them last; scanners ``later`` ask what else comes in."""
    artifacts = {info.came_as for info in catalog.holdings.waiting(distribution)} if later else set()
    coming: list[PackageInfo] = []
    held: list[PackageInfo] = []
    for chunk in catalog.holdings.of(distribution, artifacts=artifacts) if artifacts else ():
        said = catalog.imports.last_verdicts({item.inspected for item in chunk}, distribution.id)
        waivers = catalog.reviews.waivers(distribution.id, {item.inspected for item in chunk})
        for item in chunk:
            if item.membership_id is None:
                verdicts = list(said.get(item.inspected, {}).values())
                case = Case(verdicts, item.info, item.source, now, waivers.get(item.inspected, ()))
                (coming if lets_in(policy, case, later) else held).append(item.info)
    return Waiting(coming, folder, held)
