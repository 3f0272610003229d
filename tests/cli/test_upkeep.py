"""``entrepot gc`` and ``entrepot check``: what they print, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import Program

PACKAGE = "toys/robot/robot_2_any.toy"


@pytest.fixture
def published(shop: Program) -> Program:
    """A shop that was published twice, without any grace."""
    (shop.home / "entrepot.toml").write_text("[publish]\ngrace_days = 0\ngrace_publications = 0\n")
    shop("import", "box", "battery", "--to", "window")
    shop("import", "box", "robot", "--to", "window")
    return shop


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "tree"


def test_check_names_every_fault_and_fails_until_they_are_repaired(published: Program, tree: Path) -> None:
    assert f"{tree.as_uri()}: " in published("check").stdout
    (tree / PACKAGE).unlink()
    assert f"missing  {PACKAGE}\n" in published("check", code=1).stdout
    (result,) = published.json("check", "shop", code=1)
    assert (result["faults"], result["repaired"]) == ([{"path": PACKAGE, "kind": "missing"}], False)
    assert "1 faults, repaired" in published("check", "--repair").stdout
    assert [tree["faults"] for tree in published.json("check", "--content")] == [[], []]
    assert published("audit", "list").stdout.count("check.repair") == 1


def test_check_says_what_is_lost_and_how_to_bring_it_back(published: Program, tree: Path) -> None:
    with (tree / PACKAGE).open("r+b") as file:
        file.write(b"x")
    result = published("check", "--content", "--repair", code=3)
    assert f"content  {PACKAGE}\n" in result.stdout
    assert "repaired" not in result.stdout
    assert f"{PACKAGE}: neither the private store nor a tree has it as it should be (mirror, import" in result.stderr
    document = published.json("check", "--content", "--repair", code=3)
    assert [found["lost"] for found in document["results"]] == [["robot_2_any.toy"], [PACKAGE]]


def test_gc_tells_what_would_go_before_it_goes(published: Program, tree: Path) -> None:
    published("dist", "create", "shop/door")
    published("import", "box", "battery", "--to", "door")
    published("dist", "remove", "door")
    before = {path for path in tree.rglob("*") if path.is_file()}
    planned = published("gc", "--dry-run").stdout
    assert {path for path in tree.rglob("*") if path.is_file()} == before
    assert planned.startswith("remove ")
    done = published.json("gc")
    gone = done["trees"][0]["paths"]
    assert gone
    assert all(path in planned for path in gone)
    assert published("gc").stdout.startswith(f"{tree.as_uri()}: 0 of ")
    published("check", "--content")
