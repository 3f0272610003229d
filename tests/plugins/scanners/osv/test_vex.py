"""OpenVEX documents: which findings they settle, for which package and version, and what they tell of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import IndexFormatError
from entrepot.models import Verdict
from entrepot_plugins.scanners.osv.vex_format import OpenVexReader, parse_purl
from support.advisories import Desk, Record, keys, osv, package, scan_context
from support.debs import make_deb

CVE = "CVE-2026-1001"


def statement(product: str | Record, status: str = "not_affected", **fields: Any) -> Record:
    reasons = {
        "not_affected": {"justification": "vulnerable_code_not_present"},
        "affected": {"action_statement": "Do not expose it."},
    }
    return {
        "vulnerability": {"name": CVE},
        "products": [{"@id": product} if isinstance(product, str) else product],
        "status": status,
        **reasons.get(status, {}),
        **fields,
    }


def document(*statements: Record, **fields: Any) -> str:
    head = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "Example Security",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
    }
    return json.dumps({**head, "statements": statements, **fields})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A workspace in which hello 1.0-1 has a vulnerability."""
    desk = Desk(tmp_path)
    desk.load("debian", osv(CVE, package("Debian:12", "hello", fixed="1.0-2"), aliases=["DSA-1-1"]))
    yield desk
    desk.close()


def after(desk: Desk, tmp_path: Path, *statements: Record, **deb: Any) -> Verdict:
    """What the scanner says of hello 1.0-1 when a document says these things."""
    desk.load_text("vex", "vex.json", document(*statements))
    return desk.scan(make_deb(tmp_path, **deb))


def ids(verdict: Verdict) -> list[str]:
    return [finding.id for finding in verdict.findings]


@pytest.mark.parametrize(
    ("product", "settled"),
    [
        ("pkg:deb/debian/hello@1.0-1", True),
        ("pkg:deb/debian/hello", True),
        ("pkg:deb/debian/hello@1.0-1?arch=amd64&distro=bookworm", True),
        ("pkg:deb/debian/hello@1.0-1?arch=source", True),
        ("pkg:deb/debian/hello?distro=debian-12", True),
        ("pkg:deb/hello@1.0-1", True),
        ({"identifiers": {"purl": "pkg:deb/debian/hello@1.0-1"}, "@id": "urn:example:1"}, True),
        ("pkg:deb/debian/hello@1.0-2", False),
        ("pkg:deb/debian/hello@1.0-1?arch=arm64", False),
        ("pkg:deb/debian/hello@1.0-1?distro=trixie", False),
        ("pkg:deb/ubuntu/hello@1.0-1", False),
        ("pkg:deb/debian/world@1.0-1", False),
        ("pkg:rpm/debian/hello@1.0-1", False),
        ("pkg:deb/debian/hello@no version", False),
        ({"@id": "pkg:oci/image@sha256:1", "subcomponents": [{"@id": "pkg:deb/debian/hello@1.0-1"}]}, False),
        ({"@id": "pkg:deb/debian/hello@1.0-1", "subcomponents": [{"@id": "pkg:npm/left@1"}]}, False),
    ],
)
def test_a_statement_settles_the_finding_of_the_package_that_it_names_and_of_no_other(
    desk: Desk, tmp_path: Path, product: str | Record, settled: bool
) -> None:
    assert ids(after(desk, tmp_path, statement(product))) == ([] if settled else [CVE])


@pytest.mark.parametrize("status", ["not_affected", "fixed"])
def test_what_is_settled_is_evidence_with_reason_author_and_document(desk: Desk, tmp_path: Path, status: str) -> None:
    verdict = after(desk, tmp_path, statement("pkg:deb/debian/hello@1.0-1", status))
    (told,) = json.loads(str(verdict.evidence["vex"]))
    assert (verdict.status.value, verdict.reason) == ("pass", "no_findings")
    assert (told["id"], told["status"]) == (CVE, status)
    assert (told["author"], told["document"]) == ("Example Security", "https://example.org/vex/1")
    assert told.get("justification") == ("vulnerable_code_not_present" if status == "not_affected" else None)


@pytest.mark.parametrize(("status", "action"), [("affected", "Do not expose it."), ("under_investigation", None)])
def test_other_statements_are_told_with_the_finding(
    desk: Desk, tmp_path: Path, status: str, action: str | None
) -> None:
    (finding,) = after(desk, tmp_path, statement("pkg:deb/debian/hello", status)).findings
    assert (finding.data["vex"], finding.data["vex_author"]) == (status, "Example Security")
    assert finding.data.get("vex_action") == action


@pytest.mark.parametrize("newest", ["not_affected", "affected"])
def test_the_newest_statement_counts(desk: Desk, tmp_path: Path, newest: str) -> None:
    older = "affected" if newest == "not_affected" else "not_affected"
    verdict = after(
        desk,
        tmp_path,
        statement("pkg:deb/debian/hello", newest, timestamp="2026-02-02T00:00:00Z"),
        statement("pkg:deb/debian/hello", older, timestamp="2026-02-01T00:00:00Z"),
    )
    assert ids(verdict) == ([] if newest == "not_affected" else [CVE])


def test_a_vulnerability_is_known_by_its_aliases_and_other_ones_are_not_touched(desk: Desk, tmp_path: Path) -> None:
    desk.load("more", osv("CVE-2026-1002", package("Debian:12", "hello", fixed="1.0-2")))
    named = statement("pkg:deb/debian/hello", vulnerability={"name": "EXAMPLE-7", "aliases": [CVE]})
    assert ids(after(desk, tmp_path, named)) == ["CVE-2026-1002"]


def test_a_statement_about_the_source_package_holds_for_what_is_built_from_it(desk: Desk, tmp_path: Path) -> None:
    said = statement("pkg:deb/debian/hello@1.0-1?arch=source")
    verdict = after(desk, tmp_path, said, name="hello-doc", fields={"Source": "hello (1.0-1)"}, version="9")
    assert (ids(verdict), verdict.reason) == ([], "no_findings")


def test_without_other_data_a_statement_is_no_data(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.load_text("vex", "vex.json", document(statement("pkg:deb/debian/hello")))
    verdict = desk.scan(make_deb(tmp_path))
    desk.close()
    assert verdict.status.value == "skipped"


def test_an_updated_document_brings_the_finding_back(desk: Desk, tmp_path: Path) -> None:
    from entrepot.services import advisories

    assert ids(after(desk, tmp_path, statement("pkg:deb/debian/hello"))) == []
    (desk.folder / "vex.json").write_text(document(statement("pkg:deb/debian/hello@2")))
    result = advisories.update_feed(desk.workspace, "vex")
    assert result.counts is not None
    assert ids(desk.scan(make_deb(tmp_path))) == [CVE]


def test_what_this_program_writes_is_read_back(desk: Desk, tmp_path: Path) -> None:
    written = document(
        {
            "vulnerability": {"name": CVE, "@id": "https://example.org/1"},
            "products": [
                {
                    "@id": "pkg:deb/hello@1.0-1?arch=amd64",
                    "identifiers": {"purl": "pkg:deb/hello@1.0-1?arch=amd64"},
                    "hashes": {"sha-256": "0" * 64},
                }
            ],
            "status": "not_affected",
            "impact_statement": "not built",
        }
    )
    desk.load_text("own", "own.json", written)
    context = replace(desk.context(make_deb(tmp_path)))
    assert ids(scan_context(context)) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (document(statement("pkg:deb/debian/hello", "perhaps")), "nobody knows the status 'perhaps'"),
        (document(statement("pkg:deb/debian/hello", vulnerability={"name": ""})), "name"),
        (document({"products": [], "status": "fixed"}), "name is missing"),
        (document(author=7), "author is a number"),
        (document().replace('"statements": []', '"statements": {}'), "statements is an object, not an array"),
        (document()[:-1], "is no JSON"),
        ('{"@context": "https://openvex.dev/ns", "a":' + "[" * 100_000, "is no JSON"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "vex.json"
    path.write_text(text)
    reader = OpenVexReader()
    with pytest.raises(IndexFormatError, match=told):
        _ = [reader.describe(record, keys) for record in reader.advisories(path)]


@pytest.mark.parametrize("text", ["", "pkg:", "pkg:deb", "hello", "pkg:deb/", "pkg:/x@1", "urn:pkg:deb/a/b"])
def test_what_is_no_package_url_is_nothing(text: str) -> None:
    assert parse_purl(text) is None
