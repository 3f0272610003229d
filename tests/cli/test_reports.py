"""``entrepot report`` as somebody calls it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from support.program import Program


def test_a_bill_of_materials_is_printed_or_written_to_a_file(shop: Program, tmp_path: Path) -> None:
    shop("import", "box", "robot", "--to", "shop/window", "--no-publish")
    printed = shop("report", "sbom", "window").stdout
    assert json.loads(printed)["components"][0]["purl"] == "pkg:generic/robot@2"
    path = tmp_path / "sbom.json"
    result = shop.json("report", "sbom", "window", "--output", path)
    assert path.read_text() == printed
    assert result["sha256"] == hashlib.sha256(printed.encode()).hexdigest()
    assert (result["distribution"], result["version"], result["format"]) == ("shop/window", 1, "cyclonedx")
    assert f"wrote {path}" in shop("report", "sbom", "window", "--format", "spdx", "-o", path).stdout


def test_a_package_is_shown_with_what_scanners_said_of_it_where_it_is_imported(shop: Program) -> None:
    assert "Imported: nowhere" in shop("show", "robot").stdout
    shop("import", "box", "robot", "--to", "shop/window", "--no-publish")
    lines = shop("show", "robot").stdout.splitlines()
    place = lines.index("  shop/window 2 any")
    assert "    format: pass (valid)" in lines[place + 1 :]
    verdicts = {item["scanner"]: item for item in shop.json("show", "robot")["inspected"]}
    assert (verdicts["format"]["distribution"], verdicts["format"]["status"]) == ("shop/window", "pass")
    assert verdicts["format"]["findings"] == []


def test_findings_of_the_only_distribution_need_no_name(shop: Program) -> None:
    assert shop.json("report", "findings")["count"] == 0
    shop("dist", "create", "shop/cellar")
    assert "name one: shop/cellar, shop/window" in shop("report", "findings", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sbom", "window", "--format", "csv"), "csv is a form of findings, not of sbom"),
        (("findings", "window", "--format", "cyclonedx"), "cyclonedx is a form of sbom, not of findings"),
    ],
)
def test_a_form_of_another_kind_of_report_is_refused(shop: Program, arguments: tuple[str, ...], told: str) -> None:
    assert told in shop("report", *arguments, code=2).stderr


def test_what_is_not_there_is_named(shop: Program, tmp_path: Path) -> None:
    assert "there is no form of reports called 'x'" in shop("report", "sbom", "window", "--format", "x", code=1).stderr
    assert "has no version 7" in shop("report", "sbom", "window", "--version", "7", code=1).stderr
    assert "cannot be written" in shop("report", "sbom", "window", "-o", tmp_path / "no" / "x", code=1).stderr
    result = shop("report", "vex", "window", "-o", tmp_path / "vex.json", code=1)
    assert "no vulnerability of shop/window is known" in result.stderr
    assert not list(tmp_path.glob("*report*")), "what was begun is gone"
    assert not (tmp_path / "vex.json").exists()
