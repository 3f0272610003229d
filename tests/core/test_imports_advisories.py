"""Imports are compared with vulnerability data, in the threads that inspect them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.models import Finding, SourceDraft
from entrepot.services import advisories, imports, repositories, reviews, scanning
from entrepot.services.scanning import ScanRequest
from support.advisories import osv, package, write_zip
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.rpm_upstream import RpmUpstream
from support.rpms import make_rpm
from support.workspaces import REPOSITORY, Depot

HIGH = {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}
UPDATEINFO = b"""<?xml version="1.0" encoding="UTF-8"?>
<updates>
  <update type="security" status="final" from="security@example.org" version="1">
    <id>RLSA-2026:1</id><title>Important: hello security update</title><severity>Important</severity>
    <references><reference href="https://example.org/1" id="CVE-2026-1001" type="cve" title=""/></references>
    <pkglist><collection short="el9"><name>el9</name>
      <package name="hello" epoch="0" version="1.0" release="2.el9" arch="noarch"><filename>x</filename></package>
    </collection></pkglist>
  </update>
</updates>
"""


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    depot = Depot(tmp_path / "depot")
    depot.distribute("bookworm")
    yield depot
    depot.close()


def load(depot: Depot, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "osv.zip", [osv("CVE-2026-1001", package("Debian:12", "hello", fixed="1.0-2"), **HIGH)])
    advisories.add_feed(depot.workspace, "debian", str(path))


def told(batch: imports.BatchResult) -> dict[str, tuple[str, str]]:
    return {result.version: (result.status, result.pipeline["cve_scan"]) for result in batch.results}


def upload(depot: Depot, *paths: Path) -> dict[str, tuple[str, str]]:
    return told(imports.upload(depot.workspace, paths, f"{REPOSITORY}/bookworm", publish_after=False))


def findings(batch: imports.BatchResult) -> dict[str, Sequence[Finding]]:
    return {result.version: result.findings for result in batch.results}


def test_a_vulnerable_package_waits_for_review_and_its_successor_comes_in(depot: Depot, tmp_path: Path) -> None:
    load(depot, tmp_path)
    packages = [make_deb(tmp_path, version=version) for version in ("1.0-1", "1.0-2")]
    assert upload(depot, *packages) == {
        "1.0-1": ("pending_review", "findings_review"),
        "1.0-2": ("published", "no_findings"),
    }


def test_what_was_approved_is_told_as_allowed_with_who_let_it_in(depot: Depot, tmp_path: Path) -> None:
    load(depot, tmp_path)
    upload(depot, make_deb(tmp_path))
    (result,) = reviews.approve(depot.workspace, 1, "it is not reachable here", publish_after=False).results
    assert (result.status, result.pipeline["cve_scan"], list(result.reasons)) == ("published", "findings_allowed", [])
    (ruling,) = [ruling for ruling in result.rulings if ruling.waived]
    assert ruling.waived == ("CVE-2026-1001",)
    assert "let through by tester in review 1" in ruling.message


def test_without_data_packages_come_in_as_before(depot: Depot, tmp_path: Path) -> None:
    assert upload(depot, make_deb(tmp_path)) == {"1.0-1": ("published", "skipped")}


def test_a_mistake_in_the_settings_is_no_pass(depot: Depot, tmp_path: Path) -> None:
    with (depot.home / "entrepot.toml").open("a") as file:
        file.write('[scanners.osv]\nblok = "high"\n')
    depot.close()
    assert upload(depot, make_deb(tmp_path)) == {"1.0-1": ("pending_review", "scanner_failed")}


def test_a_finding_says_which_source_offers_the_fix(depot: Depot, tmp_path: Path) -> None:
    upstream = AptUpstream(tmp_path / "upstream")
    for version, suite in (("1.0-1", "bookworm"), ("1.0-2", "bookworm"), ("1.0-3", "bookworm"), ("2.0-1", "trixie")):
        upstream.add(make_deb(tmp_path, version=version), distribution=suite)
    upstream.write()
    depot.follow(upstream.draft(upstream.root.as_uri()))
    load(depot, tmp_path)
    request = imports.ImportRequest("upstream", ["hello=1.0-1"], f"{REPOSITORY}/bookworm")
    ((finding,),) = findings(imports.import_packages(depot.workspace, request, publish_after=False)).values()
    assert finding.summary == "fixed in 1.0-2, offered by upstream 1.0-2"
    assert finding.data["offered"] == "upstream 1.0-2"


def test_a_base_source_offers_the_fix_whatever_its_suite_is_called(depot: Depot, tmp_path: Path) -> None:
    for name, suite, version in (("upstream", "bookworm", "1.0-1"), ("vendor", "current", "1.0-2")):
        upstream = AptUpstream(tmp_path / name)
        upstream.add(make_deb(tmp_path, version=version), distribution=suite)
        upstream.write()
        depot.follow(upstream.draft(upstream.root.as_uri(), name=name))
    load(depot, tmp_path)
    request = imports.ImportRequest("upstream", ["hello"], f"{REPOSITORY}/bookworm")
    (result,) = imports.import_packages(depot.workspace, request, publish_after=False).results
    assert "offered" not in result.findings[0].data
    repositories.set_distribution(depot.workspace, f"{REPOSITORY}/bookworm", {"base_sources": ["vendor"]})
    scanning.scan(depot.workspace, ScanRequest(scanners=["osv"]))
    (said,) = depot.workspace.catalog.imports.last_verdicts([result.sha256]).values()
    assert said["osv"].verdict.findings[0].data["offered"] == "vendor 1.0-2"


@pytest.mark.parametrize(
    ("source", "versions", "offered"),
    [
        ("hello", ("1.0-1", "1.0-2+b1"), "upstream 1.0-2+b1"),
        ("hello (1.0-1)", ("1.0-1+b3", "1.0-2+b1"), "upstream 1.0-2+b1"),
        ("greetings ({0})", ("7.1", "7.2"), "upstream 7.2"),
        ("greetings (1.0-1)", ("7.1", "7.2"), None),
    ],
)
def test_an_offer_has_the_fix_if_its_source_package_has(
    depot: Depot, tmp_path: Path, source: str, versions: tuple[str, str], offered: str | None
) -> None:
    upstream = AptUpstream(tmp_path / "upstream")
    for version, built_from in zip(versions, ("1.0-1", "1.0-2"), strict=True):
        fields = {"Source": source.format(built_from) if "b3" not in version else source}
        if version == "1.0-2+b1":
            fields = {"Source": "hello (1.0-2)"}
        upstream.add(make_deb(tmp_path, version=version, fields=fields), distribution="bookworm")
    upstream.write()
    depot.follow(upstream.draft(upstream.root.as_uri()))
    name = source.partition(" ")[0]
    path = write_zip(tmp_path / "osv.zip", [osv("CVE-2026-1001", package("Debian:12", name, fixed="1.0-2"), **HIGH)])
    advisories.add_feed(depot.workspace, "debian", str(path))
    request = imports.ImportRequest("upstream", [f"hello={versions[0]}"], f"{REPOSITORY}/bookworm")
    ((finding,),) = findings(imports.import_packages(depot.workspace, request, publish_after=False)).values()
    assert finding.data.get("offered") == offered


def test_what_a_source_itself_says_of_its_packages_counts(depot: Depot, tmp_path: Path) -> None:
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(*(make_rpm(tmp_path, release=release) for release in ("1.el9", "2.el9")))
    upstream.attach("updateinfo", UPDATEINFO)
    upstream.write()
    repositories.create_repository(
        depot.workspace, "rpms", format_name="rpm", publish_to=str(tmp_path / "rpms"), sign=False
    )
    repositories.create_distribution(depot.workspace, "rpms/el9")
    depot.follow(SourceDraft("baseos", "rpm", upstream.root.as_uri(), verify=False))
    request = imports.ImportRequest("baseos", ["hello=1.0-1.el9", "hello=1.0-2.el9"], "rpms/el9")
    batch = imports.import_packages(depot.workspace, request, publish_after=False)
    assert told(batch) == {
        "1.0-1.el9": ("pending_review", "findings_review"),
        "1.0-2.el9": ("published", "no_findings"),
    }
    (finding,) = findings(batch)["1.0-1.el9"]
    assert (finding.id, finding.severity) == ("CVE-2026-1001", "high")
    assert (finding.data["advisories"], finding.data["offered"]) == ("RLSA-2026:1", "baseos 1.0-2.el9")
    catalog = depot.workspace.catalog
    (advisory,) = catalog.extras.members(catalog.repositories.distribution("rpms/el9"), 1, "advisory")
    assert advisory.name == "RLSA-2026:1", "it is part of the very version that the package came with"
