"""What a verdict of the scanner ``dependencies`` depends on, and what it keeps in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.contracts import Artifact, Candidate, ScanContext
from entrepot.isolation import Others
from entrepot.models import PackageInfo
from entrepot.pipeline import surroundings
from entrepot.pipeline.offers import CatalogOffers
from entrepot.pipeline.surroundings import DistributionSurroundings
from entrepot.services import imports, repositories
from entrepot_plugins.apt.format import AptFormat
from entrepot_plugins.scanners.dependencies import DependenciesScanner
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.scans import NOW
from support.workspaces import REPOSITORY, Depot

pytestmark = pytest.mark.isolated

STABLE = f"{REPOSITORY}/stable"


class Site:
    """A distribution on a base source, and the scanner asked in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.depot = Depot(folder / "depot")
        self.base = AptUpstream(folder / "base")
        self.base.add(make_deb(folder, "libc6", "2.36-9"), make_deb(folder, "libfoo", depends="libc6"))
        self.base.add(*(make_deb(folder, f"lib{number}") for number in range(4)))
        self.base.write()
        self.depot.follow(self.base.draft(self.base.root.as_uri(), name="base"))
        repositories.create_distribution(self.depot.workspace, STABLE, architectures=["amd64"], base_sources=["base"])

    def info(self, name: str, depends: str = "") -> PackageInfo:
        return AptFormat().packages.read([make_deb(self.folder, name, depends=depends)], None)

    def surroundings(self) -> tuple[CatalogOffers, DistributionSurroundings]:
        catalog = self.depot.workspace.catalog
        distribution = catalog.repositories.distribution(STABLE)
        offers = CatalogOffers(lambda: catalog.path, distribution)
        return offers, DistributionSurroundings(AptFormat(), distribution, offers)

    def context(self, info: PackageInfo, around: DistributionSurroundings, batch: Sequence[PackageInfo]) -> ScanContext:
        return ScanContext(
            format=AptFormat(),
            distribution=self.depot.workspace.catalog.repositories.distribution(STABLE),
            info=info,
            problem="",
            available=None,
            source=None,
            upstream=None,
            keyring=None,
            settings={},
            folder=self.folder,
            now=NOW,
            batch=batch,
            surroundings=around,
        )

    def basis(self, *batch: PackageInfo) -> str:
        """What the verdict on the first of a batch depends on now."""
        offers, around = self.surroundings()
        with closing(offers):
            found = DependenciesScanner().basis(self.context(batch[0], around, Others(batch, 0)))
        assert found
        return found.inputs


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.depot.close()


def test_a_verdict_holds_while_nothing_around_it_changes(site: Site) -> None:
    one, other = site.info("one"), site.info("other")
    before = site.basis(one, other)
    assert site.basis(one, other) == before
    site.depot.sync("base")
    assert site.basis(one, other) == before


def test_a_verdict_no_longer_holds_when_a_neighbour_is_another(site: Site) -> None:
    one = site.info("one")
    bases = [site.basis(one), site.basis(one, site.info("other")), site.basis(one, site.info("third"))]
    assert len(set(bases)) == 3


def test_a_verdict_no_longer_holds_when_the_base_source_changes(site: Site) -> None:
    one = site.info("one")
    before = site.basis(one)
    site.base.add(make_deb(site.folder, "libnew"))
    site.base.write()
    site.depot.sync("base")
    assert site.basis(one) != before


def test_a_verdict_no_longer_holds_when_the_distribution_changes(site: Site) -> None:
    one = site.info("one")
    bases = [site.basis(one)]
    imports.upload(site.depot.workspace, [make_deb(site.folder, "brought")], STABLE, publish_after=False)
    bases.append(site.basis(one))
    repositories.set_distribution(site.depot.workspace, STABLE, {"architectures": ["amd64", "i386"]})
    bases.append(site.basis(one))
    repositories.set_distribution(site.depot.workspace, STABLE, {"base_sources": []})
    bases.append(site.basis(one))
    assert len(set(bases)) == 4


class Counted(CatalogOffers):
    """Tells how often ``libc6`` was looked up."""

    lookups = 0

    def named(self, names: Collection[str], architectures: Collection[str]) -> Iterable[Candidate]:
        self.lookups += "libc6" in names
        return super().named(names, architectures)


@pytest.mark.parametrize(("limit", "lookups"), [(surroundings.MAX_HELD, 1), (0, 4)])
def test_what_is_kept_is_forgotten_when_it_is_too_much_and_found_again(
    site: Site, limit: int, lookups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "MAX_HELD", limit)
    infos = [site.info(f"package{number}", f"lib{number}, libfoo, libc6 (>= 2)") for number in range(4)]
    catalog = site.depot.workspace.catalog
    distribution = catalog.repositories.distribution(STABLE)
    with closing(Counted(lambda: catalog.path, distribution)) as counted:
        around = DistributionSurroundings(AptFormat(), distribution, counted)
        verdicts = [
            DependenciesScanner().scan(Artifact((), ""), site.context(info, around, Others([info], 0)))
            for info in infos
        ]
    assert [(verdict.reason, verdict.evidence["from_amd64"]) for verdict in verdicts] == [("satisfied", "base 3")] * 4
    assert counted.lookups == lookups
