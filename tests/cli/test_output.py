"""What the program says, where it says it, and with which exit code it ends."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from entrepot.cli.app import clean, human_size
from entrepot.cli.json_text import TOGETHER, write_json
from support.program import Program, run_program
from support.toy import ToyUpstream, make_toy

# ------------------------------------------------------------------------------------------------------ exit codes


def test_0_is_done(shop: Program) -> None:
    result = shop("import", "box", "robot", "--to", "window")
    assert "robot      2          any     published" in result.stdout
    assert "in version 1" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sync", "attic"), "Error: there is no source called 'attic'\nHint: known sources: box\n"),
        (("show", "zeppelin"), "Error: no source offers zeppelin\nHint: try `entrepot search zeppelin`\n"),
        (("version", "show", "window", "7"), "Error: shop/window has no version 7\nHint: its newest version is 0\n"),
        (("task", "show", "99"), "Error: there is no task 99\n"),
        (("repo", "remove", "shop"), "Error: shop still has window\nHint: remove its distributions first\n"),
    ],
)
def test_1_is_failed(shop: Program, words: tuple[str, ...], message: str) -> None:
    result = shop(*words, code=1)
    assert (result.stdout, result.stderr) == ("", message)


def test_1_is_a_batch_of_which_nothing_came_in(shop: Program) -> None:
    shop("import", "box", "evil", "zeppelin", "--to", "window", code=1)
    shop("import", "box", "zeppelin", "--to", "window", "--dry-run", code=1)


@pytest.mark.parametrize(
    "words",
    [
        ("import", "box", "robot"),
        ("import", "box", "--to", "window"),
        ("import", "box", "robot", "--to", "window", "--recommends"),
        ("import", "box", "robot=", "--to", "nowhere", "--teapot"),
        ("sync", "box", "--all"),
        ("search", "robot", "--limit", "0"),
        ("source", "add", "only-a-name"),
        ("upload", "/nowhere/x.toy", "--to", "window"),
        ("dist", "create", "shop"),
        ("dist", "create", "shop/x", "--policy", "lenient"),
        ("repo", "create", "x", "--format", "toy", "--publish-to", "memory://x", "--no-sign", "--sign-with", "A"),
        ("publish", "window", "--version", "two"),
        ("search", "\udcff"),
        ("show", "="),
    ],
)
def test_2_is_usage(shop: Program, words: tuple[str, ...]) -> None:
    assert "Error: " in shop(*words, code=2).stderr


def test_3_is_partly_failed_and_the_rest_is_done(shop: Program) -> None:
    document = shop.json("import", "box", "robot", "evil", "--to", "window", code=3)
    assert {row["package"]: row["status"] for row in document["results"]} == {"robot": "published", "evil": "rejected"}
    assert document["publication"]["status"] == "published"
    shop("import", "box", "robot", "zeppelin", "--to", "window", "--dry-run", code=3)


def test_4_is_held_for_review(shop: Program) -> None:
    result = shop("import", "box", "robot", "odd", "--to", "window", code=4)
    assert "pending_review" in result.stdout
    assert [row["name"] for row in shop.json("version", "show", "window")] == ["robot"]


def test_a_failure_counts_more_than_what_is_held(shop: Program) -> None:
    shop("import", "box", "robot", "odd", "evil", "--to", "window", code=3)


def test_several_syncs_fail_partly(shop: Program, tmp_path: Path) -> None:
    nowhere = (tmp_path / "nowhere").as_uri()
    shop("source", "add", "gone", nowhere, "--format", "toy", "--no-verify")
    result = shop("sync", code=3)
    assert "box: 5 packages; nothing changed" in result.stdout
    assert "Error: 1 of 2 sources could not be synced" in result.stderr
    assert "\n  gone: " in result.stderr
    document = shop.json("sync", code=3)
    assert [row["source"] for row in document["results"]] == ["box"]
    assert [failure["item"] for failure in document["failures"]] == ["gone"]


# ------------------------------------------------------------------------------------------------------------ JSON


@pytest.mark.parametrize(
    "words",
    [
        ("init",),
        ("key", "list"),
        ("source", "list"),
        ("source", "show", "box"),
        ("source", "set", "box", "--timeout", "3"),
        ("source", "remove", "box"),
        ("sync",),
        ("search", "robot"),
        ("search", "zeppelin"),
        ("show", "robot"),
        ("repo", "list"),
        ("repo", "show", "shop"),
        ("repo", "set", "shop", "--label", "Toys"),
        ("dist", "list"),
        ("dist", "show", "window"),
        ("dist", "set", "window", "--policy", "strict"),
        ("dist", "remove", "window"),
        ("import", "box", "robot", "--to", "window"),
        ("import", "box", "robot", "--to", "window", "--dry-run"),
        ("import", "box", "robot", "--to", "window", "--no-publish"),
        ("version", "list", "window"),
        ("version", "show", "window"),
        ("publish",),
        ("publish", "--dry-run"),
        ("task", "list"),
        ("task", "show", "1"),
        ("audit", "list"),
        ("audit", "verify"),
        ("plugins",),
    ],
    ids=" ".join,
)
def test_a_result_is_one_json_document(shop: Program, words: tuple[str, ...]) -> None:
    assert shop.json(*words) is not None


@pytest.mark.parametrize(
    ("words", "code", "detail"),
    [
        (("sync", "attic"), 1, "there is no source called 'attic'"),
        (("show", "="), 2, "'=' is no package"),
        (("search",), 2, "Missing argument 'TEXT'."),
        (("search", "x", "--limit", "0"), 2, "Invalid value for '--limit': 0 is not in the range 1<=x<=1000."),
        (("teapot",), 2, "No such command 'teapot'."),
        (("import", "box", "--to", "window"), 2, "name a package, or give a list with --file"),
        (("search", "\udcff"), 2, "'\\udcff' is not UTF-8"),
    ],
)
def test_an_error_is_one_json_document_too(shop: Program, words: tuple[str, ...], code: int, detail: str) -> None:
    document = shop.json(*words, code=code)
    assert document["detail"] == detail
    assert {"title", "detail", "hint"} <= set(document)


def test_an_error_has_its_data(shop: Program) -> None:
    assert shop.json("sync", "attic", code=1) == {
        "title": "Not found",
        "detail": "there is no source called 'attic'",
        "hint": "known sources: box",
        "name": "attic",
    }


def test_several_publications_of_which_one_fails_are_one_document(shop: Program, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    shop("repo", "create", "stall", "--format", "toy", "--publish-to", blocked, "--no-sign")
    shop("dist", "create", "stall/table")
    blocked.parent.mkdir(exist_ok=True)
    if blocked.exists():
        blocked.rmdir()
    blocked.write_text("a file where a folder has to be")
    document = shop.json("publish", code=3)
    assert [result["distribution"] for result in document["results"]] == ["shop/window"]
    assert [failure["item"] for failure in document["failures"]] == ["stall/table"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        [[], {}, [[]], {"a": {}, "b": []}],
        {1: {"a": [1, {"b": 2.5}]}, None: True, False: (1, (2,)), 1.5: {}},
        'a\nb\u2028\x7f\u202e\udcff"\\',
        {"a\n": ["ü", Path("/x")], "": Path("/y"), "z": float("inf")},
        [{"number": number} for number in range(TOGETHER)],
    ],
    ids=["null", "array", "object", "empty", "keys", "text", "other", "long"],
)
def test_a_document_is_what_the_standard_library_makes_of_it(value: object) -> None:
    pieces: list[str] = []
    write_json(value, pieces.append)
    assert "".join(pieces) == json.dumps(value, indent=2, ensure_ascii=False, default=str)


def test_a_long_document_is_written_in_pieces() -> None:
    pieces: list[str] = []
    write_json({"rows": [{"number": number} for number in range(2 * TOGETHER)]}, pieces.append)
    assert len(pieces) > 4
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 3


# ----------------------------------------------------------------------------------------- hostile text on a screen

ESCAPES = "\x1b[2J\x1b]0;owned\x07\u009b31m\u202etxt\x7f"


@pytest.fixture
def hostile(shop: Program, toys: ToyUpstream) -> Program:
    """A shop whose upstream tries to take over the terminal."""
    toys.add("loud", 1, summary=f"calm{ESCAPES}\x0b\x85")
    toys.enter(f"na{ESCAPES}me\t1\tany\t{'0' * 64}\t1\t\tfine\tx.toy")
    toys.write()
    shop("sync")
    return shop


@pytest.mark.parametrize("words", [("search", "loud"), ("search", "na"), ("show", "loud")], ids=" ".join)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_what_packages_say_of_themselves_cannot_command_a_terminal(
    hostile: Program, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    output = hostile(*words, *form).output
    assert [char for char in output if not char.isprintable() and char != "\n"] == []
    assert "x1b" in output or "u001b" in output


def test_a_json_document_still_holds_what_was_said(hostile: Program) -> None:
    (row,) = hostile.json("search", "loud")
    assert row["description"] == f"calm{ESCAPES}\x0b\x85"


def test_an_error_cannot_command_a_terminal(hostile: Program) -> None:
    for form in ((), ("--json",)):
        output = hostile("show", f"x{ESCAPES}", *form, code=1).output
        assert [char for char in output if not char.isprintable() and char != "\n"] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("zwölf 機", "zwölf 機"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\r\x00\x7f", "\\x0d\\x00\\x7f"),
        ("\u202e\udcff", "\\x202e\\xdcff"),
    ],
)
def test_text_is_shown_without_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_cell_of_a_table_is_one_line() -> None:
    assert clean("a\nb\tc", allowed="") == "a\\x0ab\\x09c"


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_400_000, "1.4 MB"), (2 * 10**9, "2.0 GB"), (10**13, "10.0 TB")],
)
def test_sizes_are_in_powers_of_ten(size: int, shown: str) -> None:
    assert human_size(size) == shown


# -------------------------------------------------------------------------------------------- progress and messages


def test_in_a_pipe_progress_is_plain_lines_on_standard_error(shop: Program, toy_plugin: Path, tmp_path: Path) -> None:
    result = run_program("import", "box", "robot", "--to", "window", home=shop.home, path=toy_plugin)
    assert result.returncode == 0
    assert "\r" not in result.stderr
    assert "\x1b" not in result.stderr
    lines = result.stderr.splitlines()
    assert "Inspected: 1 of 1 packages" in lines
    assert lines[-1] == f"published version 1 to {(tmp_path / 'tree').as_uri()}"
    assert len(lines) == len(set(lines))
    assert "Inspected" not in result.stdout


def test_quiet_is_results_and_errors_alone(shop: Program) -> None:
    result = shop("--quiet", "import", "box", "robot", "--to", "window")
    assert (result.stderr, "published" in result.stdout) == ("", True)
    assert shop("--quiet", "search", "zeppelin").output == ""
    assert shop("--quiet", "sync", "attic", code=1).stderr != ""


def test_an_empty_list_says_what_to_do_next(program: Program) -> None:
    result = program("source", "list")
    assert (result.stdout, result.stderr) == ("", "no sources; add one with `entrepot source add`\n")


def test_a_list_of_packages_may_be_a_file(shop: Program, tmp_path: Path) -> None:
    path = tmp_path / "packages.txt"
    path.write_text("# what we need\nrobot=1\n\nbattery  # for the robot\n")
    document = shop.json("import", "box", "--to", "window", "--file", path)
    assert [(row["package"], row["version"]) for row in document["results"]] == [("robot", "1"), ("battery", "1")]


def test_bad_settings_name_file_and_key_and_do_not_keep_help_away(shop: Program) -> None:
    path = shop.home / "entrepot.toml"
    path.write_text("executor = 3\n")
    assert shop("plugins", code=2).stderr == f"Error: {path}:1: executor must be str, not int\n"
    assert shop.json("sync", code=2)["key"] == "executor"
    result = run_program("--help", home=shop.home)
    assert result.returncode == 0
    assert "  publish " in result.stdout
    assert result.stderr == f"Error: {path}:1: executor must be str, not int\n"


def test_a_secret_is_in_no_output_and_in_no_log(
    shop: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = tmp_path / "password"
    password.write_text("p-c0ffee\n")
    options = ("--username", "u-c0ffee", "--password-file", str(password), "--header", "X-Token: h-c0ffee")
    add = ("source", "add", "dark", "http://127.0.0.1:9/", "--format", "toy", "--no-verify", "--retries", "0")
    calls: list[tuple[int, tuple[str, ...]]] = [
        (0, (*add, *options)),
        (0, ("source", "show", "dark")),
        (0, ("source", "list", "--json")),
        (0, ("source", "set", "dark", *options)),
        (0, ("source", "set", "dark", "--forget", "headers", "--forget", "username")),
        (0, ("source", "set", "dark", *options)),
        (1, ("sync", "dark")),
        (1, ("sync", "dark", "--json")),
        (0, ("task", "show", "2")),
        (0, ("task", "list", "--json")),
        (0, ("audit", "list", "--json")),
        (2, ("source", "set", "dark", "--header", "X Token: h-c0ffee")),
        (2, ("source", "set", "dark", "--header", "h-c0ffee")),
        (2, ("source", "set", "dark", "--url", "u-c0ffee:p-c0ffee@example.org")),
    ]
    for code, words in calls:
        assert "c0ffee" not in shop("--verbose", *words, code=code).output, words
    assert "c0ffee" not in caplog.text
    found = [path for path in shop.home.rglob("*") if path.is_file() and b"c0ffee" in path.read_bytes()]
    assert found == [shop.home / "secrets" / "source-2.json"]
    assert json.loads(found[0].read_text())["password"] == "p-c0ffee"
    assert found[0].stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_uploaded_twice_says_that_it_is_there(shop: Program, tmp_path: Path) -> None:
    path = make_toy(tmp_path)
    planned = shop("upload", path, "--to", "window", "--dry-run")
    assert "published" in planned.stdout
    assert "nothing is kept" in planned.stderr
    unknown = shop("upload", path, "--to", "window", "--executor", "elsewhere:", code=1)
    assert "there is no executor called 'elsewhere'" in unknown.stderr
    shop("upload", path, "--to", "window", "--executor", "threads:1")
    assert shop.json("upload", path, "--to", "window")["results"][0]["status"] == "already_published"


def test_a_version_is_listed_with_what_it_changed(shop: Program) -> None:
    shop("import", "box", "robot", "battery", "--to", "window")
    assert [(row["number"], row["added"], row["packages"]) for row in shop.json("version", "list", "window")] == [
        (1, 2, 2),
        (0, 0, 0),
    ]
    assert "import robot 2, battery 1" in shop("version", "list", "window").stdout
