"""Findings as SARIF, read by a library that knows its model."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from entrepot.models import Finding
from entrepot.services import imports
from support.debs import make_deb
from support.reports import Saying, report, report_text, vulnerability
from support.workspaces import Depot


def run_of(depot: Depot, **options: Any) -> dict[str, Any]:
    text = report_text(depot, "sarif", **options)
    importlib.import_module("sarif_pydantic").Sarif.model_validate_json(text)
    document = json.loads(text)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    return dict(run)


def test_a_rule_is_told_once_and_a_result_for_each_package(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    found = vulnerability("CVE-2026-1001", score="8.4", url="https://example.org/1")
    saying.told = {"hello 1.0-1": (found, Finding("setuid", "medium", "bin/su is", "bin/su")), "world 1.0-1": (found,)}
    depot.upload(*(make_deb(tmp_path, name) for name in ("hello", "world")))
    run = run_of(depot)
    cve, setuid = run["tool"]["driver"]["rules"]
    assert (cve["id"], cve["helpUri"]) == ("CVE-2026-1001", "https://example.org/1")
    assert cve["properties"]["security-severity"] == "8.4"
    assert (setuid["id"], setuid["properties"]["security-severity"]) == ("saying/setuid", "5.5")
    assert [(item["ruleId"], item["level"]) for item in run["results"]] == [
        ("CVE-2026-1001", "error"),
        ("saying/setuid", "warning"),
        ("CVE-2026-1001", "error"),
    ]
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "pool/main/h/hello/hello_1.0-1_amd64.deb", "uriBaseId": "TREE"}
    assert run["originalUriBaseIds"]["TREE"]["uri"] == "https://packages.example.org/"


def test_without_findings_there_is_a_run_without_results(depot: Depot) -> None:
    assert run_of(depot)["results"] == []


def test_a_finding_keeps_its_fingerprint_in_the_next_version_of_the_package(
    depot: Depot, saying: Saying, tmp_path: Path
) -> None:
    found = (vulnerability("CVE-2026-1001"), vulnerability("CVE-2026-1002"))
    saying.told = {"hello 1.0-1": found, "hello 1.0-2": found}
    first = depot.upload(make_deb(tmp_path, version="1.0-1"))
    depot.remove("hello")
    depot.upload(make_deb(tmp_path, version="1.0-2"))
    before, after = ([r["partialFingerprints"] for r in run_of(depot, number=n)["results"]] for n in (first, None))
    assert before == after
    assert before[0] != before[1]


def test_rows_tell_the_same_as_json_and_csv(depot: Depot, saying: Saying, tmp_path: Path) -> None:
    odd = Finding("odd", "low", "=1+1\x1b[31m, or so", "etc/x")
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1001", fixed="1.0-2", kev=True), odd)}
    depot.upload(make_deb(tmp_path))
    document = report(depot, "json")
    assert document["count"] == 2
    assert document["findings"][0]["recommendation"] == "Update to 1.0-2 or newer."
    head, *lines = report_text(depot, "csv").splitlines()
    assert head.startswith("distribution,package,version,")
    assert ",CVE-2026-1001,vulnerability,high,,1.0-2,yes," in lines[0]
    assert '"\'=1+1\\x1b[31m, or so"' in lines[1]


def test_what_was_said_last_counts_and_not_what_was_said_of_packages_that_are_gone(
    depot: Depot, saying: Saying, tmp_path: Path
) -> None:
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1001"),), "world 1.0-1": (vulnerability("CVE-2026-1002"),)}
    depot.upload(make_deb(tmp_path), make_deb(tmp_path, "world"))
    saying.told = {"hello 1.0-1": (vulnerability("CVE-2026-1003"),)}
    imports.upload(depot.workspace, [make_deb(tmp_path)], "example/stable", publish_after=False)
    depot.remove("world")
    assert [row["finding"] for row in report(depot, "json")["findings"]] == ["CVE-2026-1003"]


def test_findings_of_a_kind_have_one_rule_that_is_as_bad_as_the_worst_of_them(
    depot: Depot, saying: Saying, tmp_path: Path
) -> None:
    first, second = (
        Finding(f"missing:{text}", severity, f"needs {text}", data={"requirement": text}, kind="missing")
        for text, severity in (("libc6 (>= 2)", "low"), ("libfoo", "high"))
    )
    saying.told = {"hello 1.0-1": (first, second)}
    depot.upload(make_deb(tmp_path))
    run = run_of(depot)
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["defaultConfiguration"]["level"]) == ("saying/missing", "error")
    assert rule["properties"]["security-severity"] == "8.0"
    assert [result["properties"]["requirement"] for result in run["results"]] == ["libc6 (>= 2)", "libfoo"]
    texts = [result["message"]["text"].partition(": ")[2] for result in run["results"]]
    assert texts == [first.summary, second.summary]
    assert len({result["partialFingerprints"]["findingOfPackage/v1"] for result in run["results"]}) == 2
