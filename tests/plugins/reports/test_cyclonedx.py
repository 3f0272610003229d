"""Bills of materials in CycloneDX, checked by the library of the standard."""

from __future__ import annotations

from pathlib import Path

from support.debs import make_deb
from support.reports import Saying, report, report_text, vulnerability
from support.workspaces import Depot

VECTOR = "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def test_it_tells_every_package_with_digest_place_and_package_url(depot: Depot, tmp_path: Path) -> None:
    depot.upload(make_deb(tmp_path, "hello", "1:2.0-1", fields={"Source": "greetings (1:2.0-0)"}))
    document = report(depot, "cyclonedx")
    (component,) = document["components"]
    assert component["purl"] == "pkg:deb/hello@1:2.0-1?arch=amd64"
    assert component["bom-ref"] == "pool/main/g/greetings/hello_2.0-1_amd64.deb"
    assert component["externalReferences"][0]["url"] == f"https://packages.example.org/{component['bom-ref']}"
    assert component["hashes"][0]["alg"] == "SHA-256"
    properties = {item["name"]: item["value"] for item in component["properties"]}
    assert properties["entrepot:source_package"] == "greetings"
    assert document["dependencies"] == [{"ref": "distribution", "dependsOn": [component["bom-ref"]]}]


def test_an_empty_version_is_a_valid_document(depot: Depot) -> None:
    document = report(depot, "cyclonedx")
    assert "components" not in document
    assert document["metadata"]["component"]["name"] == "example/stable"


def test_the_same_version_is_the_same_bytes_at_any_time_and_others_are_others(depot: Depot, tmp_path: Path) -> None:
    first = depot.upload(make_deb(tmp_path, "hello", "1.0-1"))
    text = report_text(depot, "cyclonedx")
    depot.clock.advance(days=3)
    depot.upload(make_deb(tmp_path, "world", "1.0-1"))
    assert report_text(depot, "cyclonedx", number=first) == text
    later = report(depot, "cyclonedx")
    assert len(later["components"]) == 2
    assert later["serialNumber"] not in text


def test_findings_are_vulnerabilities_with_rating_fix_and_what_they_affect(
    depot: Depot, saying: Saying, tmp_path: Path
) -> None:
    found = vulnerability(
        "CVE-2026-1001",
        score="8.4",
        vector=VECTOR,
        fixed="1.0-2",
        advisories="DSA-1 DSA-2",
        url="https://example.org/1",
    )
    saying.told = {"hello 1.0-1": (found,), "world 1.0-1": (found, vulnerability("CVE-2026-1002", "unknown"))}
    depot.upload(*(make_deb(tmp_path, name) for name in ("hello", "world")))
    first, second = report(depot, "cyclonedx")["vulnerabilities"]
    assert first["id"] == "CVE-2026-1001"
    assert first["ratings"] == [{"severity": "high", "score": 8.4, "method": "CVSSv31", "vector": VECTOR}]
    assert first["recommendation"] == "Update to 1.0-2 or newer."
    assert first["analysis"]["state"] == "in_triage"
    assert len(first["affects"]) == 2
    assert [item["value"] for item in first["properties"]] == ["DSA-1", "DSA-2"]
    assert second["ratings"] == [{"severity": "unknown", "method": "other"}]


def test_without_findings_there_are_packages_only(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1001"),)}
    depot.upload(make_deb(tmp_path))
    assert "vulnerabilities" in report(depot, "cyclonedx")
    assert "vulnerabilities" not in report(depot, "cyclonedx", with_findings=False)


def test_what_a_package_says_of_itself_cannot_break_the_document(depot: Depot, tmp_path: Path) -> None:
    fields = {"Description": 'it"s </script> \\u0000 \u202e &amp;', "Maintainer": 'A "<b>" <not an address>, x <a@b@c>'}
    depot.upload(make_deb(tmp_path, "hello", fields=fields))
    text = report_text(depot, "cyclonedx")
    assert "\u202e" not in text
    (component,) = report(depot, "cyclonedx")["components"]
    assert component["name"] == "hello"
