"""The whole way of a format that the program has never heard of, by its command line alone."""

from __future__ import annotations

from pathlib import Path

from support.program import Program
from support.toy import ToyUpstream, make_toy


def test_the_options_of_a_format_are_options_of_the_commands(program: Program) -> None:
    add = " ".join(program("source", "add", "--help").stdout.split())
    assert "--wooden / --no-wooden only toys that are made of wood." in add
    assert "--from-toy FILE Toy boxes: lines of NAME URL DISTRIBUTION." in add
    assert "--udebs / --no-udebs" in add
    assert "--wooden" in program("source", "set", "--help").stdout
    create = " ".join(program("dist", "create", "--help").stdout.split())
    assert "--age INTEGER for children from this age on." in create
    assert "--age" in program("dist", "set", "--help").stdout


def test_a_toy_goes_from_an_upstream_into_a_published_tree(program: Program, toys: ToyUpstream, tmp_path: Path) -> None:
    added = program.json("source", "add", "box", toys.root.as_uri(), "--format", "toy", "--no-verify", "--wooden")
    assert (added[0]["distributions"], added[0]["options"]) == (["toys"], {"wooden": True})
    assert program.json("sync")[0]["added"] == 5
    assert program.json("sync")[0]["changed_upstream"] is False
    found = program.json("search", "talk")
    assert [(row["name"], row["version"], row["format"]) for row in found] == [("robot", "2", "toy")]
    assert program.json("show", "robot=1")["fields"]["summary"] == "walks"
    program("repo", "create", "shop", "--format", "toy", "--publish-to", tmp_path / "tree", "--no-sign")
    created = program.json("dist", "create", "shop/window", "--age", "6", "--arch", "any")
    assert created[0]["options"] == {"age": 6}
    plan = program.json("import", "box", "robot", "--to", "window", "--with-dependencies", "--dry-run")
    assert sorted(row["package"] for row in plan["packages"]) == ["battery", "robot"]
    document = program.json("import", "box", "robot", "--to", "window", "--with-dependencies")
    assert {row["status"] for row in document["results"]} == {"published"}
    assert (tmp_path / "tree/toys/robot/robot_2_any.toy").exists()
    assert "robot\t2" in (tmp_path / "tree/window/INDEX").read_text()


def test_a_toy_that_somebody_brings_goes_the_same_way(shop: Program, tmp_path: Path) -> None:
    document = shop.json("upload", make_toy(tmp_path, "kite"), "--to", "shop/window")
    assert document["results"][0]["pipeline"]["words"] == "said_pass"
    assert (tmp_path / "tree/toys/kite/kite_1_any.toy").exists()


def test_a_clients_file_of_a_format_is_taken(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "boxes"
    path.write_text("one https://toys.example.org/1 a\ntwo https://toys.example.org/2 b\n")
    rows = program.json("source", "add", "--from-toy", path, "--timeout", "5")
    assert [(row["name"], row["connection"]["timeout"]) for row in rows] == [("one", 5.0), ("two", 5.0)]


def test_the_plugin_is_listed_with_what_it_offers(program: Program) -> None:
    offers = program.json("plugins")["offers"]
    assert [offer for offer in offers if offer["plugin"] == "toys"] == [
        {"plugin": "toys", "kind": "formats", "name": "toy"},
        {"plugin": "toys", "kind": "scanners", "name": "toy-words"},
    ]
    assert "toy-words" in program("plugins").stdout


def test_an_option_of_one_format_is_refused_by_another(program: Program) -> None:
    words = ("source", "add", "debs", "https://debs.example.org/", "--format", "apt", "--no-verify", "--wooden")
    result = program(*words, "-d", "stable", code=2)
    assert result.stderr == "Error: apt sources have no option wooden\n"
