"""``entrepot advisories`` as somebody calls it."""

from __future__ import annotations

import json
from pathlib import Path

from support.advisories import osv, package
from support.program import Program


def write(path: Path, *fixed: str) -> Path:
    records = [osv(f"CVE-2026-{1000 + n}", package("Debian:12", "hello", fixed=text)) for n, text in enumerate(fixed)]
    path.write_text(json.dumps(records))
    return path


def test_data_is_added_updated_listed_and_removed(program: Program, tmp_path: Path) -> None:
    path = write(tmp_path / "osv.json", "1.0-2")
    assert program("advisories", "add", "debian", path).stdout == "debian: 1 records; 1 added, 0 changed, 0 removed\n"
    assert program("advisories", "update").stdout == "debian: 1 records; nothing changed\n"
    write(path, "1.0-3", "1.0-4")
    (result,) = program.json("advisories", "update", "debian")
    assert (result["added"], result["changed"], result["records"]) == (1, 1, 2)
    (row,) = program.json("advisories", "list")
    assert (row["name"], row["format"], row["ecosystems"]) == ("debian", "osv", ["Debian:12"])
    assert "Debian:12" in program("advisories", "list").stdout
    assert program("advisories", "remove", "debian").stdout == "removed debian\n"
    assert program.json("advisories", "list") == []


def test_a_form_that_cannot_be_guessed_is_said(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "odd.txt"
    path.write_text("hello")
    result = program("advisories", "add", "odd", path, code=2)
    assert "say which with --format" in result.stderr
    result = program("advisories", "add", "odd", path, "--format", "osv", code=1)
    assert "record 0 is malformed" in result.stderr


def test_every_failure_of_several_updates_is_told(program: Program, tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good.json", "1"), write(tmp_path / "bad.json", "1")
    program("advisories", "add", "good", good)
    program("advisories", "add", "bad", bad)
    bad.unlink()
    result = program("advisories", "update", code=3)
    assert result.stdout == "good: 1 records; nothing changed\n"
    assert "bad: " in result.stderr
    assert program.json("advisories", "update", code=3)["results"][0]["name"] == "good"
