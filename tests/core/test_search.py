"""Search: exact name, then names that start so, then full text; whatever somebody types."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.errors import NotFoundError
from entrepot.services import browse, sources
from support.toy import make_toy
from support.toybox import ToyBox


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path_factory.mktemp("box"))
    for name, summary in {
        "robot": "walks",
        "robot-arm": "part",
        "robotics": "book",
        "tin-robot": "made of tin",
        "clockwork": "drives a robot",
        "ball": "rolls",
        "c++-blocks": "letters",
        "kite_2": "flies, 100% paper",
        "tram": "wheels of wood",
        "van": "tin and wheels, no wood",
        "toy-wheels": "for everything that should roll, on the floor or on the table",
    }.items():
        box.upstream.add(name, 1, summary=summary)
    box.upstream.add("robot", 10, summary="walks and runs")
    box.upstream.add("robot", 9, "big", summary="walks and crushes")
    box.sync()
    yield box
    box.workspace.close()


def names(box: ToyBox, text: str, **filters: Any) -> list[str]:
    """The names that a search finds, each once, in order."""
    return list(dict.fromkeys(row.name for row in browse.search(box.workspace, text, **filters)))


def test_the_exact_name_comes_first_then_names_that_start_so_then_full_text(box: ToyBox) -> None:
    found = names(box, "robot")
    assert found[:3] == ["robot", "robot-arm", "robotics"]
    assert found[3:] == ["tin-robot", "clockwork"]


def test_a_name_weighs_more_than_a_summary(box: ToyBox) -> None:
    assert names(box, "tin") == ["tin-robot", "van"]
    assert names(box, "drives robot") == ["clockwork"]


def test_words_in_a_name_come_first_then_the_very_text_in_a_summary_then_the_shorter_summary(box: ToyBox) -> None:
    assert names(box, "wheels") == ["toy-wheels", "tram", "van"]
    assert names(box, "wheels, no wood") == names(box, "and wood") == ["van"]
    assert names(box, "wheels wood") == ["tram", "van"]
    assert names(box, "no wood") == ["van"]


def test_the_beginning_of_the_last_word_is_enough(box: ToyBox) -> None:
    assert names(box, "made of ti") == ["tin-robot"]
    assert names(box, "mad of tin") == []


def test_every_word_has_to_be_there(box: ToyBox) -> None:
    assert names(box, "walks crushes") == ["robot"]
    assert names(box, "walks flies") == []


def test_search_cares_for_letters_not_for_their_case(box: ToyBox) -> None:
    assert "clockwork" in names(box, "DRIVES")


def test_the_newest_version_stands_for_a_name_once_for_each_architecture(box: ToyBox) -> None:
    found = [(row.version, row.architecture) for row in browse.search(box.workspace, "robot") if row.name == "robot"]
    assert found == [("10", "any"), ("9", "big")]


def test_all_versions_come_in_the_order_of_the_format_not_of_text(box: ToyBox) -> None:
    found = browse.search(box.workspace, "robot", all_versions=True)
    assert [row.version for row in found if row.name == "robot"] == ["10", "9", "1"]


def test_a_limit_counts_names(box: ToyBox) -> None:
    assert names(box, "robot", limit=2, all_versions=True) == ["robot", "robot-arm"]
    assert names(box, "robot", limit=2, offset=2) == ["robotics", "tin-robot"]


def test_no_text_lists_everything_by_name(box: ToyBox) -> None:
    assert names(box, "  ", limit=3) == ["ball", "c++-blocks", "clockwork"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"architecture": "big"}, ["robot"]),
        ({"architecture": "small"}, []),
        ({"format_name": "toy", "limit": 1}, ["robot"]),
        ({"format_name": "apt"}, []),
        ({"source": "box", "limit": 1}, ["robot"]),
    ],
)
def test_filters_narrow_a_search(box: ToyBox, filters: dict[str, Any], found: list[str]) -> None:
    assert names(box, "robot", **filters) == found


def test_a_source_that_is_not_there_is_an_error(box: ToyBox) -> None:
    with pytest.raises(NotFoundError, match="there is no source called 'attic'"):
        browse.search(box.workspace, "robot", source="attic")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("c++-blocks", ["c++-blocks"]),
        ("c++", ["c++-blocks", "clockwork", "robot"]),
        ("kite_2", ["kite_2"]),
        ("100%", ["kite_2"]),
        ('"', []),
        ('"robot', ["robot", "robot-arm", "robotics", "tin-robot", "clockwork"]),
        ("robot*", ["robot", "robot-arm", "robotics", "tin-robot", "clockwork"]),
        ("*", []),
        ("NEAR(robot tin, 2)", []),
        ("robot NOT tin", []),
        ("robot OR ball", []),
        ("name:robot", []),
        ("^robot", ["robot", "robot-arm", "robotics", "tin-robot", "clockwork"]),
        ("robot'; DROP TABLE available; --", []),
        ("robot\x00", ["robot", "robot-arm", "robotics", "tin-robot", "clockwork"]),
        ("\x1b[31mtin", []),
        ("-", []),
        ("()", []),
        ("%", []),
        ("_", []),
        ("robot " * 5000, ["robot", "robot-arm", "tin-robot", "clockwork"]),
        ("x" * 100_000, []),
        ("\udcff", []),
        ("\U0010ffff", []),
        ("機器人", []),
    ],
)
def test_whatever_is_typed_is_text_and_never_a_query(box: ToyBox, text: str, found: list[str]) -> None:
    assert sorted(names(box, text)) == sorted(found)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from('"*()^:-+NEARANDORT \t')), max_size=30))
def test_no_text_makes_a_search_fail(box: ToyBox, text: str) -> None:
    browse.search(box.workspace, text, all_versions=True)


def test_what_vanished_is_not_found(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1, summary="walks")
    box.upstream.add("ball", 1)
    box.sync()
    box.upstream.drop("robot")
    box.sync()
    assert names(box, "robot") == names(box, "walks") == []
    box.workspace.close()


def test_the_same_name_of_two_sources_is_two_rows(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1)
    box.sync()
    box.follow(name="second")
    box.sync("second")
    assert [row.source for row in browse.search(box.workspace, "robot")] == ["box", "second"]
    assert [row.source for row in browse.search(box.workspace, "robot", source="second")] == ["second"]
    sources.remove_source(box.workspace, "box")
    assert [row.source for row in browse.search(box.workspace, "robot")] == ["second"]
    box.workspace.close()


def test_versions_are_ordered_by_their_key_in_whatever_order_they_came(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    numbers = list(range(1, 40))
    random.Random(1).shuffle(numbers)
    for number in numbers:
        box.upstream.add("robot", number)
    box.sync()
    found = browse.search(box.workspace, "robot", all_versions=True)
    assert [int(row.version) for row in found] == sorted(numbers, reverse=True)
    assert browse.show_package(box.workspace, "robot").package.version == "39"
    box.workspace.close()


# ------------------------------------------------------------------------------------------------------ show


def test_show_gives_every_field_every_version_and_where_it_is(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1, summary="walks")
    box.upstream.add("robot", 2, summary="runs")
    box.sync()
    result = box.one("robot=1")
    document = browse.show_package(box.workspace, "robot").as_json()
    assert document["version"] == "2"
    assert document["fields"]["summary"] == "runs"
    assert [row["version"] for row in document["versions"]] == ["2", "1"]
    assert document["last_sync"] == "2026-03-01T12:00:00Z"
    assert document["imported"] == [
        {"distribution": "shop/window", "version": "1", "architecture": "any", "import_id": result.import_id}
    ]
    assert browse.show_package(box.workspace, "robot=1").fields[-2] == ("summary", "walks")
    box.workspace.close()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("robo", "did you mean robot, robot-arm, robotics?"),
        ("zeppelin", "try `entrepot search zeppelin`"),
        ("robot=77", "there is robot:any=10, robot:big=9, robot:any=1"),
        ("ball:big", "there is ball:any=1"),
    ],
)
def test_show_of_what_is_not_there_says_what_is(box: ToyBox, text: str, hint: str) -> None:
    with pytest.raises(NotFoundError, match=f"no source offers {text}") as caught:
        browse.show_package(box.workspace, text)
    assert caught.value.hint == hint


def test_show_of_what_nobody_offers_has_its_imports_and_what_was_said_of_it(tmp_path: Path) -> None:
    box = ToyBox(tmp_path)
    box.upload(make_toy(box.folder, "robot", 1), make_toy(box.folder, "robot", 2, text="block"))
    view = browse.show_held(box.workspace, "robot")
    assert view is not None
    document = view.as_json()
    assert [row["version"] for row in document["imported"]] == ["1"]
    assert [row["state"] for row in document["imports"]] == ["rejected", "published"]
    assert ("words", "pass", "1") in [
        (item["answers"], item["status"], item["version"]) for item in document["inspected"]
    ]
    refused = browse.show_held(box.workspace, "robot=2")
    assert refused is not None
    assert (refused.holders, refused.verdicts, len(refused.imports)) == ([], [], 1)
    assert browse.show_held(box.workspace, "robot=3") is None
    box.workspace.close()
