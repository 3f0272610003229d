"""What the scanner says of packages, with data in a real catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.catalog.lookup import CatalogLookup
from entrepot.models import Available, Status
from entrepot_plugins.rpm.format import RpmFormat
from entrepot_plugins.scanners.osv.scanner import scan_many
from support.advisories import Desk, osv, package, scan_context
from support.debs import make_deb
from support.rpms import make_rpm

V3 = "CVSS:3.1/AV:{0}/AC:L/PR:N/UI:N/S:U/C:{1}/I:{1}/A:{1}"
SCORES = {"critical": V3.format("N", "H"), "high": V3.format("L", "H"), "medium": V3.format("L", "L")}


def cve(number: int = 1001, severity: str = "", **fields: Any) -> dict[str, Any]:
    """A vulnerability of ``hello`` in bookworm."""
    scores = [{"type": "CVSS_V3", "score": SCORES[severity]}] if severity else []
    return osv(f"CVE-2026-{number}", package("Debian:12", "hello", **fields), severity=scores, summary="reads too much")


def test_without_any_data_it_is_skipped_with_what_to_do(desk: Desk, tmp_path: Path) -> None:
    verdict = desk.scan(make_deb(tmp_path))
    assert (verdict.status, verdict.reason) == (Status.SKIPPED, "skipped")
    assert verdict.message == "there is no data about Debian:12: add some with `entrepot advisories add`"


def test_what_could_not_be_compared_is_an_error_where_it_is_required(desk: Desk, tmp_path: Path) -> None:
    verdict = desk.scan(make_deb(tmp_path), {"required": True})
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")


def test_a_suite_that_nobody_knows_is_skipped_with_what_to_write_into_the_settings(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve())
    context = desk.context(make_deb(tmp_path))
    assert context.available is not None
    context = replace(
        context,
        distribution=replace(context.distribution, name="stable"),
        available=replace(context.available, distribution="stable"),
    )
    verdict = scan_context(context)
    assert verdict.status == Status.SKIPPED
    assert '[scanners.osv.ecosystems] "internal/stable" = "Debian:12"' in verdict.message
    for name in ("internal/stable", "stable", "debian"):
        assert scan_context(replace(context, settings={"ecosystems": {name: "Debian:12"}})).status != Status.SKIPPED
    assert scan_context(replace(context, settings={"ecosystem": "Debian:*"})).status != Status.SKIPPED
    assert scan_context(replace(context, settings={"ecosystem": "Fedora:*"})).status == Status.SKIPPED


def test_an_unreadable_package_is_an_error(desk: Desk, tmp_path: Path) -> None:
    verdict = scan_context(replace(desk.context(make_deb(tmp_path)), info=None, problem="it is damaged"))
    assert (verdict.status, verdict.reason, verdict.message) == (Status.ERROR, "error", "it is damaged")


def test_a_package_that_no_advisory_affects_passes_with_what_it_was_compared_with(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(fixed="1.0-1"))
    verdict = desk.scan(make_deb(tmp_path))
    assert (verdict.status, verdict.reason, verdict.findings) == (Status.PASS, "no_findings", ())
    assert verdict.evidence["compared_with"] == "hello=1.0-1"
    assert verdict.evidence["ecosystems"] == "Debian:12"
    assert verdict.evidence["data_days"] == 0


def test_a_finding_says_which_advisory_which_fix_and_how_bad(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(severity="high", fixed="1.0-2"))
    verdict = desk.scan(make_deb(tmp_path))
    (finding,) = verdict.findings
    assert (finding.id, finding.severity, finding.where) == ("CVE-2026-1001", "high", "hello")
    assert finding.summary == "fixed in 1.0-2: reads too much"
    assert finding.data == {
        "advisories": "CVE-2026-1001",
        "fixed": "1.0-2",
        "kev": False,
        "score": "8.4",
        "vector": SCORES["high"],
    }
    assert verdict.message == "1 known (1 high): CVE-2026-1001"


def test_withdrawn_records_do_not_count(desk: Desk, tmp_path: Path) -> None:
    withdrawn = cve(severity="critical", fixed="2") | {"withdrawn": "2026-01-01T00:00:00Z"}
    # So that there is data, whatever becomes of the record.
    desk.load("debian", withdrawn, osv("CVE-2026-9999", package("Debian:12", "other")))
    assert desk.scan(make_deb(tmp_path)).reason == "no_findings"


@pytest.mark.parametrize("severity", ["critical", "high", "medium", ""])
def test_however_bad_it_is_the_scanner_only_reports_it(desk: Desk, tmp_path: Path, severity: str) -> None:
    desk.load("debian", cve(severity=severity, fixed="2"))
    verdict = desk.scan(make_deb(tmp_path))
    assert (verdict.status, verdict.reason) == (Status.WARN, "findings")
    assert [(finding.kind, finding.severity) for finding in verdict.findings] == [
        ("vulnerability", severity or "unknown")
    ]
    assert verdict.evidence["vulnerabilities"] == 1


KEV = '{"vulnerabilities": [{"cveID": "CVE-2026-1001", "dateAdded": "2026-01-02"}]}'
EPSS = "cve,epss,percentile\nCVE-2026-1001,0.4,0.9\n"


def test_a_finding_says_that_it_is_known_to_be_exploited(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(severity="medium"))
    desk.load_text("kev", "kev.json", KEV)
    (finding,) = desk.scan(make_deb(tmp_path)).findings
    assert finding.summary == "not fixed, known to be exploited: reads too much"
    assert (finding.data["kev"], finding.data["kev_since"]) == (True, "2026-01-02")


def test_a_finding_says_how_probable_it_is_that_it_will_be_exploited(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(severity="medium"))
    desk.load_text("epss", "epss.csv", EPSS)
    assert desk.scan(make_deb(tmp_path)).findings[0].data["epss"] == "0.4"


def test_data_that_was_not_updated_for_long_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(fixed="1.0-1"))
    desk.clock.advance(days=14)
    path = make_deb(tmp_path)
    assert desk.scan(path).reason == "no_findings"
    desk.clock.advance(days=1)
    verdict = desk.scan(path)
    assert (verdict.status, verdict.reason) == (Status.WARN, "findings")
    assert verdict.message == "its vulnerability data is 15 days old: run `entrepot advisories update`"
    assert [(item.id, item.kind, item.data) for item in verdict.findings] == [("advisories-old", "", {"days": 15})]
    assert desk.scan(path, {"max_age_days": 0}).reason == "no_findings"


@pytest.mark.parametrize(
    ("name", "version", "fields", "found"),
    [
        ("libhello1", "1.0-1", {"Source": "hello"}, True),
        ("libhello1", "9.0-1", {"Source": "hello (1.0-1)"}, True),
        ("libhello1", "1.0-1", {"Source": "hello (9.0-1)"}, False),
        ("hello", "1.0-2+b1", {"Source": "hello (1.0-2)"}, False),
        ("hello", "1.0-1+b1", {}, True),
        ("hello", "1.0-1", {"Source": "goodbye"}, False),
    ],
)
def test_packages_of_apt_are_compared_by_the_name_and_version_of_their_source(
    desk: Desk, tmp_path: Path, name: str, version: str, fields: dict[str, str], found: bool
) -> None:
    desk.load("debian", cve(fixed="1.0-2"))
    verdict = desk.scan(make_deb(tmp_path, name, version, fields=fields))
    assert bool(verdict.findings) == found


def test_records_about_every_release_of_a_distribution_count(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", osv("CVE-2026-1001", package("Debian", "hello")))
    assert [finding.id for finding in desk.scan(make_deb(tmp_path)).findings] == ["CVE-2026-1001"]


def test_records_about_other_releases_and_packages_do_not_count(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(fixed="1.0-1"), osv("X", package("Debian:13", "hello"), package("Debian:12", "hell")))
    assert desk.scan(make_deb(tmp_path)).findings == ()


def test_what_several_feeds_say_of_one_cve_is_one_finding(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", osv("DEBIAN-CVE-2026-1001", package("Debian:12", "hello"), upstream=["CVE-2026-1001"]))
    desk.load("other", osv("DSA-1-1", package("Debian:12", "hello", fixed="1.0-3"), related=["CVE-2026-1001"]))
    text = '{"hello": {"CVE-2026-1001": {"releases": {"bookworm": {"status": "open", "urgency": "high"}}}}}'
    desk.load_text("tracker", "tracker.json", text)
    (finding,) = desk.scan(make_deb(tmp_path)).findings
    assert (finding.id, finding.severity, finding.data["fixed"]) == ("CVE-2026-1001", "high", "1.0-3")
    assert finding.data["advisories"] == "CVE-2026-1001 DEBIAN-CVE-2026-1001 DSA-1-1"


@pytest.mark.parametrize(
    ("release", "summary"),
    [
        ('"status": "open", "nodsa": "x", "nodsa_reason": "postponed"', "not fixed (postponed)"),
        ('"status": "undetermined"', "not fixed (undetermined)"),
        ('"status": "open", "urgency": "end-of-life"', "not fixed (end of life)"),
        ('"status": "resolved", "fixed_version": "nonsense version"', "fixed in nonsense version"),
    ],
)
def test_a_finding_says_why_nothing_fixes_it(desk: Desk, tmp_path: Path, release: str, summary: str) -> None:
    desk.load_text("t", "t.json", '{"hello": {"CVE-2026-1001": {"releases": {"bookworm": {%s}}}}}' % release)  # noqa: UP031
    assert [finding.summary for finding in desk.scan(make_deb(tmp_path)).findings] == [summary]


@pytest.mark.parametrize(("modularity", "found"), [("nodejs:20:901:c", True), ("nodejs:18:901:c", False)])
def test_an_rpm_package_says_of_which_module_stream_it_is(
    desk: Desk, tmp_path: Path, modularity: str, found: bool
) -> None:
    item = package("AlmaLinux:9", "npm", fixed="1:9-1.module_el9.2.0+1+aa")
    desk.load("alma", osv("ALSA-2026:1", item, summary="Important: nodejs:20 security update"))
    path = make_rpm(tmp_path, "npm", "8", "1.module_el9.2.0+1+aa", epoch=1, modularity=modularity)
    rpm = RpmFormat()
    context = desk.context(make_deb(tmp_path))
    context = replace(context, format=rpm, info=rpm.packages.read([path], None), available=None, source=None)
    verdict = scan_context(replace(context, settings={"ecosystem": "AlmaLinux:9"}))
    assert [finding.id for finding in verdict.findings] == (["ALSA-2026:1"] if found else [])


def test_many_packages_at_once_are_told_what_each_is_told_by_itself(desk: Desk, tmp_path: Path) -> None:
    other = osv("CVE-2026-2001", package("Debian:12", "other", fixed="2.0-1"), package("Debian", "hello-libs"))
    desk.load("debian", cve(1001, "high", fixed="1.0-2"), cve(1002, "medium"), cve(1003, fixed="0.9-1"), other)
    debs = [
        make_deb(tmp_path),
        make_deb(tmp_path, version="1.0-1+b1"),
        make_deb(tmp_path, "hello-data", fields={"Source": "hello"}),
        make_deb(tmp_path, "hello-tools", fields={"Source": "hello (1.0-2)"}),
        make_deb(tmp_path, "hello-libs", version="3-1"),
        make_deb(tmp_path, "other", version="1.9-1"),
        make_deb(tmp_path, "unheard-of"),
    ]
    contexts = [desk.context(path) for path in debs]
    strange = replace(contexts[0].distribution, name="stable")
    assert contexts[0].available is not None
    suite = replace(contexts[0].available, distribution="stable")
    contexts.append(replace(contexts[0], distribution=strange, available=suite))
    contexts.append(replace(contexts[0], info=None, problem="it is damaged"))
    verdicts = scan_many(contexts)
    assert verdicts == [scan_context(context) for context in contexts]
    counts = [len(verdict.findings) for verdict in verdicts]
    assert counts == [2, 2, 2, 1, 1, 1, 0, 0, 0]


class Offering(CatalogLookup):
    """A catalog in which a source offers a newer version of everything but ``hello-data``."""

    offer: Available

    def offers(self, format_name: str, name: str, architecture: str, above: bytes) -> Sequence[Available]:
        """The one offer."""
        return [] if name == "hello-data" else [self.offer]


def test_packages_of_one_source_share_findings_where_the_same_is_offered(desk: Desk, tmp_path: Path) -> None:
    desk.load("debian", cve(1001, fixed="1.0-2"), cve(1002))
    names = ("hello-bin", "hello-data", "hello-libs")
    contexts = [desk.context(make_deb(tmp_path, name, fields={"Source": "hello"})) for name in names]
    lookup = Offering(lambda: desk.workspace.catalog.path)
    assert contexts[0].available is not None
    lookup.offer = replace(contexts[0].available, version="1.0-2")
    contexts = [replace(context, advisories=lookup) for context in contexts]
    bin_, data, libs = verdicts = scan_many(contexts)
    assert verdicts == [scan_context(context) for context in contexts]
    lookup.close()
    assert bin_.findings is libs.findings
    assert [finding.data.get("offered") for finding in bin_.findings] == ["debian 1.0-2", None]
    assert [finding.data.get("offered") for finding in data.findings] == [None, None]
