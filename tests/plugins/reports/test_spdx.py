"""Bills of materials in SPDX, checked by the library of the standard."""

from __future__ import annotations

from pathlib import Path

from support.debs import make_deb
from support.reports import Saying, report, report_text, vulnerability
from support.rpms import make_rpm
from support.workspaces import Depot


def test_it_tells_every_package_and_that_the_distribution_has_it(depot: Depot, tmp_path: Path) -> None:
    depot.upload(make_deb(tmp_path, "hello", "1.0-1", fields={"Source": "greetings (0.9)"}))
    document = report(depot, "spdx")
    root, package = document["packages"]
    assert root["name"] == "example/stable"
    assert package["sourceInfo"] == "built from the source package greetings 0.9"
    assert package["externalRefs"][0]["referenceLocator"] == "pkg:deb/hello@1.0-1?arch=amd64"
    assert package["packageFileName"] == "pool/main/g/greetings/hello_1.0-1_amd64.deb"
    kinds = [(item["relationshipType"], item["relatedSpdxElement"]) for item in document["relationships"]]
    assert kinds == [("DESCRIBES", root["SPDXID"]), ("CONTAINS", package["SPDXID"])]


def test_the_same_version_is_the_same_bytes(depot: Depot, tmp_path: Path) -> None:
    depot.upload(make_deb(tmp_path))
    text = report_text(depot, "spdx")
    depot.clock.advance(days=3)
    assert report_text(depot, "spdx") == text


def test_findings_are_references_to_their_advisories(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1001", url="https://example.org/1"),)}
    depot.upload(make_deb(tmp_path))
    (reference,) = (
        item for item in report(depot, "spdx")["packages"][1]["externalRefs"] if item["referenceCategory"] == "SECURITY"
    )
    assert (reference["comment"], reference["referenceLocator"]) == ("CVE-2026-1001", "https://example.org/1")


def test_rpm_packages_have_the_epoch_as_a_qualifier(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "rpms", format_name="rpm")
    depot.distribute("el9", components=())
    depot.upload(make_rpm(tmp_path, "hello", "1.0", "2.el9", "x86_64", epoch=3), to="el9")
    locator = report(depot, "spdx", to="el9")["packages"][1]["externalRefs"][0]["referenceLocator"]
    depot.close()
    assert locator == "pkg:rpm/hello@1.0-2.el9?arch=x86_64&distro=el9&epoch=3"
