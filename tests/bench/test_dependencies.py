"""The scanner ``dependencies`` on an index of the size of a distribution."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from bench.material import Index, UpstreamTree
from bench.measure import Cost, Report
from bench.packages import PART
from entrepot.contracts import Artifact, ScanContext
from entrepot.isolation import Others
from entrepot.models import PackageFile, PackageInfo, Sha256, SourceDraft
from entrepot.pipeline.offers import CatalogOffers
from entrepot.pipeline.surroundings import DistributionSurroundings
from entrepot.services import repositories
from entrepot_plugins.apt.format import AptFormat
from entrepot_plugins.scanners.dependencies import DependenciesScanner
from support.scans import NOW
from support.workspaces import REPOSITORY, Depot

pytestmark = pytest.mark.bench

PACKAGES = 300
BUDGET = 20.0
"""Milliseconds of CPU for a package of a batch, with nothing in memory at its beginning."""


def _info(stanza: bytes) -> PackageInfo:
    row = AptFormat().index.describe(stanza, PART)
    return PackageInfo(
        format="apt",
        kind="binary",
        name=row.name,
        version=row.version,
        version_key=row.version_key,
        architecture=row.architecture,
        source_name=row.source_name,
        summary=row.summary,
        section=row.section,
        raw=re.sub(rb"^Filename:.*\n", b"", stanza, flags=re.MULTILINE),
        files=(PackageFile(row.location.rpartition("/")[2], row.size, Sha256(row.sha256)),),
        provides=row.provides,
    )


def test_a_batch_of_packages_of_a_distribution(
    report: Report, index: Index, tree: UpstreamTree, tmp_path: Path
) -> None:
    tree.publish_parts([index.plain])
    depot = Depot(tmp_path / "depot")
    draft = SourceDraft(
        "base",
        "apt",
        tree.root.as_uri(),
        distributions=("stable",),
        components=("main",),
        architectures=("amd64",),
        verify=False,
    )
    depot.follow(draft)
    repositories.create_distribution(
        depot.workspace, f"{REPOSITORY}/stable", architectures=["amd64"], base_sources=["base"]
    )
    catalog = depot.workspace.catalog
    distribution = catalog.repositories.distribution(f"{REPOSITORY}/stable")
    stanzas = random.Random(1).sample(index.stanzas, PACKAGES)
    batch = [_info(stanza) for stanza in stanzas]
    offers = CatalogOffers(lambda: catalog.path, distribution)
    around = DistributionSurroundings(AptFormat(), distribution, offers)
    scanner = DependenciesScanner()
    start = time.process_time()
    for position, info in enumerate(batch):
        context = ScanContext(
            format=AptFormat(),
            distribution=distribution,
            info=info,
            problem="",
            available=None,
            source=None,
            upstream=None,
            keyring=None,
            settings={},
            folder=tmp_path,
            now=NOW,
            batch=Others(batch, position),
            surroundings=around,
        )
        scanner.basis(context)
        assert scanner.scan(Artifact((), ""), context).reason == "satisfied", info.name
    spent = time.process_time() - start
    offers.close()
    depot.close()
    each = spent / PACKAGES * 1000
    report.figure(
        f"dependencies of {PACKAGES} packages on {len(index.stanzas):,}",
        Cost(spent, 0),
        f"{each:.1f} ms each, budget {BUDGET:.0f}",
    )
