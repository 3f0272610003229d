"""Whether a package is what it says, as the scanner tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from entrepot.contracts import Scanner
from entrepot.models import Status
from entrepot_plugins.scanners import register_scanners
from entrepot_plugins.scanners.package_format import PackageFormatScanner
from support.debs import make_deb, packages_stanza
from support.scans import scan_of


def test_a_whole_package_that_agrees_with_its_index_is_valid(tmp_path: Path) -> None:
    path = make_deb(tmp_path, "nginx", "1:1.24-2")
    artifact, context = scan_of(path, upstream=packages_stanza(path))
    verdict = PackageFormatScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason, verdict.findings) == (Status.PASS, "valid", ())
    assert verdict.evidence == {
        "format": "apt",
        "kind": "binary",
        "name": "nginx",
        "version": "1:1.24-2",
        "architecture": "amd64",
    }


def test_an_uploaded_package_has_no_index_to_agree_with(tmp_path: Path) -> None:
    artifact, context = scan_of(make_deb(tmp_path), uploaded=True)
    assert PackageFormatScanner().scan(artifact, context).reason == "valid"


def test_a_package_that_could_not_be_read_is_blocked_with_the_reader_s_words(tmp_path: Path) -> None:
    path = make_deb(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    artifact, context = scan_of(path)
    verdict = PackageFormatScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "unreadable")
    assert "hello_1.0-1_amd64.deb: member data.tar.gz is cut short" in verdict.message
    assert [(finding.id, finding.where) for finding in verdict.findings] == [("unreadable", path.name)]


def test_every_contradiction_with_the_index_is_a_finding(tmp_path: Path) -> None:
    path = make_deb(tmp_path)
    stanza = packages_stanza(path).replace(b"Version: 1.0-1", b"Version: 1.0-2").replace(b"amd64", b"all")
    artifact, context = scan_of(path, upstream=stanza)
    verdict = PackageFormatScanner().scan(artifact, context)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "disagrees")
    assert [finding.summary for finding in verdict.findings][:2] == [
        "Version is 1.0-2 in the index and 1.0-1 in the package",
        "Architecture is all in the index and amd64 in the package",
    ]
    assert len({finding.id for finding in verdict.findings}) == len(verdict.findings)


def test_a_finding_keeps_its_id_when_others_go(tmp_path: Path) -> None:
    path = make_deb(tmp_path)
    two = packages_stanza(path).replace(b"Package: hello", b"Package: hallo").replace(b"amd64", b"all")
    one = packages_stanza(path).replace(b"amd64", b"all")
    artifact, context = scan_of(path, upstream=packages_stanza(path))
    before, after = (
        PackageFormatScanner().scan(artifact, replace(context, upstream=stanza)).findings for stanza in (two, one)
    )
    assert {finding.id for finding in after} < {finding.id for finding in before}


def test_scanners_are_registered_under_what_they_answer() -> None:
    scanners: list[Scanner] = list(register_scanners())
    assert {("format", "format", "2"), ("signature", "gpg", "2"), ("osv", "cve_scan", "4")} <= {
        (scanner.name, scanner.answers, scanner.version) for scanner in scanners
    }
