"""Bundles that older versions made stay readable: those in ``bundles/`` are as the first one wrote them."""

from __future__ import annotations

from pathlib import Path

from entrepot.services import advisories, bundle_reading
from support.bundles import receive
from support.workspaces import Depot

KEPT = Path(__file__).parent / "bundles"


def test_a_bundle_of_form_1_is_read_whole(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "receiver")
    depot.distribute("prod")
    head = bundle_reading.verify(depot.workspace, KEPT / "form-1.bundle", KEPT / "form-1.key")
    assert (head.manifest.form, head.manifest.name, head.manifest.since) == (1, "example-stable", None)
    applied = receive(depot, KEPT / "form-1.bundle", KEPT / "form-1.key")
    assert [(result.package, result.architecture, result.status) for result in applied.results] == [
        ("hello", "amd64", "published"),
        ("hello", "source", "published"),
    ]
    feeds = {view.feed.name: (view.feed.format, view.feed.records) for view in advisories.list_feeds(depot.workspace)}
    assert feeds == {"debian": ("osv", 1), "epss": ("epss", 1)}
    lookup = depot.workspace.catalog.lookup()
    (hit,) = lookup.affecting(["Debian:12"], "hello", depot.workspace.format("apt").versions.key("1.0-1"))
    assert (hit.name, hit.fixed) == ("CVE-2026-1001", "2.0-1")
    assert lookup.facts(["CVE-2026-1001"]) == {"CVE-2026-1001": {"epss": "0.5"}}
    lookup.close()
    assert (depot.home / "scanner-data/clamav/own.ndb").exists()
    depot.close()


def test_a_bundle_of_form_1_with_rpm_packages_and_advisories_is_read_whole(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "receiver", format_name="rpm")
    depot.distribute("prod")
    applied = receive(depot, KEPT / "form-1-rpm.bundle", None, trust=True)
    assert [(result.package, result.status) for result in applied.results] == [("hello", "published")]
    distribution = depot.workspace.catalog.repositories.distribution("example/prod")
    (advisory,) = depot.workspace.catalog.extras.members(distribution, 1, "advisory")
    assert advisory.name == "EX-2026:1"
    depot.close()
